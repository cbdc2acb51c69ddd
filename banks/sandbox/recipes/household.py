"""Ordinary life: pay comes in, rent and bills go out, the rest is shopping. Two accounts that pay into each other.

Every rule looks at one day. What is left before payday moves to savings; when money runs short some comes back; so
balances stay in a human range however many years the calendar moves on.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from random import Random

from banks.sandbox.ledger import Counterparty, Draft, Foreign, Kind
from banks.sandbox.merchants import ABROAD, CLOUD, FASHION, LEEDS, LONDON, MUSIC, STREAMING, Town
from banks.sandbox.recipes.pages import Book, days, die, paid_abroad, paid_by_card, transfer

#: The books begin here for everybody: a fixed day, so that running balances never shift.
FIRST_DAY = date(2023, 1, 1)

SATURDAY, SUNDAY, FRIDAY, WEDNESDAY = 5, 6, 4, 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Household:
    """One person's circumstances; amounts in pence. `other`: code of the second account."""

    seed: str
    full_name: str
    town: Town
    employer: Counterparty
    salary: int
    landlord: Counterparty
    rent: int
    friends: tuple[Counterparty, ...]
    other: str = "savings"


PENROSE = Household(
    seed="happy",
    full_name="Harriet Penrose",
    town=LONDON,
    employer=Counterparty(name="Northwind Analytics Ltd", sort_code="009931", number="20417733"),
    salary=278_416,
    landlord=Counterparty(name="Mrs P Adeyemi", sort_code="009942", number="31770254"),
    rent=115_000,
    friends=(
        Counterparty(name="Sam Okafor", sort_code="009955", number="40218876"),
        Counterparty(name="Maria Lindqvist", sort_code="009951", number="55530917"),
        Counterparty(name="Ella Hughes", sort_code="009942", number="60031485"),
    ),
)
BRENNAN = Household(
    seed="happy2",
    full_name="Tomas Brennan",
    town=LEEDS,
    employer=Counterparty(name="Calder Valley Press Ltd", sort_code="009933", number="71104526"),
    salary=231_750,
    landlord=Counterparty(name="Holbeck Lettings", sort_code="009947", number="80552310"),
    rent=82_500,
    friends=(
        Counterparty(name="Niamh Brennan", sort_code="009961", number="91823004"),
        Counterparty(name="Jonas Weber", sort_code="009966", number="18840027"),
    ),
    other="euro",
)
WHITFIELD = Household(
    seed="down",
    full_name="Dora Whitfield",
    town=LONDON,
    employer=Counterparty(name="Thamesmead Libraries", sort_code="009934", number="29916403"),
    salary=224_090,
    landlord=Counterparty(name="Mr K Osei", sort_code="009944", number="38821170"),
    rent=90_000,
    friends=(Counterparty(name="Rita Chowdhury", sort_code="009971", number="47701264"),),
)
HALLAM = Household(
    seed="garbage",
    full_name="Gus Hallam",
    town=LEEDS,
    employer=Counterparty(name="Pennine Couriers Ltd", sort_code="009935", number="56612091"),
    salary=219_900,
    landlord=Counterparty(name="Ms L Farrow", sort_code="009945", number="65504418"),
    rent=79_000,
    friends=(Counterparty(name="Owen Pike", sort_code="009972", number="74490035"),),
)

_ENERGY = Counterparty(name="Brightline Energy", sort_code="009981", number="11100011")
_COUNCIL = Counterparty(name="Borough Council Tax", sort_code="009982", number="22200022")
_PHONE = Counterparty(name="Pocketnet Mobile", sort_code="009983", number="33300033")
_BROADBAND = Counterparty(name="Fernway Broadband", sort_code="009984", number="44400044")
_GYM = Counterparty(name="Ironworks Gym", sort_code="009985", number="55500055")


def household(who: Household, today: date) -> dict[str, Book]:
    """The books of both accounts up to `today`, by account code."""
    current = Book(opening_minor=84_250)
    other = Book(opening_minor=310_000 if who.other == "savings" else 96_000)
    for day in days(FIRST_DAY, today):
        dice = die(who.seed, day)
        _move_between(who, day, current, other)
        for draft in (*_income(who, day), *_bills(who, day), *_subscriptions(day), *_shopping(who.town, day, dice)):
            current.add(draft)
        for draft in (*_abroad(day, dice), *_returns(who.seed, day), *_friends(who, day, dice), *_charges(day)):
            current.add(draft)
        for draft in _other_account(who, day, dice, other):
            other.add(draft)
    return {"current": current, who.other: other}


def payday(year: int, month: int) -> date:
    """The 25th, or the weekday before it."""
    day = date(year, month, 25)
    return day - timedelta(days=max(0, day.weekday() - FRIDAY))


def _move_between(who: Household, day: date, current: Book, other: Book) -> None:
    """What is left before payday goes to savings in whole pounds; below 200 pounds, 300 come back."""
    if who.other != "savings":
        if day == payday(day.year, day.month) and current.balance_minor > 60_000:
            surplus = (current.balance_minor - 40_000) // 100 * 100
            broker = Counterparty(name="Harbourlight Investments", sort_code="009991", number="12121212")
            current.add(transfer(day, Kind.PAYMENT_OUT, -surplus, broker, "monthly plan"))
        return
    own = Counterparty(name=who.full_name, sort_code="009910", number="10000001")
    if day == payday(day.year, day.month) and current.balance_minor > 45_000:
        amount = (current.balance_minor - 40_000) // 100 * 100
        current.add(transfer(day, Kind.TRANSFER_OUT, -amount, own, "to savings"))
        other.add(transfer(day, Kind.TRANSFER_IN, amount, own, "from current"))
    elif current.balance_minor < 20_000 and other.balance_minor > 60_000:
        other.add(transfer(day, Kind.TRANSFER_OUT, -30_000, own, "to current"))
        current.add(transfer(day, Kind.TRANSFER_IN, 30_000, own, "from savings"))


def _income(who: Household, day: date) -> Iterator[Draft]:
    if day == payday(day.year, day.month):
        yield transfer(day, Kind.SALARY, who.salary, who.employer, f"salary {day:%b %y}")


def _bills(who: Household, day: date) -> Iterator[Draft]:
    if day.day == 1:
        yield transfer(day, Kind.STANDING_ORDER, -who.rent, who.landlord, "rent")
    if day.day == 2 and day.month not in (2, 3):  # council tax is paid in ten instalments, April to January
        yield transfer(day, Kind.DIRECT_DEBIT, -14_800, _COUNCIL, "account 88120047")
    if day.day == 3:
        winter = 3_150 if day.month in (11, 12, 1, 2, 3) else 0
        yield transfer(day, Kind.DIRECT_DEBIT, -(6_240 + winter + day.month * 17), _ENERGY, "dual fuel")
    if day.day == 5:
        yield transfer(day, Kind.DIRECT_DEBIT, -1_800, _PHONE, "sim only")
    if day.day == 8:
        yield transfer(day, Kind.DIRECT_DEBIT, -2_999, _BROADBAND, "fibre 100")
    if day.day == 20:
        yield transfer(day, Kind.DIRECT_DEBIT, -3_499, _GYM, "membership")


def _subscriptions(day: date) -> Iterator[Draft]:
    if day.day == 12:
        yield paid_by_card(day, STREAMING, 1_099)
    if day.day == 17:
        yield paid_by_card(day, MUSIC, 1_199)
    if day.day == 22:
        # A subscription in dollars: another amount every month, although nothing changed.
        rate = 12_400 + (day.year * 12 + day.month) * 37 % 900
        yield paid_abroad(day, CLOUD, Foreign(currency="USD", amount_minor=900, rate_e4=rate))


def _shopping(town: Town, day: date, dice: Random) -> Iterator[Draft]:
    weekday = day.weekday()
    if weekday < SATURDAY:
        yield paid_by_card(day, town.transport, dice.choice((280, 340, 560, 680, 890)))
    if dice.random() < (0.7 if weekday < SATURDAY else 0.4):
        yield paid_by_card(day, town.coffee, dice.randrange(290, 465, 5))
    if weekday == SATURDAY:
        yield paid_by_card(day, town.supermarket, dice.randint(4_350, 8_490), contactless=False)
    if weekday == WEDNESDAY:
        yield paid_by_card(day, town.convenience, dice.randint(1_120, 2_790))
    if weekday == SUNDAY:
        yield paid_by_card(day, town.bakery, dice.randrange(420, 1_180, 5))
    if weekday == FRIDAY and dice.random() < 0.75:
        yield paid_by_card(day, dice.choice(town.restaurants), dice.randint(1_850, 6_200), contactless=False)
    for merchant, chance, lowest, highest in town.occasional:
        if dice.random() < chance:
            yield paid_by_card(day, merchant, dice.randint(lowest, highest), contactless=highest < 5_000)
    if weekday == SATURDAY and day.day <= 7:
        machine = town.cash_machine
        amount, text = dice.choice((4_000, 6_000)), f"CASH {machine.descriptor}"
        yield Draft(day=day, kind=Kind.CASH_WITHDRAWAL, amount_minor=-amount, text=text, merchant=machine)


def _abroad(day: date, dice: Random) -> Iterator[Draft]:
    """Five days in Lisbon in May and October; the bank's fee follows each payment as a row of its own."""
    if day.month not in (5, 10) or not 9 <= day.day <= 13:
        return
    rate = 11_550 + day.day * 7
    for merchant, lowest, highest in zip(ABROAD, (320, 1_400, 9_800), (940, 4_100, 12_500), strict=True):
        if dice.random() < 0.8:
            payment = paid_abroad(
                day, merchant, Foreign(currency="EUR", amount_minor=dice.randint(lowest, highest), rate_e4=rate)
            )
            yield payment
            fee = max(50, -payment.amount_minor * 275 // 10_000)
            yield Draft(day=day, kind=Kind.FEE, amount_minor=-fee, text="NON-STERLING TRANSACTION FEE")


def _returns(seed: str, day: date) -> Iterator[Draft]:
    """Something bought online on the 6th goes back; the same amount returns on the 14th. Every second month."""
    if day.month % 2 or day.day not in (6, 14):
        return
    price = die(f"{seed}|return", day.replace(day=1)).randrange(1_999, 6_999, 100)
    if day.day == 6:
        yield paid_by_card(day, FASHION, price)
    else:
        text = f"REFUND {FASHION.descriptor}"
        yield Draft(day=day, kind=Kind.CARD_REFUND, amount_minor=price, text=text, merchant=FASHION)


def _friends(who: Household, day: date, dice: Random) -> Iterator[Draft]:
    if dice.random() < 0.06:
        reason = dice.choice(("pizza", "cinema", "birthday", "train tickets"))
        yield transfer(day, Kind.PAYMENT_OUT, -dice.randrange(800, 4_500, 50), dice.choice(who.friends), reason)
    if dice.random() < 0.05:
        reason = dice.choice(("thank you", "dinner", "my half", "tickets"))
        yield transfer(day, Kind.PAYMENT_IN, dice.randrange(600, 5_200, 50), dice.choice(who.friends), reason)


def _charges(day: date) -> Iterator[Draft]:
    if day.day == 28:
        yield Draft(day=day, kind=Kind.FEE, amount_minor=-300, text="MONTHLY ACCOUNT FEE")


def _other_account(who: Household, day: date, dice: Random, book: Book) -> Iterator[Draft]:
    last_of_month = (day + timedelta(days=1)).day == 1
    if who.other == "savings":
        if last_of_month:
            interest = max(1, book.balance_minor * 31 // 12_000)  # 3.1 % a year, paid monthly
            yield Draft(day=day, kind=Kind.INTEREST_PAID, amount_minor=interest, text="GROSS INTEREST")
            if book.balance_minor > 900_000:
                isa = Counterparty(name=f"{who.full_name} ISA", sort_code="009910", number="10000009")
                yield transfer(day, Kind.TRANSFER_OUT, -500_000, isa, "isa allowance")
        return
    if day.day == 15:
        client = Counterparty(name="Verlag Lindenhof GmbH", sort_code="009988", number="66600066")
        yield transfer(day, Kind.PAYMENT_IN, 42_000, client, f"invoice {day:%Y%m}")
    if day.day in (18, 26):
        yield paid_by_card(day, ABROAD[1], dice.randint(900, 3_800))
    if last_of_month and book.balance_minor > 150_000:
        studio = Counterparty(name="Atelier Weber", sort_code="009989", number="77700077")
        yield transfer(day, Kind.PAYMENT_OUT, -60_000, studio, "studio share")
