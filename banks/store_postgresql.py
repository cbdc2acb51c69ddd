"""Many rows in one statement on PostgreSQL: the rows travel as one JSON parameter, the database takes them apart.

An INSERT or an UPDATE of many rows by the ORM binds each column of each row, which costs more than the write itself.
Names and types of columns come from the models alone. What is written is decided before (banks.reconcile, by content
hash): a row that says nothing new does not get here. `banks.store_rows` holds the same in the ORM's words.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import date
from functools import cache
from uuid import UUID

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.models import Field, Model

#: Values by the names of a model's concrete fields (attname); every row of one call has the same names.
Row = Mapping[str, object]


def insert(model: type[Model], rows: Sequence[Row]) -> None:
    """Raises IntegrityError for a row that is there already, or lacks a column that it needs; then none is written."""
    _execute(_insert_sql(model, tuple(rows[0])), [_json(rows)])


def update(
    model: type[Model],
    rows: Sequence[Row],
    *,
    account_id: UUID,
    key: str,
    counted: str | None = None,
    kept: Sequence[str] = (),
) -> None:
    """Of the account, those whose `key` a row names, where some column then differs.

    `counted`: a column raised by one in each of them. `kept`: columns that None leaves as they are.
    """
    sql = _update_sql(model, tuple(rows[0]), key, counted, tuple(kept))
    _execute(sql, [_json(rows), account_id])


def take_numbers(model: type[Model], row_id: UUID, column: str, count: int) -> int:
    """Raise `column` of one row by `count`, and its value then, read under the row's lock by the same statement."""
    table, name = _quoted(model._meta.db_table), _column(model, column)
    sql = f"UPDATE {table} SET {name} = {name} + %s WHERE {_quoted('id')} = %s RETURNING {name}"
    with connections[DEFAULT_DB_ALIAS].cursor() as cursor:
        cursor.execute(sql, [count, row_id])
        (value,) = cursor.fetchone()
    return int(value)


def _execute(sql: str, parameters: Sequence[str | UUID]) -> None:
    with connections[DEFAULT_DB_ALIAS].cursor() as cursor:
        cursor.execute(sql, parameters)


@cache
def _insert_sql(model: type[Model], names: tuple[str, ...]) -> str:
    columns = [_column(model, name) for name in names]
    told = ", ".join(f"told.{column}" for column in columns)
    return (
        f"INSERT INTO {_quoted(model._meta.db_table)} ({', '.join(columns)}) SELECT {told} FROM {_told(model, names)}"
    )


@cache
def _update_sql(
    model: type[Model], names: tuple[str, ...], key: str, counted: str | None, kept: tuple[str, ...]
) -> str:
    new: dict[str, str] = {}
    for name in names:
        if name != key:
            column = _column(model, name)
            new[column] = f"COALESCE(told.{column}, kept.{column})" if name in kept else f"told.{column}"
    changes = [f"{column} = {value}" for column, value in new.items()]
    if counted is not None:
        column = _column(model, counted)
        changes.append(f"{column} = kept.{column} + 1")
    key_column, account = _column(model, key), _quoted("account_id")
    return (
        f"UPDATE {_quoted(model._meta.db_table)} AS kept SET {', '.join(changes)} FROM {_told(model, names)} "
        f"WHERE kept.{account} = %s AND kept.{key_column} = told.{key_column} "
        f"AND ({', '.join(f'kept.{column}' for column in new)}) IS DISTINCT FROM ({', '.join(new.values())})"
    )


def _told(model: type[Model], names: Sequence[str]) -> str:
    """The JSON parameter as a table: an absent member is null, and types and lengths are the columns' own."""
    connection = connections[DEFAULT_DB_ALIAS]
    columns = []
    for name in names:
        field = _field(model, name)
        columns.append(f"{_column(model, name)} {field.cast_db_type(connection)}")
    return f"json_to_recordset(%s::json) AS told({', '.join(columns)})"


def _field(model: type[Model], name: str) -> "Field[object, object]":
    return next(field for field in model._meta.concrete_fields if field.attname == name)


def _column(model: type[Model], name: str) -> str:
    column = _field(model, name).column
    assert column is not None, "concrete fields have one"
    return _quoted(column)


def _quoted(name: str) -> str:
    return connections[DEFAULT_DB_ALIAS].ops.quote_name(name)


def _json(rows: Sequence[Row]) -> str:
    told = [{name: value for name, value in row.items() if value is not None} for row in rows]
    return json.dumps(told, default=_text, ensure_ascii=False, separators=(",", ":"))


def _text(value: object) -> str:
    """Each in the form that PostgreSQL reads as its own type."""
    if isinstance(value, date):  # a datetime is one too
        return value.isoformat()
    if isinstance(value, UUID):
        return value.hex
    if isinstance(value, bytes):
        return "\\x" + value.hex()
    raise TypeError(type(value).__name__)
