"""Parameters of a request, decoded strictly (RFC 6749 appendix B): UTF-8 or nothing, no value quietly dropped."""

from collections import Counter
from dataclasses import dataclass
from urllib.parse import parse_qsl

from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest

from gateway.oauth.errors import Refused

_FORM = "application/x-www-form-urlencoded"
_QUERY_BYTES_MAX = 8192
_BODY_BYTES_MAX = 16384
_FIELDS_MAX = 40


@dataclass(frozen=True, slots=True)
class Parameters:
    """`values` by name, without empty ones, which count as left out (RFC 6749 section 3.1)."""

    values: dict[str, str]
    repeated: frozenset[str]

    def get(self, name: str) -> str:
        """The value, or "" when left out."""
        return self.values.get(name, "")


def of_query(request: HttpRequest) -> Parameters:
    """From the address. Raises Refused: too long, not UTF-8, a NUL."""
    # WSGI hands the query over as latin-1 (PEP 3333).
    return _parsed(str(request.META.get("QUERY_STRING", "")).encode("latin-1", "replace"), _QUERY_BYTES_MAX)


def of_form(request: HttpRequest) -> Parameters:
    """From the body, which alone may carry them here. Raises Refused, also for a repeated name."""
    charset = (request.content_params or {}).get("charset", "utf-8")
    if request.content_type != _FORM or charset.lower() != "utf-8":
        raise Refused("invalid_request", f"the body must be {_FORM} in UTF-8")
    if request.META.get("QUERY_STRING"):
        raise Refused("invalid_request", "parameters belong in the body")
    parameters = _parsed(_body(request), _BODY_BYTES_MAX)
    if parameters.repeated:
        raise Refused("invalid_request", "a parameter is repeated")
    return parameters


def _body(request: HttpRequest) -> bytes:
    try:
        return request.body
    except RequestDataTooBig:
        raise Refused("invalid_request", "the body is too large", status=413) from None


def _parsed(raw: bytes, bytes_max: int) -> Parameters:
    if len(raw) > bytes_max:
        raise Refused("invalid_request", "the request is too long", status=413)
    try:
        pairs = parse_qsl(raw.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=_FIELDS_MAX)
    except ValueError:  # UnicodeDecodeError is one too
        raise Refused("invalid_request", "not form-encoded UTF-8, or too many parameters") from None
    if b"\x00" in raw or b"%00" in raw:
        raise Refused("invalid_request", "NUL is no character of any parameter")
    counted = Counter([name for name, _ in pairs])
    repeated = frozenset([name for name, count in counted.items() if count > 1])
    return Parameters({name: value for name, value in pairs if value}, repeated)
