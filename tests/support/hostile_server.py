"""A bank that behaves as badly as sockets allow: raw TCP on loopback, one behaviour per first segment of the path.

    with HostileServer(tls=None) as server:
        server.origin, server.requests, server.connections

Nothing here speaks HTTP properly unless `json_answer` says so; every endless behaviour ends when the client hangs up.
"""

import gzip
import json
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Self

Behaviour = Callable[["HostileServer", str], Iterator[bytes]]

DRIP_SECONDS = 0.05
_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
MIB = 1024 * 1024
_LIST = b'{"Data":{"Transaction":['
_ROW = (
    b'{"AccountId":"22289","CreditDebitIndicator":"Debit","Status":"BOOK","BookingDateTime":"2026-03-01T00:00:00Z",'
    b'"Amount":{"Amount":"10.50","Currency":"GBP"},"TransactionInformation":"GREENWAY MARKET LONDON"},'
)


def json_answer(
    value: object, *, status: int = 200, headers: str = "", content_type: str = "application/json"
) -> bytes:
    body = json.dumps(value).encode()
    return answer(body, status=status, headers=headers, content_type=content_type)


def answer(
    body: bytes, *, status: int = 200, headers: str = "", content_type: str | None = "application/json"
) -> bytes:
    kind = f"Content-Type: {content_type}\r\n" if content_type else ""
    return f"HTTP/1.1 {status} X\r\n{kind}{headers}Content-Length: {len(body)}\r\n\r\n".encode() + body


def slow_headers(server: "HostileServer", path: str) -> Iterator[bytes]:
    yield b"HTTP/1.1 200 OK\r\nX-Drip: "
    yield from _drip(b"a")


def slow_status_line(server: "HostileServer", path: str) -> Iterator[bytes]:
    yield from _drip(b"H")


def slow_body(server: "HostileServer", path: str) -> Iterator[bytes]:
    yield _HEAD + b"Content-Length: 1000000\r\n\r\n"
    yield from _drip(b" ")


def slow_chunks(server: "HostileServer", path: str) -> Iterator[bytes]:
    yield _HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
    yield from _drip(b"1\r\n \r\n")


def endless_continue(server: "HostileServer", path: str) -> Iterator[bytes]:
    yield from _drip(b"HTTP/1.1 100 Continue\r\n\r\n")


def continue_flood(server: "HostileServer", path: str) -> Iterator[bytes]:
    yield from _flood(b"HTTP/1.1 100 Continue\r\n\r\n" * 4096)


def silence(server: "HostileServer", path: str) -> Iterator[bytes]:
    yield b""
    server.closing.wait(20)


def endless_body(server: "HostileServer", path: str) -> Iterator[bytes]:
    yield _HEAD + b"Connection: close\r\n\r\n"
    yield from _flood(b" " * 65536)


def endless_chunks(server: "HostileServer", path: str) -> Iterator[bytes]:
    yield _HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
    yield from _flood(b"10000\r\n" + b" " * 65536 + b"\r\n")


def endless_rows(server: "HostileServer", path: str) -> Iterator[bytes]:
    """Well-formed as far as it goes, and it goes on."""
    yield _HEAD + b"Connection: close\r\n\r\n" + _LIST
    yield from _flood(_ROW * 64)


def byte_per_second(server: "HostileServer", path: str) -> Iterator[bytes]:
    yield _HEAD + b"Content-Length: 1000000\r\n\r\n"
    while not server.closing.wait(1):
        yield b" "


def gzip_rows(server: "HostileServer", path: str) -> Iterator[bytes]:
    """A list of 256 MiB in a few hundred KiB."""
    yield from _gzipped(gzip.compress(_LIST) + gzip.compress(_ROW * (MIB // len(_ROW))) * 256)


def dearest(server: "HostileServer", path: str) -> Iterator[bytes]:
    """What costs most of all that is within the caps, three pages of it: one large object, whose keys are wide."""
    keys = b",".join(b'"%015d\xf0\x9f\x98\x80":1.5' % number for number in range(99_000))
    further = {} if path.endswith("&&") else {"Next": f"{path}&" if "?" in path else f"{path}?&"}
    head = json.dumps({"Data": {"Transaction": [], "Account": [], "Balance": []}, "Links": further}).encode()
    yield from _gzipped(gzip.compress(head[:-1] + b', "More":{' + keys + b"}}", 1))


def _gzipped(body: bytes) -> Iterator[bytes]:
    yield _HEAD + f"Content-Encoding: gzip\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


def endless_chunk_extension(server: "HostileServer", path: str) -> Iterator[bytes]:
    yield _HEAD + b"Transfer-Encoding: chunked\r\n\r\n1;"
    yield from _flood(b"x" * 65536)


def gzip_bomb(server: "HostileServer", path: str) -> Iterator[bytes]:
    """1000:1, a gigabyte decoded, in a well-formed answer."""
    yield _HEAD + f"Content-Encoding: gzip\r\nContent-Length: {len(_bomb())}\r\n\r\n".encode()
    yield _bomb()


def gzip_bomb_chunked(server: "HostileServer", path: str) -> Iterator[bytes]:
    yield _HEAD + b"Content-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n"
    yield f"{len(_bomb()):x}\r\n".encode() + _bomb() + b"\r\n0\r\n\r\n"


def gzip_twice(server: "HostileServer", path: str) -> Iterator[bytes]:
    body = gzip.compress(gzip.compress(b"{}"))
    yield _HEAD + f"Content-Encoding: gzip, gzip\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


def gzip_broken(server: "HostileServer", path: str) -> Iterator[bytes]:
    yield answer(b"\x1f\x8b\x08 not gzip at all", headers="Content-Encoding: gzip\r\n")


def gzip_good(server: "HostileServer", path: str) -> Iterator[bytes]:
    yield answer(gzip.compress(b'{"amount": 1.10}'), headers="Content-Encoding: gzip\r\n")


def brotli(server: "HostileServer", path: str) -> Iterator[bytes]:
    yield answer(b"\x0b\x01\x80{}\x03", headers="Content-Encoding: br\r\n")


def huge_header(server: "HostileServer", path: str) -> Iterator[bytes]:
    yield b"HTTP/1.1 200 OK\r\nX-Big: " + b"a" * 200_000 + b"\r\n\r\n{}"


def many_headers(server: "HostileServer", path: str) -> Iterator[bytes]:
    yield b"HTTP/1.1 200 OK\r\n" + b"".join(b"X-%d: a\r\n" % number for number in range(5000)) + b"\r\n{}"


def truncated(server: "HostileServer", path: str) -> Iterator[bytes]:
    yield _HEAD + b'Content-Length: 1000\r\n\r\n{"Data": '


def truncated_chunk(server: "HostileServer", path: str) -> Iterator[bytes]:
    yield _HEAD + b'Transfer-Encoding: chunked\r\n\r\n64\r\n{"Data"'


def chunk_garbage(server: "HostileServer", path: str) -> Iterator[bytes]:
    yield _HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n"


def negative_chunk(server: "HostileServer", path: str) -> Iterator[bytes]:
    yield _HEAD + b"Transfer-Encoding: chunked\r\n\r\n-5\r\n{}\r\n0\r\n\r\n"


def not_http(server: "HostileServer", path: str) -> Iterator[bytes]:
    yield b"SSH-2.0-OpenSSH_9.2 canary-of-the-bank\r\n"


def hang_up(server: "HostileServer", path: str) -> Iterator[bytes]:
    yield b""


def redirect(server: "HostileServer", path: str) -> Iterator[bytes]:
    yield answer(b"", status=302, headers=f"Location: {server.origin}/good\r\n")


def bad_header(server: "HostileServer", path: str) -> Iterator[bytes]:
    yield b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nno colon here\r\nContent-Length: 2\r\n\r\n{}"


def good(server: "HostileServer", path: str) -> Iterator[bytes]:
    yield json_answer({"path": path})


BEHAVIOURS: dict[str, Behaviour] = {
    "/" + behaviour.__name__: behaviour
    for behaviour in (
        *(slow_headers, slow_status_line, slow_body, slow_chunks, endless_continue, continue_flood, silence),
        *(endless_rows, byte_per_second, gzip_rows, dearest),
        *(endless_body, endless_chunks, endless_chunk_extension, gzip_bomb, gzip_bomb_chunked, gzip_twice),
        *(gzip_broken, gzip_good, brotli, huge_header, many_headers, truncated, truncated_chunk, chunk_garbage),
        *(negative_chunk, not_http, hang_up, redirect, bad_header, good),
    )
}


def _drip(piece: bytes) -> Iterator[bytes]:
    while True:
        yield piece
        time.sleep(DRIP_SECONDS)


def _flood(piece: bytes) -> Iterator[bytes]:
    while True:
        yield piece


_BOMB: list[bytes] = []


def _bomb() -> bytes:
    """A gigabyte of spaces: gzip members of 16 MiB each, one after the other, which is a legal gzip file."""
    if not _BOMB:
        _BOMB.append(gzip.compress(b" " * (16 * MIB)) * 64)
    return _BOMB[0]


class HostileServer:
    """Listens on 127.0.0.1. `scripted` answers win over BEHAVIOURS; a scripted path includes its query."""

    def __init__(self, *, tls: ssl.SSLContext | None = None) -> None:
        self.scripted: dict[str, bytes] = {}
        self.requests: list[str] = []  #: request heads, as received
        self.connections = 0
        self.hung_up: list[str] = []  #: paths whose client went away before we were done
        self.closing = threading.Event()
        self._tls = tls
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.origin = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.closing.set()
        # To close it is not enough: a thread that waits in accept() keeps the port, and after a signal it goes on with
        # what has the descriptor's number by then: the next server.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._accepting.join()
        self._listener.close()

    def _accept(self) -> None:
        while not self.closing.is_set():
            try:
                sock, _address = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, raw: socket.socket) -> None:
        try:
            sock = self._tls.wrap_socket(raw, server_side=True) if self._tls else raw
        except OSError:
            raw.close()
            return
        with sock:
            path = ""
            try:
                while (head := self._head(sock)) is not None:
                    self.requests.append(head)
                    path = head.split(" ")[1]
                    if path in self.scripted:
                        sock.sendall(self.scripted[path])
                        continue
                    for piece in BEHAVIOURS["/" + re.split(r"[/?]", path)[1]](self, path):
                        if self.closing.is_set():
                            return
                        sock.sendall(piece)
                    if not path.startswith("/good"):
                        return
            except OSError:
                self.hung_up.append(path)

    def _head(self, sock: socket.socket) -> str | None:
        """One request's head; its body, if any, is read and dropped. None when the client has gone."""
        data = b""
        while b"\r\n\r\n" not in data:
            piece = sock.recv(65536)
            if not piece:
                return None
            data += piece
        head, _, body = data.partition(b"\r\n\r\n")
        for line in head.split(b"\r\n"):
            if line.lower().startswith(b"content-length:"):
                missing = int(line.split(b":")[1]) - len(body)
                while missing > 0:
                    missing -= len(sock.recv(65536))
        return head.decode("latin-1")
