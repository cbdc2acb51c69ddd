"""A reader: a process of its own that reads as fast as it is answered, and notes when each read began and how it ended.

Standard library only: a dozen of them start in a moment and leave the processor to the server.
"""

import http.client
import random
import signal
import sys
import time
from collections import Counter
from itertools import cycle
from multiprocessing.connection import Connection

from tests.race.messages import DATA, NO_ANSWER, WARM, Ask, Read, Round


class Reader:
    """`host:port` is read over one connection, kept open; the other end of `orders` says what."""

    def __init__(self, orders: Connection, host: str, port: int) -> None:
        self._orders = orders
        self._http = http.client.HTTPConnection(host, port, timeout=60)

    def serve(self) -> None:
        """Round after round, until the other end is closed."""
        while True:
            try:
                wanted: Round = self._orders.recv()
            except (EOFError, ConnectionResetError):
                return
            self._orders.send(self._read_round(wanted))

    def _read_round(self, wanted: Round) -> list[Read]:
        asks = random.sample(wanted.asks, len(wanted.asks))
        targets = {ask.target for ask in asks}
        unread = set(targets)
        reads: list[Read] = []
        total: Counter[int] = Counter()
        after: Counter[int] = Counter()
        is_stopped = False
        for ask in cycle(asks):
            read = self._read(ask)
            reads.append(read)
            if read.has_data and ask.target in unread:
                unread.remove(ask.target)
                if not unread:
                    self._orders.send(WARM)
            if not ask.is_bystander:
                total[ask.target] += 1
                after[ask.target] += is_stopped
            if not is_stopped and self._orders.poll():
                self._orders.recv()
                is_stopped = True
            if is_stopped and all(total[one] >= wanted.reads and after[one] >= wanted.reads_after for one in targets):
                return reads
        raise AssertionError("unreachable")

    def _read(self, ask: Ask) -> Read:
        # Taken before a byte is sent: what counts as begun after the acknowledgement did begin after it.
        began_at = time.monotonic_ns()
        try:
            self._http.request("GET", ask.path, headers={"Authorization": f"Bearer {ask.token}"})
            answer = self._http.getresponse()
            status, body = answer.status, answer.read()
        except (OSError, http.client.HTTPException):
            self._http.close()
            status, body = NO_ANSWER, b""
        return Read(ask.target, ask.is_bystander, began_at, time.monotonic_ns(), status, DATA in body)


def main(descriptor: int, host: str, port: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; this ends when its orders end
    Reader(Connection(descriptor), host, port).serve()


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
