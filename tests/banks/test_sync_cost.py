"""What a sync asks of the database when nothing changed, and when what may be fetched is asked anew."""

from collections.abc import Iterator

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from banks import store, sync
from banks.models import Account, Connection, Transaction
from banks.plan import Plan
from banks.turn import Turn, Watch
from consents import clock
from consents.models import Consent, Platform
from gateway.identity.models import User
from tests.support import cast, linked
from tests.support.jobs import claimed, due
from tests.support.linked import Linked

pytestmark = pytest.mark.django_db

#: Of a connection's own, and of each account.
STATEMENTS_MAX, STATEMENTS_OF_ACCOUNT_MAX = 34, 34
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

    assert result is not None and (result.error, result.changed_rows) == (None, 0)
    assert list(rows) == before and before
    statements = list(_statements(captured))
    assert not [sql for sql in statements if sql.startswith(("INSERT", "UPDATE")) and "banks_transaction" in sql]
    allowed = STATEMENTS_MAX + STATEMENTS_OF_ACCOUNT_MAX * Account.objects.for_sync().count()
    assert len(statements) <= allowed, "\n".join(sql[:120] for sql in statements)


# -- asked anew --------------------------------------------------------------------------------------------------------


@pytest.fixture
def at_work(world: Linked, alice: User, chat: Platform) -> Turn:
    world.consent(alice, chat, history_days=30)
    held = claimed(due(Connection.objects.get(), now=clock.now()), now=clock.now())
    with store.fenced_alone(held, stage="ACCOUNTS") as row:
        pass
    return Turn(held=held, connection=row, plan=Plan(accounts={}), clock=clock.now, watch=Watch(held, clock.now))


def test_what_may_be_fetched_is_asked_anew_before_every_call(at_work: Turn) -> None:
    assert at_work.plan_for_call().accounts
    cast.revoke(Consent.objects.get())

    assert at_work.plan_for_call().accounts == {}


def test_a_revocation_after_the_call_stores_nothing(at_work: Turn) -> None:
    assert at_work.plan_for_call().accounts
    cast.revoke(Consent.objects.get())

    with store.fenced(at_work.held, stage="BALANCES", presence=at_work.presence, now=clock.now) as (_, found):
        assert found.accounts == {}
