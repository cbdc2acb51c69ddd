"""Ledger entries as OBTransaction6 (UK Open Banking, Transactions). Pure.

ReadTransactionsBasic gives what OBTransaction6Basic lists; ReadTransactionsDetail adds the members of DETAIL.

A place has one member in the standard, AddressLine (one line of text, Basic). These banks add, with Detail only, a
documented extension of their own in the free object SupplementaryData:

    "SupplementaryData": {"Place": {"Country": "GB", "Town": "London", "PostCode": "E8 3RD",
                                    "AddressLine": "212 Mare Street", "StoreNumber": "0412"}}

An online shop has a Place with only its Country, and no AddressLine.
"""

from typing import Any

from banks.sandbox.ledger import Draft, Entry, Foreign, Kind
from banks.sandbox.merchants import Merchant
from banks.sandbox.people import BankAccount
from banks.sandbox.profile import PROFILE
from banks.sandbox.wire import direction, money

#: Members that need ReadTransactionsDetail: the profile's list, and these banks' extension.
DETAIL = frozenset(
    {
        "TransactionInformation",
        "Balance",
        "MerchantDetails",
        "CreditorAgent",
        "CreditorAccount",
        "DebtorAgent",
        "DebtorAccount",
        "UltimateCreditor",
        "UltimateDebtor",
        "SupplementaryData",
    }
)

#: Kind -> ISO 20022 family and sub-family (ExternalBankTransactionFamily/SubFamily1Code), and the bank's own code.
_CODES: dict[Kind, tuple[str, str, str]] = {
    Kind.CARD_PAYMENT: ("CCRD", "POSD", "DEB"),
    Kind.CARD_REFUND: ("CCRD", "RIMB", "DEB"),
    Kind.CASH_WITHDRAWAL: ("CCRD", "CWDL", "CPT"),
    Kind.SALARY: ("RCDT", "SALA", "BGC"),
    Kind.STANDING_ORDER: ("ICDT", "STDO", "SO"),
    Kind.DIRECT_DEBIT: ("RDDT", "PMDD", "DD"),
    Kind.PAYMENT_OUT: ("IRCT", "DMCT", "FPO"),
    Kind.PAYMENT_IN: ("RRCT", "DMCT", "FPI"),
    Kind.TRANSFER_OUT: ("ICDT", "BOOK", "TFR"),
    Kind.TRANSFER_IN: ("RCDT", "BOOK", "TFR"),
    Kind.FEE: ("MDOP", "FEES", "CHG"),
    Kind.INTEREST_PAID: ("MCOP", "INTR", "INT"),
    Kind.INTEREST_CHARGED: ("MDOP", "INTR", "INT"),
}


def transaction(account: BankAccount, entry: Entry, *, detail: bool) -> dict[str, Any]:
    """One OBTransaction6; Basic without `detail`."""
    draft = entry.draft
    # No time of day in the books: the profile fills it with 00:00:00+00:00, also in summer.
    booked = f"{draft.day.isoformat()}T00:00:00+00:00"
    standard = PROFILE.standard
    family, sub_family, own_code = _codes(account, draft.kind)
    row: dict[str, Any] = {
        "AccountId": account.account_id,
        "TransactionId": entry.id,
        "TransactionReference": draft.reference or entry.id[:12].upper(),
        "CreditDebitIndicator": direction(draft.amount_minor),
        "Status": standard.entry_statuses["PDNG" if entry.pending else "BOOK"],
        "TransactionMutability": "Mutable" if entry.pending else "Immutable",
        "BookingDateTime": booked,
        "TransactionInformation": draft.text,
        "Amount": money(draft.amount_minor, account.currency),
        "BankTransactionCode": {
            "Code": standard.transaction_codes[family],
            "SubCode": standard.transaction_codes[sub_family],
        },
        "ProprietaryBankTransactionCode": {"Code": own_code, "Issuer": PROFILE.name},
    }
    if not entry.pending:
        row["ValueDateTime"] = booked
    if entry.balance_minor is not None:
        row["Balance"] = {
            "CreditDebitIndicator": direction(entry.balance_minor),
            "Type": standard.balance_types["ITBD"],
            "Amount": money(entry.balance_minor, account.currency),
        }
    row |= _card(account, draft) | _other_side(draft)
    if draft.foreign is not None:
        row["CurrencyExchange"] = _exchange(draft.foreign, account.currency)
    return row if detail else {name: value for name, value in row.items() if name not in DETAIL}


def _codes(account: BankAccount, kind: Kind) -> tuple[str, str, str]:
    if account.is_card and kind is Kind.CARD_PAYMENT:
        return "CCRD", "POSC", "PUR"
    return _CODES[kind]


def _card(account: BankAccount, draft: Draft) -> dict[str, Any]:
    merchant = draft.merchant
    if merchant is None:
        return {}
    members: dict[str, Any] = {
        "MerchantDetails": {"MerchantName": merchant.name, "MerchantCategoryCode": merchant.mcc},
        "CardInstrument": {
            "CardSchemeName": PROFILE.card_scheme,
            "AuthorisationType": _authorisation(draft, merchant),
            # Masked whether or not ReadPAN was granted: the bank's own pages do not show it either.
            "Identification": f"**** **** **** {account.card_ending}",
        },
        "SupplementaryData": {"Place": _place(merchant)},
    }
    if not merchant.online:
        members["AddressLine"] = f"{merchant.address_line}, {merchant.town} {merchant.post_code}"[:70]
    return members


def _authorisation(draft: Draft, merchant: Merchant) -> str:
    if draft.kind is Kind.CARD_REFUND or merchant.online:
        return "None"
    return "Contactless" if draft.contactless else "PIN"


def _place(merchant: Merchant) -> dict[str, str]:
    place = {
        "Country": merchant.country,
        "Town": merchant.town,
        "PostCode": merchant.post_code,
        "AddressLine": merchant.address_line,
        "StoreNumber": merchant.store_number,
    }
    return {name: value for name, value in place.items() if value is not None}


def _other_side(draft: Draft) -> dict[str, Any]:
    """CreditorAccount of money out, DebtorAccount of money in: the account that is not ours."""
    other = draft.counterparty
    if other is None:
        return {}
    member = "CreditorAccount" if draft.amount_minor < 0 else "DebtorAccount"
    return {
        member: {
            "SchemeName": "UK.OBIE.SortCodeAccountNumber",
            "Identification": f"{other.sort_code}{other.number}",
            "Name": other.name,
        }
    }


def _exchange(foreign: Foreign, currency: str) -> dict[str, Any]:
    return {
        "SourceCurrency": foreign.currency,
        "TargetCurrency": currency,
        "UnitCurrency": currency,
        # A JSON number, by the document; four decimals, so the shortest decimal that makes this double is exact.
        "ExchangeRate": foreign.rate_e4 / 10_000,
        "InstructedAmount": money(foreign.amount_minor, foreign.currency),
    }
