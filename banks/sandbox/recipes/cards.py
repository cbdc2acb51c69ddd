"""Lives on credit cards: what is bought is owed, a statement closes once a month, a payment clears it or does not.

Every rule looks at one day. Some shops ask for money before they know what it comes to; those authorisations book three
days later for another amount, under their own id or a new one, or lapse without a trace.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from random import Random

from banks.sandbox.ledger import Authorisation, Draft, Foreign, Kind, Outcome
from banks.sandbox.merchants import (
    BICYCLES,
    BISTRO,
    CLOUD,
    FASHION,
    FUEL_PUMP,
    HOTEL,
    KUWAIT,
    LEEDS,
    LONDON,
    MUSIC,
    NEW_YORK,
    STREAMING,
    TOKYO,
    Merchant,
    Town,
)
from banks.sandbox.recipes.household import FIRST_DAY, SATURDAY
from banks.sandbox.recipes.pages import Book, days, die, paid_abroad, paid_by_card

STATEMENT_DAY, DUE_DAY = 12, 26
SETTLES_AFTER = timedelta(days=3)
#: Months whose statement is not paid in full: the rest is charged interest until it is.
_LEAN_MONTHS = (1, 8)
_LATE_FEE, _OVER_LIMIT_FEE, _ANNUAL_FEE, _CASH_FEE = 1_200, 1_200, 3_600, 300
_OVER_LIMIT_OWED = 102_000

Shopping = Callable[[date, Random], Iterator[Draft]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trip:
    """Days abroad each year. `rate_e4`: units of the currency for one pound, times 10 000."""

    month: int
    first: int
    last: int
    merchants: tuple[Merchant, Merchant]
    currency: str
    rate_e4: int
    lowest: int  #: minor units of the currency
    highest: int


#: A currency with three decimals, one with none, and one with two.
TRIPS = (
    Trip(month=2, first=10, last=13, merchants=KUWAIT, currency="KWD", rate_e4=3_890, lowest=1_250, highest=31_745),
    Trip(month=4, first=6, last=10, merchants=TOKYO, currency="JPY", rate_e4=1_912_300, lowest=780, highest=14_900),
    Trip(month=9, first=17, last=20, merchants=NEW_YORK, currency="USD", rate_e4=12_650, lowest=650, highest=7_899),
)


def everyday(town: Town) -> Shopping:
    def shopping(day: date, dice: Random) -> Iterator[Draft]:
        yield from _purchases(town, day, dice)
        yield from _authorisations(day, dice)
        yield from _returns(day)
        yield from _cash(town, day)

    return shopping


def travel(*, fee_e4: int) -> Shopping:
    """Payments abroad, and what the issuer charges for each: `fee_e4` ten-thousandths of it."""

    def shopping(day: date, dice: Random) -> Iterator[Draft]:
        for payment in (*_trips(day, dice), *_subscription(day)):
            yield payment
            if fee_e4 and payment.amount_minor < 0:
                fee = max(50, -payment.amount_minor * fee_e4 // 10_000)
                yield Draft(day=day, kind=Kind.FEE, amount_minor=-fee, text="NON-STERLING TRANSACTION FEE")

    return shopping


def both(one: Shopping, other: Shopping) -> Shopping:
    def shopping(day: date, dice: Random) -> Iterator[Draft]:
        yield from one(day, dice)
        yield from other(day, dice)

    return shopping


def card(seed: str, shopping: Shopping, today: date, *, annual_fee: bool = False) -> Book:
    """The book of one card up to `today`; what is owed is a balance below zero."""
    book = Book()
    statement = unpaid = 0
    for day in days(FIRST_DAY, today):
        dice = die(seed, day)
        if day.day == STATEMENT_DAY:
            if unpaid > 0:
                book.add(_interest(day, unpaid))
            statement = owed_before(book, day + timedelta(days=1))
        if day.day == (DUE_DAY + 2 if day.month == 11 else DUE_DAY) and statement > 0:
            paid = _minimum(statement) if day.month in _LEAN_MONTHS else statement
            unpaid = statement - paid
            book.add(_payment(day, paid))
        if day.month == 11 and day.day == DUE_DAY + 1 and statement > 0:
            book.add(Draft(day=day, kind=Kind.FEE, amount_minor=-_LATE_FEE, text="LATE PAYMENT FEE"))
        if annual_fee and (day.month, day.day) == (3, 1):
            book.add(Draft(day=day, kind=Kind.FEE, amount_minor=-_ANNUAL_FEE, text="ANNUAL CARD FEE"))
        for draft in shopping(day, dice):
            book.add(draft)
    return book


def over_the_limit(today: date) -> dict[str, Book]:
    """Owes a little more than the limit of 1 000 pounds, always: only subscriptions still go through."""
    book = Book(opening_minor=-_OVER_LIMIT_OWED)
    for day in days(FIRST_DAY, today):
        if day.day == STATEMENT_DAY:
            book.add(_interest(day, -book.balance_minor))
        if day.day == STATEMENT_DAY + 1:
            book.add(Draft(day=day, kind=Kind.FEE, amount_minor=-_OVER_LIMIT_FEE, text="OVER LIMIT FEE"))
        if day.day == 20 and -book.balance_minor > _OVER_LIMIT_OWED:
            book.add(_payment(day, -book.balance_minor - _OVER_LIMIT_OWED))
        for draft in _subscriptions(day):
            book.add(draft)
    return {"card": book}


def owed_before(book: Book, day: date) -> int:
    """What is booked as owed before `day`, in minor units; below zero: overpaid. Authorisations owe nothing yet."""
    return -(book.opening_minor + sum(draft.amount_minor for draft in book.drafts if draft.day < day))


def _minimum(statement: int) -> int:
    return min(statement, max(2_500, statement // 40))


def _interest(day: date, owed: int) -> Draft:
    """2 per cent a month, at least a penny."""
    charged = max(1, owed * 2 // 100)
    return Draft(day=day, kind=Kind.INTEREST_CHARGED, amount_minor=-charged, text="INTEREST ON PURCHASES")


def _payment(day: date, minor: int) -> Draft:
    return Draft(day=day, kind=Kind.PAYMENT_IN, amount_minor=minor, text="PAYMENT RECEIVED - THANK YOU")


def _purchases(town: Town, day: date, dice: Random) -> Iterator[Draft]:
    yield from _subscriptions(day)
    if day.weekday() < SATURDAY:
        yield paid_by_card(day, town.coffee, dice.randrange(290, 465, 5))
    if day.weekday() == SATURDAY:
        yield paid_by_card(day, town.supermarket, dice.randint(3_150, 6_490), contactless=False)
    for merchant, chance, lowest, highest in town.occasional:
        if dice.random() < chance:
            yield paid_by_card(day, merchant, dice.randint(lowest, highest), contactless=highest < 5_000)


def _subscriptions(day: date) -> Iterator[Draft]:
    if day.day == 12:
        yield paid_by_card(day, STREAMING, 1_099)
    if day.day == 17:
        yield paid_by_card(day, MUSIC, 1_199)


def _authorisations(day: date, dice: Random) -> Iterator[Draft]:
    """By a count of days, so that on every day one of each of the first two is pending."""
    count = day.toordinal()
    if count % 3 == 0:  # a pump asks for one pound
        yield _held(day, FUEL_PUMP, 100, dice.randint(2_140, 6_230), Outcome.SAME_ID)
    if count % 3 == 1:  # a tip of one eighth is added to the bill
        bill = dice.randint(1_650, 4_300)
        yield _held(day, BISTRO, bill, bill + bill // 8, Outcome.NEW_ID)
    if count % 28 == 5:  # a room and a deposit, of which some comes back
        room = dice.randint(9_000, 16_000)
        yield _held(day, HOTEL, room + 5_000, room + dice.randint(0, 3_500), Outcome.SAME_ID)
    if count % 7 == 2:  # a deposit that is never taken
        yield _held(day, BICYCLES, 10_000, 0, Outcome.LAPSED)


def _held(day: date, merchant: Merchant, held: int, charged: int, outcome: Outcome) -> Draft:
    return Draft(
        day=day + SETTLES_AFTER,
        kind=Kind.CARD_PAYMENT,
        amount_minor=-charged,
        text=merchant.descriptor,
        merchant=merchant,
        authorisation=Authorisation(day=day, amount_minor=-held, outcome=outcome),
    )


def _returns(day: date) -> Iterator[Draft]:
    """Something bought online on the 6th goes back; the same amount returns on the 14th. Every second month."""
    if day.month % 2 or day.day not in (6, 14):
        return
    price = die("card|return", day.replace(day=1)).randrange(1_999, 6_999, 100)
    if day.day == 6:
        yield paid_by_card(day, FASHION, price)
    else:
        text = f"REFUND {FASHION.descriptor}"
        yield Draft(day=day, kind=Kind.CARD_REFUND, amount_minor=price, text=text, merchant=FASHION)


def _cash(town: Town, day: date) -> Iterator[Draft]:
    if day.month % 6 == 3 and day.day == 15:
        machine = town.cash_machine
        text = f"CASH {machine.descriptor}"
        yield Draft(day=day, kind=Kind.CASH_WITHDRAWAL, amount_minor=-5_000, text=text, merchant=machine)
        yield Draft(day=day, kind=Kind.FEE, amount_minor=-_CASH_FEE, text="CASH ADVANCE FEE")


def _trips(day: date, dice: Random) -> Iterator[Draft]:
    for trip in TRIPS:
        if day.month != trip.month:
            continue
        rate = trip.rate_e4 + day.day * 3
        if trip.first <= day.day <= trip.last:
            for merchant in trip.merchants:
                amount = dice.randint(trip.lowest, trip.highest)
                yield paid_abroad(day, merchant, Foreign(currency=trip.currency, amount_minor=amount, rate_e4=rate))
        if day.day == trip.last + 5:
            # The smallest thing bought goes back, at the rate of the day it goes back.
            back = Foreign(currency=trip.currency, amount_minor=trip.lowest, rate_e4=rate)
            yield _refund_abroad(day, trip.merchants[1], back)


def _refund_abroad(day: date, merchant: Merchant, foreign: Foreign) -> Draft:
    return Draft(
        day=day,
        kind=Kind.CARD_REFUND,
        amount_minor=foreign.in_account_currency(),
        text=f"REFUND {merchant.descriptor}",
        merchant=merchant,
        foreign=foreign,
    )


def _subscription(day: date) -> Iterator[Draft]:
    if day.day == 22:
        # In dollars: another amount every month, although nothing changed.
        rate = 12_400 + (day.year * 12 + day.month) * 37 % 900
        yield paid_abroad(day, CLOUD, Foreign(currency="USD", amount_minor=900, rate_e4=rate))


def _two_cards(today: date) -> dict[str, Book]:
    return {
        "everyday": card("twocards|everyday", everyday(LEEDS), today),
        "travel": card("twocards|travel", travel(fee_e4=0), today, annual_fee=True),
    }


#: User name -> card code -> book.
RECIPES: dict[str, Callable[[date], dict[str, Book]]] = {
    "cardholder": lambda today: {
        "card": card("cardholder", both(everyday(LONDON), travel(fee_e4=299)), today),
    },
    "twocards": _two_cards,
    "overlimit": over_the_limit,
    "unused": lambda _: {"card": Book()},
}
