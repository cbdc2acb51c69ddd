"""Amounts to minor units and back: exact or refused."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from banks.normalize.money import MINOR_UNITS_MAX, AmountRejected, exponent, to_decimal, to_minor, to_text

CURRENCIES = st.sampled_from(["GBP", "EUR", "JPY", "KWD", "CLF", "ISK", "BHD", "BGN", "USD"])
MINORS = st.integers(-MINOR_UNITS_MAX, MINOR_UNITS_MAX)


@pytest.mark.parametrize(
    ("amount", "currency", "minor"),
    [
        ("12.50", "GBP", 1250),
        ("-12.5", "GBP", -1250),
        ("12", "GBP", 1200),
        ("0", "GBP", 0),
        ("-0.00", "GBP", 0),
        ("0E+9", "GBP", 0),
        ("0E-9", "GBP", 0),
        ("12.50000", "GBP", 1250),
        ("1E+3", "JPY", 1000),
        ("1E+3", "GBP", 100_000),
        ("1500", "JPY", 1500),
        ("1500.000", "JPY", 1500),
        ("1.234", "KWD", 1234),
        ("1.2345", "CLF", 12345),
        ("10000000000000", "GBP", MINOR_UNITS_MAX),
        ("-10000000000000.00", "GBP", -MINOR_UNITS_MAX),
        ("1000000000000000", "JPY", MINOR_UNITS_MAX),
        ("3.10", "BGN", 310),
    ],
)
def test_amounts_become_minor_units(amount: str, currency: str, minor: int) -> None:
    assert to_minor(Decimal(amount), currency) == minor


@pytest.mark.parametrize(
    ("amount", "currency", "reason"),
    [
        ("1.005", "GBP", "too_many_decimals"),
        ("0.001", "GBP", "too_many_decimals"),
        ("1.5", "JPY", "too_many_decimals"),
        ("1.2345", "KWD", "too_many_decimals"),
        ("1E-999999", "GBP", "too_many_decimals"),
        ("0." + "9" * 60, "GBP", "too_many_decimals"),
        ("10000000000000.01", "GBP", "amount_out_of_range"),
        ("-10000000000000.01", "GBP", "amount_out_of_range"),
        ("1E+999999", "GBP", "amount_out_of_range"),
        ("9" * 60, "GBP", "amount_out_of_range"),
        ("NaN", "GBP", "amount_out_of_range"),
        ("sNaN", "GBP", "amount_out_of_range"),
        ("Infinity", "GBP", "amount_out_of_range"),
        ("-Infinity", "GBP", "amount_out_of_range"),
        ("1", "XXX", "unknown_currency"),
        ("1", "XAU", "unknown_currency"),
        ("1", "XTS", "unknown_currency"),
        ("1", "ZZZ", "unknown_currency"),
        ("1", "gbp", "unknown_currency"),
        ("1", "", "unknown_currency"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(amount: str, currency: str, reason: str) -> None:
    with pytest.raises(AmountRejected) as caught:
        to_minor(Decimal(amount), currency)

    assert caught.value.reason == reason


@pytest.mark.parametrize("amount", [1.5, 1, "1.50", None, True])
def test_nothing_but_decimal_is_money(amount: object) -> None:
    with pytest.raises(TypeError):
        to_minor(amount, "GBP")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("minor", "currency", "text"),
    [
        (1250, "GBP", "12.50"),
        (5, "GBP", "0.05"),
        (-5, "GBP", "-0.05"),
        (0, "GBP", "0.00"),
        (0, "JPY", "0"),
        (-7, "JPY", "-7"),
        (1, "KWD", "0.001"),
        (MINOR_UNITS_MAX, "GBP", "10000000000000.00"),
    ],
)
def test_minor_units_are_written_with_the_currencys_decimals(minor: int, currency: str, text: str) -> None:
    assert to_text(minor, currency) == text


@given(MINORS, CURRENCIES)
def test_minor_to_major_and_back_is_the_same(minor: int, currency: str) -> None:
    assert to_minor(to_decimal(minor, currency), currency) == minor
    assert to_minor(Decimal(to_text(minor, currency)), currency) == minor


@given(st.decimals(allow_nan=False, allow_infinity=False), CURRENCIES)
def test_an_amount_is_taken_exactly_or_not_at_all(amount: Decimal, currency: str) -> None:
    try:
        minor = to_minor(amount, currency)
    except AmountRejected:
        return

    assert Fraction(minor, 10 ** exponent(currency)) == Fraction(amount)
    assert abs(minor) <= MINOR_UNITS_MAX


@given(MINORS, st.integers(0, 40), CURRENCIES)
def test_trailing_zeros_change_nothing(minor: int, zeros: int, currency: str) -> None:
    text = to_text(minor, currency)
    padded = text + ("" if "." in text else ".") + "0" * zeros

    assert to_minor(Decimal(padded), currency) == minor


@given(MINORS, CURRENCIES)
def test_one_digit_too_many_is_never_rounded_away(minor: int, currency: str) -> None:
    shifted = Decimal(minor * 10 + 1).scaleb(-exponent(currency) - 1)

    with pytest.raises(AmountRejected) as caught:
        to_minor(shifted, currency)

    assert caught.value.reason == "too_many_decimals"
