"""What a read asks of its connection, in how many statements, and what comes of a connection that is gone.

Apart from the other tests of these reads, whose rows are written once, in a transaction around all of them.
"""

import psycopg
import pytest
from django.db import OperationalError, connection, transaction
from django.test.utils import CaptureQueriesContext

from banks import compiled, read
from banks.compiled import Statement
from banks.read import TransactionFilter
from tests.banks.test_read_sql import World
from tests.support.ledger import NOW

pytestmark = pytest.mark.django_db(transaction=True)


def _end_the_connection() -> None:
    """As a restart of the server does, or a proxy that tires of an idle connection."""
    mine = connection.connection.info.backend_pid
    with psycopg.connect(connection.connection.info.dsn, password=connection.settings_dict["PASSWORD"]) as other:
        other.execute("SELECT pg_terminate_backend(%s, 5000)", [mine])


@pytest.mark.parametrize("by_values", [False, True])
def test_a_read_on_a_connection_that_is_gone_is_asked_again_on_a_new_one(by_values: bool) -> None:
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has no connection to lose")
    statement = Statement("SELECT %s + 1", is_read=True, by_values=by_values)
    assert [statement.run([1]) for _ in range(2)] == [[(2,)]] * 2

    _end_the_connection()

    assert [statement.run([2]) for _ in range(2)] == [[(3,)]] * 2


def test_what_writes_or_stands_in_a_transaction_is_never_asked_twice() -> None:
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has no connection to lose")
    write = Statement("SELECT %s + 1")
    write.run([1])
    _end_the_connection()
    with pytest.raises(OperationalError):
        write.run([1])
    connection.close()

    read_again = Statement("SELECT %s + 1", is_read=True)
    with pytest.raises(OperationalError), transaction.atomic():
        read_again.run([1])
        _end_the_connection()
        read_again.run([1])
    connection.close()


def test_a_text_that_is_not_crowded_out_after_all_is_known_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server still has it: to prepare it again would be refused until the connection ends."""
    if connection.vendor != "postgresql":
        pytest.skip("SQLite prepares nothing")
    monkeypatch.setattr(compiled, "_PREPARED_MAX", 1)
    connection.close()
    first, second = (Statement(f"SELECT {number} + %s::int", is_read=True) for number in (1, 2))
    first.run([1])

    with pytest.raises(transaction.TransactionManagementError), transaction.atomic():
        transaction.set_rollback(True)
        second.run([1])

    assert (second.run([1]), first.run([1])) == ([(3,)], [(2,)])


def test_a_read_is_three_statements_on_postgresql() -> None:
    world = World()
    permit, account_id = world.permit(), world.current.id
    read.transactions(permit, account_id, TransactionFilter(), now=NOW, request_id="req_first")

    with CaptureQueriesContext(connection) as queries:
        read.transactions(permit, account_id, TransactionFilter(), now=NOW, request_id="req_second")

    # State, page, usage. SQLite logs in a transaction: BEGIN, the look at the consent, row, count, COMMIT.
    assert len(queries.captured_queries) == (3 if connection.vendor == "postgresql" else 7)
