"""Real workers that are killed, doubled and left without their messages: all work is done, and done once.

The database is the queue of record: nothing here calls a task, and a worker that starts finds what another left.
"""

from collections import Counter
from collections.abc import Callable
from datetime import timedelta

import pytest
import redis as redis_client

from banks.models import Account, SyncJob, Transaction
from consents.models import Event, Platform
from gateway.identity.models import User
from tests.faults.conftest import Workers
from tests.support import cast, linked
from tests.support.linked import BALANCES, ROWS, Linked
from tests.support.worker import until

pytestmark = pytest.mark.django_db(transaction=True)


def at_rest() -> bool:
    return not SyncJob.objects.exclude(status="COMMITTED").exists()


def stored() -> int:
    return Transaction.objects.for_sync().count()


def expected_ids(world: Linked, customer: str, since: object) -> Counter[str]:
    """What the bank's books hold, told by a client that shares nothing with Sluice."""
    from tests.support.books import Books

    books, told = Books(world.bank), Counter[str]()
    for account_id in books.account_ids(customer):
        told.update(books.entries(customer, account_id, since=since).keys())  # type: ignore[arg-type]
    return told


def stored_ids() -> Counter[str]:
    return Counter(Transaction.objects.for_sync().values_list("bank_transaction_id", flat=True))


def test_the_first_sync_follows_the_grant_by_itself(
    world: Linked, alice: User, chat: Platform, workers: Workers, transport: dict[str, str]
) -> None:
    worker = workers(**transport)
    worker.start()

    consent = world.consent(alice, chat, history_days=20)

    until(at_rest)
    assert stored_ids() == expected_ids(world, "happy", consent.history_from)
    assert linked.the_job().attempts == 1


# -- killed ------------------------------------------------------------------------------------------------------------


# The stage is the next call's as soon as that is allowed, before it is made.


def in_the_balances() -> bool:
    return SyncJob.objects.filter(stage="BALANCES").exists()


def in_the_transactions() -> bool:
    return SyncJob.objects.filter(stage="TRANSACTIONS").exists()


@pytest.mark.parametrize(
    ("slow", "reached"),
    [
        pytest.param("/balances", in_the_balances, marks=pytest.mark.full, id="balances"),
        pytest.param("/transactions", in_the_transactions, id="transactions"),
    ],
)
def test_t23_a_worker_killed_at_the_bank_is_replaced(
    world: Linked,
    alice: User,
    chat: Platform,
    workers: Workers,
    slow: str,
    reached: Callable[[], bool],
) -> None:
    world.fault(user="happy", path_contains=slow, delay_ms=1500, times=1)
    worker = workers(lease_seconds=4)
    consent = world.consent(alice, chat, history_days=60)
    worker.start()
    until(reached)

    worker.kill()
    assert stored() == 0
    worker.start()

    until(at_rest)
    assert stored_ids() == expected_ids(world, "happy", consent.history_from)
    job = SyncJob.objects.get()
    assert (job.attempts, job.epoch) == (2, 2)
    assert all(account.coverage_last_on for account in linked.accounts())


@pytest.mark.parametrize(
    ("days", "lease"), [(60, 4), pytest.param(730, 20, marks=pytest.mark.full)], ids=["60-days", "10000-rows"]
)
def test_a_worker_killed_between_two_chunks_leaves_whole_chunks_and_another_finishes(
    world: Linked, alice: User, chat: Platform, workers: Workers, days: int, lease: int
) -> None:
    worker = workers(lease_seconds=lease)
    consent = world.consent(alice, chat, customer="many", history_days=days)
    expected = expected_ids(world, "many", consent.history_from)
    rows = expected.total()
    worker.start()
    until(lambda: stored() > 0, seconds=40)

    worker.kill()
    left = stored()
    assert 0 < left < rows
    before = dict(Transaction.objects.for_sync().values_list("bank_transaction_id", "id"))
    sequence = linked.the_connection().change_sequence
    assert {row.coverage_last_on for row in linked.accounts()} == {None}  # half a list is not called complete
    worker.start()
    seconds = until(at_rest, seconds=120)

    print(f"killed with {left} of {rows} rows; done {seconds:.1f} s after the restart, lease {lease} s")
    assert stored() == rows
    assert stored_ids() == expected
    after = dict(Transaction.objects.for_sync().values_list("bank_transaction_id", "id"))
    assert before.items() <= after.items()  # what was there kept its id
    assert linked.raw_rows() == rows
    sequences = sorted(Transaction.objects.for_sync().values_list("change_sequence", flat=True))
    assert sequences == list(range(1, rows + 1))
    assert sequence == left


@pytest.mark.full
@pytest.mark.parametrize("kills", [3])
def test_t23_a_worker_that_is_killed_again_and_again_still_finishes(
    world: Linked, alice: User, chat: Platform, workers: Workers, kills: int
) -> None:
    worker = workers(lease_seconds=20)
    world.consent(alice, chat, customer="many", history_days=730)
    for _ in range(kills):
        reached = stored()
        worker.start()
        until(lambda reached=reached: stored() > reached or at_rest(), seconds=60)
        worker.kill()
    worker.start()

    until(at_rest, seconds=120)

    assert (stored(), linked.raw_rows()) == (10_000, 10_000)
    assert max(stored_ids().values()) == 1


@pytest.mark.full
def test_what_ten_thousand_rows_cost_a_worker(world: Linked, alice: User, chat: Platform, workers: Workers) -> None:
    worker = workers(lease_seconds=60)
    worker.start()
    world.consent(alice, chat, BALANCES, customer="empty")
    until(at_rest)  # warm
    memory, cpu = worker.memory_mib(), worker.cpu_seconds()

    world.consent(alice, chat, customer="many", history_days=730)
    seconds = until(at_rest, seconds=120)

    print(
        f"10 000 rows: {seconds:.1f} s, {worker.cpu_seconds() - cpu:.1f} s of CPU, "
        f"{worker.memory_mib() - memory:.0f} MiB more than {memory:.0f} MiB"
    )
    assert stored() == 10_000


# -- messages ----------------------------------------------------------------------------------------------------------


def test_messages_lost_with_the_spool_are_sent_again(
    world: Linked, alice: User, chat: Platform, workers: Workers
) -> None:
    worker = workers()
    world.consent(alice, chat, BALANCES)
    worker.tick()
    assert worker.messages() == 1

    worker.lose_messages()
    _as_if_dispatched_some_time_ago()
    worker.start()

    until(at_rest)
    assert SyncJob.objects.get().attempts == 1


def test_messages_lost_with_redis_are_sent_again(
    world: Linked, alice: User, chat: Platform, workers: Workers, redis: str
) -> None:
    worker = workers(redis_url=redis)
    world.consent(alice, chat, BALANCES)
    worker.tick()
    broker = redis_client.Redis.from_url(redis)
    assert broker.dbsize() > 0

    broker.flushdb()
    _as_if_dispatched_some_time_ago()
    worker.start()

    until(at_rest)
    assert SyncJob.objects.get().attempts == 1


def test_a_message_that_comes_three_times_is_one_run(
    world: Linked, alice: User, chat: Platform, workers: Workers
) -> None:
    worker = workers()
    world.consent(alice, chat, BALANCES)
    worker.tick(times=3)
    assert worker.messages() == 3
    mark = world.mark()
    SyncJob.objects.update(dispatched_at=cast.clock.now())

    worker.start()

    until(at_rest)
    until(lambda: worker.messages() == 0)
    assert SyncJob.objects.get().epoch == 1
    assert len(world.seen(after=mark).of("/balances")) == 2


def test_two_workers_with_two_beats_do_everything_once(
    world: Linked, chat: Platform, workers: Workers, transport: dict[str, str]
) -> None:
    pair = [workers(name, **transport) for name in ("one", "two")]
    if not transport:
        pair[1].directory = pair[0].directory  # one spool
    consents = [world.consent(cast.person(f"person{n}"), chat, ROWS, history_days=10) for n in range(5)]
    mark = world.mark()
    for worker in pair:
        worker.start()

    until(at_rest, seconds=40)

    calls = Counter(row["consent_id"] for row in world.seen(after=mark).of("/balances"))
    assert sorted(calls.values()) == [2] * len(consents)
    assert {job.epoch for job in SyncJob.objects.all()} == {1}
    assert Event.objects.filter(type="transactions.updated").count() == len(consents)
    per_account = Counter(Transaction.objects.for_sync().values_list("account_id", "bank_transaction_id"))
    assert set(per_account.values()) == {1}
    assert Account.objects.for_sync().count() == 2 * len(consents)


def _as_if_dispatched_some_time_ago() -> None:
    """A lost message is missed after 15 seconds (dispatch.REDISPATCH_AFTER); most of them have gone by."""
    job = SyncJob.objects.get()
    assert job.dispatched_at is not None
    SyncJob.objects.filter(id=job.id).update(dispatched_at=job.dispatched_at - timedelta(seconds=14))
