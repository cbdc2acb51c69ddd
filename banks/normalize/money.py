"""Amounts as banks write them, in minor units as we keep them, and back. Pure; exact; nothing is ever rounded."""

from collections.abc import Sequence
from decimal import Decimal

from iso4217 import Currency

#: Beyond this no account of a person lies, and a 64-bit column stays far from its end.
MINOR_UNITS_MAX = 10**15

# Withdrawn since 2010 (ISO 4217 list three) but found in histories that banks still show.
_WITHDRAWN = {
    "ANG": 2,
    "BGN": 2,
    "BYR": 0,
    "CUC": 2,
    "EEK": 2,
    "HRK": 2,
    "LTL": 2,
    "LVL": 2,
    "MRO": 2,
    "SLL": 2,
    "STD": 2,
    "VEF": 2,
    "ZMK": 2,
    "ZWL": 2,
}
# Precious metals, test codes and "no currency" have no minor unit (ISO 4217: N.A.) and are left out.
_EXPONENTS: dict[str, int] = _WITHDRAWN | {
    currency.value: currency.exponent for currency in Currency if currency.exponent is not None
}


class AmountRejected(ValueError):
    """An amount that we will not take. `reason`: too_many_decimals, amount_out_of_range or unknown_currency."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def exponent(currency: str) -> int:
    """How many decimals the currency has (ISO 4217 minor unit): GBP 2, JPY 0, KWD 3.

    Raises AmountRejected(unknown_currency).
    """
    try:
        return _EXPONENTS[currency]
    except KeyError:
        raise AmountRejected("unknown_currency") from None


def to_minor(amount: Decimal, currency: str) -> int:
    """Minor units: Decimal("12.50"), "GBP" -> 1250. Trailing zeros are fine; minus zero is zero.

    Raises AmountRejected: unknown_currency, too_many_decimals, or amount_out_of_range beyond +-10**15 minor units and
    for NaN and infinity. Raises TypeError for anything but Decimal.
    """
    if not isinstance(amount, Decimal):
        raise TypeError(f"amount must be Decimal, not {type(amount).__name__}")
    decimals = exponent(currency)
    if not amount.is_finite():
        raise AmountRejected("amount_out_of_range")
    # Digits and exponent, not Decimal arithmetic: that rounds to the context's 28 digits without a word.
    negative, digits, power = amount.as_tuple()
    text = "".join(map(str, digits)).lstrip("0")
    if not text:
        return 0
    significant = text.rstrip("0")
    shift = int(power) + decimals + len(text) - len(significant)
    if shift < 0:
        raise AmountRejected("too_many_decimals")
    if len(significant) + shift > len(str(MINOR_UNITS_MAX)):
        raise AmountRejected("amount_out_of_range")
    minor: int = int(significant) * 10**shift
    if minor > MINOR_UNITS_MAX:
        raise AmountRejected("amount_out_of_range")
    return -minor if negative else minor


def to_decimal(minor: int, currency: str) -> Decimal:
    """Major units with exactly the currency's decimals: 1250, "GBP" -> Decimal("12.50").

    Raises AmountRejected(unknown_currency).
    """
    return Decimal((minor < 0, tuple(map(int, str(abs(minor)))), -exponent(currency)))


def to_text(minor: int, currency: str) -> str:
    """Major units as JSON carries them: 5, "GBP" -> "0.05"; never an exponent.

    Raises AmountRejected(unknown_currency).
    """
    decimals = exponent(currency)
    digits = str(abs(minor)).zfill(decimals + 1)
    sign = "-" if minor < 0 else ""
    return f"{sign}{digits[:-decimals]}.{digits[-decimals:]}" if decimals else f"{sign}{digits}"


def to_texts(minors: Sequence[int], currencies: Sequence[str]) -> list[str]:
    """`to_text` of many amounts, at a third of its cost where all are of one currency with two decimals.

    Raises AmountRejected(unknown_currency).
    """
    if len(set(currencies)) != 1 or exponent(currencies[0]) != 2:
        return list(map(to_text, minors, currencies))
    return [
        f"{minor // 100}.{minor % 100:02}" if minor >= 0 else f"-{-minor // 100}.{-minor % 100:02}" for minor in minors
    ]
