"""A current account that never gets out of its overdraft: what is spent by the 20th is paid in on the 20th."""

from datetime import date

from banks.sandbox.ledger import Counterparty, Draft, Kind
from banks.sandbox.merchants import LEEDS
from banks.sandbox.recipes.household import FIRST_DAY
from banks.sandbox.recipes.pages import Book, days, die, paid_by_card, transfer

_OPENING = -31_000
_FATHER = Counterparty(name="Emrys Price", sort_code="009977", number="83310094")


def overdraft(today: date) -> dict[str, Book]:
    """Between 310 and about 700 pounds below zero, always."""
    book = Book(opening_minor=_OPENING)
    for day in days(FIRST_DAY, today):
        dice = die("overdrawn", day)
        if day.day == 20:
            missing = _OPENING - book.balance_minor
            if missing > 0:
                book.add(transfer(day, Kind.PAYMENT_IN, missing, _FATHER, "keep going"))
        if day.day == 1:
            charged = dice.randint(610, 990)
            book.add(Draft(day=day, kind=Kind.INTEREST_CHARGED, amount_minor=-charged, text="DEBIT INTEREST"))
        book.add(paid_by_card(day, LEEDS.coffee, dice.randrange(240, 420, 5)))
        if day.weekday() in (1, 5):
            book.add(paid_by_card(day, LEEDS.convenience, dice.randint(640, 2_150)))
    return {"current": book}
