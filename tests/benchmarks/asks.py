"""One HTTP request as it is sent, and what its answer must look like. Standard library only: the client loads it."""

import http.client
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

HOST = "127.0.0.1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """`length`: octets of the answer's body; None: not yet known."""

    path: str
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str = ""
    status: int = 200
    length: int | None = None

    def octets(self, port: int) -> bytes:
        """The request of HTTP/1.1, to be sent over a connection that stays open."""
        headers = {"Host": f"{HOST}:{port}", "Accept": "application/json", **self.headers}
        if self.body:
            headers["Content-Length"] = str(len(self.body.encode()))
        lines = [f"{self.method} {self.path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
        return ("\r\n".join(lines) + "\r\n\r\n" + self.body).encode()

    def as_json(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__dataclass_fields__} | {"headers": dict(self.headers)}

    def seen(self, answer: "Answer") -> "Ask":
        """The same, expecting what was just answered."""
        return replace(self, status=answer.status, length=len(answer.body))


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: Mapping[str, str]  #: names in lower case
    body: bytes


def send(ask: Ask, port: int) -> Answer:
    """Once, over a connection of its own."""
    connection = http.client.HTTPConnection(HOST, port, timeout=60)
    try:
        headers = {"Accept": "application/json", **ask.headers}
        connection.request(ask.method, ask.path, body=ask.body.encode() or None, headers=headers)
        response = connection.getresponse()
        named = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, named, response.read())
    finally:
        connection.close()
