"""The log of a read: the consent looked at once more, a usage row for each bank, and the counts of consoles.

On PostgreSQL that is one statement, which is a transaction by itself; elsewhere the same in three. A test holds the two
to each other.
"""

import json
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID, uuid4

from django.db import connection  # noqa: TID251 -- one of the modules that may
from django.db.models import JSONField, Model, QuerySet

from banks.compiled import SLOTS, Compiled
from banks.prepared import Statement
from consents import traffic
from consents.models import Consent, ReadCount, UsageRow

#: Of one usage row, by column; without its id.
Columns = dict[str, Any]
#: The consent, if it may still be read under: (consent_id, now).
Holding = Callable[[UUID, datetime], QuerySet[Consent]]

_COUNT_KEY = ("institution_id", "platform_id", "read_on", "shard")


@lru_cache(maxsize=1)
def is_one_statement() -> bool:
    """A process has one database."""
    return connection.vendor == "postgresql"


def commit(rows: Sequence[Columns], holding: Holding, *, now: datetime) -> bool:
    """False, and nothing is written, when the consent does not hold any more. One row at least, all of one consent.

    Outside of a transaction only where `is_one_statement`.
    """
    ordered = sorted(rows, key=lambda row: str(row["institution_id"]))
    if is_one_statement():
        return _in_one(ordered, holding, now)
    if not holding(ordered[0]["consent_id"], now).exists():
        return False
    UsageRow.objects.bulk_create(UsageRow(**row) for row in ordered)
    traffic.count_read(
        institution_ids=[row["institution_id"] for row in ordered],
        platform_id=ordered[0]["platform_id"],
        user_id=ordered[0]["user_id"],
        now=now,
    )
    return True


# -- in one statement -------------------------------------------------------------------------------------------------


def _in_one(rows: Sequence[Columns], holding: Holding, now: datetime) -> bool:
    statement, held = _statement(holding, len(rows))
    values = {"consent_id": rows[0]["consent_id"], "now": now}
    parameters = [constant if name is None else values[name] for name, constant in held]
    for row in rows:
        parameters += [uuid4() if name == "id" else _plain(row[name]) for name in _names(UsageRow)]
    for row in rows:
        key = (row["institution_id"], row["platform_id"], now.date(), traffic.shard_of(row["user_id"]))
        parameters += [uuid4(), *key, now]
    ((found,),) = statement.run(parameters)
    return bool(found)


def _plain(value: object) -> object:
    return _as_json(tuple(value)) if isinstance(value, list) else value


@lru_cache(maxsize=1024)
def _as_json(words: tuple[str, ...]) -> str:
    """Scopes: a few lists, the same for many reads."""
    return json.dumps(words)


@lru_cache(maxsize=64)
def _statement(holding: Holding, count: int) -> tuple[Statement, list[tuple[str | None, object]]]:
    """For `count` rows; and the parameters of its first part."""
    held, parameters = Compiled(holding(SLOTS["consent_id"], SLOTS["now"]).values_list("id")).embedded()
    usage, counts = UsageRow._meta.db_table, ReadCount._meta.db_table
    counted = ("id", *_COUNT_KEY, "last_read_at")
    text = f"""
        WITH held AS ({held}),
        logged AS (
            INSERT INTO {usage} ({_listed(_names(UsageRow))}) {_from_held(UsageRow, _names(UsageRow), count)}
        ),
        counted AS (
            INSERT INTO {counts} AS kept ({_listed(counted)}, reads) {_from_held(ReadCount, counted, count, ", 1")}
            ON CONFLICT ({_listed(_COUNT_KEY)})
            DO UPDATE SET reads = kept.reads + 1, last_read_at = excluded.last_read_at
        )
        SELECT count(*) FROM held
    """  # noqa: S608 -- names of our own tables and columns
    return Statement(" ".join(text.split())), parameters


@lru_cache(maxsize=8)
def _names(model: type[Model]) -> tuple[str, ...]:
    return tuple(field.name for field in model._meta.concrete_fields if field.column)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)


def _from_held(model: type[Model], names: Sequence[str], count: int, more: str = "") -> str:
    """One row of parameters for each of `count`, if the consent holds."""
    values = ", ".join(f"%s::{_type(model._meta.get_field(name))}" for name in names)
    return " UNION ALL ".join([f"SELECT {values}{more} FROM held"] * count)  # noqa: S608


def _type(field: Any) -> str:
    """Without its length: a cast to it would cut a value off where an insert raises an error."""
    return "jsonb" if isinstance(field, JSONField) else str(field.db_type(connection)).partition("(")[0]
