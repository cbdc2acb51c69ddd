"""What did this fetch change? Pure: no database, no clock, no network."""

from collections import defaultdict, deque
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


def reconcile(
    stored: Iterable[Stored], fetched: Iterable[Entry], *, removable_from: date | None, since: date
) -> Changes:
    """Compare what we keep with what the bank now lists from `since` on.

    `stored` holds the rows from `since` on, and any older one that shares an identity with a fetched row. Equal rows
    without a bank id stay as many as the bank lists (occurrence): two coffees are two. Within one identity a row that
    says the same is the same; only then do others take each other's place. Rows listed on or after `removable_from`
    that the bank no longer lists are removed; None removes nothing (the fetch was not complete).
    """
    kept: dict[str, list[Stored]] = defaultdict(list)
    for row in stored:
        kept[row.identity_key].append(row)
    changes = Changes()
    unchanged = 0
    for key, entries in _listed(fetched).items():
        group = _Group(kept.get(key, []), since)
        unchanged += group.settle(entries, changes)
        kept[key] = group.left
    changes.removed.extend(row.id for rows in kept.values() for row in rows if _is_gone(row, removable_from))
    return Changes(added=changes.added, modified=changes.modified, removed=changes.removed, unchanged=unchanged)


def _listed(fetched: Iterable[Entry]) -> dict[str, list[Entry]]:
    """By identity, in the bank's order, without what turning the page makes of a bank's id.

    A boundary that moved shows one row twice; a payment booked meanwhile is there pending and booked.
    """
    groups: dict[str, dict[object, Entry]] = defaultdict(dict)
    for number, row in enumerate(fetched):
        groups[row.identity_key].setdefault(row.content_hash if row.has_bank_id else number, row)
    return {key: _without_pending_twins(list(group.values())) for key, group in groups.items()}


def _without_pending_twins(entries: list[Entry]) -> list[Entry]:
    if len(entries) == 1 or not entries[0].has_bank_id:
        return entries
    return [row for row in entries if row.columns["status"] != TransactionStatus.PENDING] or entries


class _Group:
    """The stored rows of one identity, handed out to the entries that they are. `left`: those nobody claimed."""

    def __init__(self, rows: list[Stored], since: date) -> None:
        # Removed ones last: they come back only when no live row fits.
        self.left = sorted(rows, key=lambda row: (row.status == TransactionStatus.REMOVED, row.occurrence))
        self._since = since
        self._next = 1 + max((row.occurrence for row in rows), default=-1)

    def settle(self, entries: list[Entry], changes: Changes) -> int:
        """How many are unchanged; the rest goes into `changes`."""
        unchanged = 0
        others: list[Entry] = []
        for entry, row in self._saying_the_same(entries):
            if row is None:
                others.append(entry)
            elif row.status == TransactionStatus.REMOVED:
                changes.modified.append(Correction(id=row.id, entry=entry))
            else:
                unchanged += 1
        replaceable = [row for row in self.left if self._may_change(row)]
        for entry, row in zip(others, replaceable, strict=False):
            changes.modified.append(Correction(id=row.id, entry=entry))
        taken = {row.id for row in replaceable[: len(others)]}
        self.left = [row for row in self.left if row.id not in taken]
        for occurrence, entry in enumerate(others[len(replaceable) :], start=self._next):
            changes.added.append(Addition(entry=entry, occurrence=occurrence))
        return unchanged

    def _saying_the_same(self, entries: list[Entry]) -> list[tuple[Entry, Stored | None]]:
        by_content: dict[str, deque[Stored]] = defaultdict(deque)
        for row in self.left:
            by_content[row.content_hash].append(row)
        pairs = [(entry, rows.popleft() if (rows := by_content[entry.content_hash]) else None) for entry in entries]
        self.left = [row for rows in by_content.values() for row in rows]
        self.left.sort(key=lambda row: (row.status == TransactionStatus.REMOVED, row.occurrence))
        return pairs

    def _may_change(self, row: Stored) -> bool:
        """A booked row from before the window was not asked for: another entry that shares its id is not its news."""
        return row.listed_on >= self._since or row.status != TransactionStatus.BOOKED


def _is_gone(row: Stored, removable_from: date | None) -> bool:
    return removable_from is not None and row.listed_on >= removable_from and row.status != TransactionStatus.REMOVED
