"""Which row that vanished is which row that is new? Pure.

Asked after the banks' own ids had their say (banks.reconcile), of what is left over on both sides. A row that says
exactly the same under another id is that row: the bank gave it a new id. A booked row with amount, currency and text of
exactly one pending row is that row. Anything less is a suggestion with a confidence in percent, and links nothing.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date
from typing import Any, Self, TypeVar
from uuid import UUID

from banks.normalize.entries import Entry
from banks.types import TransactionStatus

T = TypeVar("T")

#: How long after the day of the pending row the booked one may be listed. Never before it.
LINK_DAYS = 10
#: How far a tip or a correction may move the amount of a pending row before it no longer looks like the same payment.
TOLERANCE_PERCENT = 30
#: At the pump the card is asked for a round sum first: no amount is too far away. ISO 18245.
_FUEL = frozenset(("5541", "5542"))
_SUGGESTIONS_PER_ROW = 3

_NOT_WORD = re.compile(r"[\W_]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Columns of Transaction by which a row is recognised, and those that row filters look at (sensitive_group too)."""

    status: TransactionStatus
    listed_on: date
    booked_on: date | None
    value_on: date | None
    amount_minor: int
    currency: str
    merchant_key: str | None
    mcc: str | None
    description: str | None
    counterparty_name: str | None
    reference_digest: str | None
    sensitive_group: str | None

    @classmethod
    def of(cls, columns: Mapping[str, Any]) -> Self:
        told = {name: columns[name] for name in FACT_NAMES}
        return cls(**{**told, "status": TransactionStatus(told["status"])})

    @property
    def merchant(self) -> str | None:
        """The words of merchant_key: a category code that only one of the two rows has tells no merchants apart."""
        return None if self.merchant_key is None else self.merchant_key.partition(":")[2]

    @property
    def text(self) -> str | None:
        return None if self.description is None else _NOT_WORD.sub(" ", self.description.casefold()).strip() or None


FACT_NAMES = tuple(member.name for member in fields(Facts))


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """What we keep of a row, as far as these decisions need it."""

    id: UUID
    identity_key: str
    occurrence: int
    content_hash: str
    facts: Facts

    @property
    def status(self) -> TransactionStatus:
        return self.facts.status

    @property
    def listed_on(self) -> date:
        return self.facts.listed_on


Pair = tuple[Stored, Entry]


def reissued(left: Iterable[Stored], new: Iterable[Entry]) -> list[Pair]:
    """Rows that say the same under another id; a removed one only where no live one does.

    Equal rows are handed out in order: which of two equal coffees is which, nobody can tell, and nobody needs to.
    """
    rows, entries = list(left), list(new)
    live = [row for row in rows if row.status != TransactionStatus.REMOVED]
    pairs = _paired(live, entries, lambda facts: (facts.status, *_said(facts)))
    taken = {id(entry) for _, entry in pairs}
    removed = [row for row in rows if row.status == TransactionStatus.REMOVED]
    return pairs + _paired(removed, [entry for entry in entries if id(entry) not in taken], _said)


def _paired(rows: Sequence[Stored], entries: Sequence[Entry], said: Callable[[Facts], Hashable]) -> list[Pair]:
    if not rows or not entries:
        return []
    by_row = _classes(_in_order(rows), lambda row: said(row.facts))
    by_entry = _classes(_in_order_of_content(entries), lambda entry: said(Facts.of(entry.columns)))
    pairs: list[Pair] = []
    for key in by_row.keys() & by_entry.keys():
        pairs += _saying_the_same_first(by_row[key], by_entry[key])
    return pairs


def _saying_the_same_first(rows: list[Stored], entries: list[Entry]) -> list[Pair]:
    """Equal content first, so that as few rows as possible change."""
    pairs: list[Pair] = []
    free = list(rows)
    others: list[Entry] = []
    for entry in entries:
        same = next((row for row in free if row.content_hash == entry.content_hash), None)
        if same is None:
            others.append(entry)
        else:
            free.remove(same)
            pairs.append((same, entry))
    return pairs + list(zip(free, others, strict=False))


def _said(facts: Facts) -> tuple[Hashable, ...]:
    """All but the status: dates, money and every text."""
    return (
        *(facts.listed_on, facts.booked_on, facts.value_on, facts.amount_minor, facts.currency),
        *(facts.description, facts.merchant_key, facts.counterparty_name, facts.reference_digest),
    )


def booked(pending: Iterable[Stored], new: Iterable[Entry]) -> list[Pair]:
    """Pending rows that vanished, each with the one booked row it became.

    Same amount, currency and text, listed 0 to LINK_DAYS days after. Where several fit nothing is guessed, unless they
    are truly equal: then they are handed out in order.
    """
    waiting = _in_order(pending)
    if not waiting:
        return []
    rows = _classes(waiting, lambda row: _looks(row.facts))
    entries = _classes(_in_order_of_content(new), lambda entry: _looks(Facts.of(entry.columns)))
    as_facts = {key: Facts.of(group[0].columns) for key, group in entries.items()}
    by_amount = _classes(as_facts, lambda key: (as_facts[key].amount_minor, as_facts[key].currency))
    reached: dict[Hashable, list[Hashable]] = {}
    for key, group in rows.items():
        facts = group[0].facts
        alike = by_amount.get((facts.amount_minor, facts.currency), [])
        reached[key] = [other for other in alike if _is_booking_of(facts, as_facts[other])]
    claims = _classes([other for others in reached.values() for other in others], lambda other: other)
    pairs: list[Pair] = []
    for key, others in reached.items():
        if len(others) == 1 and len(claims[others[0]]) == 1:
            pairs += zip(rows[key], entries[others[0]], strict=False)
    return pairs


def _looks(facts: Facts) -> Hashable:
    """Rows that share it are truly equal: nothing but an id could tell them apart."""
    names = (facts.merchant, facts.text, facts.counterparty_name, facts.reference_digest)
    return (facts.listed_on, facts.amount_minor, facts.currency, *names)


def _is_booking_of(pending: Facts, entry: Facts) -> bool:
    return _is_near(pending, entry) and _same_text(pending, entry)


def _is_near(pending: Facts, entry: Facts) -> bool:
    return 0 <= (entry.listed_on - pending.listed_on).days <= LINK_DAYS


def _same_text(one: Facts, other: Facts) -> bool:
    """By the merchant where both name one, else by the description; rows without a common text are nobody's.

    A reference or a counterparty that both tell must be the same one.
    """
    told = ((one.reference_digest, other.reference_digest), (one.counterparty_name, other.counterparty_name))
    if any(left is not None and right is not None and left != right for left, right in told):
        return False
    if one.merchant is not None and other.merchant is not None:
        return one.merchant == other.merchant
    return one.text is not None and one.text == other.text


@dataclass(frozen=True, slots=True, kw_only=True)
class Alike:
    """A pending row that vanished and a booked one that may be it. Percent, 1 to 90: never certain."""

    pending: Stored
    entry: Entry
    confidence_percent: int


def alike(pending: Sequence[Stored], new: Sequence[Entry]) -> list[Alike]:
    """What `booked` would not link: another amount of the same payee, or several that fit. For people to look at."""
    if not pending:
        return []
    facts_of = [(entry, Facts.of(entry.columns)) for entry in new]
    found: list[tuple[Stored, Entry, int]] = []
    for row in pending:
        scored = ((entry, _confidence(row.facts, facts)) for entry, facts in facts_of)
        close = sorted(((entry, score) for entry, score in scored if score), key=lambda pair: -pair[1])
        found += [(row, entry, score) for entry, score in close[:_SUGGESTIONS_PER_ROW]]
    rivals = _classes(found, lambda one: one[0].id)
    others = _classes(found, lambda one: id(one[1]))
    return [
        Alike(
            pending=row,
            entry=entry,
            confidence_percent=max(1, score // max(len(rivals[row.id]), len(others[id(entry)]))),
        )
        for row, entry, score in found
    ]


def _confidence(pending: Facts, entry: Facts) -> int:
    """0: not alike. 90 for the same amount on the same day, less for each percent of change and each day."""
    same_side = (pending.amount_minor < 0) == (entry.amount_minor < 0)
    if pending.currency != entry.currency or not same_side or not _is_booking_of(pending, entry):
        return 0
    days = (entry.listed_on - pending.listed_on).days
    change = abs(entry.amount_minor - pending.amount_minor)
    if pending.amount_minor and 100 * change <= TOLERANCE_PERCENT * abs(pending.amount_minor):
        return 90 - 100 * change // abs(pending.amount_minor) - 2 * days
    return 60 - 2 * days if _FUEL & {pending.mcc, entry.mcc} else 0


def _in_order(rows: Iterable[Stored]) -> list[Stored]:
    return sorted(rows, key=lambda row: (row.listed_on, row.occurrence, row.identity_key, row.id))


def _in_order_of_content(entries: Iterable[Entry]) -> list[Entry]:
    """Whatever order the pages came in."""
    return sorted(entries, key=lambda entry: (entry.listed_on, entry.content_hash, entry.identity_key))


def _classes(items: Iterable[T], key: Callable[[T], Hashable]) -> dict[Hashable, list[T]]:
    found: dict[Hashable, list[T]] = defaultdict(list)
    for item in items:
        found[key(item)].append(item)
    return dict(found)
