"""What is on an account: booked and pending entries, running balances, and the sums that must hold. Pure.

    booked = opening + sum of booked entries        available = booked + sum of pending entries + overdraft

A day's entries are made from the day alone (and what lies before it), never from "today". So an entry keeps its id,
amount and running balance while the calendar moves on; only its status changes once, and after HISTORY_DAYS it leaves.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

from banks.sandbox.merchants import Merchant
from banks.sandbox.people import BankAccount

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
        """Minor units of the account's currency, half up; both currencies have two decimals."""
        return (self.amount_minor * 10_000 + self.rate_e4 // 2) // self.rate_e4


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
        return self.booked_minor + self.pending_minor + self.account.overdraft_minor


def entry_id(account: BankAccount, day: date, kind: Kind, ordinal: int) -> str:
    """TransactionId: from the account, the day, the kind and its place among that day's entries of that kind."""
    return hashlib.sha256(f"{account.account_id}|{day.isoformat()}|{kind}|{ordinal}".encode()).hexdigest()[:32]


def build(account: BankAccount, drafts: Iterable[Draft], *, before_minor: int, today: date) -> Ledger:
    """Book `drafts`, in the order they happened within a day, on `before_minor`; show the days the account shows."""
    first_on = today - timedelta(days=(account.history_days or HISTORY_DAYS) - 1)
    opening = balance = before_minor
    pending_sum = 0
    ordinals: Counter[tuple[date, Kind]] = Counter()
    entries: list[Entry] = []
    # Card business comes last in its day: what is still pending then stands behind nothing that is booked already, and
    # no running balance changes when it is booked too.
    for draft in sorted(drafts, key=lambda draft: (draft.day, draft.kind in PENDING_KINDS)):
        if draft.day > today:
            continue
        ordinal = ordinals[draft.day, draft.kind]
        ordinals[draft.day, draft.kind] += 1
        pending = draft.day == today and draft.kind in PENDING_KINDS if draft.pending is None else draft.pending
        if pending:
            pending_sum += draft.amount_minor
        else:
            balance += draft.amount_minor
        if draft.day < first_on:
            opening = balance
            continue
        entries.append(
            Entry(
                id=entry_id(account, draft.day, draft.kind, ordinal),
                draft=draft,
                pending=pending,
                balance_minor=None if pending else balance,
            )
        )
    entries.reverse()
    return Ledger(
        account=account,
        today=today,
        first_on=first_on,
        opening_minor=opening,
        entries=tuple(entries),
        booked_minor=balance,
        pending_minor=pending_sum,
    )
