"""Slow, hanging and dripping answers, and how many of them may wait at once."""

import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.http import HttpResponse, StreamingHttpResponse

from banks.sandbox import faults
from banks.sandbox.answers import UNEXPECTED, ObError
from banks.sandbox.behaviours.base import Behaviour, Visit

#: Nothing here keeps a thread of the bank longer than this.
LONGEST_SECONDS = 60.0
#: How many answers may hang or drip at once, in one process: fewer than a bank has threads (four or more), so that
#: other customers are always served. One more lets the longest-waiting one go.
SEATS = 2

_seats: deque[threading.Event] = deque()
_seating = threading.Lock()


@contextmanager
def _seat() -> Iterator[threading.Event]:
    """A place to wait in; the event is set when somebody else needs it."""
    asked_to_leave = threading.Event()
    with _seating:
        if len(_seats) >= SEATS:
            _seats.popleft().set()
        _seats.append(asked_to_leave)
    try:
        yield asked_to_leave
    finally:
        with _seating:
            if asked_to_leave in _seats:
                _seats.remove(asked_to_leave)


class Slow(Behaviour):
    """Every answer takes its time, and is right."""

    def arrive(self, visit: Visit) -> None:
        faults.happen({"delay_ms": int((3.0 if visit.seconds is None else visit.seconds) * 1000)}, "")


class Hanging(Behaviour):
    """Balances and transactions are not answered until LONGEST_SECONDS have passed, then with 504."""

    def arrive(self, visit: Visit) -> None:
        if visit.resource == "accounts":
            return
        with _seat() as asked_to_leave:
            asked_to_leave.wait(LONGEST_SECONDS if visit.seconds is None else visit.seconds)
        raise ObError(504, (UNEXPECTED, "The bank did not answer in time."))


class Dripping(Behaviour):
    """Balances and transactions come one byte a second; after LONGEST_SECONDS the connection is closed in the middle.

    The switch `seconds` is the pause before each byte.
    """

    def answer(self, response: HttpResponse, visit: Visit) -> Any:
        if visit.resource == "accounts":
            return response
        pause = 1.0 if visit.seconds is None else visit.seconds
        headers = {name: value for name, value in response.headers.items() if name != "Content-Length"}
        headers["Content-Length"] = str(len(response.content))
        return StreamingHttpResponse(_drops(response.content, pause), status=response.status_code, headers=headers)


def _drops(content: bytes, pause: float) -> Iterator[bytes]:
    ends_at = time.monotonic() + LONGEST_SECONDS
    with _seat() as asked_to_leave:
        for byte in content:
            if asked_to_leave.wait(pause) or time.monotonic() > ends_at:
                return
            yield bytes((byte,))
