"""What did this fetch change? Pure: no database, no clock, no network."""

from collections import Counter, defaultdict, deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from typing import Literal
from uuid import UUID

from banks import matching
from banks.matching import Facts, Stored
from banks.normalize.entries import Entry
from banks.types import TransactionStatus

#: What row filters look at: where one of these changed, a row may come into a reader's view or leave it.
_FILTERED_BY = ("listed_on", "sensitive_group", "merchant_key", "reference_digest")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the bank was asked for, and how far its answer can be trusted to be all of it.

    Rows listed from `removable_from` to `removable_until` (None: to the newest) that are absent are gone at the bank;
    `removable_from` None: nothing is called absent (rows were rejected). `stable` False: the list changed while it was
    paged, so that a row that was not seen may be there all the same.
    """

    since: date
    until: date | None = None
    removable_from: date | None
    removable_until: date | None = None
    stable: bool = True

    def reaches(self, day: date) -> bool:
        return self.since <= day and (self.until is None or day <= self.until)

    def proves_absence_on(self, day: date) -> bool:
        if not self.stable or self.removable_from is None or day < self.removable_from:
            return False
        return self.removable_until is None or day <= self.removable_until


@dataclass(frozen=True, slots=True, kw_only=True)
class Addition:
    entry: Entry
    occurrence: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """The same row, saying something else: pending now booked, an amount put right, a row listed again.

    `link`: how it was recognised when it went from pending to booked (banks.models.LinkMethod); None: it did not.
    `refiled`: something changed that row filters look at, or it was removed.
    """

    id: UUID
    entry: Entry
    occurrence: int
    link: Literal["bank", "exact"] | None = None
    refiled: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Renaming:
    """The same row saying the same under another id of the bank's: no reader sees a change."""

    id: UUID
    entry: Entry
    occurrence: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggestion:
    """The booked row among `added` that may be the pending one, by what makes it unique: identity and occurrence."""

    pending_id: UUID
    identity_key: str
    occurrence: int
    confidence_percent: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    added: list[Addition] = field(default_factory=list)
    modified: list[Correction] = field(default_factory=list)
    renamed: list[Renaming] = field(default_factory=list)
    removed: list[UUID] = field(default_factory=list)
    suggested: list[Suggestion] = field(default_factory=list)
    unchanged: int = 0

    @property
    def total(self) -> int:
        """Rows in which a reader sees a change."""
        return len(self.added) + len(self.modified) + len(self.removed)

    @property
    def linked(self) -> int:
        return sum(1 for correction in self.modified if correction.link is not None)


def reconcile(stored: Iterable[Stored], fetched: Iterable[Entry], *, asked: Asked) -> Changes:
    """Compare what we keep with what the bank now lists.

    `stored` holds the rows in the asked window, and any other that shares an identity with a fetched row. First each
    identity by itself: equal rows without a bank id stay as many as the bank lists (occurrence: two coffees are two), a
    row that says the same is the same, and only then do others take each other's place. Then what is left over, by what
    it says (banks.matching): rows under a new id, then pending rows that were booked. The rest of the stored ones is
    absent, the rest of the fetched ones is new. The bank's order decides nothing.
    """
    kept: dict[str, list[Stored]] = defaultdict(list)
    for row in stored:
        kept[row.identity_key].append(row)
    work = _Work(kept)
    for key, entries in _listed(fetched).items():
        group = _Group(kept.get(key, []), asked)
        group.settle(entries, work)
        kept[key] = group.left
    left = [row for rows in kept.values() for row in rows]
    left = work.take(matching.reissued([row for row in left if asked.reaches(row.listed_on)], work.new), left)
    if asked.stable:
        vanished = [row for row in left if row.status == TransactionStatus.PENDING and asked.reaches(row.listed_on)]
        left = work.take(matching.booked(vanished, work.new_booked), left, link="exact")
    gone = [row for row in left if row.status != TransactionStatus.REMOVED and asked.proves_absence_on(row.listed_on)]
    return work.finished(gone)


def listed(fetched: Iterable[Entry]) -> list[Entry]:
    """The entries that count, without those that turning the page shows twice."""
    return [entry for entries in _listed(fetched).values() for entry in entries]


def says_the_same(kept: Iterable[tuple[str, str]], fetched: Iterable[Entry]) -> bool:
    """Whether `reconcile` would find every entry unchanged and nothing absent.

    `kept`: identity and content of the rows in the asked window that are not removed. As many of each as are listed,
    and no other: then each entry meets a row that says the same, and no row is left over.
    """
    return Counter(kept) == Counter((entry.identity_key, entry.content_hash) for entry in listed(fetched))


class _Work:
    """Collects the changes; knows the next free occurrence of every identity."""

    def __init__(self, kept: dict[str, list[Stored]]) -> None:
        self.new: list[Entry] = []
        self.unchanged = 0
        self._modified: list[Correction] = []
        self._renamed: list[Renaming] = []
        self._next = {key: 1 + max(row.occurrence for row in rows) for key, rows in kept.items()}

    @property
    def new_booked(self) -> list[Entry]:
        return [entry for entry in self.new if entry.columns["status"] == TransactionStatus.BOOKED]

    def correct(
        self, row: Stored, entry: Entry, *, occurrence: int, link: Literal["bank", "exact"] | None = None
    ) -> None:
        now = Facts.of(entry.columns)
        was_removed = row.status == TransactionStatus.REMOVED
        refiled = was_removed or any(getattr(row.facts, name) != getattr(now, name) for name in _FILTERED_BY)
        was_pending = row.status == TransactionStatus.PENDING or (was_removed and row.facts.booked_on is None)
        if link is None and was_pending:
            link = "bank" if entry.has_bank_id else "exact"
        booked = was_pending and now.status == TransactionStatus.BOOKED
        self._modified.append(
            Correction(id=row.id, entry=entry, occurrence=occurrence, link=link if booked else None, refiled=refiled)
        )

    def take(
        self, pairs: list[matching.Pair], left: list[Stored], *, link: Literal["exact"] | None = None
    ) -> list[Stored]:
        """Let each entry be the row it was paired with, under the entry's identity; the rows that are still left."""
        for row, entry in pairs:
            occurrence = self._free(entry.identity_key)
            if link is None and row.status == entry.columns["status"] and row.content_hash == entry.content_hash:
                self._renamed.append(Renaming(id=row.id, entry=entry, occurrence=occurrence))
                self.unchanged += 1
            else:
                self.correct(row, entry, occurrence=occurrence, link=link)
        entries, rows = {id(entry) for _, entry in pairs}, {row.id for row, _ in pairs}
        self.new = [entry for entry in self.new if id(entry) not in entries]
        return [row for row in left if row.id not in rows]

    def finished(self, gone: list[Stored]) -> Changes:
        added = [Addition(entry=entry, occurrence=self._free(entry.identity_key)) for entry in self.new]
        pending = [row for row in gone if row.status == TransactionStatus.PENDING]
        places = {id(addition.entry): addition for addition in added}
        suggested = [
            Suggestion(
                pending_id=pair.pending.id,
                identity_key=pair.entry.identity_key,
                occurrence=places[id(pair.entry)].occurrence,
                confidence_percent=pair.confidence_percent,
            )
            for pair in matching.alike(pending, self.new_booked)
        ]
        return Changes(
            added=added,
            modified=self._modified,
            renamed=self._renamed,
            removed=[row.id for row in gone],
            suggested=suggested,
            unchanged=self.unchanged,
        )

    def _free(self, identity_key: str) -> int:
        occurrence = self._next.get(identity_key, 0)
        self._next[identity_key] = occurrence + 1
        return occurrence


def _listed(fetched: Iterable[Entry]) -> dict[str, list[Entry]]:
    """By identity, in an order of their own, without what turning the page makes of a bank's id.

    A boundary that moved shows one row twice; a payment booked meanwhile is there pending and booked.
    """
    groups: dict[str, dict[object, Entry]] = defaultdict(dict)
    for number, row in enumerate(fetched):
        groups[row.identity_key].setdefault(row.content_hash if row.has_bank_id else number, row)
    return {
        key: sorted(_without_pending_twins(list(group.values())), key=lambda row: (row.listed_on, row.content_hash))
        for key, group in groups.items()
    }


def _without_pending_twins(entries: list[Entry]) -> list[Entry]:
    if len(entries) == 1 or not entries[0].has_bank_id:
        return entries
    return [row for row in entries if row.columns["status"] != TransactionStatus.PENDING] or entries


class _Group:
    """The stored rows of one identity, handed out to the entries that they are. `left`: those nobody claimed."""

    def __init__(self, rows: list[Stored], asked: Asked) -> None:
        self.left = _removed_last(rows)
        self._asked = asked

    def settle(self, entries: list[Entry], work: _Work) -> None:
        """Unchanged ones are counted, changed ones corrected; entries that are no stored row are new."""
        others: list[Entry] = []
        for entry, row in self._saying_the_same(entries):
            if row is None:
                others.append(entry)
            elif row.status == TransactionStatus.REMOVED:
                work.correct(row, entry, occurrence=row.occurrence)
            else:
                work.unchanged += 1
        replaceable = [row for row in self.left if self._may_change(row)]
        for entry, row in zip(others, replaceable, strict=False):
            work.correct(row, entry, occurrence=row.occurrence)
        taken = {row.id for row in replaceable[: len(others)]}
        self.left = [row for row in self.left if row.id not in taken]
        work.new += others[len(replaceable) :]

    def _saying_the_same(self, entries: list[Entry]) -> list[tuple[Entry, Stored | None]]:
        by_content: dict[str, deque[Stored]] = defaultdict(deque)
        for row in self.left:
            by_content[row.content_hash].append(row)
        pairs = [(entry, rows.popleft() if (rows := by_content[entry.content_hash]) else None) for entry in entries]
        self.left = _removed_last(row for rows in by_content.values() for row in rows)
        return pairs

    def _may_change(self, row: Stored) -> bool:
        """A booked row outside the window was not asked for: another entry that shares its id is not its news."""
        return self._asked.reaches(row.listed_on) or row.status != TransactionStatus.BOOKED


def _removed_last(rows: Iterable[Stored]) -> list[Stored]:
    """They come back only when no live row fits."""
    return sorted(rows, key=lambda row: (row.status == TransactionStatus.REMOVED, row.listed_on, row.occurrence))
