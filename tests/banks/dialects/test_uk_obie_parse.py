"""Rows of UK Open Banking v4.0 as the official document shapes them: golden ones, and each way to be wrong.

What v3.1.11 says in other words is in test_uk_obie_versions.py.
"""

import copy
import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from banks.dialects.members import RowRejected
from banks.dialects.uk_obie import accounts as of_accounts
from banks.dialects.uk_obie import parse as of_transactions
from banks.dialects.uk_obie.accounts import latest_of_each_type
from banks.dialects.uk_obie.codes import VERSIONS
from banks.dialects.uk_obie.parse import parse_coverage, parse_pages_total
from banks.strict_json import JsonValue, canonical, parse
from banks.types import (
    AccountCategory,
    AccountData,
    AccountStatus,
    BalanceData,
    Channel,
    CounterpartyKind,
    Coverage,
    CreditLine,
    Identification,
    Money,
    Place,
    RejectedRow,
    TransactionData,
    TransactionKind,
    TransactionStatus,
)

ACCOUNT = "22289"

CARD_PAYMENT: dict[str, Any] = {
    "AccountId": ACCOUNT,
    "TransactionId": "tx-1",
    "TransactionReference": "Ref 1",
    "CreditDebitIndicator": "Debit",
    "Status": "BOOK",
    "TransactionMutability": "Immutable",
    "BookingDateTime": "2026-03-01T00:30:00+01:00",
    "ValueDateTime": "2026-03-02T00:00:00+00:00",
    "TransactionInformation": "GREENWAY MARKET 0412  LONDON GB",
    "AddressLine": "212 Mare Street, London E8 3RD",
    "Amount": {"Amount": "10.50", "Currency": "GBP"},
    "BankTransactionCode": {"Code": "CCRD", "SubCode": "POSD"},
    "ProprietaryBankTransactionCode": {"Code": "DEB", "Issuer": "Bank"},
    "Balance": {
        "CreditDebitIndicator": "Debit",
        "Type": "ITBD",
        "Amount": {"Amount": "230.00", "Currency": "GBP"},
    },
    "MerchantDetails": {"MerchantName": "Greenway Market", "MerchantCategoryCode": "5411"},
    "CardInstrument": {"CardSchemeName": "VISA", "AuthorisationType": "Contactless"},
    "CurrencyExchange": {
        "SourceCurrency": "EUR",
        "TargetCurrency": "GBP",
        "UnitCurrency": "GBP",
        "ExchangeRate": 1.1550,
        "InstructedAmount": {"Amount": "12.13", "Currency": "EUR"},
    },
    "SupplementaryData": {
        "Place": {
            "Country": "GB",
            "Town": "London",
            "PostCode": "E8 3RD",
            "AddressLine": "212 Mare Street",
            "StoreNumber": "0412",
        }
    },
}
TRANSFER_OUT: dict[str, Any] = {
    "AccountId": ACCOUNT,
    "CreditDebitIndicator": "Debit",
    "Status": "PDNG",
    "TransactionMutability": "Mutable",
    "BookingDateTime": "2026-03-01T00:00:00Z",
    "Amount": {"Amount": "35", "Currency": "GBP"},
    "BankTransactionCode": {"Code": "IRCT", "SubCode": "DMCT"},
    "CreditorAccount": {
        "SchemeName": "UK.OBIE.SortCodeAccountNumber",
        "Identification": "00996110000000",
        "Name": "Niamh Brennan",
    },
}


V4 = VERSIONS["4.0"]


def parse_account(value: JsonValue) -> AccountData:
    return of_accounts.parse_account(value, version=V4)


def parse_balance(value: JsonValue) -> BalanceData:
    return of_accounts.parse_balance(value, bank_account_id=ACCOUNT, version=V4)


def parse_transaction(value: JsonValue, *, bank_account_id: str) -> TransactionData | RejectedRow | None:
    return of_transactions.parse_transaction(value, bank_account_id=bank_account_id, version=V4)


def received(row: Any) -> JsonValue:
    """As the strict parser hands it over: numbers with a fraction are Decimal."""
    return parse(json.dumps(row).encode(), depth_max=32, values_max=10_000)


def taken(row: dict[str, Any]) -> TransactionData:
    data = parse_transaction(received(row), bank_account_id=ACCOUNT)
    assert isinstance(data, TransactionData), data
    return data


def rejected(row: Any) -> tuple[str, str]:
    data = parse_transaction(received(row), bank_account_id=ACCOUNT)
    assert isinstance(data, RejectedRow), data
    assert data.raw == canonical(received(row))
    return data.reason, data.field


def changed(row: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """A copy with one member set; value `...` removes it."""
    copied = copy.deepcopy(row)
    *parents, last = path.split(".")
    target = copied
    for name in parents:
        target = target.setdefault(name, {})
    if value is ...:
        target.pop(last, None)
    else:
        target[last] = value
    return copied


# -- golden rows -------------------------------------------------------------------------------------------------------


def test_a_card_payment_abroad_with_all_that_can_be_said() -> None:
    data = taken(CARD_PAYMENT)

    assert data == TransactionData(
        bank_transaction_id="tx-1",
        status=TransactionStatus.BOOKED,
        money=Money(Decimal("-10.50"), "GBP"),
        booked_on=date(2026, 3, 1),  # as written: the instant lies in February
        listed_on=date(2026, 3, 1),
        value_on=date(2026, 3, 2),
        transacted_at=None,
        kind=TransactionKind.CARD_PAYMENT,
        channel=Channel.IN_STORE,
        immutable=True,
        merchant_name="Greenway Market",
        mcc="5411",
        counterparty_name=None,
        counterparty_kind=CounterpartyKind.MERCHANT,
        place=Place(country="GB", city="London", postal_code="E8 3RD", address="212 Mare Street"),
        instructed=Money(Decimal("-12.13"), "EUR"),
        exchange_rate=Decimal("1.155"),
        balance_after=Money(Decimal("-230.00"), "GBP"),
        balance_after_type="ITBD",
        description="GREENWAY MARKET 0412 LONDON GB",
        reference="Ref 1",
        provenance=data.provenance,
        raw=canonical(received(CARD_PAYMENT)),
    )
    assert data.provenance == {
        "status": "Status",
        "money": "Amount",
        "listed_on": "BookingDateTime",
        "booked_on": "BookingDateTime",
        "value_on": "ValueDateTime",
        "bank_transaction_id": "TransactionId",
        "kind": "BankTransactionCode.SubCode",
        "channel": "CardInstrument.AuthorisationType",
        "immutable": "TransactionMutability",
        "merchant_name": "MerchantDetails.MerchantName",
        "mcc": "MerchantDetails.MerchantCategoryCode",
        "counterparty_kind": "MerchantDetails",
        "place": "SupplementaryData.Place",
        "instructed": "CurrencyExchange.InstructedAmount",
        "exchange_rate": "CurrencyExchange.ExchangeRate",
        "balance_after": "Balance.Amount",
        "balance_after_type": "Balance.Type",
        "description": "TransactionInformation",
        "reference": "TransactionReference",
    }


def test_a_pending_transfer_to_a_person_with_the_least_that_is_allowed() -> None:
    data = taken(TRANSFER_OUT)

    assert (data.status, data.booked_on, data.listed_on) == (TransactionStatus.PENDING, None, date(2026, 3, 1))
    assert (data.kind, data.channel) == (TransactionKind.TRANSFER, Channel.TRANSFER)
    assert data.money == Money(Decimal("-35"), "GBP")
    # A name that nothing proves to be a company's: treated as a person's downstream.
    assert (data.counterparty_name, data.counterparty_kind) == ("Niamh Brennan", None)
    assert (data.merchant_name, data.mcc, data.place) == (None, None, None)
    assert (data.bank_transaction_id, data.description, data.reference, data.value_on) == (None, None, None, None)
    assert (data.instructed, data.exchange_rate, data.balance_after, data.balance_after_type) == (None,) * 4
    assert data.immutable is False


@pytest.mark.parametrize(
    ("reference", "kept"),
    [("77A1B2C3", None), ("77a1b2c3d4", None), ("INVOICE 77A1", "INVOICE 77A1"), ("A1B2C3D4", "A1B2C3D4")],
    ids=["beginning", "whole", "payers", "end"],
)
def test_a_reference_that_repeats_the_banks_id_is_none(reference: str, kept: str | None) -> None:
    row = changed(changed(CARD_PAYMENT, "TransactionId", "77a1b2c3d4"), "TransactionReference", reference)

    assert taken(row).reference == kept


def test_money_in_is_positive_and_its_payer_is_the_debtor() -> None:
    row = changed(TRANSFER_OUT, "CreditDebitIndicator", "Credit")
    row = changed(row, "DebtorAccount", {"Name": "Jonas Weber"})

    data = taken(row)

    assert data.money.amount == Decimal("35")
    assert data.counterparty_name == "Jonas Weber"
    assert data.provenance["counterparty_name"] == "DebtorAccount.Name"


def test_the_ultimate_parties_name_the_other_side_when_the_accounts_do_not() -> None:
    row = changed(TRANSFER_OUT, "CreditorAccount", ...)
    row = changed(row, "UltimateCreditor", {"Name": "Ada King", "LEI": "IZ9Q00LZEVUKWCQY6X15"})

    assert (taken(row).counterparty_name, taken(row).counterparty_kind) == ("Ada King", None)


def test_a_named_payee_beside_a_merchant_is_not_thereby_a_merchant() -> None:
    data = taken(changed(CARD_PAYMENT, "CreditorAccount", {"Name": "Jo Seller"}))

    assert (data.merchant_name, data.counterparty_name) == ("Greenway Market", "Jo Seller")
    assert data.counterparty_kind is None


@pytest.mark.parametrize(
    ("family", "sub_family", "indicator", "kind"),
    [
        ("CCRD", "POSD", "Debit", TransactionKind.CARD_PAYMENT),
        ("CCRD", "POSD", "Credit", TransactionKind.REFUND),
        ("CCRD", "RIMB", "Credit", TransactionKind.REFUND),
        ("CCRD", "CWDL", "Debit", TransactionKind.CASH),
        ("CCRD", "ZZZZ", "Debit", TransactionKind.CARD_PAYMENT),
        ("RCDT", "SALA", "Credit", TransactionKind.SALARY),
        ("ICDT", "SALA", "Debit", TransactionKind.TRANSFER),
        ("ICDT", "STDO", "Debit", TransactionKind.STANDING_ORDER),
        ("RDDT", "PMDD", "Debit", TransactionKind.DIRECT_DEBIT),
        ("IRCT", "DMCT", "Debit", TransactionKind.TRANSFER),
        ("RRCT", "DMCT", "Credit", TransactionKind.TRANSFER),
        ("ICDT", "BOOK", "Debit", TransactionKind.TRANSFER),
        ("MDOP", "FEES", "Debit", TransactionKind.FEE),
        ("MDOP", "INTR", "Debit", TransactionKind.INTEREST),
        ("MCOP", "INTR", "Credit", TransactionKind.INTEREST),
        ("ZZZZ", "ZZZZ", "Debit", TransactionKind.OTHER),
        # Names in the codes' place, as in the standard's own examples.
        ("ReceivedCreditTransfer", "DomesticCreditTransfer", "Credit", TransactionKind.TRANSFER),
        ("Issued Direct Debits", "Direct Debit", "Debit", TransactionKind.DIRECT_DEBIT),
        ("CustomerCardTransactions", "CashWithdrawal", "Debit", TransactionKind.CASH),
        ("Miscellaneous Debit Operations", "Fees", "Debit", TransactionKind.FEE),
        ("ReceivedCreditTransfers", "Payroll/Salary Payment", "Credit", TransactionKind.SALARY),
    ],
)
def test_bank_transaction_codes_have_kinds(family: str, sub_family: str, indicator: str, kind: TransactionKind) -> None:
    row = changed(TRANSFER_OUT, "BankTransactionCode", {"Code": family, "SubCode": sub_family})

    assert taken(changed(row, "CreditDebitIndicator", indicator)).kind is kind


@pytest.mark.parametrize(
    ("members", "kind"),
    [
        ({}, TransactionKind.OTHER),
        ({"CardInstrument": {"CardSchemeName": "VISA"}}, TransactionKind.CARD_PAYMENT),
        ({"MerchantDetails": {"MerchantCategoryCode": "5411"}}, TransactionKind.CARD_PAYMENT),
        ({"MerchantDetails": {"MerchantCategoryCode": "6011"}}, TransactionKind.CASH),
        ({"MerchantDetails": {"MerchantName": "Somebody"}}, TransactionKind.OTHER),
        ({"CategoryPurposeCode": "SALA", "CreditDebitIndicator": "Credit"}, TransactionKind.SALARY),
    ],
)
def test_without_a_code_other_members_prove_the_kind_or_nobody_does(
    members: dict[str, Any], kind: TransactionKind
) -> None:
    assert taken(changed(TRANSFER_OUT, "BankTransactionCode", ...) | members).kind is kind


@pytest.mark.parametrize(
    ("changes", "channel"),
    [
        ({}, Channel.IN_STORE),
        ({"CardInstrument.AuthorisationType": "PIN"}, Channel.IN_STORE),
        ({"CardInstrument.AuthorisationType": "None"}, None),
        ({"CardInstrument.AuthorisationType": "ConsumerDevice"}, None),
        ({"CardInstrument.AuthorisationType": "Telepathy"}, None),
        (
            {
                "CardInstrument.AuthorisationType": "None",
                "SupplementaryData.Place": {"Country": "GB"},
                "AddressLine": ...,
            },
            Channel.ONLINE,
        ),
        ({"BankTransactionCode": {"Code": "CCRD", "SubCode": "CWDL"}}, Channel.ATM),
        ({"BankTransactionCode": {"Code": "MDOP", "SubCode": "FEES"}}, None),
    ],
)
def test_channels(changes: dict[str, Any], channel: Channel | None) -> None:
    row = CARD_PAYMENT
    for path, value in changes.items():
        row = changed(row, path, value)

    assert taken(row).channel is channel


@pytest.mark.parametrize(
    ("supplementary", "address_line", "place"),
    [
        ({}, "1 High Street", Place(address="1 High Street")),
        (None, None, None),
        ({"Place": "London"}, None, None),
        ({"Place": ["London"]}, None, None),
        ({"Place": {"Country": "United Kingdom", "Town": 7}}, None, None),
        ({"Place": {"Country": "gb", "Town": "Leeds"}}, None, Place(city="Leeds")),
        ({"Place": {"Country": "GB"}}, None, Place(country="GB")),
        ({"Anything": {"Else": [1, 2.5]}}, "1 High Street", Place(address="1 High Street")),
    ],
)
def test_places_come_from_the_extension_or_the_standards_one_line(
    supplementary: Any, address_line: str | None, place: Place | None
) -> None:
    row = changed(CARD_PAYMENT, "SupplementaryData", supplementary)

    assert taken(changed(row, "AddressLine", address_line)).place == place


def test_a_transfer_has_no_place() -> None:
    assert taken(TRANSFER_OUT | {"AddressLine": "Flat 2, 9 Private Road"}).place is None


@pytest.mark.parametrize("status", ["INFO", "FUTR", "RJCT"])
def test_rows_that_move_no_money_are_no_entries(status: str) -> None:
    assert parse_transaction(received(changed(CARD_PAYMENT, "Status", status)), bank_account_id=ACCOUNT) is None


def test_unknown_members_and_unknown_codes_are_no_reason_to_lose_a_row() -> None:
    row = CARD_PAYMENT | {"Surprise": {"Deep": [1]}, "TransactionMutability": "Perhaps"}
    row = changed(row, "Balance.Type", "ZZZZ")
    row = changed(row, "MerchantDetails.MerchantCategoryCode", "abc")

    data = taken(row)

    assert (data.immutable, data.balance_after_type, data.mcc) == (None, "OTHER", None)
    assert b'"Surprise"' in data.raw


def test_a_missing_exchange_rate_is_not_known_and_never_one() -> None:
    assert taken(changed(CARD_PAYMENT, "CurrencyExchange.ExchangeRate", ...)).exchange_rate is None
    assert taken(changed(CARD_PAYMENT, "CurrencyExchange", ...)).instructed is None


def test_null_is_absent() -> None:
    data = taken(CARD_PAYMENT | {"TransactionId": None, "Balance": None, "MerchantDetails": None})

    assert (data.bank_transaction_id, data.balance_after, data.merchant_name) == (None, None, None)


def test_the_raw_row_keeps_its_digits() -> None:
    text = json.dumps(CARD_PAYMENT).replace("1.155", "1.15500")
    value = parse(text.encode(), depth_max=32, values_max=1000)
    data = parse_transaction(value, bank_account_id=ACCOUNT)

    assert isinstance(data, TransactionData)
    assert b'"ExchangeRate":1.15500' in data.raw
    assert parse(data.raw, depth_max=32, values_max=1000) == value


# -- rejected rows -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        *("AccountId", "CreditDebitIndicator", "Status", "BookingDateTime", "Amount", "Amount.Amount"),
        *("Amount.Currency", "Balance.CreditDebitIndicator", "Balance.Type", "Balance.Amount"),
        *("Balance.Amount.Amount", "Balance.Amount.Currency", "CurrencyExchange.InstructedAmount.Amount"),
        "CurrencyExchange.InstructedAmount.Currency",
    ],
)
@pytest.mark.parametrize("value", [..., None])
def test_every_mandatory_member_is_missed(path: str, value: Any) -> None:
    assert rejected(changed(CARD_PAYMENT, path, value)) == ("missing_member", path)


@pytest.mark.parametrize(
    ("path", "value", "reason"),
    [
        ("AccountId", "other", "other_account"),
        ("AccountId", 22289, "bad_type"),
        ("Status", "BOOKED", "unknown_status"),
        ("Status", "Booked", "unknown_status"),
        ("Status", 1, "bad_type"),
        ("CreditDebitIndicator", "DBIT", "bad_indicator"),
        ("CreditDebitIndicator", "debit", "bad_indicator"),
        ("BookingDateTime", "yesterday", "bad_date"),
        ("BookingDateTime", "0001-01-01T00:00:00Z", "bad_date"),
        ("BookingDateTime", "2026-02-30T00:00:00Z", "bad_date"),
        ("BookingDateTime", 20260301, "bad_type"),
        ("Amount.Amount", "10.505", "too_many_decimals"),
        ("Amount.Amount", "-10.50", "bad_amount"),
        ("Amount.Amount", "+10.50", "bad_amount"),
        ("Amount.Amount", "10,50", "bad_amount"),
        ("Amount.Amount", "1e3", "bad_amount"),
        ("Amount.Amount", "NaN", "bad_amount"),
        ("Amount.Amount", "", "bad_amount"),
        ("Amount.Amount", " 1", "bad_amount"),
        ("Amount.Amount", "٣", "bad_amount"),
        ("Amount.Amount", ".5", "bad_amount"),
        ("Amount.Amount", "5.", "bad_amount"),
        ("Amount.Amount", 10.5, "bad_type"),
        ("Amount.Amount", 10, "bad_type"),
        ("Amount.Amount", "9" * 20, "amount_out_of_range"),
        ("Amount.Currency", "GBX", "unknown_currency"),
        ("Amount.Currency", "gbp", "unknown_currency"),
        ("Amount.Currency", "XXX", "unknown_currency"),
        ("Amount.Currency", "", "unknown_currency"),
        ("Balance.Amount.Amount", "1.005", "too_many_decimals"),
        ("Balance.CreditDebitIndicator", "x", "bad_indicator"),
        ("CurrencyExchange.InstructedAmount.Currency", "ZZZ", "unknown_currency"),
        ("CurrencyExchange.ExchangeRate", "1.155", "bad_type"),
        ("CurrencyExchange.ExchangeRate", True, "bad_type"),
        ("CurrencyExchange.ExchangeRate", 0, "bad_number"),
        ("CurrencyExchange.ExchangeRate", -1.5, "bad_number"),
        ("CurrencyExchange.ExchangeRate", 1e300, "bad_number"),
        ("CurrencyExchange.ExchangeRate", int("1" * 29), "bad_number"),  # would be rounded
        ("TransactionId", "a" * 211, "bad_identifier"),
        ("TransactionId", "a\u200bb", "bad_identifier"),
        ("TransactionId", "", "bad_identifier"),
        ("TransactionId", 7, "bad_type"),
    ],
)
def test_a_bad_value_is_named_with_its_path(path: str, value: Any, reason: str) -> None:
    assert rejected(changed(CARD_PAYMENT, path, value)) == (reason, path)


@pytest.mark.parametrize("member", ["Amount", "Balance", "CurrencyExchange"])
def test_an_object_of_another_type_is_a_bad_type(member: str) -> None:
    assert rejected(CARD_PAYMENT | {member: "text"}) == ("bad_type", member)


@pytest.mark.parametrize(
    ("path", "value", "field"),
    [
        ("ValueDateTime", "2101-01-01T00:00:00Z", "value_on"),
        ("ValueDateTime", 20260302, "value_on"),
        ("TransactionInformation", ["x"], "description"),
        ("TransactionReference", 7, "reference"),
        ("MerchantDetails.MerchantName", 7, "merchant_name"),
        ("MerchantDetails.MerchantCategoryCode", 5411, "mcc"),
        ("MerchantDetails.MerchantCategoryCode", "54111", "mcc"),
        ("MerchantDetails", "Greenway Market", "merchant_name"),
        ("TransactionMutability", True, "immutable"),
    ],
)
def test_what_merely_describes_a_row_is_unknown_when_it_is_wrong_and_the_row_stays(
    path: str, value: Any, field: str
) -> None:
    data = taken(changed(CARD_PAYMENT, path, value))

    assert getattr(data, field) is None
    assert field not in data.provenance
    assert data.money == Money(Decimal("-10.50"), "GBP")


def test_a_card_that_is_no_object_proves_no_card_payment() -> None:
    row = changed(TRANSFER_OUT, "BankTransactionCode", {"Code": 1, "SubCode": []})

    assert taken(row | {"CardInstrument": "VISA"}).kind is TransactionKind.OTHER


@pytest.mark.parametrize("payee", [{"Name": ["Jo"]}, "Jo", {"Name": 7}])
def test_a_payee_whose_name_cannot_be_read_is_not_thereby_a_merchant(payee: Any) -> None:
    data = taken(CARD_PAYMENT | {"CreditorAccount": payee})

    assert (data.counterparty_name, data.counterparty_kind) == (None, None)


@pytest.mark.parametrize("row", [None, [], "row", 7, True])
def test_a_row_that_is_no_object_is_rejected(row: Any) -> None:
    assert rejected(row) == ("not_an_object", "")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.decimals(-9, 9, places=2) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(st.sampled_from(sorted(CARD_PAYMENT)), JSON)
def test_no_value_whatever_raises_out_of_a_row(member: str, value: JsonValue) -> None:
    row = received(CARD_PAYMENT)
    assert isinstance(row, dict)

    data = parse_transaction(row | {member: value}, bank_account_id=ACCOUNT)

    assert data is None or data.raw == canonical(row | {member: value})


# -- accounts ----------------------------------------------------------------------------------------------------------

CURRENT: dict[str, Any] = {
    "AccountId": ACCOUNT,
    "Status": "Enabled",
    "StatusUpdateDateTime": "2019-04-08T00:00:00+00:00",
    "Currency": "GBP",
    "AccountCategory": "Personal",
    "AccountTypeCode": "CACC",
    "Description": "First Current Account",
    "Nickname": "Bills",
    "OpeningDate": "2019-04-08T00:00:00+00:00",
    "Account": [
        {"SchemeName": "UK.OBIE.IBAN", "Identification": "GB29NWBK60161331926819", "Name": "Jane Smith"},
        {"SchemeName": "UK.OBIE.SortCodeAccountNumber", "Identification": "80200112344562", "Name": "Jane Smith"},
        {"SchemeName": "UK.OBIE.Paym", "Identification": "+447700900123"},
        {"SchemeName": "XX.Other", "Identification": "1"},
    ],
}


def test_an_account_in_detail() -> None:
    account = parse_account(received(CURRENT))

    assert (account.bank_account_id, account.category, account.account_type) == (
        ACCOUNT,
        AccountCategory.DEPOSIT,
        "CACC",
    )
    assert (account.name, account.currency, account.status) == ("Bills", "GBP", AccountStatus.OPEN)
    assert account.opened_on == date(2019, 4, 8)
    assert account.identifications == (
        Identification(scheme_name="IBAN", value="GB29NWBK60161331926819"),
        Identification(scheme_name="SortCodeAccountNumber", value="80200112344562"),
    )
    assert account.masked_number == "4562"
    assert account.provenance["name"] == "Nickname"
    # The owner's name is not the account's, and no log line can show it.
    assert account.holder_names == ("Jane Smith",)
    assert "Jane" not in repr(account)


def test_owners_are_told_once_each_and_cleaned_and_never_in_a_basic_answer() -> None:
    names = ["Jane  Smith", "John\u200b Smith", None, "", 7, "Jane Smith"]
    listed = [{"SchemeName": "UK.OBIE.Paym", "Identification": "1", "Name": name} for name in names]

    assert parse_account(received(CURRENT | {"Account": listed})).holder_names == ("Jane Smith", "John Smith")
    assert parse_account(received(CURRENT | {"Account": None})).holder_names == ()


def test_an_account_with_the_least_that_can_be_kept() -> None:
    account = parse_account({"AccountId": ACCOUNT})

    assert account.currency is None
    assert (account.account_type, account.category, account.status) == (
        "OTHER",
        AccountCategory.DEPOSIT,
        AccountStatus.OPEN,
    )
    assert (account.name, account.masked_number, account.opened_on, account.identifications) == (None, None, None, ())


@pytest.mark.parametrize(
    ("code", "category", "account_type"),
    [
        ("CACC", AccountCategory.DEPOSIT, "CACC"),
        ("SVGS", AccountCategory.DEPOSIT, "SVGS"),
        ("CARD", AccountCategory.CREDIT_CARD, "CARD"),
        ("LOAN", AccountCategory.LOAN, "LOAN"),
        ("MORT", AccountCategory.LOAN, "MORT"),
        ("OTHR", AccountCategory.DEPOSIT, "OTHER"),
        ("ZZZZ", AccountCategory.DEPOSIT, "OTHER"),
    ],
)
def test_account_types(code: str, category: AccountCategory, account_type: str) -> None:
    account = parse_account(received(CURRENT | {"AccountTypeCode": code}))

    assert (account.category, account.account_type) == (category, account_type)


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("Enabled", AccountStatus.OPEN),
        ("Disabled", AccountStatus.RESTRICTED),
        ("Deleted", AccountStatus.CLOSED),
        ("Pending", AccountStatus.PENDING_OPEN),
        ("ProForma", AccountStatus.PENDING_OPEN),
        ("Surprise", AccountStatus.OPEN),
    ],
)
def test_account_statuses(code: str, status: AccountStatus) -> None:
    assert parse_account(received(CURRENT | {"Status": code})).status is status


def test_an_account_is_not_lost_for_what_merely_describes_it() -> None:
    wrong = {"OpeningDate": "long ago", "Nickname": 7, "Description": [], "Status": 1, "AccountTypeCode": {}}

    account = parse_account(received(CURRENT | wrong))

    assert (account.opened_on, account.name, account.status) == (None, None, AccountStatus.OPEN)
    assert (account.account_type, account.bank_account_id) == ("OTHER", ACCOUNT)


@pytest.mark.parametrize(
    ("number", "kept"), [("4929000000006789", "************6789"), ("**** 6789", "************6789")]
)
def test_a_card_number_is_never_kept_whole(number: str, kept: str) -> None:
    account = parse_account(received(CURRENT | {"Account": [{"SchemeName": "UK.OBIE.PAN", "Identification": number}]}))

    assert account.identifications == (Identification(scheme_name="MaskedPAN", value=kept),)
    assert account.masked_number == "6789"


@pytest.mark.parametrize(
    ("change", "reason", "field"),
    [
        ({"AccountId": None}, "missing_member", "AccountId"),
        ({"AccountId": "a" * 41}, "bad_identifier", "AccountId"),
        ({"Currency": 826}, "bad_type", "Currency"),
        ({"Currency": "pounds"}, "unknown_currency", "Currency"),
        ({"Account": {}}, "bad_type", "Account"),
        ({"Account": ["x"]}, "not_an_object", "Account[0]"),
        ({"Account": [{"SchemeName": "UK.OBIE.IBAN"}]}, "missing_member", "Account[0].Identification"),
        ({"Account": [{"Identification": "1"}]}, "missing_member", "Account[0].SchemeName"),
    ],
)
def test_a_bad_account_is_named(change: dict[str, Any], reason: str, field: str) -> None:
    with pytest.raises(RowRejected) as caught:
        parse_account(received(CURRENT | change))

    assert (caught.value.reason, caught.value.field) == (reason, field)


# -- balances ----------------------------------------------------------------------------------------------------------

AVAILABLE: dict[str, Any] = {
    "AccountId": ACCOUNT,
    "CreditDebitIndicator": "Credit",
    "Type": "ITAV",
    "DateTime": "2026-04-05T10:43:07+01:00",
    "Amount": {"Amount": "1230.00", "Currency": "GBP"},
    "CreditLine": [
        {"Included": True, "Type": "Pre-Agreed", "Amount": {"Amount": "500.00", "Currency": "GBP"}},
        {"Included": False},
    ],
}


def test_a_balance_with_its_credit_lines() -> None:
    balance = parse_balance(received(AVAILABLE))

    assert (balance.type, balance.money) == ("ITAV", Money(Decimal("1230.00"), "GBP"))
    assert balance.as_of == datetime(2026, 4, 5, 9, 43, 7, tzinfo=UTC)
    assert balance.credit_lines == (
        CreditLine(included=True, type="Pre-Agreed", amount=Money(Decimal("500.00"), "GBP")),
        CreditLine(included=False, type=None, amount=None),
    )


def test_a_debit_balance_is_owed_and_zero_has_no_sign() -> None:
    owed = parse_balance(received(AVAILABLE | {"CreditDebitIndicator": "Debit"}))
    nothing = parse_balance(
        received(AVAILABLE | {"CreditDebitIndicator": "Debit", "Amount": {"Amount": "0.00", "Currency": "GBP"}})
    )

    assert owed.money.amount == Decimal("-1230.00")
    assert str(nothing.money.amount) == "0.00"


@pytest.mark.parametrize(
    ("change", "reason", "field"),
    [
        ({"AccountId": None}, "missing_member", "AccountId"),
        ({"AccountId": "22290"}, "other_account", "AccountId"),
        ({"Type": None}, "missing_member", "Type"),
        ({"DateTime": None}, "missing_member", "DateTime"),
        ({"DateTime": "2026-04-05T10:43:07"}, "bad_date", "DateTime"),
        ({"CreditDebitIndicator": None}, "missing_member", "CreditDebitIndicator"),
        ({"Amount": None}, "missing_member", "Amount"),
        ({"Amount": {"Amount": "1.005", "Currency": "GBP"}}, "too_many_decimals", "Amount.Amount"),
        ({"CreditLine": [{}]}, "missing_member", "CreditLine[0].Included"),
        ({"CreditLine": {}}, "bad_type", "CreditLine"),
    ],
)
def test_a_bad_balance_is_named(change: dict[str, Any], reason: str, field: str) -> None:
    with pytest.raises(RowRejected) as caught:
        parse_balance(received(AVAILABLE | change))

    assert (caught.value.reason, caught.value.field) == (reason, field)


def test_a_credit_line_of_a_banks_own_type_is_of_no_known_type() -> None:
    lines = [{"Included": True, "Type": code} for code in ("Friendly", 7, "Emergency")]

    assert [line.type for line in parse_balance(received(AVAILABLE | {"CreditLine": lines})).credit_lines] == [
        None,
        None,
        "Emergency",
    ]


def test_of_several_balances_of_one_type_the_latest_counts() -> None:
    def balance(amount: str, time: str, **changes: Any) -> BalanceData:
        money = {"Amount": {"Amount": amount, "Currency": "GBP"}}
        return parse_balance(received(AVAILABLE | money | {"DateTime": f"2026-04-05T{time}Z"} | changes))

    early, late, same = balance("1.00", "08:00:00"), balance("2.00", "09:00:00"), balance("2.00", "09:00:00")
    euros = balance("9.00", "01:00:00", Amount={"Amount": "9.00", "Currency": "EUR"})

    assert latest_of_each_type([late, early, same, euros]) == [late, euros]
    assert latest_of_each_type([early, late]) == [late]
    cleared, uncleared = balance("1.00", "08:00:00", Type="ClosingCleared"), balance("3.00", "08:00:00", Type="Mine")
    assert latest_of_each_type([cleared, uncleared]) == [cleared]
    with pytest.raises(RowRejected) as caught:
        latest_of_each_type([late, balance("3.00", "09:00:00")])
    assert (caught.value.reason, caught.value.field) == ("ambiguous", "Type")


def test_an_unknown_balance_type_is_other() -> None:
    assert parse_balance(received(AVAILABLE | {"Type": "ZZZZ"})).type == "OTHER"


@pytest.mark.parametrize(
    ("meta", "coverage"),
    [
        (
            {
                "FirstAvailableDateTime": "2025-01-01T00:00:00+00:00",
                "LastAvailableDateTime": "2026-01-01T23:30:00-05:00",
            },
            Coverage(first_on=date(2025, 1, 1), last_on=date(2026, 1, 1)),
        ),
        ({"TotalPages": 1}, Coverage()),
        ({"FirstAvailableDateTime": "x", "LastAvailableDateTime": 7}, Coverage()),
        (None, Coverage()),
        ([], Coverage()),
    ],
)
def test_coverage_is_what_the_bank_says_or_nothing(meta: Any, coverage: Coverage) -> None:
    assert parse_coverage(meta) == coverage


@pytest.mark.parametrize(
    ("total", "pages"),
    [(1, 1), (37, 37), (0, None), (-1, None), (2**31, None), (True, None), (2.0, None), ("2", None), (None, None)],
)
def test_the_number_of_pages_is_a_count_or_not_known(total: Any, pages: int | None) -> None:
    assert parse_pages_total(received({"TotalPages": total})) == pages
    assert parse_pages_total(None) is None
