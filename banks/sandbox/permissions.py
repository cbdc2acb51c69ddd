"""OBInternalPermissions1Code as these banks support it: which sets make a consent, and in plain words. Pure.

Rules: Account and Transaction API Profile, "Permissions", the same in 3.1.11 and 4.0. The banks have accounts, balances
and transactions; codes of resources that they do not have are refused, as the profile demands.
"""

from collections.abc import Iterable

from banks.sandbox.profile import PROFILE

ACCOUNTS = ("ReadAccountsBasic", "ReadAccountsDetail")
BALANCES = "ReadBalances"
TRANSACTIONS = ("ReadTransactionsBasic", "ReadTransactionsDetail")
CREDITS, DEBITS = "ReadTransactionsCredits", "ReadTransactionsDebits"
SUPPORTED = frozenset({*ACCOUNTS, BALANCES, *TRANSACTIONS, CREDITS, DEBITS, "ReadPAN"})


def problem_with(permissions: Iterable[str]) -> str | None:
    """Why these permissions make no consent, or None."""
    asked = set(permissions)
    if not asked:
        return "Permissions is empty."
    if unsupported := asked - SUPPORTED:
        return f"Not supported by this bank: {', '.join(sorted(unsupported))[:400]}."
    if asked.isdisjoint(ACCOUNTS):
        return "Permissions must contain ReadAccountsBasic or ReadAccountsDetail."
    level, side = not asked.isdisjoint(TRANSACTIONS), not asked.isdisjoint({CREDITS, DEBITS})
    if level and not side:
        return f"ReadTransactionsBasic and ReadTransactionsDetail need {CREDITS} or {DEBITS}."
    if side and not level:
        return f"{CREDITS} and {DEBITS} need ReadTransactionsBasic or ReadTransactionsDetail."
    return None


def in_words(permissions: Iterable[str]) -> list[str]:
    """What a consent opens, as a customer reads it; one line per kind of data."""
    asked = set(permissions)
    lines = []
    if "ReadAccountsDetail" in asked:
        lines.append(f"Your accounts: name, type and currency, {PROFILE.numbers_in_words}")
    elif "ReadAccountsBasic" in asked:
        lines.append("Your accounts: name, type and currency, without account numbers")
    if BALANCES in asked:
        lines.append(f"Your balances and {PROFILE.limits_in_words}")
    if not asked.isdisjoint(TRANSACTIONS):
        lines.append(_transactions_in_words(asked))
    if "ReadPAN" in asked:
        lines.append("Your card numbers, of which we only ever show the last four digits")
    return lines


def _transactions_in_words(asked: set[str]) -> str:
    sides = [words for code, words in ((CREDITS, "money in"), (DEBITS, "money out")) if code in asked]
    what = f"Your transactions ({' and '.join(sides)}): dates and amounts"
    if "ReadTransactionsDetail" in asked:
        return f"{what}, shops and where they are, names of people who paid you or whom you paid, references"
    return f"{what}, without shop names and without names of people"
