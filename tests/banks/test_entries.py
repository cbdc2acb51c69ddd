"""From a bank's row to the columns we keep: exact amounts, names where they belong, one identity for ever."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from banks.normalize.entries import Entry, entry
from banks.types import (
    Channel,
    CounterpartyKind,
    Money,
    Place,
    RejectedRow,
    TransactionData,
    TransactionKind,
    TransactionStatus,
)

DAY = date(2026, 3, 4)


def row(**changes: Any) -> TransactionData:
    """A card payment in a shop, with a bank's id."""
    return TransactionData(
        **{
            "bank_transaction_id": "t-1",
            "status": TransactionStatus.BOOKED,
            "money": Money(Decimal("-12.50"), "GBP"),
            "booked_on": DAY,
            "listed_on": DAY,
            "kind": TransactionKind.CARD_PAYMENT,
            "channel": Channel.IN_STORE,
            "merchant_name": "Greenway Market",
            "mcc": "5411",
            "counterparty_kind": CounterpartyKind.MERCHANT,
            "description": "GREENWAY MARKET LONDON",
            "raw": b"{}",
            **changes,
        }
    )


def kept(**changes: Any) -> Entry:
    result = entry(row(**changes))
    assert isinstance(result, Entry), result
    return result


def refused(**changes: Any) -> RejectedRow:
    result = entry(row(**changes))
    assert isinstance(result, RejectedRow)
    return result


# -- amounts -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("amount", "currency", "minor"),
    [
        ("-12.50", "GBP", -1250),
        ("0.01", "GBP", 1),
        ("1234", "JPY", 1234),
        ("1.234", "KWD", 1234),
        ("9999999999999.99", "GBP", 999_999_999_999_999),
        ("12.500", "GBP", 1250),
        ("-0.00", "GBP", 0),
    ],
)
def test_amounts_are_exact_minor_units(amount: str, currency: str, minor: int) -> None:
    columns = kept(money=Money(Decimal(amount), currency)).columns

    assert (columns["amount_minor"], columns["currency"]) == (minor, currency)


@given(st.integers(-(10**15), 10**15))
def test_no_penny_is_lost_or_found(minor: int) -> None:
    assert kept(money=Money(Decimal(minor).scaleb(-2), "GBP")).columns["amount_minor"] == minor


@pytest.mark.parametrize(
    ("changes", "reason", "field"),
    [
        ({"money": Money(Decimal("12.345"), "GBP")}, "too_many_decimals", "Amount"),
        ({"money": Money(Decimal("0.5"), "JPY")}, "too_many_decimals", "Amount"),
        ({"money": Money(Decimal("1"), "XQX")}, "unknown_currency", "Amount"),
        ({"money": Money(Decimal("1e14"), "GBP")}, "amount_out_of_range", "Amount"),
        ({"instructed": Money(Decimal("1.001"), "EUR")}, "too_many_decimals", "CurrencyExchange"),
        ({"instructed": Money(Decimal("1"), "XXX")}, "unknown_currency", "CurrencyExchange"),
        ({"balance_after": Money(Decimal("0.001"), "GBP")}, "too_many_decimals", "Balance"),
    ],
)
def test_an_amount_that_does_not_fit_refuses_the_whole_row(changes: dict[str, Any], reason: str, field: str) -> None:
    rejected = refused(raw=b'{"as": "the bank said"}', **changes)

    assert (rejected.reason, rejected.field, rejected.raw) == (reason, field, b'{"as": "the bank said"}')


def test_amounts_that_are_not_told_are_unknown_and_not_zero() -> None:
    columns = kept().columns

    assert [columns[name] for name in ("instructed_amount_minor", "instructed_currency", "balance_after_minor")] == [
        None,
        None,
        None,
    ]


@pytest.mark.parametrize(("rate", "text"), [("1.10", "1.1"), ("0.00000001", "0.00000001"), ("110", "110")])
def test_a_rate_is_a_plain_decimal_text(rate: str, text: str) -> None:
    assert kept(exchange_rate=Decimal(rate)).columns["exchange_rate"] == text


# -- names -------------------------------------------------------------------------------------------------------------


def test_a_shop_is_a_merchant() -> None:
    columns = kept().columns

    assert (columns["merchant_name"], columns["merchant_key"]) == ("Greenway Market", "5411:greenway market")


@pytest.mark.parametrize("kind", list(TransactionKind))
@pytest.mark.parametrize("mcc", ["5411", None])
def test_a_persons_name_is_never_a_merchants(kind: TransactionKind, mcc: str | None) -> None:
    columns = kept(
        kind=kind,
        mcc=mcc,
        merchant_name="Rosalind Achebe",
        counterparty_name="Rosalind Achebe",
        counterparty_kind=CounterpartyKind.PERSON,
    ).columns

    assert (columns["merchant_name"], columns["merchant_key"]) == (None, None)
    assert columns["counterparty_name"] == "Rosalind Achebe"


@pytest.mark.parametrize("kind", [TransactionKind.TRANSFER, TransactionKind.STANDING_ORDER, TransactionKind.SALARY])
def test_a_name_on_a_transfer_that_nobody_called_a_merchant_is_none(kind: TransactionKind) -> None:
    columns = kept(kind=kind, mcc=None, merchant_name="Rosalind Achebe", counterparty_kind=None).columns

    assert columns["merchant_name"] is None


@pytest.mark.parametrize("name", ["counterparty_name", "description"])
def test_names_elsewhere_in_the_row_never_become_the_merchant(name: str) -> None:
    columns = kept(merchant_name=None, **{name: "Rosalind Achebe"}).columns

    assert columns["merchant_name"] is None
    assert columns["merchant_key"] is None


def test_text_is_cleaned_before_it_is_kept() -> None:
    columns = kept(merchant_name=" Green\u200bway\nMarket\x00 ", description="a\tb", place=Place(city=" Lon\u202edon "))

    assert (columns.columns["merchant_name"], columns.columns["description"], columns.columns["place_city"]) == (
        "Greenway Market",
        "a b",
        "London",
    )


def test_a_payment_reference_is_kept_as_a_digest_only() -> None:
    columns = kept(reference="ORDER-2026-0001").columns

    assert columns["reference_digest"] is not None
    assert "ORDER-2026-0001" not in map(str, columns.values())


# -- identity and content ----------------------------------------------------------------------------------------------


def test_a_banks_id_is_the_identity_whatever_the_row_says() -> None:
    pending = kept(status=TransactionStatus.PENDING, booked_on=None)
    booked = kept(money=Money(Decimal("-12.51"), "GBP"), listed_on=DAY + timedelta(days=1), description="OTHER")

    assert pending.identity_key == booked.identity_key
    assert pending.content_hash != booked.content_hash
    assert pending.has_bank_id


def test_two_ids_are_two_identities() -> None:
    assert kept(bank_transaction_id="t-1").identity_key != kept(bank_transaction_id="t-2").identity_key


def test_without_a_banks_id_equal_rows_share_an_identity() -> None:
    first, second = kept(bank_transaction_id=None), kept(bank_transaction_id=None)

    assert first.identity_key == second.identity_key
    assert not first.has_bank_id


@pytest.mark.parametrize(
    "changes",
    [
        {"listed_on": DAY + timedelta(days=1)},
        {"money": Money(Decimal("-12.51"), "GBP")},
        {"money": Money(Decimal("-12.50"), "EUR")},
        {"kind": TransactionKind.REFUND},
        {"merchant_name": "Brownway Market"},
        {"description": "GREENWAY MARKET LEEDS"},
        {"counterparty_name": "Rosalind Achebe"},
    ],
)
def test_without_a_banks_id_what_the_row_says_tells_it_from_others(changes: dict[str, Any]) -> None:
    assert kept(bank_transaction_id=None).identity_key != kept(bank_transaction_id=None, **changes).identity_key


@pytest.mark.parametrize(
    "changes",
    [
        {"status": TransactionStatus.PENDING},
        {"booked_on": None},
        {"value_on": DAY},
        {"balance_after": Money(Decimal("1.00"), "GBP")},
        {"immutable": True},
    ],
)
def test_without_a_banks_id_what_booking_changes_leaves_the_identity(changes: dict[str, Any]) -> None:
    before, after = kept(bank_transaction_id=None), kept(bank_transaction_id=None, **changes)

    assert before.identity_key == after.identity_key
    assert before.content_hash != after.content_hash


def test_an_id_that_looks_like_a_row_is_not_that_row() -> None:
    anonymous = kept(bank_transaction_id=None)

    assert kept(bank_transaction_id=anonymous.identity_key).identity_key != anonymous.identity_key


def test_the_hash_is_the_same_today_and_tomorrow() -> None:
    """Written down: another value would rewrite every stored row once, and tell every platform so."""
    assert kept().content_hash == kept(raw=b"in another order").content_hash
    assert kept().content_hash == "803e21b3a09ed1e9ad05b1edad35efc10fa4ffeb5324132dc6c3516e56612558"


@pytest.mark.parametrize("name", sorted(kept().columns.keys() - {"bank_transaction_id", "provenance"}))
def test_every_column_counts_in_the_hash(name: str) -> None:
    """A change the hash does not see would never be written."""
    from banks.normalize import entries

    columns = dict(kept().columns)

    assert entries._hash(columns) != entries._hash({**columns, name: "something else"})


def test_another_id_and_other_paths_are_no_news_to_a_reader() -> None:
    other = kept(bank_transaction_id="t-2", provenance={"money": "Elsewhere.Amount"})

    assert other.content_hash == kept().content_hash
    assert other.identity_key != kept().identity_key


# -- provenance --------------------------------------------------------------------------------------------------------

EVERYTHING: dict[str, Any] = {
    "immutable": True,
    "value_on": DAY,
    "transacted_at": datetime(2026, 3, 4, 9, tzinfo=UTC),
    "place": Place(country="GB", region="Kent", city="Dover", postal_code="CT16", address="1 Quay"),
    "instructed": Money(Decimal("-14.00"), "EUR"),
    "exchange_rate": Decimal("1.12"),
    "balance_after": Money(Decimal("100.00"), "GBP"),
    "counterparty_name": "Greenway Market Ltd",
    "reference": "INVOICE 2026 0304",
}


def origins(**changes: Any) -> dict[str, dict[str, Any]]:
    return kept(**changes).columns["provenance"]  # type: ignore[return-value]


def test_every_column_that_says_something_says_where_from() -> None:
    columns = kept(**EVERYTHING).columns

    told = {name for name, value in columns.items() if value is not None} - {"provenance"}
    assert told == columns.keys() - {"provenance"}  # the row above fills every column there is
    for name, origin in origins(**EVERYTHING).items():
        assert origin.keys() == {"source", "rule", "confidence"}, name
        assert 0 <= origin["confidence"] <= 100
    assert origins(**EVERYTHING).keys() == told


@given(
    st.fixed_dictionaries({}, optional={name: st.just(value) for name, value in EVERYTHING.items()}),
    st.sampled_from([None, "5411", "5999", "0001"]),
    st.sampled_from(TransactionKind),
)
def test_what_is_not_told_has_no_origin_and_the_rest_has_one(told: dict[str, Any], mcc: str | None, kind: Any) -> None:
    columns = kept(mcc=mcc, kind=kind, **told).columns

    filled = {name for name, value in columns.items() if value is not None} - {"provenance"}
    assert origins(mcc=mcc, kind=kind, **told).keys() == filled


def test_what_the_bank_told_names_its_member() -> None:
    told = origins(
        provenance={"money": "Amount", "merchant_name": "MerchantDetails.MerchantName", "place": "Place"}, **EVERYTHING
    )

    assert told["amount_minor"] == {"source": "Amount", "rule": "told", "confidence": 100}
    assert told["currency"]["source"] == "Amount"
    assert told["merchant_name"]["source"] == "MerchantDetails.MerchantName"
    assert told["place_city"]["source"] == "Place"
    assert told["value_on"] == {"source": "rule", "rule": "connector", "confidence": 100}


def test_what_we_worked_out_names_its_rule_and_how_sure_it_is() -> None:
    by_code, by_kind = origins(), origins(mcc=None, kind=TransactionKind.CASH)

    assert by_code["category"] == {"source": "rule", "rule": "mcc_table", "confidence": 90}
    assert by_code["sensitive_group"] == {"source": "rule", "rule": "mcc_table", "confidence": 90}
    assert by_code["merchant_key"] == {"source": "rule", "rule": "merchant_key", "confidence": 100}
    assert by_kind["category"]["rule"] == by_kind["sensitive_group"]["rule"] == "kind_table"
    assert origins(reference="INVOICE 2026 0304")["reference_digest"]["rule"] == "sha256"


def test_a_kind_that_nothing_told_is_a_guess_without_confidence() -> None:
    assert origins(kind=TransactionKind.OTHER)["kind"] == {"source": "rule", "rule": "no_code", "confidence": 0}
    assert origins(kind=TransactionKind.OTHER, provenance={"kind": "Code"})["kind"]["confidence"] == 100


# -- printing ----------------------------------------------------------------------------------------------------------


def test_raw_rows_are_not_shown_when_an_entry_is_printed() -> None:
    assert b"secret" not in repr(replace(kept(), raw=b"secret")).encode()
