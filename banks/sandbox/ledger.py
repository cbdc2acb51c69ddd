"""What is on an account: booked and pending entries, running balances, and the sums that must hold. Pure.

    booked = opening + sum of booked entries        available = booked + sum of pending entries + credit line

A day's entries are made from the day alone (and what lies before it), never from "today". So an entry keeps its id,
amount and running balance while the calendar moves on; only its status changes once, and after HISTORY_DAYS it leaves.
The exception is what an Authorisation says: that pending entry is replaced, or goes.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, timedelta
from enum import StrEnum

from banks.sandbox.merchants import Merchant
from banks.sandbox.people import BankAccount
from banks.sandbox.wire import decimals

#: How far back the bank shows transactions, today included: about 13 months.
HISTORY_DAYS = 400


class Kind(StrEnum):
    """What made an entry. The value is part of the transaction's id: never rename one."""

    CARD_PAYMENT = "card-payment"
    CARD_REFUND = "card-refund"
    CASH_WITHDRAWAL = "cash-withdrawal"
    SALARY = "salary"
    STANDING_ORDER = "standing-order"
    DIRECT_DEBIT = "direct-debit"
    PAYMENT_OUT = "payment-out"
    PAYMENT_IN = "payment-in"
    TRANSFER_OUT = "transfer-out"
    TRANSFER_IN = "transfer-in"
    FEE = "fee"
    INTEREST_PAID = "interest-paid"
    INTEREST_CHARGED = "interest-charged"


#: Card business of a day is booked when that day is over; until then it is pending.
PENDING_KINDS = frozenset({Kind.CARD_PAYMENT, Kind.CASH_WITHDRAWAL})


@dataclass(frozen=True, slots=True, kw_only=True)
class Counterparty:
    """The other side of a transfer: a person, a company or the customer's other account."""

    name: str
    sort_code: str = "009920"
    number: str = "10000000"


@dataclass(frozen=True, slots=True, kw_only=True)
class Foreign:
    """What was paid in another currency. `rate_e4`: foreign units for one unit of the account, times 10 000."""

    currency: str
    amount_minor: int
    rate_e4: int

    def in_account_currency(self) -> int:
        """Minor units of the account's currency, which has two decimals; half up."""
        scale: int = 10 ** decimals(self.currency)
        units, rate = self.amount_minor * 100 * 10_000, self.rate_e4 * scale
        return (2 * units + rate) // (2 * rate)


class Outcome(StrEnum):
    """What becomes of an authorisation when its time has come."""

    SAME_ID = "same-id"
    NEW_ID = "new-id"
    LAPSED = "lapsed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Authorisation:
    """Money held for a shop before it is known what it comes to; pending from `day` until the day of its draft.

    `amount_minor` is signed as a draft's. A lapsed one is never booked: its draft has no amount.
    """

    day: date
    amount_minor: int
    outcome: Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """One thing that happened on one day. `amount_minor` is signed: negative is money out.

    `pending`: None by the rule (card business of today is), else whether it is, whatever day it is.
    """

    day: date
    kind: Kind
    amount_minor: int
    text: str
    reference: str | None = None
    merchant: Merchant | None = None
    counterparty: Counterparty | None = None
    foreign: Foreign | None = None
    contactless: bool = False
    pending: bool | None = None
    authorisation: Authorisation | None = None

    def is_pending(self, today: date) -> bool:
        if self.pending is not None:
            return self.pending
        if self.authorisation is not None:
            return today < self.day
        return self.day == today and self.kind in PENDING_KINDS

    @property
    def known_on(self) -> date:
        """The first day on which the bank shows anything of it."""
        return self.authorisation.day if self.authorisation is not None else self.day

    def shown(self, today: date) -> "Draft | None":
        """What the bank shows of it from `known_on` on: first its authorisation; None once that has lapsed."""
        held = self.authorisation
        if held is None or (today >= self.day and held.outcome is not Outcome.LAPSED):
            return self
        return replace(self, day=held.day, amount_minor=held.amount_minor) if today < self.day else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A draft as the books hold it. `balance_minor`: booked balance after it, None while pending."""

    id: str
    draft: Draft
    pending: bool
    balance_minor: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """What the bank shows of one account on one day. Entries newest first; amounts in minor units."""

    account: BankAccount
    today: date
    first_on: date
    opening_minor: int  #: booked balance before the first entry shown
    entries: tuple[Entry, ...]
    booked_minor: int
    pending_minor: int

    @property
    def available_minor(self) -> int:
        return self.booked_minor + self.pending_minor + self.account.credit_line_minor


def entry_id(account: BankAccount, day: date, kind: str, ordinal: int) -> str:
    """TransactionId: from the account, the day, the kind and its place among that day's entries of that kind."""
    return hashlib.sha256(f"{account.account_id}|{day.isoformat()}|{kind}|{ordinal}".encode()).hexdigest()[:32]


class _Ids:
    """Hands out TransactionIds. What is counted on a day is complete once that day's entries are shown at all."""

    def __init__(self, account: BankAccount) -> None:
        self._account = account
        self._ordinals: Counter[tuple[date, str]] = Counter()

    def of(self, draft: Draft, *, pending: bool) -> str:
        held = draft.authorisation
        if held is None:
            return self._next(draft.day, draft.kind)
        authorised = self._next(held.day, "authorisation")
        if pending or held.outcome is not Outcome.NEW_ID:
            return authorised
        return self._next(draft.day, draft.kind)

    def _next(self, day: date, kind: str) -> str:
        ordinal = self._ordinals[day, kind]
        self._ordinals[day, kind] += 1
        return entry_id(self._account, day, kind, ordinal)


def build(account: BankAccount, drafts: Iterable[Draft], *, before_minor: int, today: date) -> Ledger:
    """Book `drafts`, in the order they happened within a day, on `before_minor`; show the days the account shows."""
    first_on = today - timedelta(days=(account.history_days or HISTORY_DAYS) - 1)
    opening = balance = before_minor
    pending_sum = 0
    ids = _Ids(account)
    entries: list[Entry] = []
    # Card business comes last in its day: what is still pending then stands behind nothing that is booked already, and
    # no running balance changes when it is booked too.
    for draft in sorted(drafts, key=lambda draft: (draft.day, draft.kind in PENDING_KINDS)):
        if draft.known_on > today:
            continue
        pending = draft.is_pending(today)
        id_ = ids.of(draft, pending=pending)
        shown = draft.shown(today)
        if shown is None:
            continue
        if pending:
            pending_sum += shown.amount_minor
        else:
            balance += shown.amount_minor
        if shown.day < first_on:
            opening = balance
            continue
        entries.append(Entry(id=id_, draft=shown, pending=pending, balance_minor=None if pending else balance))
    entries.reverse()
    entries.sort(key=lambda entry: entry.draft.day, reverse=True)
    return Ledger(
        account=account,
        today=today,
        first_on=first_on,
        opening_minor=opening,
        entries=tuple(entries),
        booked_minor=balance,
        pending_minor=pending_sum,
    )
