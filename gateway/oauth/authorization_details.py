"""`authorization_details` of type `account_information` (RFC 9396): read strictly, written back as granted. Pure."""

from collections.abc import Callable
from enum import StrEnum
from typing import Any, TypeVar

from banks import strict_json
from banks.errors import BankError
from banks.strict_json import JsonValue
from consents.errors import RequestNotAllowed
from consents.models import Consent
from consents.requested import RequestedAccess, checked
from consents.scopes import LocationPrecision, Purpose, Scope, SensitiveGroup
from gateway.oauth.errors import Refused

TYPE = "account_information"
CHARACTERS_MAX = 4096
_DEPTH_MAX = 4
_VALUES_MAX = 100

_Word = TypeVar("_Word", bound=StrEnum)


def requested(text: str, *, allowed_purposes: frozenset[Purpose]) -> RequestedAccess:
    """What the JSON array `text` asks for: exactly one object, only known members, each of its own type.

    Members: `type`, `scopes`, `purposes` (non-empty arrays of distinct words), `optional_scopes` (those of `scopes`
    that the user may leave out), `duration_days` (1 to 365), `history_days` (1 to 730), `location_precision`,
    `on_platform_only`, `hidden_groups`; the first three are required.
    Raises Refused("invalid_authorization_details") (RFC 9396 section 5).
    """
    members = _only_object(_parsed(text))
    if members.pop("type", None) != TYPE:
        raise _invalid(f"the type must be {TYPE}")
    if unknown := members.keys() - _READERS.keys():
        # The names are the client's own text: counted, not echoed.
        raise _invalid(f"{len(unknown)} unknown member(s)")
    if missing := {"scopes", "purposes"} - members.keys():
        raise _invalid(f"missing: {', '.join(sorted(missing))}")
    values: dict[str, Any] = {name: _READERS[name](name, value) for name, value in members.items()}
    try:
        return checked(RequestedAccess(**values), allowed_purposes=allowed_purposes)
    except RequestNotAllowed as refusal:
        raise _invalid(str(refusal)) from None


def granted(consent: Consent) -> list[dict[str, object]]:
    """What `consent` opens now, in the words of the request, with its own dates (RFC 9396 section 7)."""
    return [
        {
            "type": TYPE,
            "scopes": sorted(consent.scopes),
            "purposes": sorted(consent.purposes),
            "duration_days": consent.duration_days,
            "history_from": consent.history_from.isoformat() if consent.history_from else None,
            "location_precision": consent.location_precision,
            "on_platform_only": consent.on_platform_only,
            "hidden_groups": sorted(consent.hidden_groups),
            "expires_at": consent.expires_at.isoformat(timespec="seconds"),
        }
    ]


def _invalid(description: str) -> Refused:
    return Refused("invalid_authorization_details", description)


def _parsed(text: str) -> JsonValue:
    if len(text) > CHARACTERS_MAX:
        raise _invalid(f"longer than {CHARACTERS_MAX} characters")
    try:
        return strict_json.parse(text.encode(), depth_max=_DEPTH_MAX, values_max=_VALUES_MAX)
    except BankError:  # the parser was made for banks' answers, and so were its errors
        raise _invalid("not a JSON array of objects without duplicate members") from None


def _only_object(value: JsonValue) -> dict[str, JsonValue]:
    if not isinstance(value, list) or len(value) != 1 or not isinstance(value[0], dict):
        raise _invalid("exactly one object is needed")
    return dict(value[0])


def _days(name: str, value: JsonValue) -> int:
    if isinstance(value, bool) or not isinstance(value, int):  # bool is an int to Python, not to JSON
        raise _invalid(f"{name} must be a whole number")
    return value


def _flag(name: str, value: JsonValue) -> bool:
    if not isinstance(value, bool):
        raise _invalid(f"{name} must be true or false")
    return value


def _word(vocabulary: type[_Word]) -> Callable[[str, JsonValue], _Word]:
    def read(name: str, value: JsonValue) -> _Word:
        if not isinstance(value, str) or value not in tuple(vocabulary):
            raise _invalid(f"{name}: one of {', '.join(vocabulary)}")
        return vocabulary(value)

    return read


def _words(vocabulary: type[_Word]) -> Callable[[str, JsonValue], frozenset[_Word]]:
    read_one = _word(vocabulary)

    def read(name: str, value: JsonValue) -> frozenset[_Word]:
        if not isinstance(value, list):
            raise _invalid(f"{name} must be an array")
        words = frozenset(read_one(name, item) for item in value)
        if len(words) != len(value):
            raise _invalid(f"{name} names something twice")
        return words

    return read


_READERS: dict[str, Callable[[str, JsonValue], object]] = {
    "scopes": _words(Scope),
    "optional_scopes": _words(Scope),
    "purposes": _words(Purpose),
    "duration_days": _days,
    "history_days": _days,
    "location_precision": _word(LocationPrecision),
    "on_platform_only": _flag,
    "hidden_groups": _words(SensitiveGroup),
}
