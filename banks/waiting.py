"""Pages that wait for a bank: few at once, and not for long."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from threading import BoundedSemaphore

from banks import sessions, upstream
from banks.connector import Connector, Credentials
from banks.errors import BankRateLimited
from banks.models import Institution

#: Seconds one call chain of a page may take.
PAGE_SECONDS = 10.0

#: Pages of one process that may wait for banks at once. A bulkhead, so per process by nature: the other threads go on
#: answering, revocations above all.
_WAITING = BoundedSemaphore(3)


@contextmanager
def at_the_bank(
    institution: Institution, *, now: datetime, credentials: Credentials | None = None
) -> Iterator[Connector]:
    """A connector for a page: short deadline, few at once. Raises BankRateLimited when too many pages wait already."""
    if not _WAITING.acquire(blocking=False):
        raise BankRateLimited("too many pages wait for banks")
    try:
        deadline = time.monotonic() + PAGE_SECONDS
        with sessions.connector_for(
            institution, now=now, credentials=credentials, deadline_monotonic=deadline
        ) as connector:
            yield connector
    finally:
        _WAITING.release()


def end_upstream_now(institution: Institution, bank_consent_id: str, *, now: datetime) -> None:
    """The first attempt at a lodged ending, by a page that waits for this bank anyway. What comes of it changes nothing
    for the page; where too many wait, a worker makes the attempt."""
    if not _WAITING.acquire(blocking=False):
        return
    try:
        held = upstream.claim_of(institution, bank_consent_id, now=now)
        if held is not None:
            upstream.attempt(held, clock=lambda: now, seconds=PAGE_SECONDS)
    finally:
        _WAITING.release()
