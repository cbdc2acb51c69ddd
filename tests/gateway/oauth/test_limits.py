"""Counts, window by window: exact when everything arrives at once, with Redis and without."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier
from typing import Any

import pytest
import redis
from django.db import connections

from gateway.oauth import limits
from gateway.oauth.limits import Subject
from gateway.oauth.models import RequestCount

AT = datetime(2026, 3, 4, 12, 0, 17, tzinfo=UTC)
USER, PLATFORM = Subject("user", "u", 5), Subject("platform", "p", 50)


def counted(*subjects: Subject, at: datetime = AT) -> list[int]:
    return [one.calls for one in limits.count(subjects or (USER, PLATFORM), now=at)]


def test_a_window_is_a_minute_and_a_new_one_begins_at_nothing(db: None) -> None:
    assert [counted() for _ in range(3)] == [[1, 1], [2, 2], [3, 3]]
    assert counted(PLATFORM) == [4]
    assert counted(at=AT + timedelta(seconds=42)) == [4, 5]
    assert counted(at=AT + timedelta(seconds=43)) == [1, 1]
    assert RequestCount.objects.count() == 2


def test_a_slower_clock_does_not_begin_the_window_anew(db: None) -> None:
    counted(at=AT + timedelta(minutes=1))

    assert counted(at=AT) == [2, 2]
    assert counted(at=AT + timedelta(minutes=1)) == [3, 3]


@pytest.mark.parametrize(("at", "left"), [(0, 60), (0.5, 60), (17, 43), (59.5, 1), (59.999, 1)])
def test_it_says_when_the_window_ends(db: None, at: float, left: int) -> None:
    (one,) = limits.count([USER], now=AT.replace(second=0) + timedelta(seconds=at))

    assert one.reset_seconds == left


def test_the_quota_itself_is_let_through_and_the_next_is_not(db: None) -> None:
    standings = [limits.count([USER], now=AT) for _ in range(6)]

    assert [limits.retry_after(one) for one in standings] == [None] * 5 + [43]
    assert [one[0].remaining for one in standings] == [4, 3, 2, 1, 0, 0]


def _at_once(times: int) -> list[list[int]]:
    gate = Barrier(times)

    def run(_: int) -> list[int]:
        try:
            connections["default"].ensure_connection()
            gate.wait(30)
            return counted()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(times) as pool:
        return list(pool.map(run, range(times)))


@pytest.mark.django_db(transaction=True)
def test_t17_of_many_at_once_each_has_its_own_number() -> None:
    """In the first window, whose rows nobody has made yet, and in the one after it."""
    for _ in range(3):
        assert sorted(_at_once(8)) == [[number, number] for number in range(1, 9)]
        RequestCount.objects.update(window_at=AT - timedelta(minutes=5))


@pytest.fixture
def with_redis(redis_url: str, settings: Any) -> Any:
    settings.REDIS_URL = redis_url
    limits._client.cache_clear()
    limits._client().flushdb()
    yield limits._client()
    limits._client.cache_clear()


@pytest.mark.django_db(transaction=True)
def test_t17_redis_counts_the_same_and_no_row_is_written(with_redis: Any) -> None:
    assert sorted(_at_once(8)) == [[number, number] for number in range(1, 9)]
    assert counted(at=AT + timedelta(seconds=43)) == [1, 1]
    assert not RequestCount.objects.exists()
    assert all(0 < with_redis.ttl(key) <= 120 for key in with_redis.keys("sluice:calls:*"))


def test_a_connection_that_redis_closed_and_a_script_it_forgot_lose_no_count(db: None, with_redis: Any) -> None:
    assert counted() == [1, 1]

    with_redis.script_flush()
    assert counted() == [2, 2]
    with_redis.client_kill_filter(_type="normal", skipme=True)
    assert counted() == [3, 3]
    assert not RequestCount.objects.exists()


def test_half_an_answer_is_never_taken_for_the_next_ones(
    db: None, with_redis: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    assert counted() == [1, 1]

    def late(*rest: Any, **named: Any) -> Any:
        raise redis.TimeoutError

    with monkeypatch.context() as one:
        one.setattr(limits._connections.kept[1], "read_response", late)
        assert counted() == [1, 1]  # by the table
    assert "fell back" in caplog.text
    assert counted() == [3, 3]
    assert counted() == [4, 4]


def test_without_redis_the_table_goes_on(db: None, settings: Any, caplog: pytest.LogCaptureFixture) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    limits._client.cache_clear()

    assert [counted(), counted()] == [[1, 1], [2, 2]]
    limits._client.cache_clear()
    assert "fell back" in caplog.text
