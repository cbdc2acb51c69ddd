"""Which recipe writes whose history, and the ledgers made of them. Pure, and kept in memory."""

from collections.abc import Callable
from datetime import date
from functools import lru_cache

from banks.sandbox.ledger import Ledger, build
from banks.sandbox.people import SCENARIOS, BankAccount
from banks.sandbox.recipes import cards, troubled
from banks.sandbox.recipes.bulk import till
from banks.sandbox.recipes.household import BRENNAN, HALLAM, PENROSE, WHITFIELD, household
from banks.sandbox.recipes.overdraft import overdraft
from banks.sandbox.recipes.pages import Book

_RECIPES: dict[str, Callable[[date], dict[str, Book]]] = {
    "happy": lambda today: household(PENROSE, today),
    "happy2": lambda today: household(BRENNAN, today),
    "overdrawn": overdraft,
    "empty": lambda _: {"current": Book()},
    "many": till,
    "down": lambda today: household(WHITFIELD, today),
    "garbage": lambda today: household(HALLAM, today),
    "joint": lambda today: {"current": troubled.life("joint", today), "joint": troubled.life("joint|both", today)},
    "joint2": lambda today: {"current": troubled.life("joint2", today), "joint": troubled.life("joint|both", today)},
    "another_person": lambda today: {
        "current": troubled.life("another_person", today),
        "other": troubled.life("another_person|other", today),
    },
    "corrected": troubled.corrected,
    "pending_new_id": troubled.pending_new_id,
    "pending_vanishes": troubled.pending_vanishes,
    "duplicates": troubled.duplicates,
    "dst": troubled.dst,
    "odd_numbers": troubled.odd_numbers,
    **cards.RECIPES,
}


@lru_cache(maxsize=16)
def history(holder: str, today: date) -> dict[str, Book]:
    """Account code -> everything that happened on it up to `today`, oldest first. Raises KeyError."""
    recipe = _RECIPES.get(holder)
    return recipe(today) if recipe else troubled.plain(SCENARIOS[holder].name, today)


@lru_cache(maxsize=64)
def ledger_of(account: BankAccount, today: date) -> Ledger:
    """The ledger of one account as of one day of the bank. A page of it must not cost making 10 000 entries."""
    book = history(account.holder, today)[account.code]
    return build(account, book.drafts, before_minor=book.opening_minor, today=today)
