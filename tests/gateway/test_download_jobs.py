"""Copies are claimed like all work here: one live a person, nothing half-done is served, nothing outlives a day."""

import io
import threading
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.db import connections
from kombu.exceptions import OperationalError

from banks.errors import StaleLease
from banks.vault import Unsealable
from consents import clock
from consents.models import AuditEntry
from gateway.identity.models import User
from gateway.notify.models import Notice
from gateway.portal import tasks
from gateway.portal.download import jobs, work
from gateway.portal.download.jobs import Held
from gateway.portal.models import ExportChunk, ExportJob
from tests.gateway.download_world import much_on_record, opened
from tests.support import cast

pytestmark = pytest.mark.django_db

SECOND = timedelta(seconds=1)


@pytest.fixture
def asked(alice: User) -> ExportJob:
    return jobs.request(alice, actor=cast.BY_USER, now=clock.now())


def claimed(job: ExportJob, *, now: Any = None) -> Held:
    held = jobs.claim(job.id, now=now or clock.now())
    assert held is not None
    return held


def over(job: ExportJob) -> Any:
    """The instant after the lease of its holder."""
    job.refresh_from_db()
    assert job.lease_until is not None
    return job.lease_until + SECOND


# -- asking ------------------------------------------------------------------------------------------------------------


def test_one_live_job_for_each_person(alice: User, bob: User, asked: ExportJob) -> None:
    again = jobs.request(alice, actor=cast.BY_USER, now=clock.now())
    other = jobs.request(bob, actor=cast.BY_USER, now=clock.now())

    assert again.id == asked.id
    assert other.id != asked.id
    assert ExportJob.objects.count() == 2
    assert AuditEntry.objects.filter(action="download.requested").count() == 2


def test_a_copy_is_made_told_and_written_to_the_trail(alice: User, asked: ExportJob) -> None:
    tasks.make_export(str(asked.id))

    asked.refresh_from_db()
    assert (asked.status, asked.stage, asked.attempts) == ("READY", "", 1)
    assert asked.finished_at is not None
    assert asked.expires_at == asked.finished_at + timedelta(hours=24)
    assert asked.chunks == ExportChunk.objects.count() >= 1
    assert Notice.objects.get().kind == "download.ready"
    assert AuditEntry.objects.get(action="download.ready").user_pseudonym == alice.pseudonym
    assert jobs.claim(asked.id, now=clock.now()) is None


def test_a_copy_that_is_ready_stays_until_the_new_one_is(alice: User, asked: ExportJob) -> None:
    tasks.make_export(str(asked.id))
    second = jobs.request(alice, actor=cast.BY_USER, now=clock.now())
    claimed(second)

    assert jobs.ready(alice.id, now=clock.now()) == asked

    tasks.make_export(str(second.id))  # somebody holds it
    assert jobs.ready(alice.id, now=clock.now()) == asked
    work.run(claimed(second, now=over(second)), clock=clock.now)

    assert jobs.ready(alice.id, now=clock.now()) == second
    assert not ExportJob.objects.filter(id=asked.id).exists()
    assert not ExportChunk.objects.filter(job_id=asked.id).exists()


# -- sealed ------------------------------------------------------------------------------------------------------------


def test_what_is_stored_is_sealed_in_pieces(alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work, "CHUNK_BYTES", 1_000)
    much_on_record(alice, "Canary", reads=5, transactions=5)
    job = jobs.request(alice, actor=cast.BY_USER, now=clock.now())
    tasks.make_export(str(job.id))

    pieces = [bytes(sealed) for sealed in ExportChunk.objects.values_list("sealed", flat=True)]
    assert len(pieces) > 5
    assert not any(b"PK\x03\x04" in piece or b"sluice-data" in piece for piece in pieces)
    assert opened(job.id).json("profile")[0]["username"] == "alice"


def test_a_piece_that_is_missing_changed_or_moved_does_not_open(alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work, "CHUNK_BYTES", 1_000)
    job = jobs.request(alice, actor=cast.BY_USER, now=clock.now())
    tasks.make_export(str(job.id))
    job.refresh_from_db()
    first, second = ExportChunk.objects.order_by("number")[:2]

    ExportChunk.objects.filter(id=first.id).update(sealed=bytes(second.sealed))
    with pytest.raises(Unsealable):
        list(jobs.content(job))
    ExportChunk.objects.filter(id=first.id).update(sealed=bytes(first.sealed))
    assert zipfile.is_zipfile(io.BytesIO(b"".join(jobs.content(job))))
    ExportChunk.objects.filter(id=second.id).delete()
    with pytest.raises(Unsealable):
        list(jobs.content(job))


# -- workers that die --------------------------------------------------------------------------------------------------


def test_another_goes_on_when_a_workers_lease_has_run_out(asked: ExportJob) -> None:
    lost = claimed(asked)
    jobs.add_chunk(lost, 0, b"half of it", now=clock.now())  # and here the worker dies
    assert jobs.claim(asked.id, now=clock.now()) is None
    assert jobs.dispatchable(now=clock.now()) == []

    at = over(asked)
    assert jobs.dispatchable(now=at) == [asked.id]
    work.run(claimed(asked, now=at), clock=clock.now)

    copy = opened(asked.id)
    assert copy.json("profile")[0]["username"] == "alice"
    assert set(ExportChunk.objects.values_list("epoch", flat=True)) == {2}


def test_a_worker_that_was_slow_writes_nothing_any_more(asked: ExportJob) -> None:
    slow = claimed(asked)
    claimed(asked, now=over(asked))

    with pytest.raises(StaleLease):
        jobs.add_chunk(slow, 0, b"late", now=clock.now())
    with pytest.raises(StaleLease):
        jobs.finish(slow, chunks=0, size_bytes=0, now=clock.now())
    jobs.fail(slow, "internal_error", now=clock.now())
    work.run(slow, clock=clock.now)

    asked.refresh_from_db()
    assert (asked.status, asked.epoch, asked.error_code) == ("LEASED", 2, "")
    assert not ExportChunk.objects.exists()
    assert not Notice.objects.exists()


def test_a_worker_that_works_keeps_its_lease(asked: ExportJob) -> None:
    now = clock.now()
    held = claimed(asked, now=now)
    before = over(asked)

    jobs.go_on(held, "reads", now=now + 30 * SECOND)

    assert over(asked) == before + 30 * SECOND
    assert ExportJob.objects.get().stage == "reads"


def test_t23_a_copy_that_kills_its_workers_is_given_up(asked: ExportJob) -> None:
    for _ in range(jobs.ATTEMPTS_MAX):
        at = clock.now() if asked.lease_until is None else over(asked)
        claimed(asked, now=at)
        asked.refresh_from_db()

    assert jobs.claim(asked.id, now=over(asked)) is None

    asked.refresh_from_db()
    assert (asked.status, asked.error_code) == ("FAILED", "worker_lost")


def test_a_defect_is_tried_again_and_then_told(alice: User, asked: ExportJob, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object, **__: object) -> Iterator[Any]:
        raise ZeroDivisionError

    monkeypatch.setattr(work.tables, "tables", fails)
    now = clock.now()
    for attempt in range(1, jobs.ATTEMPTS_MAX + 1):
        with pytest.raises(ZeroDivisionError):
            work.run(claimed(asked, now=now), clock=lambda at=now: at)  # type: ignore[misc]
        asked.refresh_from_db()
        assert asked.attempts == attempt
        now = max(now, asked.next_attempt_at) + SECOND

    assert (asked.status, asked.error_code) == ("FAILED", "internal_error")
    ended = jobs.newest_ended(alice.id, now=now)
    assert ended == asked
    assert jobs.request(alice, actor=cast.BY_USER, now=now).id != asked.id


def test_without_a_broker_the_copy_is_made_where_it_was_found(
    asked: ExportJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    def down(**_: object) -> None:
        raise OperationalError

    monkeypatch.setattr(tasks.make_export, "apply_async", down)

    tasks.dispatch_exports()

    assert ExportJob.objects.get().status == "READY"


def test_a_lost_message_is_sent_again_after_a_minute(asked: ExportJob) -> None:
    now = clock.now()
    assert jobs.dispatchable(now=now) == [asked.id]
    assert jobs.dispatchable(now=now + 59 * SECOND) == []
    assert jobs.dispatchable(now=now + 61 * SECOND) == [asked.id]


@pytest.mark.django_db(transaction=True)
def test_of_workers_and_requests_at_once_one_copy_comes(alice: User) -> None:
    gate, now = threading.Barrier(4), clock.now()

    def pull(_: int) -> int:
        try:
            connections["default"].ensure_connection()
            gate.wait()
            job = jobs.request(alice, actor=cast.BY_USER, now=now)
            held = jobs.claim(job.id, now=now)
            if held is not None:
                work.run(held, clock=clock.now)
            return int(held is not None)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(4) as pool:
        claims = sum(pool.map(pull, range(4)))

    # A request that comes after the first copy was ready makes another, which then takes its place.
    assert claims == Notice.objects.count() >= 1
    assert ExportJob.objects.count() == 1
    job = ExportJob.objects.get()
    assert opened(job.id).json("profile")[0]["username"] == "alice"
    assert ExportChunk.objects.count() == job.chunks


# -- the end -----------------------------------------------------------------------------------------------------------


def test_nothing_is_left_after_a_day(alice: User, asked: ExportJob) -> None:
    tasks.make_export(str(asked.id))
    asked.refresh_from_db()
    assert asked.expires_at is not None
    last = asked.expires_at - SECOND

    assert jobs.ready(alice.id, now=last) == asked
    assert jobs.sweep(now=last) == 0
    assert jobs.ready(alice.id, now=asked.expires_at) is None, "by the clock, before anybody swept"
    assert jobs.sweep(now=asked.expires_at) == 1

    assert not ExportJob.objects.exists()
    assert not ExportChunk.objects.exists()


def test_a_closed_profile_gets_no_copy_and_keeps_none(alice: User, bob: User, asked: ExportJob) -> None:
    made = jobs.request(bob, actor=cast.BY_USER, now=clock.now())
    tasks.make_export(str(made.id))
    User.objects.update(is_active=False)

    assert jobs.claim(asked.id, now=clock.now()) is None
    asked.refresh_from_db()
    assert (asked.status, asked.error_code) == ("FAILED", "profile_closed")
    tasks.sweep_exports()

    assert not ExportJob.objects.exists()
    assert not ExportChunk.objects.exists()


def test_a_profile_that_is_closed_while_its_copy_is_made_gets_none(asked: ExportJob) -> None:
    held = claimed(asked)
    User.objects.update(is_active=False)

    work.run(held, clock=clock.now)

    assert ExportJob.objects.get().status == "LEASED"
    assert not ExportChunk.objects.exists()


def test_erasing_a_person_takes_the_copy_along(alice: User, asked: ExportJob) -> None:
    tasks.make_export(str(asked.id))

    User.objects.filter(id=alice.id).delete()

    assert not ExportChunk.objects.exists()
