"""Opening + booked = closing: do the stored rows add up to the balance the bank tells? Pure.

The opening balance of what is covered is nobody's to tell, so the first proof only notes it; every later one must find
it again. Amounts are minor units of the account's currency.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from banks.normalize.money import to_minor
from banks.types import BalanceData

#: ISO 20022 balance types of booked money, the better first: interim is as of now, closing as of an end of day.
_INTERIM, _CLOSING = "ITBD", "CLBD"


@dataclass(frozen=True, slots=True, kw_only=True)
class Booked:
    """A booked balance. `closes_on`: the day it closes, by its own date; None: it holds everything booked by now."""

    amount_minor: int
    closes_on: date | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Proven:
    """The balance before the first of `first_on`, which all rows from that day on must stand on."""

    opening_minor: int
    first_on: date


@dataclass(frozen=True, slots=True)
class Drift:
    """The rows do not add up to the balance."""


@dataclass(frozen=True, slots=True)
class Unclear:
    """Nothing can be said: two readings of a closing balance differ, and none was proven before."""


def booked_balance(balances: Iterable[BalanceData], currency: str | None) -> Booked | None:
    """The balance to prove against, in the account's own currency; None: the bank tells none, or not the currency.

    Raises AmountRejected.
    """
    told = {row.type: row for row in balances if row.money.currency == currency}
    row = told.get(_INTERIM) or told.get(_CLOSING)
    if row is None:
        return None
    closes_on = row.as_of.date() if row.type == _CLOSING else None
    return Booked(amount_minor=to_minor(row.money.amount, row.money.currency), closes_on=closes_on)


def prove(
    balance: Booked, totals: Mapping[date, int], *, covered_from: date, before: Proven | None
) -> Proven | Drift | Unclear:
    """`totals`: booked rows summed by the day they are listed on, without a gap from `covered_from` on.

    A base that moved, because more was fetched or less is covered, moves the opening by exactly the rows between.
    """
    first_on = before.first_on if before else covered_from
    openings = {balance.amount_minor - _total(totals, first_on, end) for end in _ends(balance)}
    if before is None:
        return Proven(opening_minor=openings.pop(), first_on=first_on) if len(openings) == 1 else Unclear()
    if before.opening_minor not in openings:
        return Drift()
    day = timedelta(days=1)
    moved = _total(totals, first_on, covered_from - day) - _total(totals, covered_from, first_on - day)
    return Proven(opening_minor=before.opening_minor + moved, first_on=covered_from)


def _ends(balance: Booked) -> tuple[date | None, ...]:
    """Banks date a closing balance by the day that ended or by the morning after, and some book into it still."""
    if balance.closes_on is None:
        return (None,)
    return (balance.closes_on, balance.closes_on - timedelta(days=1), None)


def _total(totals: Mapping[date, int], first_on: date, last_on: date | None) -> int:
    return sum(minor for day, minor in totals.items() if first_on <= day and (last_on is None or day <= last_on))
