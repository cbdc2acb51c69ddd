"""Reading one row of a bank's answer: typed members by path, with a named reason for each that cannot be taken. Pure.

What the standard lets a bank leave out is None; what it demands raises RowRejected, and so does a value of another type
than the standard's. Only what merely describes a row (`hint`, `text`) is None instead: a payment is not lost because a
shop's name came as a number. JSON null counts as absent. Members that nobody asks for are ignored.
"""

import re
from datetime import date, datetime
from decimal import Decimal

from banks.normalize.dates import DateRejected, calendar_date, instant
from banks.normalize.money import AmountRejected, to_minor
from banks.normalize.text import clean
from banks.strict_json import JsonValue
from banks.types import Money

#: Of the default decimal context.
_DIGITS_MAX = 28
_UNSIGNED = re.compile(r"[0-9]{1,40}(\.[0-9]{1,40})?")


class RowRejected(Exception):
    """One row cannot be taken. `reason`: stable code; `field`: path in the bank's answer."""

    def __init__(self, reason: str, field: str) -> None:
        super().__init__(f"{reason}: {field}")
        self.reason = reason
        self.field = field


class Row:
    """One JSON object, and in `provenance` the path that each of our fields was read from.

    Every reader takes a dotted path; `into` names our field. `within` is the path of this object in the row that it is
    part of, and stands before every path that an error names. Raises RowRejected(not_an_object) when made of anything
    but an object.
    """

    def __init__(self, value: JsonValue, *, within: str = "") -> None:
        if not isinstance(value, dict):
            raise RowRejected("not_an_object", within)
        self._members = value
        self._within = within
        self.provenance: dict[str, str] = {}

    def rejected(self, reason: str, path: str) -> RowRejected:
        """The error that names the member at `path`."""
        return RowRejected(reason, f"{self._within}.{path}" if self._within else path)

    def at(self, path: str) -> JsonValue:
        """The value as it stands, or None. Raises RowRejected(bad_type) where the path leads through a non-object."""
        if "." not in path:  # most
            return self._members.get(path)
        value: JsonValue = self._members
        names = path.split(".")
        for depth, name in enumerate(names):
            if not isinstance(value, dict):
                raise self.rejected("bad_type", ".".join(names[:depth]))
            value = value.get(name)
            if value is None:
                return None
        return value

    def rows(self, path: str, *, count_max: int = 100) -> list["Row"]:
        """The objects of an array, none when it is absent. Raises RowRejected(bad_type, too_many, not_an_object)."""
        listed = self.at(path)
        if listed is None:
            return []
        if not isinstance(listed, list):
            raise self.rejected("bad_type", path)
        if len(listed) > count_max:
            raise self.rejected("too_many", path)
        return [Row(entry, within=f"{path}[{index}]") for index, entry in enumerate(listed)]

    def has(self, path: str) -> bool:
        return self.at(path) is not None

    def is_object(self, name: str) -> bool:
        """Whether the member of this name is an object. Raises nothing."""
        return isinstance(self._members.get(name), dict)

    def is_unreadable(self, path: str) -> bool:
        """Whether something stands there, or in the way to it, that `hint` gives up as no text. Raises nothing."""
        try:
            value = self.at(path)
        except RowRejected:
            return True
        return value is not None and not isinstance(value, str)

    def note(self, field: str, path: str) -> None:
        self.provenance[field] = path

    def code(self, path: str, *, into: str | None = None) -> str | None:
        """A code of an enumeration, untouched. Raises RowRejected(bad_type)."""
        value = self.at(path)
        if value is None:
            return None
        if not isinstance(value, str):
            raise self.rejected("bad_type", path)
        if into is not None:
            self.note(into, path)
        return value

    def hint(self, path: str, *, into: str | None = None) -> str | None:
        """A text that merely describes; None for anything else that stands there. Raises nothing."""
        try:
            value = self.at(path)
        except RowRejected:
            return None
        if not isinstance(value, str):
            return None
        if into is not None:
            self.note(into, path)
        return value

    def needed_code(self, path: str, *, into: str | None = None) -> str:
        """Raises RowRejected(missing_member | bad_type)."""
        value = self.code(path, into=into)
        if value is None:
            raise self.rejected("missing_member", path)
        return value

    def text(self, path: str, *, into: str, length_max: int) -> str | None:
        """Text for people: cleaned and cut off at `length_max`; None for anything but text. Raises nothing."""
        value = clean(self.hint(path), length_max=length_max)
        if value is not None:
            self.note(into, path)
        return value

    def identifier(self, path: str, *, into: str, length_max: int) -> str | None:
        """A bank's id, as it stands: cleaning could make two ids one. Raises RowRejected(bad_identifier | bad_type)."""
        value = self.code(path)
        if value is None:
            return None
        if clean(value, length_max=length_max) != value:
            raise self.rejected("bad_identifier", path)
        self.note(into, path)
        return value

    def flag(self, path: str) -> bool | None:
        """Raises RowRejected(bad_type)."""
        value = self.at(path)
        if value is None or isinstance(value, bool):
            return value
        raise self.rejected("bad_type", path)

    def calendar_date(self, path: str, *, into: str) -> date | None:
        """The date as the bank wrote it. Raises RowRejected(bad_date | bad_type)."""
        value = self.code(path)
        if value is None:
            return None
        try:
            day = calendar_date(value)
        except DateRejected as error:
            raise self.rejected(error.reason, path) from None
        self.note(into, path)
        return day

    def instant(self, path: str) -> datetime | None:
        """The moment in UTC. Raises RowRejected: bad_type; bad_date, also for want of an offset."""
        value = self.code(path)
        if value is None:
            return None
        try:
            moment = instant(value)
        except DateRejected:
            moment = None
        if moment is None:
            raise self.rejected("bad_date", path)
        return moment

    def unsigned_money(self, path: str, *, negative: bool, into: str | None = None) -> Money | None:
        """An object of Amount (digits in a string, no sign) and Currency, with the sign that stands elsewhere.

        Raises RowRejected: missing_member, bad_type, bad_amount, unknown_currency, too_many_decimals or
        amount_out_of_range.
        """
        if not self.has(path):
            return None
        text = self.needed_code(f"{path}.Amount")
        currency = self.needed_code(f"{path}.Currency")
        if not _UNSIGNED.fullmatch(text):
            raise self.rejected("bad_amount", f"{path}.Amount")
        amount = Decimal(text)
        try:
            to_minor(amount, currency)
        except AmountRejected as error:
            member = "Currency" if error.reason == "unknown_currency" else "Amount"
            raise self.rejected(error.reason, f"{path}.{member}") from None
        if into is not None:
            self.note(into, path)
        return Money(amount.copy_negate() if negative and amount else amount, currency)

    def positive_number(self, path: str, *, into: str, length_max: int = 40) -> Decimal | None:
        """A JSON number above zero, exactly as written. Raises RowRejected(bad_number | bad_type)."""
        value = self.at(path)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | Decimal):
            raise self.rejected("bad_type", path)
        number = Decimal(value)
        # More digits than arithmetic keeps would be rounded on the way to the column.
        if number <= 0 or len(number.as_tuple().digits) > _DIGITS_MAX or len(f"{number:f}") > length_max:
            raise self.rejected("bad_number", path)
        self.note(into, path)
        return number
