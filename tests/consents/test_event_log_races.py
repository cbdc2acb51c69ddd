"""Spreaders and readers at once, on real threads and connections: nothing is numbered twice, lost or told too early."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier, Event
from uuid import UUID, uuid4

import pytest
from django.db import connections

from consents import event_log, events
from consents.events import EventType
from consents.models import Delivery, EventLog, Platform
from consents.models import Event as EventRow
from tests.support import ledger
from tests.support.ledger import NOW

pytestmark = pytest.mark.django_db(transaction=True)


def _together(*calls: Callable[[], object]) -> list[object]:
    gate = Barrier(len(calls))

    def run(call: Callable[[], object]) -> object:
        try:
            connections["default"].ensure_connection()
            gate.wait(30)
            return call()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


def _published(platform: Platform, first: int, count: int) -> None:
    for number in range(first, first + count):
        at = NOW + timedelta(seconds=number)
        events.publish(EventType.CONSENT_PAUSED, now=at, platform_id=platform.id, consent_id=uuid4())


def _numbers(platform: Platform) -> list[int]:
    rows = Delivery.objects.filter(platform_id=platform.id).order_by("sequence")
    return list(rows.values_list("sequence", flat=True))


def test_of_many_spreaders_at_once_each_event_is_laid_once_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_log, "BATCH", 3)
    chat, budget = ledger.platform("Chat"), ledger.platform("Budget")
    for first in range(0, 40, 2):
        _published(chat, first, 1)
        _published(budget, first + 1, 1)

    spreads = _together(*[lambda: event_log.spread(now=NOW)] * 4)

    assert sum(count for count in spreads if isinstance(count, int)) == 40
    for platform in (chat, budget):
        assert _numbers(platform) == list(range(1, 21))
        rows = Delivery.objects.filter(platform_id=platform.id).order_by("sequence").select_related("event")
        occurred = [row.event.occurred_at for row in rows]
        assert occurred == sorted(occurred)
        assert EventLog.objects.get(platform=platform).last_sequence == 20
    assert not EventRow.objects.filter(spread_at=None).exists()


def test_a_reader_beside_spreaders_misses_nothing() -> None:
    chat = ledger.platform("Chat")
    stop = Event()
    seen: list[UUID] = []

    def write(first: int) -> None:
        for number in range(10):
            _published(chat, first + number, 1)
            event_log.spread(now=NOW)

    def read() -> None:
        at = 0
        while True:
            over = stop.is_set()
            page = event_log.page(chat.id, after=at, limit=3)
            assert [row.sequence for row in page.deliveries] == list(range(at + 1, page.position + 1))
            seen.extend(row.event_id for row in page.deliveries)
            at = page.position
            if over and not page.has_more:
                return

    def writers() -> None:
        with ThreadPoolExecutor(2) as pool:
            try:
                for done in [pool.submit(_closing, write, first) for first in (0, 100)]:
                    done.result(60)
            finally:
                stop.set()

    _together(writers, read)

    assert len(seen) == len(set(seen)) == EventRow.objects.count() == 20


def _closing(write: Callable[[int], None], first: int) -> None:
    try:
        write(first)
    finally:
        connections.close_all()


def test_acknowledgements_at_once_end_at_the_furthest() -> None:
    chat = ledger.platform("Chat")
    _published(chat, 0, 8)
    event_log.spread(now=NOW)

    _together(*[lambda through=n: event_log.acknowledge(chat.id, through=through, now=NOW) for n in (3, 8, 5, 1)])  # type: ignore[misc]

    assert EventLog.objects.get(platform=chat).acknowledged_sequence == 8
