"""Small things every recipe needs: a book to write in, a die per day, and the common kinds of entry."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from random import Random

from banks.sandbox.ledger import Counterparty, Draft, Foreign, Kind
from banks.sandbox.merchants import Merchant
from banks.sandbox.wire import decimal


@dataclass(slots=True, kw_only=True)
class Book:
    """One account while its history is being written, oldest entry first; minor units."""

    opening_minor: int = 0
    drafts: list[Draft] = field(default_factory=list)
    balance_minor: int = field(init=False)

    def __post_init__(self) -> None:
        self.balance_minor = self.opening_minor

    def add(self, draft: Draft) -> None:
        self.drafts.append(draft)
        self.balance_minor += draft.amount_minor


def days(first: date, last: date) -> Iterator[date]:
    """Every day from `first` to `last`, both included; none when `last` is earlier."""
    for offset in range((last - first).days + 1):
        yield first + timedelta(days=offset)


def die(seed: str, day: date) -> Random:
    """The day's own chance. Seeded by text, so it is the same in every process and on every Python."""
    return Random(f"{seed}|{day.isoformat()}")  # noqa: S311 - makes up shopping, guards nothing


def paid_by_card(day: date, merchant: Merchant, pence: int, *, contactless: bool = True) -> Draft:
    return Draft(
        day=day,
        kind=Kind.CARD_PAYMENT,
        amount_minor=-pence,
        text=merchant.descriptor,
        merchant=merchant,
        contactless=contactless and not merchant.online,
    )


def paid_abroad(day: date, merchant: Merchant, foreign: Foreign) -> Draft:
    amount = decimal(foreign.amount_minor, foreign.currency)
    return Draft(
        day=day,
        kind=Kind.CARD_PAYMENT,
        amount_minor=-foreign.in_account_currency(),
        text=f"{merchant.descriptor} {foreign.currency} {amount} RATE {foreign.rate_e4 / 10_000:.4f}",
        merchant=merchant,
        foreign=foreign,
        contactless=not merchant.online,
    )


def transfer(day: date, kind: Kind, signed: int, other: Counterparty, reference: str) -> Draft:
    """A payment to (negative) or from (positive) somebody; the text names them, as bank statements do."""
    return Draft(
        day=day,
        kind=kind,
        amount_minor=signed,
        text=f"{other.name.upper()} {reference.upper()}",
        reference=reference,
        counterparty=other,
    )
