"""Figures, codes and dates at the edge of what their types allow, and a balance that does not add up."""

from decimal import Decimal
from typing import Any

from banks.sandbox.behaviours.base import Behaviour, Visit, members
from banks.sandbox.ledger import Entry
from banks.sandbox.recipes.troubled import ODD

_DRIFT = Decimal("1.23")


def _amount(amount: str, currency: str = "GBP") -> dict[str, Any]:
    return {"Amount": {"Amount": amount, "Currency": currency}}


#: Reference of a row (recipes.troubled) -> the members it has instead. Each row is odd in one way.
ODDITIES: dict[str, dict[str, Any]] = {
    "odd-minus-zero": _amount("-0"),
    "odd-zero": _amount("0.00"),
    "odd-leading-zeros": _amount("0012.50"),
    "odd-huge": _amount("1000000000000"),
    "odd-decimals": _amount("1.23456"),
    "odd-no-point": _amount("7"),
    "odd-unknown-currency": _amount("1.00", "XQZ"),
    "odd-gold": _amount("1.00", "XAU"),
    "odd-status": {"Status": "WAIT"},
    "odd-direction": {"CreditDebitIndicator": "Sideways"},
    "odd-mutability": {"TransactionMutability": "Perhaps"},
    "odd-codes": {"BankTransactionCode": {"Code": "ZZZZ", "SubCode": "ZZZZ"}},
    "odd-card": {"CardInstrument": {"CardSchemeName": "XCARD", "AuthorisationType": "Telepathy"}},
    "odd-year-33": {"BookingDateTime": "0033-04-03T15:00:00+00:00", "ValueDateTime": "0033-04-03T15:00:00+00:00"},
    "odd-year-9999": {"BookingDateTime": "9999-12-31T23:59:59+00:00", "ValueDateTime": "9999-12-31T23:59:59+00:00"},
}
assert tuple(ODDITIES) == ODD, "each odd row of the recipe has its oddity"


class OddNumbers(Behaviour):
    """Odd rows on the first of each month, beside sound ones; codes of balances and of the account are unknown too."""

    def transaction(self, document: dict[str, Any], entry: Entry) -> dict[str, Any]:
        return document | ODDITIES.get(entry.draft.reference or "", {})

    def body(self, body: dict[str, Any], visit: Visit) -> dict[str, Any]:
        for account in members(body, "Account"):
            account |= {"Status": "Dormant", "AccountCategory": "Galactic", "AccountTypeCode": "ZZZZ"}
        for balance in members(body, "Balance"):
            if balance["Type"] == "ITAV":
                balance["Type"] = "ZZZZ"
            for line in balance.get("CreditLine", ()):
                line["Type"] = "Imaginary"
        return body


class Drift(Behaviour):
    """In every odd stage the balances are 1.23 more than opening balance and booked rows make."""

    def body(self, body: dict[str, Any], visit: Visit) -> dict[str, Any]:
        for balance in members(body, "Balance") if visit.stage % 2 else ():
            amount = Decimal(balance["Amount"]["Amount"])
            signed = (amount if balance["CreditDebitIndicator"] == "Credit" else -amount) + _DRIFT
            balance["Amount"]["Amount"] = f"{abs(signed):.2f}"
            balance["CreditDebitIndicator"] = "Debit" if signed < 0 else "Credit"
        return body
