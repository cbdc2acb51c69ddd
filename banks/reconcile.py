"""What did this fetch change? Pure: no database, no clock, no network."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from uuid import UUID

from banks.normalize.entries import Entry
from banks.types import TransactionStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """What we keep of a row, as far as this decision needs it."""

    id: UUID
    identity_key: str
    occurrence: int
    content_hash: str
    status: TransactionStatus
    listed_on: date


@dataclass(frozen=True, slots=True, kw_only=True)
class Addition:
    entry: Entry
    occurrence: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """The same row, saying something else: pending now booked, an amount put right, a row listed again."""

    id: UUID
    entry: Entry


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    added: list[Addition] = field(default_factory=list)
    modified: list[Correction] = field(default_factory=list)
    removed: list[UUID] = field(default_factory=list)
    unchanged: int = 0

    @property
    def total(self) -> int:
        return len(self.added) + len(self.modified) + len(self.removed)


def reconcile(stored: Iterable[Stored], fetched: Iterable[Entry], *, removable_from: date | None) -> Changes:
    """Compare what we keep with what the bank now lists.

    Equal rows without a bank id stay as many as the bank lists (occurrence index): two coffees are two. The same bank
    id with the same content is one row that paging showed twice. Stored rows listed on or after `removable_from` that
    the bank no longer lists are removed; None removes nothing (the fetch was not complete).
    """
    kept = {(row.identity_key, row.occurrence): row for row in stored}
    changes = Changes()
    seen: set[tuple[str, int]] = set()
    unchanged = 0
    for addition in _numbered(fetched):
        key = (addition.entry.identity_key, addition.occurrence)
        seen.add(key)
        row = kept.get(key)
        if row is None:
            changes.added.append(addition)
        elif row.content_hash != addition.entry.content_hash or row.status == TransactionStatus.REMOVED:
            changes.modified.append(Correction(id=row.id, entry=addition.entry))
        else:
            unchanged += 1
    changes.removed.extend(_absent(kept, seen, removable_from))
    return Changes(added=changes.added, modified=changes.modified, removed=changes.removed, unchanged=unchanged)


def _numbered(fetched: Iterable[Entry]) -> Iterable[Addition]:
    """Each entry with its number among those of equal identity, in the bank's order."""
    groups: dict[str, list[str]] = defaultdict(list)
    for row in fetched:
        hashes = groups[row.identity_key]
        if row.has_bank_id and row.content_hash in hashes:
            continue  # a page boundary moved while we turned the page
        yield Addition(entry=row, occurrence=len(hashes))
        hashes.append(row.content_hash)


def _absent(
    kept: dict[tuple[str, int], Stored], seen: set[tuple[str, int]], removable_from: date | None
) -> list[UUID]:
    if removable_from is None:
        return []
    return [
        row.id
        for key, row in kept.items()
        if key not in seen and row.status != TransactionStatus.REMOVED and row.listed_on >= removable_from
    ]
