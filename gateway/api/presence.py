"""A platform's word that its user is there: `x-fapi-customer-ip-address` and `x-fapi-auth-date`, both or neither.

What the word is worth is for each bank's policy to say (consents.policy.decide).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

from gateway.errors import FieldProblem, RequestInvalid

ADDRESS_HEADER = "x-fapi-customer-ip-address"
DATE_HEADER = "x-fapi-auth-date"
#: How long ago the user may have been active last.
AGE_MAX = timedelta(minutes=15)
#: What clocks may differ by, as FAPI 2.0 (Security Profile, section 5.3.2.1) takes it of a JWT.
AHEAD_MAX = timedelta(seconds=10)

_IMF_FIXDATE = re.compile(
    r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), [0-9]{2} (?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) [0-9]{4} "
    r"[0-9]{2}:[0-9]{2}:[0-9]{2} GMT\Z"
)
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@dataclass(frozen=True, slots=True)
class Attestation:
    """Where the user is, and when they were last active there."""

    customer_ip_address: str
    active_at: datetime


def attestation(headers: Mapping[str, str], *, now: datetime) -> Attestation | None:
    """None: neither header was sent. Raises RequestInvalid with every finding at once."""
    address, date = headers.get(ADDRESS_HEADER), headers.get(DATE_HEADER)
    if address is None and date is None:
        return None
    findings: list[FieldProblem] = []
    read_address = _address(address, findings)
    active_at = _active_at(date, now, findings)
    if findings or read_address is None or active_at is None:
        raise RequestInvalid(findings)
    return Attestation(read_address, active_at)


def _address(text: str | None, findings: list[FieldProblem]) -> str | None:
    try:
        # A zone means something on one machine alone.
        read = None if text is None or "%" in text else str(ip_address(text))
    except ValueError:
        read = None
    if read is None:
        detail = f"One IPv4 or IPv6 address, and {DATE_HEADER} with it."
        findings.append(FieldProblem(header=ADDRESS_HEADER, code=_code(text, "bad_address"), detail=detail))
    return read


def _active_at(text: str | None, now: datetime, findings: list[FieldProblem]) -> datetime | None:
    instant = None if text is None else _instant(text)
    if instant is None:
        detail = f"An instant such as Tue, 15 Nov 1994 08:12:31 GMT (RFC 9110), and {ADDRESS_HEADER} with it."
        findings.append(FieldProblem(header=DATE_HEADER, code=_code(text, "bad_date"), detail=detail))
    elif not now - AGE_MAX <= instant <= now + AHEAD_MAX:
        detail = "When the user was last active: within the last 15 minutes, and not in the future."
        findings.append(FieldProblem(header=DATE_HEADER, code="out_of_range", detail=detail))
    return instant


def _code(text: str | None, otherwise: str) -> str:
    return "required" if text is None else otherwise


def _instant(text: str) -> datetime | None:
    """IMF-fixdate (RFC 9110 section 5.6.7) and no other form; read here, because strptime follows the locale."""
    if not _IMF_FIXDATE.match(text):
        return None
    month = _MONTHS.index(text[8:11]) + 1
    try:
        read = datetime(
            int(text[12:16]), month, int(text[5:7]), int(text[17:19]), int(text[20:22]), int(text[23:25]), tzinfo=UTC
        )
    except ValueError:
        return None
    return read if _DAYS[read.weekday()] == text[:3] else None
