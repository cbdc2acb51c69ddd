"""How text is run: what a connection keeps, whose errors are raised, and what comes of a connection that is gone."""

import psycopg
import pytest
from django.db import DataError, OperationalError, connection, transaction

from banks import prepared
from banks.prepared import Statement

pytestmark = pytest.mark.django_db


def test_more_texts_than_a_connection_keeps_crowd_out_the_oldest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prepared, "_PREPARED_MAX", 2)
    statements = [Statement(f"SELECT {number} + %s") for number in range(4)]

    for _ in range(2):
        assert [one.run([1])[0][0] for one in statements] == [1, 2, 3, 4]


def test_a_percent_sign_in_a_text_stays_one() -> None:
    statement = Statement("SELECT 'a%%b', %s + 1")

    assert [statement.run([1]) for _ in range(2)] == [[("a%b", 2)]] * 2


def test_an_error_of_the_database_is_djangos_own() -> None:
    division = Statement("SELECT 1 / %s", is_read=True, by_values=True)
    if connection.vendor == "postgresql":
        with pytest.raises(DataError), transaction.atomic():
            division.run([0])
    assert division.run([1]) == [(1,)]


def test_a_value_that_text_cannot_carry_is_left_to_the_driver() -> None:
    statement = Statement("SELECT %s || 'x'", by_values=True)
    if connection.vendor == "postgresql":
        with pytest.raises((DataError, ValueError)), transaction.atomic():
            statement.run(["a\0b"])
    assert statement.run(["ab"]) == [("abx",)]


def _end_the_connection() -> None:
    """As a restart of the server does, or a proxy that tires of an idle connection."""
    mine = connection.connection.info.backend_pid
    with psycopg.connect(connection.connection.info.dsn, password=connection.settings_dict["PASSWORD"]) as other:
        other.execute("SELECT pg_terminate_backend(%s, 5000)", [mine])


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("by_values", [False, True])
def test_a_read_on_a_connection_that_is_gone_is_asked_again_on_a_new_one(by_values: bool) -> None:
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has no connection to lose")
    statement = Statement("SELECT %s + 1", is_read=True, by_values=by_values)
    assert [statement.run([1]) for _ in range(2)] == [[(2,)]] * 2

    _end_the_connection()

    assert [statement.run([2]) for _ in range(2)] == [[(3,)]] * 2


@pytest.mark.django_db(transaction=True)
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


@pytest.mark.django_db(transaction=True)
def test_a_text_that_is_not_crowded_out_after_all_is_known_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server still has it: to prepare it again would be refused until the connection ends."""
    if connection.vendor != "postgresql":
        pytest.skip("SQLite prepares nothing")
    monkeypatch.setattr(prepared, "_PREPARED_MAX", 1)
    connection.close()
    first, second = (Statement(f"SELECT {number} + %s::int", is_read=True) for number in (1, 2))
    first.run([1])

    with pytest.raises(transaction.TransactionManagementError), transaction.atomic():
        transaction.set_rollback(True)
        second.run([1])

    assert (second.run([1]), first.run([1])) == ([(3,)], [(2,)])
