"""Everything that the vault's ring seals here, put under its newest key: `manage.py rotate_keys`, under load too.

Each row is changed only where it still holds what was read, so that whatever writes it meanwhile wins. LinkAttempts are
left: they end after ten minutes.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from banks import vault
from banks.models import Connection, Institution
from banks.vault import Unsealable

BATCH = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """`done`: looked at so far; `moved`: put under the newest key; `lost`: opened by no key of the ring."""

    done: int
    total: int
    moved: int
    lost: int


def connections() -> Iterator[Progress]:
    """Data keys of connections, a batch at a time. Those of purged connections are gone and stay so."""
    return moved(Connection.objects.all(), "wrapped_key", lambda row_id, sealed: vault.rewrap(sealed, row_id))


def institutions() -> Iterator[Progress]:
    """Signing keys towards banks."""
    return moved(
        Institution.objects.all(),
        "sealed_signing_key",
        lambda row_id, sealed: vault.reseal(row_id, "signing_key", sealed),
    )


def moved(table: QuerySet[Any], column: str, under_newest: Callable[[UUID, bytes], bytes]) -> Iterator[Progress]:
    """For a table whose `column` is sealed by the ring itself. By id, so that no row is seen twice."""
    rows = table.exclude(**{column: b""}).order_by("id")
    total, done, changed, lost = rows.count(), 0, 0, 0
    last: UUID | None = None
    while batch := list((rows if last is None else rows.filter(id__gt=last)).values_list("id", column)[:BATCH]):
        for row_id, kept in batch:
            sealed = bytes(kept)
            if vault.is_under_newest(sealed):
                continue
            try:
                fresh = under_newest(row_id, sealed)
            except Unsealable:
                lost += 1
                continue
            changed += table.filter(**{"id": row_id, column: sealed}).update(**{column: fresh})
        done += len(batch)
        last = batch[-1][0]
        yield Progress(done=done, total=max(total, done), moved=changed, lost=lost)
