"""A million rows in a table at once, and a server that has nothing left to do afterwards."""

import contextlib
from collections.abc import Iterator
from typing import Any

import psycopg


@contextlib.contextmanager
def emptied_of_indexes(connection: psycopg.Connection[Any], table: str) -> Iterator[None]:
    """Keys and indexes are made when the rows are there: sorted once, instead of a place looked for four million times.

    The rows' accounts are there, so that nobody has to look for each of them either (where the role may say so).
    """
    keys = connection.execute(
        "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint"
        f" WHERE conrelid = '{table}'::regclass AND contype IN ('p', 'u')"
    ).fetchall()
    for name, _ in keys:
        connection.execute(f'ALTER TABLE "{table}" DROP CONSTRAINT "{name}"')
    indexes = connection.execute(f"SELECT indexname, indexdef FROM pg_indexes WHERE tablename = '{table}'").fetchall()
    for name, _ in indexes:
        connection.execute(f'DROP INDEX "{name}"')
    with contextlib.suppress(psycopg.errors.InsufficientPrivilege):
        connection.execute("SET session_replication_role = replica")
    connection.execute("SET maintenance_work_mem = '256MB'")
    yield
    for name, definition in keys:
        connection.execute(f'ALTER TABLE "{table}" ADD CONSTRAINT "{name}" {definition}')
    for _, definition in indexes:
        connection.execute(definition)


def settle(connection: psycopg.Connection[Any]) -> None:
    """Do now what the server would otherwise begin by itself while we measure."""
    connection.execute("VACUUM (ANALYZE)")
    with contextlib.suppress(psycopg.errors.InsufficientPrivilege):  # of a role that is not the server's owner
        connection.execute("CHECKPOINT")
