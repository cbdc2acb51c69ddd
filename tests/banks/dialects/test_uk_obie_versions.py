"""What each version of UK Open Banking spells its own way: against its official document, and read from examples."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from banks.dialects.uk_obie.accounts import parse_account, parse_balance
from banks.dialects.uk_obie.codes import SCHEMES, VERSIONS
from banks.dialects.uk_obie.parse import parse_transaction
from banks.types import (
    AccountCategory,
    AccountStatus,
    Channel,
    CreditLine,
    Identification,
    Money,
    RejectedRow,
    TransactionData,
    TransactionKind,
    TransactionStatus,
)
from tests.banks.dialects.test_uk_obie_parse import received
from tests.support.obie_document import Document, account_information

V3 = VERSIONS["3.1.11"]
ACCOUNT = "22289"

#: What each version's document calls the list.
ENTRY_STATUS = {"3.1.11": "OBEntryStatus1Code", "4.0": "ExternalEntryStatus1Code"}
SCHEME_NAMES = {"3.1.11": "OBExternalAccountIdentification4Code", "4.0": "OBInternalAccountIdentification4Code"}

#: Codes of the documents that we have no word for, and why that is right.
LEFT_OUT = {
    "consent": {"AWAU", "AwaitingAuthorisation"},  # neither given nor ended
    "balance": {"ClosingCleared", "InterimCleared", "OpeningCleared"},  # ISO 20022 has no code for them
    "account": {"OTHR", "EMoney", "PrePaidCard"},
    "scheme": {"UK.OBIE.Paym", "UK.OBIE.Wallet"},
}


@pytest.fixture(params=sorted(VERSIONS))
def version(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def document(version: str) -> Document:
    return account_information(version)


# -- the tables against the documents ----------------------------------------------------------------------------------


def test_both_versions_are_spoken() -> None:
    assert set(VERSIONS) == {"3.1.11", "4.0"}


def test_every_entry_status_of_the_document_is_placed_once(version: str, document: Document) -> None:
    placed = VERSIONS[version]

    assert set(placed.entry_status) | placed.not_entries == document.codes(ENTRY_STATUS[version])
    assert not set(placed.entry_status) & placed.not_entries
    assert set(placed.entry_status.values()) == {TransactionStatus.BOOKED, TransactionStatus.PENDING}


def test_every_consent_status_of_the_document_is_given_ended_or_neither(version: str, document: Document) -> None:
    placed = VERSIONS[version]

    known = placed.consent_authorised | placed.consent_ended
    assert known == document.consent_statuses() - LEFT_OUT["consent"]
    assert not placed.consent_authorised & placed.consent_ended


def test_every_balance_type_of_the_document_has_an_iso_code(version: str, document: Document) -> None:
    types = VERSIONS[version].balance_types

    assert set(types) == document.codes("OBBalanceType1Code") - LEFT_OUT["balance"]
    assert set(types.values()) == set(VERSIONS["4.0"].balance_types)
    assert len(set(types.values())) == len(types)


def test_every_account_type_of_the_document_has_an_iso_code(version: str, document: Document) -> None:
    types = VERSIONS[version].account_types

    assert set(types) == document.codes("OBExternalAccountSubType1Code") - LEFT_OUT["account"]
    assert set(types.values()) <= set(VERSIONS["4.0"].account_types)
    basic = {"AccountId": ACCOUNT, "Currency": "GBP", VERSIONS[version].account_type_member: sorted(types)[0]}
    if version == "3.1.11":
        basic["AccountType"] = "Personal"
    assert document.schema_problems("OBAccount6Basic", basic) == []


def test_the_numbers_schemes_are_the_same_in_both(version: str, document: Document) -> None:
    assert set(SCHEMES) == document.codes(SCHEME_NAMES[version]) - LEFT_OUT["scheme"]


# -- 3.1.11 as its examples have it ------------------------------------------------------------------------------------

CREDIT_CARD: dict[str, Any] = {
    "AccountId": ACCOUNT,
    "Status": "Enabled",
    "StatusUpdateDateTime": "2020-01-01T06:06:06+00:00",
    "Currency": "GBP",
    "AccountType": "Personal",
    "AccountSubType": "CreditCard",
    "Nickname": "Everyday card",
    "OpeningDate": "2020-01-01T06:06:06+00:00",
    "Account": [{"SchemeName": "UK.OBIE.PAN", "Identification": "************6789", "Name": "Mr Kevin Smith"}],
}
BALANCE: dict[str, Any] = {
    "AccountId": ACCOUNT,
    "Amount": {"Amount": "1230.00", "Currency": "GBP"},
    "CreditDebitIndicator": "Debit",
    "Type": "InterimBooked",
    "DateTime": "2017-04-05T10:43:07+00:00",
    "CreditLine": [{"Included": True, "Amount": {"Amount": "1000.00", "Currency": "GBP"}, "Type": "Pre-Agreed"}],
}
TRANSACTION: dict[str, Any] = {
    "AccountId": ACCOUNT,
    "TransactionId": "123",
    "TransactionReference": "Ref 1",
    "Amount": {"Amount": "10.00", "Currency": "GBP"},
    "CreditDebitIndicator": "Credit",
    "Status": "Booked",
    "TransactionMutability": "Immutable",
    "BookingDateTime": "2017-04-05T10:43:07+00:00",
    "ValueDateTime": "2017-04-05T10:45:22+00:00",
    "TransactionInformation": "Cash from Aubrey",
    "BankTransactionCode": {"Code": "ReceivedCreditTransfer", "SubCode": "DomesticCreditTransfer"},
    "ProprietaryBankTransactionCode": {"Code": "Transfer", "Issuer": "AlphaBank"},
    "Balance": {
        "Amount": {"Amount": "230.00", "Currency": "GBP"},
        "CreditDebitIndicator": "Credit",
        "Type": "InterimBooked",
    },
}
CARD_PURCHASE: dict[str, Any] = TRANSACTION | {
    "CreditDebitIndicator": "Debit",
    "Status": "Pending",
    "BankTransactionCode": {"Code": "CustomerCardTransactions", "SubCode": "CreditCardPayment"},
    "MerchantDetails": {"MerchantName": "Greenway Market", "MerchantCategoryCode": "5411"},
    "CardInstrument": {"CardSchemeName": "VISA", "AuthorisationType": "Contactless", "Identification": "****6789"},
    "CurrencyExchange": {
        "SourceCurrency": "EUR",
        "TargetCurrency": "GBP",
        "ExchangeRate": 1.155,
        "InstructedAmount": {"Amount": "11.55", "Currency": "EUR"},
    },
}


def taken(row: dict[str, Any]) -> TransactionData:
    data = parse_transaction(received(row), bank_account_id=ACCOUNT, version=V3)
    assert isinstance(data, TransactionData), data
    return data


def test_the_examples_are_what_the_document_allows() -> None:
    document = account_information("3.1.11")

    assert document.schema_problems("OBAccount6Detail", CREDIT_CARD) == []
    assert document.schema_problems("OBReadBalance1", {"Data": {"Balance": [BALANCE]}}) == []
    for row in (TRANSACTION, CARD_PURCHASE):
        assert document.schema_problems("OBTransaction6Detail", row) == []


def test_a_credit_card_account() -> None:
    account = parse_account(received(CREDIT_CARD), version=V3)

    assert (account.category, account.account_type) == (AccountCategory.CREDIT_CARD, "CARD")
    assert (account.name, account.currency, account.status) == ("Everyday card", "GBP", AccountStatus.OPEN)
    assert account.identifications == (Identification(scheme_name="MaskedPAN", value="************6789"),)
    assert (account.opened_on, account.holder_names) == (date(2020, 1, 1), ("Mr Kevin Smith",))
    assert account.provenance["account_type"] == "AccountSubType"


@pytest.mark.parametrize(
    ("sub_type", "category", "account_type"),
    [
        ("CurrentAccount", AccountCategory.DEPOSIT, "CACC"),
        ("Savings", AccountCategory.DEPOSIT, "SVGS"),
        ("ChargeCard", AccountCategory.CREDIT_CARD, "CARD"),
        ("Loan", AccountCategory.LOAN, "LOAN"),
        ("Mortgage", AccountCategory.LOAN, "MORT"),
        ("Wallet", AccountCategory.DEPOSIT, "WALT"),
        ("EMoney", AccountCategory.DEPOSIT, "OTHER"),
        ("PrePaidCard", AccountCategory.DEPOSIT, "OTHER"),
        ("CACC", AccountCategory.DEPOSIT, "OTHER"),  # the other version's word
    ],
)
def test_account_sub_types(sub_type: str, category: AccountCategory, account_type: str) -> None:
    account = parse_account(received(CREDIT_CARD | {"AccountSubType": sub_type}), version=V3)

    assert (account.category, account.account_type) == (category, account_type)


def test_the_other_versions_member_is_not_read() -> None:
    account = {key: value for key, value in CREDIT_CARD.items() if key != "AccountSubType"}

    assert parse_account(received(account | {"AccountTypeCode": "SVGS"}), version=V3).account_type == "OTHER"
    assert parse_account(received(CREDIT_CARD), version=VERSIONS["4.0"]).account_type == "OTHER"


def test_a_balance_that_is_owed() -> None:
    balance = parse_balance(received(BALANCE), bank_account_id=ACCOUNT, version=V3)

    assert (balance.type, balance.money) == ("ITBD", Money(Decimal("-1230.00"), "GBP"))
    assert balance.as_of == datetime(2017, 4, 5, 10, 43, 7, tzinfo=UTC)
    assert balance.credit_lines == (
        CreditLine(included=True, type="Pre-Agreed", amount=Money(Decimal("1000.00"), "GBP")),
    )


@pytest.mark.parametrize("balance_type", ["InterimCleared", "ITBD", "Surprise"])
def test_a_balance_type_without_an_iso_code_is_other(balance_type: str) -> None:
    row = received(BALANCE | {"Type": balance_type})

    assert parse_balance(row, bank_account_id=ACCOUNT, version=V3).type == "OTHER"


def test_a_booked_transfer() -> None:
    data = taken(TRANSACTION)

    assert (data.status, data.booked_on, data.listed_on) == (TransactionStatus.BOOKED, *[date(2017, 4, 5)] * 2)
    assert (data.money, data.kind, data.channel) == (
        Money(Decimal("10.00"), "GBP"),
        TransactionKind.TRANSFER,
        Channel.TRANSFER,
    )
    assert (data.balance_after, data.balance_after_type) == (Money(Decimal("230.00"), "GBP"), "ITBD")
    assert (data.description, data.reference, data.immutable) == ("Cash from Aubrey", "Ref 1", True)


def test_a_pending_card_purchase_abroad() -> None:
    data = taken(CARD_PURCHASE)

    assert (data.status, data.booked_on, data.listed_on) == (TransactionStatus.PENDING, None, date(2017, 4, 5))
    assert (data.money.amount, data.kind, data.channel) == (
        Decimal("-10.00"),
        TransactionKind.CARD_PAYMENT,
        Channel.IN_STORE,
    )
    assert (data.merchant_name, data.mcc) == ("Greenway Market", "5411")
    assert (data.instructed, data.exchange_rate) == (Money(Decimal("-11.55"), "EUR"), Decimal("1.155"))


def test_a_rejected_entry_moved_no_money() -> None:
    row = received(TRANSACTION | {"Status": "Rejected"})

    assert parse_transaction(row, bank_account_id=ACCOUNT, version=V3) is None


@pytest.mark.parametrize("status", ["BOOK", "PDNG", "RJCT", "booked", "Surprise"])
def test_a_status_of_no_such_version_is_rejected_and_not_guessed(status: str) -> None:
    data = parse_transaction(received(TRANSACTION | {"Status": status}), bank_account_id=ACCOUNT, version=V3)

    assert isinstance(data, RejectedRow)
    assert (data.reason, data.field) == ("unknown_status", "Status")
