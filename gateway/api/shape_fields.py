"""Fields that several shapes of gateway.api.shapes have."""

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

_AMOUNT = {
    "type": "string",
    "pattern": r"^-?[0-9]+(\.[0-9]+)?$",
    "description": "Decimal, with exactly the currency's decimals (ISO 4217). Negative: money out, or owed.",
    "examples": ["-12.50"],
}
_CURRENCY = {"type": "string", "pattern": "^[A-Z]{3}$", "description": "ISO 4217."}


@extend_schema_field(_AMOUNT)
class Amount(serializers.CharField):
    pass


@extend_schema_field({**_AMOUNT, "type": ["string", "null"]})
class AmountOrNull(serializers.CharField):
    pass


@extend_schema_field(_CURRENCY)
class Currency(serializers.CharField):
    pass


@extend_schema_field({**_CURRENCY, "type": ["string", "null"]})
class CurrencyOrNull(serializers.CharField):
    pass


def text(help_text: str = "", *, required: bool = False) -> serializers.CharField:
    return serializers.CharField(allow_null=True, required=required, help_text=help_text)


def day(help_text: str = "") -> serializers.DateField:
    return serializers.DateField(allow_null=True, help_text=help_text)


def instant(help_text: str = "") -> serializers.DateTimeField:
    return serializers.DateTimeField(allow_null=True, help_text=help_text)


def as_of() -> serializers.DateTimeField:
    return instant(
        "When this was last fetched from the bank. Null: nothing has been fetched yet, and an empty list says nothing."
    )


def next_refresh_after() -> serializers.DateTimeField:
    return instant(
        "Before this instant a refresh without the user would not fetch all, because the bank's daily number of "
        "fetches is used up. Null: it may be asked for now."
    )


class Direction(serializers.ChoiceField):
    def __init__(self) -> None:
        super().__init__(choices=["CREDIT", "DEBIT"], help_text="DEBIT: money out, or owed. Zero is CREDIT.")
