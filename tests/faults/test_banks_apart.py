"""Real workers and banks that fail: one bank's trouble holds up no other, and no beat and no broker are survived."""

import socket
from collections.abc import Iterator
from datetime import timedelta

import pytest

from banks.admission import BreakerStatus
from banks.models import Institution, InstitutionGate, SyncJob, SyncJobStatus
from consents import clock
from consents.models import Platform
from gateway.identity.models import User
from tests.faults.conftest import Workers
from tests.support import cast, hostile_server, linked
from tests.support.hostile_server import HostileServer
from tests.support.linked import BALANCES, Linked
from tests.support.sandbox_bank import SandboxBank
from tests.support.worker import until

pytestmark = pytest.mark.django_db(transaction=True)


def jobs_at(slug: str, *statuses: SyncJobStatus) -> int:
    found = SyncJob.objects.filter(institution__slug=slug)
    return found.filter(status__in=statuses).count() if statuses else found.count()


def at_rest() -> bool:
    return not SyncJob.objects.exclude(status=SyncJobStatus.COMMITTED).exists()


# -- a bank that hangs -------------------------------------------------------------------------------------------------

HANGING = "hanging-bank"


def _never(server: HostileServer, path: str) -> Iterator[bytes]:
    yield b""
    server.closing.wait()


@pytest.fixture
def hostile(monkeypatch: pytest.MonkeyPatch) -> Iterator[HostileServer]:
    monkeypatch.setitem(hostile_server.BEHAVIOURS, "/never", _never)
    with HostileServer() as server:
        yield server


@pytest.fixture
def hanging(sandbox: SandboxBank, db: None, hostile: HostileServer) -> Iterator[Linked]:
    """A second bank, whose customers log in at the pretend one; `stuck` makes it one that never answers."""
    addresses = (linked.redirect_uri(), linked.redirect_uri(HANGING))
    sandbox.register(sandbox.client_id, sandbox.client_name, sandbox.client_key, *addresses)
    yield Linked(sandbox, slug=HANGING)
    sandbox.register(sandbox.client_id, sandbox.client_name, sandbox.client_key, sandbox.redirect_uri)


def stuck(bank: Linked, hostile: HostileServer) -> None:
    Institution.objects.filter(slug=bank.slug).update(resource_url=f"{hostile.origin}/never")


def test_t23_a_bank_that_hangs_leaves_the_others_jobs_running(
    world: Linked, hanging: Linked, hostile: HostileServer, chat: Platform, workers: Workers
) -> None:
    """Six threads, three of which the hanging bank may hold, and six jobs of its own that came first."""
    for number in range(6):
        hanging.consent(cast.person(f"stuck{number}"), chat, BALANCES)
    for number in range(3):
        world.consent(cast.person(f"free{number}"), chat, BALANCES)
    stuck(hanging, hostile)
    others = SyncJob.objects.filter(institution__slug=world.slug)
    others.update(next_attempt_at=clock.now() + timedelta(hours=1))
    most = 0

    def the_others_are_done() -> bool:
        nonlocal most
        most = max(most, jobs_at(HANGING, SyncJobStatus.LEASED))
        return jobs_at(world.slug, SyncJobStatus.COMMITTED) == 3

    workers(threads=6, lease_seconds=60).start()
    until(lambda: len(hostile.requests) >= 3, seconds=40)
    others.update(next_attempt_at=clock.now())
    until(the_others_are_done, seconds=60)

    assert most == hanging.institution.concurrent_jobs_max == 3
    assert jobs_at(HANGING, SyncJobStatus.LEASED) == 3  # it still hangs
    assert jobs_at(HANGING, SyncJobStatus.QUEUED) == 3
    assert len(hostile.requests) == 3


# -- a bank that fails -------------------------------------------------------------------------------------------------


def test_a_storm_of_5xx_opens_the_breaker_one_job_tries_and_all_go_on(
    world: Linked, chat: Platform, workers: Workers
) -> None:
    for number in range(3):
        world.consent(cast.person(f"person{number}"), chat, BALANCES)
    world.fault(path_contains="/accounts", status=503)
    leased: list[int] = []

    def opened() -> bool:
        # Somebody asks again and again, so that it is not our own waiting that spares the bank. Once for each wait: a
        # due time that moves with every look is never past for those who read it.
        now = clock.now()
        waits = SyncJob.objects.filter(status=SyncJobStatus.RETRY_WAIT, next_attempt_at__gt=now)
        waits.update(next_attempt_at=now, attempts=0, dispatched_at=None)
        return InstitutionGate.objects.filter(breaker=BreakerStatus.OPEN).exists()

    def tried() -> bool:
        gate = InstitutionGate.objects.get()
        if gate.breaker == BreakerStatus.HALF_OPEN:
            leased.append(jobs_at(world.slug, SyncJobStatus.LEASED))
        return gate.breaker == BreakerStatus.CLOSED

    mark = world.mark()
    workers(threads=6, lease_seconds=20).start()
    until(opened, seconds=90)
    until(lambda: jobs_at(world.slug, SyncJobStatus.LEASED) == 0)
    calls = len(world.seen(after=mark).resources)
    assert 20 <= calls <= 20 + 2  # two more may have been under way

    world.bank.control("DELETE", "/control/faults")
    SyncJob.objects.update(next_attempt_at=clock.now(), dispatched_at=None)
    InstitutionGate.objects.update(breaker_until=clock.now())
    until(tried, seconds=40)
    until(at_rest, seconds=40)

    assert max(leased, default=0) <= 1
    assert jobs_at(world.slug, SyncJobStatus.COMMITTED) == 3


# -- nobody ticks ------------------------------------------------------------------------------------------------------


def test_without_any_beat_the_work_is_found(world: Linked, alice: User, chat: Platform, workers: Workers) -> None:
    workers(beat=False, reconcile_seconds=1).start()

    world.consent(alice, chat, BALANCES)

    until(at_rest, seconds=40)
    until(lambda: linked.the_connection().next_sync_at is not None)
    assert SyncJob.objects.get().attempts == 1


def test_without_any_broker_the_work_is_done(world: Linked, alice: User, chat: Platform, workers: Workers) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        nobody = taken.getsockname()[1]
    workers(beat=False, reconcile_seconds=1, redis_url=f"redis://127.0.0.1:{nobody}/0").start()

    world.consent(alice, chat, BALANCES)

    until(at_rest, seconds=60)
    assert SyncJob.objects.get().attempts == 1


# -- queues ------------------------------------------------------------------------------------------------------------


def test_a_bank_with_a_queue_of_its_own_is_worked_on_by_its_own_workers(
    world: Linked, alice: User, chat: Platform, workers: Workers
) -> None:
    Institution.objects.update(queue="slow-banks")
    common, own = workers("common"), workers("own", queues="slow-banks", beat=False)
    own.directory = common.directory  # one spool
    world.consent(alice, chat, BALANCES)
    common.start()
    until(lambda: SyncJob.objects.exclude(dispatched_at=None).exists(), seconds=40)
    until(lambda: common.messages() > 0)

    own.start()

    until(at_rest, seconds=40)
