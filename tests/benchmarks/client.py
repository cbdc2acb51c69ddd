"""The client: a process that asks over eight connections, each kept open, and looks at every answer.

`python -m tests.benchmarks.client CPU,CPU`: orders come as lines of JSON on standard input, and what came of each goes
to standard output. Standard library and bare sockets, so that it leaves the processors to who is measured.
"""

import itertools
import json
import os
import re
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

from tests.benchmarks.asks import HOST, Ask

TIMEOUT_SECONDS = 60.0
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_HEAD_ENDS = b"\r\n\r\n"


class Wrong(Exception):
    """An answer that is not the one that was seen before."""


class Wire:
    """One connection; opened when first used, and again after trouble."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._socket: socket.socket | None = None

    def exchange(self, octets: bytes) -> tuple[int, int]:
        """(status, octets of the body). Raises OSError, Wrong."""
        if self._socket is None:
            self._socket = socket.create_connection((HOST, self._port), timeout=TIMEOUT_SECONDS)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.sendall(octets)
        head, begun = self._head(self._socket)
        status = int(head[9:12])
        length = _body_length(head, status)
        while begun < length:
            begun += len(self._more(self._socket))
        return status, length

    def _head(self, wire: socket.socket) -> tuple[bytes, int]:
        """Everything before the body, and how much of the body came with it."""
        received = b""
        while True:
            received += self._more(wire)
            head, ending, body = received.partition(_HEAD_ENDS)
            if ending:
                return head, len(body)

    def _more(self, wire: socket.socket) -> bytes:
        received = wire.recv(262_144)
        if not received:
            raise Wrong("the connection was closed in the middle of an answer")
        return received

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def _body_length(head: bytes, status: int) -> int:
    """RFC 9112 section 6.3. Raises Wrong without a Content-Length."""
    if status in (204, 304):
        return 0
    found = _LENGTH.search(head)
    if found is None:
        raise Wrong("no Content-Length")
    return int(found[1])


class Load:
    """One order being carried out; every thread takes its asks from `asks`."""

    def __init__(self, order: dict[str, Any]) -> None:
        self._port: int = order["port"]
        self._ends_at = time.perf_counter() + order["seconds"]
        asks = [Ask(**one) for one in order["asks"]]
        prepared = [(ask, ask.octets(self._port)) for ask in asks]
        self._asks: Iterator[tuple[Ask, bytes]] = iter(prepared) if order["once"] else itertools.cycle(prepared)
        self._lock = threading.Lock()
        self._seconds: list[float] = []
        self._bad: list[str] = []

    def run(self, connections: int) -> dict[str, Any]:
        threads = [threading.Thread(target=self._ask_on) for _ in range(connections)]
        began = time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        ordered = sorted(self._seconds)
        return {
            "requests": len(ordered),
            "bad": len(self._bad),
            "why": self._bad[:1],
            "seconds": time.perf_counter() - began,
            "p50_ms": _quantile(ordered, 0.50) * 1000,
            "p99_ms": _quantile(ordered, 0.99) * 1000,
        }

    def _ask_on(self) -> None:
        wire = Wire(self._port)
        try:
            while time.perf_counter() < self._ends_at:
                with self._lock:
                    ask, octets = next(self._asks, (None, b""))
                if ask is None:
                    return
                began = time.perf_counter()
                self._judge(ask, wire, octets)
                self._seconds.append(time.perf_counter() - began)
        finally:
            wire.close()

    def _judge(self, ask: Ask, wire: Wire, octets: bytes) -> None:
        try:
            status, length = wire.exchange(octets)
        except (OSError, Wrong) as trouble:
            wire.close()
            self._bad.append(f"{ask.method} {ask.path}: {trouble}")
            return
        if status != ask.status or length != ask.length:
            self._bad.append(
                f"{ask.method} {ask.path}: {status} with {length} octets, not {ask.status} with {ask.length}"
            )


def _quantile(ordered: list[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


def main(processors: str) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; this ends when its orders end
    os.sched_setaffinity(0, {int(one) for one in processors.split(",")})
    for line in sys.stdin:
        order = json.loads(line)
        print(json.dumps(Load(order).run(order["connections"])), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
