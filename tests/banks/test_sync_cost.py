"""What a sync asks of the database when nothing changed, and when what may be fetched is asked anew."""

from collections.abc import Iterator

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from banks import calls, fences, sync
from banks.models import Account, Connection, SyncTrigger, Transaction
from banks.plan import Plan
from banks.turn import Turn, Watch
from banks.types import Resource
from consents import clock
from consents.models import Consent, Platform
from gateway.identity.models import User
from tests.support import cast, linked
from tests.support.jobs import claimed, due
from tests.support.linked import Linked
from tests.support.scripted_bank import Scene, ago, purchase

pytestmark = pytest.mark.django_db

#: Of a connection's own, and of each account.
STATEMENTS_MAX, STATEMENTS_OF_ACCOUNT_MAX = 15, 21
#: Of a whole turn over one account, of which a bank says what it said before: its claim and the gate stand beside it.
STATEMENTS_OF_NOTHING_NEW_MAX, TRANSACTIONS_MAX = 28, 5
_CONTROL = ("BEGIN", "COMMIT", "SAVEPOINT", "RELEASE")


def _statements(captured: CaptureQueriesContext) -> Iterator[str]:
    return (query["sql"] for query in captured.captured_queries if not query["sql"].startswith(_CONTROL))


def test_an_unchanged_sync_asks_the_database_no_oftener_than_it_did(world: Linked, alice: User, chat: Platform) -> None:
    world.consent(alice, chat, history_days=30)
    linked.run()
    link = Connection.objects.get()
    rows = Transaction.objects.for_sync().order_by("id").values_list("id", "revision", "updated_at")
    before = list(rows)
    held = claimed(due(link, now=clock.now()), now=clock.now())

    with CaptureQueriesContext(connection) as captured:
        result = sync.run(held, clock=clock.now)

    assert result is not None and (result.error, result.changed_after) == (None, None)
    assert list(rows) == before and before
    statements = list(_statements(captured))
    assert not [sql for sql in statements if sql.startswith(("INSERT", "UPDATE")) and "banks_transaction" in sql]
    allowed = STATEMENTS_MAX + STATEMENTS_OF_ACCOUNT_MAX * Account.objects.for_sync().count()
    assert len(statements) <= allowed, "\n".join(sql[:120] for sql in statements)


@pytest.fixture(autouse=True)
def any_machine_is_quick_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a sync asks hangs on how long it takes, too: a busy machine asks once more what may be fetched."""
    monkeypatch.setattr(calls, "READY_SECONDS", 3600.0)


@pytest.fixture
def scene(monkeypatch: pytest.MonkeyPatch) -> Scene:
    """One account, seven hours after its last sync; the bank has just been asked for its consent."""
    made = Scene(monkeypatch, history_days=60)
    made.bank.book(*(purchase(number, day=ago(number)) for number in range(1, 9)))
    made.run(SyncTrigger.SCHEDULE)
    made.later(hours=7)
    Connection.objects.update(checked_at=made.now)
    return made


def _captured(scene: Scene) -> CaptureQueriesContext:
    held = scene.claim(SyncTrigger.SCHEDULE)
    with CaptureQueriesContext(connection) as captured:
        result = sync.run(held, clock=lambda: scene.now)
    assert result is not None and (result.error, result.changed_after, result.unchanged) == (None, None, 8)
    assert scene.bank.verbs()[-3:] == ["accounts", "balances", "transactions"]
    return captured


def _times_asked(captured: CaptureQueriesContext) -> int:
    """How often the consents were asked for what may be fetched."""
    return sum("FROM ( SELECT DISTINCT one.consent_id" in sql for sql in _statements(captured))


def test_a_sync_that_brings_nothing_new_costs_five_transactions(scene: Scene) -> None:
    captured = _captured(scene)

    statements = list(_statements(captured))
    begun = [query["sql"] for query in captured.captured_queries if query["sql"].startswith("SAVEPOINT")]
    assert len(statements) <= STATEMENTS_OF_NOTHING_NEW_MAX, "\n".join(sql[:120] for sql in statements)
    assert len(begun) <= TRANSACTIONS_MAX
    assert _times_asked(captured) == 3 + 1  # before each call, and before the last answer is stored


def test_what_was_asked_before_another_call_is_asked_again(scene: Scene) -> None:
    Connection.objects.update(checked_at=None)  # so that the bank is asked for its consent first

    assert _times_asked(_captured(scene)) == 3 + 1 + 1


def test_what_was_asked_a_while_ago_is_asked_again(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls, "READY_SECONDS", 0.0)

    assert _times_asked(_captured(scene)) == 3 + 1 + 3


def test_what_was_asked_for_the_next_call_is_no_answer_for_another(at_work: Turn) -> None:
    asking = calls.Calls(at_work, counts_pages=False)
    (account_id,) = list(at_work.plan_for_call().accounts)[:1]
    asking.upcoming = [calls.LIST]
    with fences.fenced_alone(at_work.held, stage="ACCOUNTS") as link:
        asking.ask_ahead(link, at_work.plan_for_call(), stage="ACCOUNTS")
    cast.revoke(Consent.objects.get())

    with pytest.raises(fences.NoLongerNeeded):
        asking.allow(calls.Call(account_id=account_id, resource=Resource.BALANCES))
    with pytest.raises(fences.NoLongerNeeded):
        asking.allow(calls.LIST)


# -- asked anew --------------------------------------------------------------------------------------------------------


@pytest.fixture
def at_work(world: Linked, alice: User, chat: Platform) -> Turn:
    world.consent(alice, chat, history_days=30)
    held = claimed(due(Connection.objects.get(), now=clock.now()), now=clock.now())
    with fences.fenced_alone(held, stage="ACCOUNTS") as row:
        pass
    return Turn(held=held, connection=row, plan=Plan(accounts={}), clock=clock.now, watch=Watch(held, clock.now))


def test_what_may_be_fetched_is_asked_anew_before_every_call(at_work: Turn) -> None:
    assert at_work.plan_for_call().accounts
    cast.revoke(Consent.objects.get())

    assert at_work.plan_for_call().accounts == {}


def test_a_revocation_after_the_call_stores_nothing(at_work: Turn) -> None:
    assert at_work.plan_for_call().accounts
    cast.revoke(Consent.objects.get())

    with fences.fenced(at_work.held, stage="BALANCES", presence=at_work.presence, now=clock.now) as (_, found):
        assert found.accounts == {}
