"""What one bank can take: decisions over plain facts."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from banks import admission
from banks.admission import (
    CALLS_MIN,
    CALLS_RESERVED,
    OPEN_MAX,
    THROTTLED_FOR,
    UNANSWERED_MAX,
    BreakerStatus,
    GateFacts,
    Refusal,
    Refused,
    Tally,
)
from banks.http.exchanges import Exchange
from tests.support.cast import NOW
from tests.support.jobs import SECOND

LEASE = timedelta(seconds=60)
JOB = UUID(int=1)
WELL = Tally(calls=4, answered=True)
HUNG = Tally(calls=1, failures=1, unanswered=1)


def facts(**changes: Any) -> GateFacts:
    """A bank at rest: closed breaker, full bucket of 600 calls a minute, three jobs at once."""
    at_rest: dict[str, Any] = {
        "institution_id": UUID(int=7),
        "concurrent_jobs_max": 3,
        "calls_per_minute_max": 600,
        "leased_jobs": 0,
        "bucket_thousandths": 600_000,
        "bucket_at": NOW,
        "breaker": BreakerStatus.CLOSED,
        "breaker_until": None,
        "probe_job_id": None,
        "probe_until": None,
        "opened_count": 0,
        "window_at": NOW,
        "calls": 0,
        "failures": 0,
        "unanswered": 0,
    }
    return GateFacts(**{**at_rest, **changes})


def admit(seen: GateFacts, now: datetime = NOW, job_id: UUID = JOB) -> GateFacts | Refused:
    return admission.admit(seen, job_id=job_id, lease_until=now + LEASE, now=now)


def admitted(seen: GateFacts, now: datetime = NOW, job_id: UUID = JOB) -> GateFacts:
    answer = admit(seen, now, job_id)
    assert isinstance(answer, GateFacts), answer
    return answer


def refused(seen: GateFacts, now: datetime = NOW) -> Refused:
    answer = admit(seen, now)
    assert isinstance(answer, Refused), answer
    return answer


def settled(seen: GateFacts, tally: Tally, now: datetime = NOW, job_id: UUID = JOB) -> GateFacts:
    return admission.settled(seen, tally, is_probe=seen.probe_job_id == job_id, now=now)


def exchange(status: int | None = 200, code: str | None = None, retry_after: int | None = None) -> Exchange:
    return Exchange(
        method="GET", host="b", path="/", status=status, milliseconds=1, bytes=0, code=code, retry_after=retry_after
    )


# -- jobs at once ------------------------------------------------------------------------------------------------------


def test_a_bank_with_room_takes_one_more() -> None:
    assert admitted(facts(leased_jobs=2)).breaker == BreakerStatus.CLOSED


def test_a_bank_that_is_full_takes_none_and_the_job_asks_again_soon() -> None:
    turned_away = refused(facts(leased_jobs=3))

    assert turned_away.code == Refusal.INSTITUTION_BUSY
    assert NOW + 5 * SECOND <= turned_away.retry_at < NOW + 8 * SECOND


# -- calls a minute ----------------------------------------------------------------------------------------------------


def test_a_job_takes_its_reserve_from_the_bucket() -> None:
    assert admitted(facts()).bucket_thousandths == 600_000 - CALLS_RESERVED * 1000


@pytest.mark.parametrize(
    ("before", "seconds", "after"),
    [
        pytest.param(0, 1, 10_000, id="ten a second"),
        pytest.param(0, 60, 600_000, id="full in a minute"),
        pytest.param(0, 3600, 600_000, id="and no fuller"),
        pytest.param(-5_000, 1, 5_000, id="a debt first"),
        pytest.param(700_000, 0, 600_000, id="cut when the limit was lowered"),
        pytest.param(1_000, -60, 1_000, id="a clock that is behind takes nothing out"),
    ],
)
def test_the_bucket_fills_as_time_goes(before: int, seconds: int, after: int) -> None:
    seen = facts(bucket_thousandths=before)

    assert admission._refilled(seen, NOW + seconds * SECOND) == after


def test_a_slow_bucket_loses_nothing_to_rounding() -> None:
    seen = facts(bucket_thousandths=0, calls_per_minute_max=1)

    for number in range(1, 61):
        seen = settled(seen, Tally(calls=1, answered=True), NOW + number * SECOND)

    assert 950 <= seen.bucket_thousandths <= 1000


def test_an_empty_bucket_says_when_it_will_do() -> None:
    turned_away = refused(facts(bucket_thousandths=4_000))

    assert turned_away == Refused(code=Refusal.INSTITUTION_THROTTLED, retry_at=NOW + timedelta(milliseconds=600))
    assert admitted(facts(bucket_thousandths=4_000), turned_away.retry_at)


def test_a_bank_that_takes_fewer_calls_than_the_reserve_is_still_asked() -> None:
    assert admitted(facts(calls_per_minute_max=4, bucket_thousandths=4_000)).bucket_thousandths == 0


@pytest.mark.parametrize("limit", ["calls_per_minute_max", "concurrent_jobs_max"])
def test_a_limit_of_nought_stops_a_bank(limit: str) -> None:
    stopped = facts(**{limit: 0})

    assert refused(stopped).retry_at > NOW
    assert admission.free_slots(stopped, now=NOW) == 0


def test_what_was_not_called_comes_back_and_what_was_called_beyond_is_a_debt() -> None:
    begun = admitted(facts(bucket_thousandths=100_000))

    assert settled(begun, Tally(calls=4, answered=True)).bucket_thousandths == 96_000
    assert settled(begun, Tally(calls=150, answered=True)).bucket_thousandths == -50_000


def test_a_refund_does_not_overfill() -> None:
    assert settled(facts(), Tally()).bucket_thousandths == 600_000


def test_a_bank_that_says_429_is_left_alone_by_every_job_for_as_long_as_it_says() -> None:
    tally = Tally()
    tally.note(exchange(429, "upstream_rate_limited", retry_after=20))

    after = settled(facts(), tally)

    assert refused(after, NOW + 20 * SECOND).code == Refusal.INSTITUTION_THROTTLED
    assert admitted(after, NOW + 21 * SECOND)
    assert (after.breaker, after.failures) == (BreakerStatus.CLOSED, 0)


def test_no_refund_of_another_job_shortens_that_wait() -> None:
    tally = Tally(calls=1, answered=True, throttled_for=20 * SECOND)
    after = settled(facts(), tally)

    again = settled(after, Tally(), NOW + SECOND)

    assert again.bucket_thousandths == after.bucket_thousandths + 10_000


@pytest.mark.parametrize(("seconds", "waits"), [(None, THROTTLED_FOR), (5, 5 * SECOND), (86_400, OPEN_MAX)])
def test_how_long_a_429_holds_up_the_bank(seconds: int | None, waits: timedelta) -> None:
    """A wait of hours is one customer's allowance: that job waits for all of it, the bank's others do not."""
    tally = Tally()

    tally.note(exchange(429, "upstream_rate_limited", retry_after=seconds))

    assert tally.throttled_for == waits


# -- what calls came to ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        (exchange(200), (1, 0, 0, True)),
        (exchange(404), (1, 0, 0, True)),
        (exchange(200, "bank_format_changed"), (1, 0, 0, True)),
        (exchange(429, "upstream_rate_limited"), (1, 0, 0, True)),
        (exchange(503, "institution_down"), (1, 1, 0, True)),
        (exchange(None, "institution_down"), (1, 1, 1, False)),
        (exchange(None, "upstream_timeout"), (1, 1, 1, False)),
        (exchange(200, "upstream_timeout"), (1, 1, 1, False)),  # it began to answer, and dripped
        (exchange(None, "address_forbidden"), (0, 0, 0, False)),  # it never left the house
    ],
)
def test_what_counts_as_a_failure(seen: Exchange, expected: tuple[int, int, int, bool]) -> None:
    tally = Tally()

    tally.note(seen)

    assert (tally.calls, tally.failures, tally.unanswered, tally.answered) == expected


def test_an_answer_ends_a_row_of_silence() -> None:
    tally = Tally()
    for each in (
        exchange(None, "upstream_timeout"),
        exchange(503, "institution_down"),
        exchange(None, "upstream_timeout"),
    ):
        tally.note(each)

    assert (tally.calls, tally.failures, tally.unanswered, tally.answered) == (3, 3, 1, True)


# -- the breaker -------------------------------------------------------------------------------------------------------


def opened(seen: GateFacts) -> bool:
    return seen.breaker == BreakerStatus.OPEN


def test_half_of_twenty_calls_in_a_minute_open_it() -> None:
    nine = settled(facts(), Tally(calls=CALLS_MIN - 1, failures=CALLS_MIN // 2 - 1, answered=True))
    assert not opened(nine)

    assert opened(settled(nine, Tally(calls=1, failures=1, answered=True)))
    assert not opened(settled(nine, WELL))


def test_few_failures_do_not_open_it() -> None:
    assert not opened(settled(facts(), Tally(calls=CALLS_MIN - 1, failures=CALLS_MIN - 1, answered=True)))


def test_failures_of_the_minute_before_are_forgotten() -> None:
    before = settled(facts(), Tally(calls=10, failures=10, answered=True))

    assert not opened(settled(before, Tally(calls=10, failures=10, answered=True), NOW + 61 * SECOND))
    assert opened(settled(before, Tally(calls=10, failures=10, answered=True), NOW + 60 * SECOND))


def test_a_bank_that_hangs_is_left_alone_after_five_calls_however_slowly_they_come() -> None:
    seen, now = facts(), NOW
    for _ in range(UNANSWERED_MAX):
        assert not opened(seen)
        now += timedelta(minutes=3)
        seen = settled(seen, HUNG, now)

    assert opened(seen)


def test_an_answer_of_any_kind_begins_that_count_anew() -> None:
    seen = settled(facts(unanswered=UNANSWERED_MAX - 1), Tally(calls=2, failures=2, unanswered=1, answered=True))

    assert not opened(seen)
    assert seen.unanswered == 1


def test_the_pause_doubles_up_to_a_quarter_of_an_hour_and_is_spread() -> None:
    pauses = []
    for count in range(8):
        after = settled(facts(opened_count=count, unanswered=4), HUNG)
        assert after.breaker_until is not None
        assert after.opened_count == count + 1
        pauses.append((after.breaker_until - NOW).total_seconds())

    for pause, least in zip(pauses, [30, 60, 120, 240, 480, 900, 900, 900], strict=True):
        assert least <= pause < least * 1.2
    elsewhere = settled(facts(institution_id=UUID(int=8), unanswered=4), HUNG)
    assert elsewhere.breaker_until != settled(facts(unanswered=4), HUNG).breaker_until


def test_during_the_pause_nobody_starts() -> None:
    paused = facts(breaker=BreakerStatus.OPEN, breaker_until=NOW + 30 * SECOND)

    assert refused(paused) == Refused(code=Refusal.INSTITUTION_PAUSED, retry_at=NOW + 30 * SECOND)


def probing(**changes: Any) -> GateFacts:
    over = facts(breaker=BreakerStatus.OPEN, breaker_until=NOW, opened_count=2, **changes)
    return admitted(over)


def test_after_the_pause_the_first_job_is_the_probe_and_the_others_wait() -> None:
    seen = probing()

    assert (seen.breaker, seen.probe_job_id, seen.probe_until) == (BreakerStatus.HALF_OPEN, JOB, NOW + LEASE)
    assert refused(seen).code == Refusal.INSTITUTION_PAUSED
    assert admission.free_slots(seen, now=NOW) == 0


def test_a_bank_that_is_full_of_jobs_from_before_gets_no_probe() -> None:
    assert refused(facts(breaker=BreakerStatus.OPEN, breaker_until=NOW, leased_jobs=3)).code == Refusal.INSTITUTION_BUSY


def test_a_probe_whose_worker_died_is_followed_by_another() -> None:
    seen = probing()

    another = admitted(seen, NOW + LEASE, UUID(int=2))

    assert another.probe_job_id == UUID(int=2)


def test_the_probes_success_closes_it_and_starts_the_count_anew() -> None:
    after = settled(probing(), WELL)

    assert (after.breaker, after.opened_count, after.probe_job_id) == (BreakerStatus.CLOSED, 0, None)
    assert (after.calls, after.failures, after.unanswered) == (0, 0, 0)


def test_the_probes_failure_opens_it_for_longer() -> None:
    after = settled(probing(), HUNG)

    assert after.breaker == BreakerStatus.OPEN
    assert after.breaker_until is not None
    assert after.breaker_until >= NOW + 120 * SECOND
    assert (after.opened_count, after.probe_job_id) == (3, None)


def test_a_probe_that_had_nothing_to_ask_says_nothing() -> None:
    after = settled(probing(), Tally())

    assert (after.breaker, after.probe_job_id) == (BreakerStatus.HALF_OPEN, None)
    assert admitted(after, job_id=UUID(int=2)).probe_job_id == UUID(int=2)


@pytest.mark.parametrize("tally", [WELL, Tally(calls=30, failures=30, unanswered=30)], ids=["well", "hung"])
def test_a_job_from_before_the_pause_has_no_say(tally: Tally) -> None:
    paused = facts(breaker=BreakerStatus.OPEN, breaker_until=NOW + 30 * SECOND, bucket_thousandths=-1)
    probed = replace(probing(), bucket_thousandths=-1)

    for seen in (paused, probed):
        after = settled(seen, tally, job_id=UUID(int=9))
        assert replace(after, bucket_thousandths=-1) == seen


@pytest.mark.parametrize("leased", range(5))
def test_free_slots_are_what_would_be_let_in(leased: int) -> None:
    for seen in (facts(), facts(bucket_thousandths=15_000), facts(breaker=BreakerStatus.HALF_OPEN)):
        seen = replace(seen, leased_jobs=leased)
        expected = admission.free_slots(seen, now=NOW)
        let_in = 0
        while isinstance(answer := admit(seen), GateFacts):
            seen = replace(answer, leased_jobs=answer.leased_jobs + 1)
            let_in += 1
        assert let_in == expected
