"""Reading one row of a bank's answer: typed members by path, with a named reason for each that cannot be taken. Pure.

What the standard lets a bank leave out is None; what it demands raises RowRejected, and so does a value of another type
than the standard's. JSON null counts as absent. Members that nobody asks for are ignored.
"""

import re
from datetime import date, datetime
from decimal import Decimal

from banks.normalize.dates import DateRejected, calendar_date, instant
from banks.normalize.money import AmountRejected, to_minor
from banks.normalize.text import clean
from banks.strict_json import JsonValue
from banks.types import Money

_CURRENCY = re.compile(r"[A-Z]{3}")
_UNSIGNED = re.compile(r"[0-9]{1,40}(\.[0-9]{1,40})?")


class RowRejected(Exception):
    """One row cannot be taken. `reason`: stable code; `field`: path in the bank's answer."""

    def __init__(self, reason: str, field: str) -> None:
        super().__init__(f"{reason}: {field}")
        self.reason = reason
        self.field = field


class Row:
    """One JSON object, and in `provenance` the path that each of our fields was read from.

    Every reader takes a dotted path; `into` names our field. Raises RowRejected(not_an_object) when made of anything
    but an object.
    """

    def __init__(self, value: JsonValue) -> None:
        if not isinstance(value, dict):
            raise RowRejected("not_an_object", "")
        self._members = value
        self.provenance: dict[str, str] = {}

    def at(self, path: str) -> JsonValue:
        """The value as it stands, or None. Raises RowRejected(bad_type) where the path leads through a non-object."""
        value: JsonValue = self._members
        for name in path.split("."):
            if not isinstance(value, dict):
                raise RowRejected("bad_type", path)
            value = value.get(name)
            if value is None:
                return None
        return value

    def has(self, path: str) -> bool:
        return self.at(path) is not None

    def note(self, field: str, path: str) -> None:
        self.provenance[field] = path

    def code(self, path: str, *, into: str | None = None) -> str | None:
        """A code of an enumeration, untouched. Raises RowRejected(bad_type)."""
        value = self.at(path)
        if value is None:
            return None
        if not isinstance(value, str):
            raise RowRejected("bad_type", path)
        if into is not None:
            self.note(into, path)
        return value

    def needed_code(self, path: str, *, into: str | None = None) -> str:
        """Raises RowRejected(missing_member | bad_type)."""
        value = self.code(path, into=into)
        if value is None:
            raise RowRejected("missing_member", path)
        return value

    def text(self, path: str, *, into: str, length_max: int) -> str | None:
        """Text for people: cleaned and cut off at `length_max`. Raises RowRejected(bad_type)."""
        value = clean(self.code(path), length_max=length_max)
        if value is not None:
            self.note(into, path)
        return value

    def identifier(self, path: str, *, into: str, length_max: int) -> str | None:
        """A bank's id, as it stands: cleaning could make two ids one. Raises RowRejected(bad_identifier | bad_type)."""
        value = self.code(path)
        if value is None:
            return None
        if len(value) > length_max or clean(value, length_max=length_max) != value:
            raise RowRejected("bad_identifier", path)
        self.note(into, path)
        return value

    def flag(self, path: str) -> bool | None:
        """Raises RowRejected(bad_type)."""
        value = self.at(path)
        if value is None or isinstance(value, bool):
            return value
        raise RowRejected("bad_type", path)

    def calendar_date(self, path: str, *, into: str) -> date | None:
        """The date as the bank wrote it. Raises RowRejected(bad_date | bad_type)."""
        value = self.code(path)
        if value is None:
            return None
        try:
            day = calendar_date(value)
        except DateRejected as error:
            raise RowRejected(error.reason, path) from None
        self.note(into, path)
        return day

    def instant(self, path: str) -> datetime | None:
        """The moment in UTC; None when there is none, or no offset. Raises RowRejected(bad_date | bad_type)."""
        value = self.code(path)
        if value is None:
            return None
        try:
            return instant(value)
        except DateRejected as error:
            raise RowRejected(error.reason, path) from None

    def unsigned_money(self, path: str, *, negative: bool, into: str | None = None) -> Money | None:
        """An object of Amount (digits in a string, no sign) and Currency, with the sign that stands elsewhere.

        Raises RowRejected: missing_member, bad_type, bad_amount, unknown_currency, too_many_decimals or
        amount_out_of_range.
        """
        if not self.has(path):
            return None
        text = self.needed_code(f"{path}.Amount")
        currency = self.needed_code(f"{path}.Currency")
        if not _CURRENCY.fullmatch(currency):
            raise RowRejected("unknown_currency", f"{path}.Currency")
        if not _UNSIGNED.fullmatch(text):
            raise RowRejected("bad_amount", f"{path}.Amount")
        amount = Decimal(text)
        try:
            to_minor(amount, currency)
        except AmountRejected as error:
            member = "Currency" if error.reason == "unknown_currency" else "Amount"
            raise RowRejected(error.reason, f"{path}.{member}") from None
        if into is not None:
            self.note(into, path)
        return Money(amount.copy_negate() if negative and amount else amount, currency)

    def positive_number(self, path: str, *, into: str, length_max: int = 40) -> Decimal | None:
        """A JSON number above zero, exactly as written. Raises RowRejected(bad_number | bad_type)."""
        value = self.at(path)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | Decimal):
            raise RowRejected("bad_type", path)
        number = Decimal(value)
        if number <= 0 or len(f"{number:f}") > length_max:
            raise RowRejected("bad_number", path)
        self.note(into, path)
        return number
