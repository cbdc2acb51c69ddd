"""The thin calls: what a tick sends and where, and what is written down after a job, however it ended."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from kombu.exceptions import OperationalError

from banks import leases, sync, tasks, working
from banks.admission import UNANSWERED_MAX, BreakerStatus
from banks.held_jobs import Claim
from banks.http.exchanges import Exchange
from banks.models import Connection, FetchRecord, Institution, InstitutionGate, SyncJob, SyncJobStatus, SyncTrigger
from consents import clock
from tests.support import cast
from tests.support.jobs import bank, due, linked

pytestmark = pytest.mark.django_db

SILENCE = Exchange(method="GET", host="b", path="/", status=None, milliseconds=1, bytes=0, code="upstream_timeout")
Hand = Callable[..., None]


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """(job, queue) of every message."""
    messages: list[tuple[str, str]] = []
    monkeypatch.setattr(
        tasks.run_job, "apply_async", lambda args, queue, headers: messages.append((args[0], queue)), raising=True
    )
    return messages


def doing(monkeypatch: pytest.MonkeyPatch, hand: Hand) -> None:
    """Let `hand` stand in for the sync."""
    monkeypatch.setattr(sync, "run", hand)


def now_due(link: Connection) -> SyncJob:
    return due(link, now=clock.now())


def finished(held: Claim, **_: Any) -> None:
    leases.finish(held, SyncJobStatus.COMMITTED, counts={}, error=None, now=clock.now())


def needed(link: Connection) -> None:
    member = cast.platform(f"platform-{link.id.hex[:8]}")
    cast.authorised_consent(link.user, member.platform, accounts=[cast.choice(cast.account(link))])


# -- the tick ----------------------------------------------------------------------------------------------------------


def test_a_job_is_sent_to_its_banks_queue_or_the_common_one(sent: list[tuple[str, str]]) -> None:
    own, common = now_due(linked(bank(queue="bank-a"))), now_due(linked(bank()))

    tasks.tick()

    assert sorted(sent) == sorted([(str(own.id), "bank-a"), (str(common.id), "celery")])


def test_a_tick_enqueues_and_sends_what_the_schedule_says(sent: list[tuple[str, str]]) -> None:
    link = linked()
    needed(link)
    Connection.objects.filter(id=link.id).update(next_sync_at=clock.now())

    tasks.tick()

    assert [job_id for job_id, _ in sent] == [str(SyncJob.objects.get(connection=link).id)]


def test_without_a_broker_a_job_is_done_where_it_was_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*_: Any, **__: Any) -> None:
        raise OperationalError("refused")

    monkeypatch.setattr(tasks.run_job, "apply_async", unreachable)
    doing(monkeypatch, finished)
    jobs = [now_due(linked()) for _ in range(2)]

    tasks.tick()

    assert set(SyncJob.objects.values_list("status", flat=True)) == {SyncJobStatus.COMMITTED}
    assert SyncJob.objects.count() == len(jobs)


def test_the_reconciler_adopts_what_no_schedule_knows() -> None:
    link = linked()
    needed(link)

    tasks.reconcile()

    link.refresh_from_db()
    assert link.next_sync_at is not None


def test_the_sweep_forgets_fetches_that_no_window_reaches() -> None:
    link = linked()
    for days in (1, 3):
        FetchRecord.objects.create(
            connection=link,
            resource="ACCOUNTS",
            presence="ABSENT",
            job_id=UUID(int=1),
            epoch=1,
            fetched_at=clock.now() - timedelta(days=days),
        )

    tasks.sweep()

    assert FetchRecord.objects.count() == 1


# -- one job -----------------------------------------------------------------------------------------------------------


def test_what_a_job_called_is_settled_with_its_banks_gate(monkeypatch: pytest.MonkeyPatch) -> None:
    at = bank()

    def hangs(held: Claim, *, on_exchange: Callable[[Exchange], None], **_: Any) -> None:
        for _number in range(UNANSWERED_MAX):
            on_exchange(SILENCE)
        finished(held)

    doing(monkeypatch, hangs)
    tasks.run_job(str(now_due(linked(at)).id))

    assert InstitutionGate.objects.get(institution=at).breaker == BreakerStatus.OPEN


def test_after_a_job_the_next_one_has_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    link = linked()
    needed(link)
    doing(monkeypatch, finished)

    tasks.run_job(str(now_due(link).id))

    link.refresh_from_db()
    assert link.next_sync_at is not None
    assert link.next_sync_at > clock.now()


def test_a_job_that_broke_is_settled_all_the_same_and_the_error_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    at = bank()

    def breaks(held: Claim, *, on_exchange: Callable[[Exchange], None], **_: Any) -> None:
        on_exchange(SILENCE)
        raise ZeroDivisionError

    doing(monkeypatch, breaks)
    with pytest.raises(ZeroDivisionError):
        tasks.run_job(str(now_due(linked(at)).id))

    assert InstitutionGate.objects.get(institution=at).unanswered == 1


def test_a_message_for_a_job_that_may_not_start_does_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: Any, **__: Any) -> None:
        raise AssertionError("it ran")

    doing(monkeypatch, never)

    tasks.run_job(str(UUID(int=1)))
    tasks.run_job(str(now_due(linked(bank(concurrent_jobs_max=0))).id))


def test_one_tick_at_a_time_looks_at_the_queue(sent: list[tuple[str, str]]) -> None:
    job = now_due(linked())

    with tasks._ticking:
        tasks.tick()
    assert sent == []
    tasks.tick()

    assert [job_id for job_id, _ in sent] == [str(job.id)]


def test_a_tick_that_failed_holds_up_no_other(sent: list[tuple[str, str]], monkeypatch: pytest.MonkeyPatch) -> None:
    job = now_due(linked())

    def broken(**_: Any) -> None:
        raise RuntimeError("the database is away")

    with monkeypatch.context() as patched:
        patched.setattr(tasks.dispatch, "due", broken)
        with pytest.raises(RuntimeError):
            tasks.tick()
    tasks.tick()

    assert [job_id for job_id, _ in sent] == [str(job.id)]


# -- going on ----------------------------------------------------------------------------------------------------------


def scheduled(at: Institution, count: int) -> list[SyncJob]:
    return [due(linked(at), now=clock.now(), trigger=SyncTrigger.SCHEDULE) for _ in range(count)]


def done() -> set[UUID]:
    return set(SyncJob.objects.filter(status=SyncJobStatus.COMMITTED).values_list("id", flat=True))


def test_after_a_scheduled_job_a_worker_does_the_banks_other_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    at = bank(concurrent_jobs_max=1)
    jobs, elsewhere, asked_for = scheduled(at, 5), scheduled(bank(), 1), now_due(linked(at))
    on_its_way = scheduled(at, 1)[0]
    SyncJob.objects.filter(id=on_its_way.id).update(dispatched_at=clock.now())
    doing(monkeypatch, finished)

    tasks.run_job(str(jobs[0].id))

    assert done() == {job.id for job in jobs}
    assert not done() & {elsewhere[0].id, asked_for.id, on_its_way.id}


def test_after_a_job_that_somebody_asked_for_a_worker_takes_the_next_message(monkeypatch: pytest.MonkeyPatch) -> None:
    at = bank()
    asked_for, _ = now_due(linked(at)), scheduled(at, 2)
    doing(monkeypatch, finished)

    tasks.run_job(str(asked_for.id))

    assert done() == {asked_for.id}


def test_a_worker_leaves_its_slot_to_a_job_that_somebody_asked_for_and_that_is_on_its_way(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Else the message would find the bank's only slot taken, and the person wait for seconds more."""
    at = bank(concurrent_jobs_max=1)
    (first, second), asked_for = scheduled(at, 2), now_due(linked(at))
    SyncJob.objects.filter(id=asked_for.id).update(dispatched_at=clock.now())
    doing(monkeypatch, finished)

    tasks.run_job(str(first.id))
    assert done() == {first.id}
    tasks.run_job(str(asked_for.id))
    tasks.run_job(str(second.id))

    assert done() == {first.id, asked_for.id, second.id}


def test_a_worker_goes_on_for_a_few_seconds_only(monkeypatch: pytest.MonkeyPatch) -> None:
    first, _ = scheduled(bank(), 2)
    monkeypatch.setattr(working, "GOES_ON_SECONDS", 0.0)
    doing(monkeypatch, finished)

    tasks.run_job(str(first.id))

    assert done() == {first.id}


def test_a_worker_does_not_go_on_where_the_bank_takes_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    at = bank()
    first, _ = scheduled(at, 2)

    def closes(held: Claim, **_: Any) -> None:
        finished(held)
        InstitutionGate.objects.filter(institution=at).update(
            breaker=BreakerStatus.OPEN, breaker_until=clock.now() + timedelta(minutes=1)
        )

    doing(monkeypatch, closes)

    tasks.run_job(str(first.id))

    assert done() == {first.id}
