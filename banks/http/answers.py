"""What a bank answered: its JSON, or the BankError that it stands for."""

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from http.client import IncompleteRead, RemoteDisconnected

from urllib3.exceptions import DecodeError, NewConnectionError, ProtocolError, SSLError
from urllib3.exceptions import TimeoutError as PoolTimeoutError

from banks.errors import (
    After,
    AnswerTooLarge,
    BankError,
    BankFormatChanged,
    BankRateLimited,
    BankTimeout,
    BankUnavailable,
    Retry,
)
from banks.http.exchanges import HttpLimits
from banks.strict_json import JsonValue, parse

JSON_TYPES = frozenset({"application/json"})

_RETRY_AFTER_MAX_SECONDS = 24 * 60 * 60


@dataclass(frozen=True, slots=True)
class Answer:
    """A bank's answer below 500 that is neither 429 nor a redirect.

    `json` is None when there is no body, and for refusals (400-499) whose body is not the expected type or not JSON.
    """

    status: int
    headers: Mapping[str, str] = field(repr=False)  #: names in lower case
    json: JsonValue = field(repr=False)
    origin: str


def json_of(
    status: int, headers: Mapping[str, str], content: bytearray, types: frozenset[str], limits: HttpLimits
) -> JsonValue:
    """What stands in the body; None as of Answer. Raises BankFormatChanged, AnswerTooLarge."""
    if status == 204 or (status >= 400 and not content):
        return None
    media_type, _, parameters = headers.get("content-type", "").lower().partition(";")
    charset = re.search(r'charset\s*=\s*"?([^\s";]+)', parameters)
    reason = ""
    if media_type.strip() not in types:
        reason = "content_type"
    elif charset and charset[1] not in ("utf-8", "utf8"):
        reason = "charset"
    else:
        try:
            return parse(content, depth_max=limits.json_depth_max, values_max=limits.json_values_max)
        except (BankFormatChanged, AnswerTooLarge) as error:
            if status < 400 or isinstance(error, AnswerTooLarge):
                raise
    if status < 400:
        raise BankFormatChanged(reason, upstream_status=status)
    return None


def raise_for_status(status: int, headers: Mapping[str, str]) -> None:
    """Raises BankRateLimited, BankUnavailable, BankFormatChanged for what is no Answer."""
    if status == 429:
        raise BankRateLimited("429", upstream_status=status, retry=_retry(headers))
    if status >= 500:
        raise BankUnavailable("5xx", upstream_status=status, retry=_retry(headers))
    if status < 200 or 300 <= status < 400:
        raise BankFormatChanged("redirect" if status >= 300 else "status", upstream_status=status)


def _retry(headers: Mapping[str, str]) -> Retry:
    return After(retry_after_seconds(headers.get("retry-after"), now=time.time()))


def retry_after_seconds(text: str | None, *, now: float) -> int | None:
    """Retry-After in either form (RFC 9110 section 10.2.3), kept within 1 second and 24 hours.

    `now`: seconds since the epoch. None when absent or not understood.
    """
    if text is None:
        return None
    text = text.strip()
    seconds: float
    if text.isascii() and text.isdigit():
        seconds = int(text) if len(text) <= 9 else _RETRY_AFTER_MAX_SECONDS
    else:
        try:
            seconds = parsedate_to_datetime(text).timestamp() - now
        except (ValueError, OverflowError, TypeError, IndexError):
            return None
    return round(min(max(seconds, 1), _RETRY_AFTER_MAX_SECONDS))


def failure_of(error: Exception) -> BankError:
    """Who is at fault, and a code for it; never the library's text, which quotes what was sent and received."""
    cause = error.args[1] if isinstance(error, ProtocolError) and len(error.args) > 1 else error
    # First, because urllib3 counts it among the timeouts, though nothing timed out.
    if isinstance(error, NewConnectionError):
        return BankUnavailable("connect")
    if isinstance(cause, PoolTimeoutError | TimeoutError):
        return BankTimeout("deadline")
    if isinstance(error, SSLError):
        return BankUnavailable("tls")
    if isinstance(error, DecodeError):
        return BankFormatChanged("gzip")
    if isinstance(cause, IncompleteRead):
        return BankFormatChanged("truncated")
    if isinstance(cause, RemoteDisconnected | OSError):
        return BankUnavailable("connection")
    return BankFormatChanged("http")
