"""What a case of bad input is, the good answers that it is bad beside, and how a change is made to one of them.

A case has a `kind` (what sort of badness), a place (`where`), what it must lead to (`verdict`) and the `check` that
must do it. No two cases share both kind and check; every check of the code is some case's only guard (test_checks).
"""

import copy
import json
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

#: The account that everything is asked of, and the consent that it is asked under.
ACCOUNT = "22289"
CONSENT = "consent-1"

ABSENT = object()


class Where(StrEnum):
    """Which answer of the bank is bad."""

    ROW = "row"  #: one row among good ones in a list of transactions
    PAGE = "page"  #: the list of transactions itself
    ACCOUNTS = "accounts"
    BALANCES = "balances"
    CONSENT = "consent"
    TOKEN = "token"  #: the answer to a refresh token
    LINK = "link"  #: the answer to an authorization code


class Verdict(StrEnum):
    QUARANTINED = "quarantined"  #: the row is set aside, its neighbours are stored; check: "reason field"
    REFUSED = "refused"  #: nothing of the answer is stored; check: "code reason"
    TAKEN = "taken"  #: stored, and what is bad in it is not; check: the member of ours that holds `kept` instead


@dataclass(frozen=True, slots=True)
class Answered:
    """One HTTP answer. `also`: what the bank answers at further paths while this one stands."""

    content: bytes
    status: int = 200
    content_type: str | None = "application/json"
    headers: tuple[tuple[str, str], ...] = ()
    also: tuple[tuple[str, "Answered"], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    kind: str
    where: Where
    verdict: Verdict
    check: str
    value: Any = field(repr=False)  #: of ROW: the row, as JSON has it; else Answered
    kept: Any = None

    @property
    def name(self) -> str:
        return f"{self.where}: {self.kind}: {self.check}"


def told(value: object, **changed: Any) -> Answered:
    """A value as a bank answers it."""
    return Answered(json.dumps(value).encode(), **changed)


def changed(value: dict[str, Any], path: str, new: object) -> Any:
    """A copy with the member at a dotted path set, or taken away (ABSENT). `Account.0.Name` leads into arrays."""
    copied: Any = copy.deepcopy(value)
    *parents, last = path.split(".")
    target = copied
    for name in parents:
        target = target[int(name)] if isinstance(target, list) else target.setdefault(name, {})
    if isinstance(target, list):
        target[int(last)] = new
    elif new is ABSENT:
        del target[last]
    else:
        target[last] = new
    return copied


# -- good ones ---------------------------------------------------------------------------------------------------------

PURCHASE: dict[str, Any] = {
    "AccountId": ACCOUNT,
    "TransactionId": "good",
    "TransactionReference": "INVOICE 20260301",
    "CreditDebitIndicator": "Debit",
    "Status": "BOOK",
    "TransactionMutability": "Immutable",
    "BookingDateTime": "2026-03-01T00:30:00+01:00",
    "ValueDateTime": "2026-03-02T00:00:00+00:00",
    "TransactionInformation": "GREENWAY MARKET 0412 LONDON GB",
    "AddressLine": "212 Mare Street, London E8 3RD",
    "Amount": {"Amount": "10.50", "Currency": "GBP"},
    "BankTransactionCode": {"Code": "CCRD", "SubCode": "POSD"},
    "Balance": {
        "CreditDebitIndicator": "Debit",
        "Type": "ITBD",
        "Amount": {"Amount": "230.00", "Currency": "GBP"},
    },
    "MerchantDetails": {"MerchantName": "Greenway Market", "MerchantCategoryCode": "5411"},
    "CardInstrument": {"CardSchemeName": "VISA", "AuthorisationType": "Contactless"},
    "CurrencyExchange": {
        "SourceCurrency": "EUR",
        "ExchangeRate": 1.155,
        "InstructedAmount": {"Amount": "12.13", "Currency": "EUR"},
    },
    "SupplementaryData": {"Place": {"Country": "GB", "Town": "London", "PostCode": "E8 3RD"}},
}
TRANSFER: dict[str, Any] = {
    "AccountId": ACCOUNT,
    "TransactionId": "good",
    "CreditDebitIndicator": "Debit",
    "Status": "PDNG",
    "BookingDateTime": "2026-03-01T00:00:00Z",
    "Amount": {"Amount": "35", "Currency": "GBP"},
    "BankTransactionCode": {"Code": "IRCT", "SubCode": "DMCT"},
    "CreditorAccount": {"Name": "Niamh Brennan"},
    "SupplementaryData": {},
}
BALANCE: dict[str, Any] = {
    "AccountId": ACCOUNT,
    "CreditDebitIndicator": "Credit",
    "Type": "ITAV",
    "DateTime": "2026-03-01T10:43:07+01:00",
    "Amount": {"Amount": "1230.00", "Currency": "GBP"},
    "CreditLine": [{"Included": True, "Type": "Pre-Agreed", "Amount": {"Amount": "500.00", "Currency": "GBP"}}],
}
ACCOUNT_ROW: dict[str, Any] = {
    "AccountId": ACCOUNT,
    "Status": "Enabled",
    "Currency": "GBP",
    "AccountTypeCode": "CACC",
    "Nickname": "Bills",
    "OpeningDate": "2019-04-08T00:00:00+00:00",
    "Account": [{"SchemeName": "UK.OBIE.IBAN", "Identification": "GB29NWBK60161331926819", "Name": "Jane Smith"}],
}
CONSENT_DATA: dict[str, Any] = {"ConsentId": CONSENT, "Status": "AUTH", "ExpirationDateTime": "2026-05-30T00:00:00Z"}
TOKEN: dict[str, Any] = {"access_token": "a-token", "token_type": "Bearer", "expires_in": 600, "refresh_token": "next"}


def page(*rows: object, **members: object) -> dict[str, Any]:
    """A list of transactions; `members` stand beside Data."""
    return {"Data": {"Transaction": list(rows)}, "Meta": {"TotalPages": 1}, **members}


def balances(*rows: object) -> dict[str, Any]:
    return {"Data": {"Balance": list(rows)}}


def accounts(*rows: object) -> dict[str, Any]:
    return {"Data": {"Account": list(rows)}}


def consent(data: object) -> dict[str, Any]:
    return {"Data": data, "Risk": {}}
