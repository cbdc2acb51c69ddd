"""The books of the scenarios' users: a short ordinary life, and in some of them what a client should not rely on.

Unlike the other recipes, `corrected`, `pending_new_id` and `pending_vanishes` look at "today": rows change or leave
after they were shown. Their sums hold on every day by itself.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date, timedelta

from banks.sandbox.ledger import Counterparty, Draft, Kind
from banks.sandbox.merchants import LEEDS, Merchant
from banks.sandbox.recipes.household import FIRST_DAY
from banks.sandbox.recipes.pages import Book, days, die, paid_by_card, transfer

#: For how many days, its own included, a hotel's reservation is pending.
PENDING_DAYS = 3

#: Rows of `duplicates`: the first two share an id, the third comes twice without one.
SAME_ID = ("TOLL NORTH BRIDGE", "TOLL SOUTH BRIDGE")
WITHOUT_ID = "VENDING MACHINE 4"

#: Reference of a row of `dst` -> its time of day and offset. In March the hour from 01:00 does not exist in London, but
#: some bank will name it; in October the hour from 01:00 comes twice, first as summer time.
TIMES = {
    "night-0030-winter": "00:30:00+00:00",
    "night-0030-summer": "00:30:00+01:00",
    "night-0130-winter": "01:30:00+00:00",
    "night-0130-summer": "01:30:00+01:00",
    "night-0230-winter": "02:30:00+00:00",
    "night-0230-summer": "02:30:00+01:00",
    "night-2330-winter": "23:30:00+00:00",
    "night-2330-summer": "23:30:00+01:00",
}
_MARCH = (
    ("night-2330-winter",),
    ("night-0030-winter", "night-0130-summer", "night-0230-summer"),
    ("night-0030-summer",),
)
_OCTOBER = (
    ("night-2330-summer",),
    ("night-0030-summer", "night-0130-summer", "night-0130-winter", "night-0230-winter"),
    ("night-0030-winter",),
)

#: References of the odd rows; behaviours.numbers says in which way each is odd.
ODD = (
    "odd-minus-zero",
    "odd-zero",
    "odd-leading-zeros",
    "odd-huge",
    "odd-decimals",
    "odd-no-point",
    "odd-unknown-currency",
    "odd-gold",
    "odd-status",
    "odd-direction",
    "odd-mutability",
    "odd-codes",
    "odd-card",
    "odd-year-33",
    "odd-year-9999",
)

_EMPLOYER = Counterparty(name="Calder Sandbox Works", sort_code="009936", number="42218801")
_LANDLORD = Counterparty(name="Holbeck Lettings", sort_code="009947", number="80552310")
_POWER = Counterparty(name="Brightline Energy", sort_code="009981", number="11100011")
_NIGHT = Counterparty(name="Night Bus Company", sort_code="009986", number="66600012")
_OWN_SAVINGS = Counterparty(name="Own savings", sort_code="009910", number="10000009")
_HOTEL = Merchant(
    name="Abbey Hotel",
    mcc="7011",
    descriptor="ABBEY HOTEL 001 LEEDS GB",
    town="Leeds",
    post_code="LS1 4AP",
    address_line="2 Wellington Street",
    store_number="001",
)

Also = Callable[[date], Iterator[Draft]]


def _nothing(day: date) -> Iterator[Draft]:
    yield from ()


def life(seed: str, today: date, also: Also = _nothing) -> Book:
    """A wage, rent, coffee and food: about 35 rows a month. `also`: what else happens on a day, last in it."""
    book = Book(opening_minor=62_000)
    for day in days(FIRST_DAY, today):
        dice = die(seed, day)
        if day.day == 1:
            book.add(transfer(day, Kind.STANDING_ORDER, -80_000, _LANDLORD, "rent"))
        if day.day == 25:
            book.add(transfer(day, Kind.SALARY, 175_000, _EMPLOYER, f"wage {day:%b %y}"))
        if day.day == 26 and book.balance_minor > 150_000:
            surplus = (book.balance_minor - 140_000) // 100 * 100
            book.add(transfer(day, Kind.TRANSFER_OUT, -surplus, _OWN_SAVINGS, "put aside"))
        book.add(paid_by_card(day, LEEDS.coffee, dice.randrange(240, 420, 5)))
        if day.weekday() == 5:
            book.add(paid_by_card(day, LEEDS.supermarket, dice.randint(3_900, 7_200), contactless=False))
        for draft in also(day):
            book.add(draft)
    return book


def saver(today: date) -> Book:
    """An account with interest once a month and nothing else."""
    book = Book(opening_minor=250_000)
    for day in days(FIRST_DAY, today):
        if (day + timedelta(days=1)).day == 1:
            text = "GROSS INTEREST"
            book.add(Draft(day=day, kind=Kind.INTEREST_PAID, amount_minor=book.balance_minor * 31 // 12_000, text=text))
    return book


def plain(seed: str, today: date) -> dict[str, Book]:
    return {"current": life(seed, today), "savings": saver(today)}


def duplicates(today: date) -> dict[str, Book]:
    def also(day: date) -> Iterator[Draft]:
        for text, pence in ((SAME_ID[0], 110), (SAME_ID[1], 240), (WITHOUT_ID, 90), (WITHOUT_ID, 90)):
            yield Draft(day=day, kind=Kind.PAYMENT_OUT, amount_minor=-pence, text=text)

    return {"current": life("duplicates", today, also)}


def corrected(today: date) -> dict[str, Book]:
    """Each day has a bill, booked at once with an estimate; the next day it has its final text and amount."""

    def also(day: date) -> Iterator[Draft]:
        final = day < today
        text = f"{_POWER.name.upper()} {'METER' if final else 'ESTIMATED'} BILL {day:%d%m}"
        amount = -537 if final else -500
        yield Draft(
            day=day, kind=Kind.DIRECT_DEBIT, amount_minor=amount, text=text, reference="bill", counterparty=_POWER
        )

    return {"current": life("corrected", today, also)}


def pending_new_id(today: date) -> dict[str, Book]:
    """Each day a hotel reserves money; PENDING_DAYS later it is booked on that day, as a row of its own."""

    def also(day: date) -> Iterator[Draft]:
        yield _hotel(day, reserved_on=day - timedelta(days=PENDING_DAYS), pending=False)
        # Last in its day: when it leaves, no other row's place among its kind, and so its id, changes.
        if day + timedelta(days=PENDING_DAYS) > today:
            yield _hotel(day, reserved_on=day, pending=True)

    return {"current": life("pending_new_id", today, also)}


def pending_vanishes(today: date) -> dict[str, Book]:
    """Each day a hotel reserves money; PENDING_DAYS later the row is gone and never was booked."""

    def also(day: date) -> Iterator[Draft]:
        if day + timedelta(days=PENDING_DAYS) > today:
            yield _hotel(day, reserved_on=day, pending=True)

    return {"current": life("pending_vanishes", today, also)}


def dst(today: date) -> dict[str, Book]:
    """Payments in the evening before, the night of, and the night after each change of the clocks."""

    def also(day: date) -> Iterator[Draft]:
        for month, nights in ((3, _MARCH), (10, _OCTOBER)):
            for distance, references in zip((-1, 0, 1), nights, strict=True):
                sunday = day - timedelta(days=distance)
                if sunday == last_sunday(sunday.year, month):
                    for reference in references:
                        yield transfer(day, Kind.PAYMENT_OUT, -250, _NIGHT, reference)

    return {"current": life("dst", today, also)}


def odd_numbers(today: date) -> dict[str, Book]:
    def also(day: date) -> Iterator[Draft]:
        if day.day == 1:
            for reference in ODD:
                yield transfer(day, Kind.PAYMENT_OUT, -100, _NIGHT, reference)

    return {"current": life("odd_numbers", today, also)}


def last_sunday(year: int, month: int) -> date:
    """When London changes its clocks, in March and October (both have 31 days)."""
    last = date(year, month, 31)
    return last - timedelta(days=(last.weekday() + 1) % 7)


def _hotel(day: date, *, reserved_on: date, pending: bool) -> Draft:
    payment = paid_by_card(day, _HOTEL, 180 + reserved_on.day, contactless=False)
    return replace(payment, pending=pending)
