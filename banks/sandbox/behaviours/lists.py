"""Lists of transactions that repeat, rename or move their rows, and links that lead astray."""

import hashlib
from dataclasses import replace
from datetime import date
from typing import Any

from banks.sandbox.behaviours import memory
from banks.sandbox.behaviours.base import Behaviour, Entries, Visit
from banks.sandbox.ledger import Draft, Entry, Kind
from banks.sandbox.recipes.troubled import SAME_ID, WITHOUT_ID

#: Reserved for examples (RFC 2606): whoever follows it reaches nobody.
ELSEWHERE = "https://other-bank.example"
_GROWN = "grown|"


class HostileNext(Behaviour):
    """Links.Next of transactions leads to another origin, where a client would hand over its token."""

    def body(self, body: dict[str, Any], visit: Visit) -> dict[str, Any]:
        if visit.resource == "transactions":
            body["Links"]["Next"] = f"{ELSEWHERE}{visit.path}?page=2"
        return body


class CircularNext(Behaviour):
    """The last page of transactions has a Next too: the first page."""

    def body(self, body: dict[str, Any], visit: Visit) -> dict[str, Any]:
        if visit.resource == "transactions":
            body["Links"].setdefault("Next", body["Links"]["First"])
        return body


class Duplicates(Behaviour):
    """Each day two different rows share one TransactionId, and two equal rows have none (recipes.troubled)."""

    def entries(self, entries: Entries, page: int, visit: Visit) -> Entries:
        first_of: dict[date, str] = {}
        shown = []
        for entry in reversed(entries):
            alike = entry.draft.text in SAME_ID
            shown.append(replace(entry, id=first_of.setdefault(entry.draft.day, entry.id)) if alike else entry)
        return tuple(reversed(shown))

    def transaction(self, document: dict[str, Any], entry: Entry) -> dict[str, Any]:
        if entry.draft.text != WITHOUT_ID:
            return document
        # Whatever would tell the two apart: the id, what is made of it, and the balance after each.
        return {
            name: value
            for name, value in document.items()
            if name not in {"TransactionId", "TransactionReference", "Balance"}
        }


class Reissued(Behaviour):
    """Every reading of the list has new TransactionIds for the same rows, the same from its first to its last page."""

    def entries(self, entries: Entries, page: int, visit: Visit) -> Entries:
        reading = visit.count("reading") if page == 1 else memory.counted(visit.user, "reading", visit.consent_id)
        return tuple(replace(entry, id=_reissued(entry.id, reading)) for entry in entries)


class Mutating(Behaviour):
    """While a list is read it grows: each request for page 2 puts a payment and its reversal on top of it.

    They stay, so books and balances agree; the last two rows of page 1 come again as the first two of page 2.
    """

    def entries(self, entries: Entries, page: int, visit: Visit) -> Entries:
        if page == 2:
            memory.count(visit.user, f"{_GROWN}{visit.today.isoformat()}")
        grown = [
            entry
            for what, pairs in memory.counts(visit.user, _GROWN).items()
            for pair in range(pairs, 0, -1)
            for entry in _pair(visit.user, date.fromisoformat(what.removeprefix(_GROWN)), pair)
        ]
        shown = [entry for entry in grown if entry.draft.day <= visit.today]
        return tuple(sorted((*shown, *entries), key=lambda entry: entry.draft.day, reverse=True))


def _reissued(id_: str, reading: int) -> str:
    return hashlib.sha256(f"{id_}|{reading}".encode()).hexdigest()[:32]


def _pair(user: str, day: date, number: int) -> tuple[Entry, Entry]:
    """The later one first. Without a running balance: the rows below them have theirs already."""
    paid = Draft(day=day, kind=Kind.PAYMENT_OUT, amount_minor=-500, text=f"LATE PAYMENT {number}")
    back = Draft(day=day, kind=Kind.PAYMENT_IN, amount_minor=500, text=f"REVERSAL OF LATE PAYMENT {number}")
    first, second = (
        Entry(
            id=hashlib.sha256(f"{user}|{day}|{draft.text}".encode()).hexdigest()[:32],
            draft=draft,
            pending=False,
            balance_minor=None,
        )
        for draft in (back, paid)
    )
    return first, second
