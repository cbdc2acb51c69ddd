"""Many rows of one account written at once: one statement a table on PostgreSQL, the ORM's own on SQLite.

Both leave the same rows behind, which a test holds them to. The caller has decided what is written, and holds the
connection's lock.
"""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.models import F

from banks import store_postgresql
from banks.governed import GovernedManager
from banks.models import Connection, LinkSuggestion, RawPayload, Transaction

Row = Mapping[str, object]
Governed = type[Transaction] | type[RawPayload] | type[LinkSuggestion]


def takes_json() -> bool:
    """Whether this database takes rows as one JSON parameter."""
    return connections[DEFAULT_DB_ALIAS].vendor == "postgresql"


def insert(model: Governed, rows: Sequence[Row]) -> None:
    """Every column without a default of the database's is named in each row. Raises IntegrityError."""
    if not rows:
        return
    if takes_json():
        store_postgresql.insert(model, rows)
    else:
        manager: GovernedManager[Any] = model.objects  # Any: one of the three, and rows of it
        manager.for_sync().bulk_create([model(**row) for row in rows])


def update(
    model: Governed,
    rows: Sequence[Row],
    *,
    account_id: UUID,
    key: str,
    counted: str | None = None,
    kept: Sequence[str] = (),
) -> None:
    """As `store_postgresql.update`."""
    if not rows:
        return
    if takes_json():
        store_postgresql.update(model, rows, account_id=account_id, key=key, counted=counted, kept=kept)
        return
    raised = {} if counted is None else {counted: F(counted) + 1}
    for row in rows:
        told = {name: value for name, value in row.items() if name != key and not (name in kept and value is None)}
        model.objects.for_sync().filter(account_id=account_id, **{key: row[key]}).update(**told, **raised)


def take_sequence(connection_id: UUID, count: int) -> int:
    """The last of `count` numbers, taken under the connection's row lock."""
    if takes_json():
        return store_postgresql.take_numbers(Connection, connection_id, "change_sequence", count)
    Connection.objects.filter(id=connection_id).update(change_sequence=F("change_sequence") + count)
    return Connection.objects.values_list("change_sequence", flat=True).get(id=connection_id)
