"""The readers of a race, from the side that gives the orders."""

import socket
import subprocess
import sys
from collections.abc import Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.race.messages import STOPPED, WARM, Read, Round

ROOT = Path(__file__).resolve().parents[2]
WAIT_SECONDS = 60.0


class Readers:
    """`count` processes that read from `host:port` while the block runs."""

    def __init__(self, count: int, host: str, port: int) -> None:
        self._count = count
        self._address = (host, str(port))
        self._processes: list[subprocess.Popen[bytes]] = []
        self._orders: list[Connection] = []

    def __enter__(self) -> Self:
        for _ in range(self._count):
            self._start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for orders in self._orders:
            orders.close()
        for process in self._processes:
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _start(self) -> None:
        ours, theirs = socket.socketpair()
        descriptor = theirs.fileno()
        command = [sys.executable, "-m", "tests.race.reader", str(descriptor), *self._address]
        with theirs:
            self._processes.append(subprocess.Popen(command, cwd=ROOT, pass_fds=(descriptor,)))
        self._orders.append(Connection(ours.detach()))

    def begin(self, wanted: Round) -> None:
        """They read, and every one of them has had data of every target. Raises TimeoutError."""
        for orders in self._orders:
            orders.send(wanted)
        for orders in self._orders:
            answer = self._answer(orders)
            assert answer == WARM, answer

    def finish(self) -> list[Read]:
        """Tell them that all is stopped; what each of them read since `begin`. Raises TimeoutError."""
        for orders in self._orders:
            orders.send(STOPPED)
        return [read for orders in self._orders for read in self._answer(orders)]

    def _answer(self, orders: Connection) -> str | Sequence[Read]:
        if not orders.poll(WAIT_SECONDS):
            raise TimeoutError(f"a reader got no data within {WAIT_SECONDS:.0f} s: the server's log says why")
        answer: str | Sequence[Read] = orders.recv()
        return answer
