"""A shop till: 25 entries on each of the last HISTORY_DAYS days, so exactly 10 000, every one from its own day."""

from datetime import date, timedelta

from banks.sandbox.ledger import HISTORY_DAYS, Draft, Kind
from banks.sandbox.merchants import TILL
from banks.sandbox.recipes.pages import Book, days, die, paid_by_card

PER_DAY = 25


def till(today: date) -> dict[str, Book]:
    """Each day ends where it began: one takings credit equals the day's 24 payments, so no earlier day is needed."""
    book = Book(opening_minor=500_000)
    for day in days(today - timedelta(days=HISTORY_DAYS - 1), today):
        dice = die("many", day)
        prices = [dice.randint(99, 4_999) for _ in range(PER_DAY - 1)]
        text = f"TAKINGS {TILL.descriptor}"
        book.add(Draft(day=day, kind=Kind.CARD_REFUND, amount_minor=sum(prices), text=text, merchant=TILL))
        for price in prices:
            book.add(paid_by_card(day, TILL, price))
    return {"current": book}
