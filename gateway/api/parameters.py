"""Query parameters, read strictly: each known, given once, and well-formed, or the request is refused.

A parameter that is silently ignored is a filter the platform believes in and does not get.
"""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import TypeVar

from django.http import QueryDict

from banks.read import PAGE_LIMIT_MAX
from banks.types import TransactionStatus
from consents.states import ConsentStatus
from gateway.errors import FieldProblem, RequestInvalid

Word = TypeVar("Word", bound=StrEnum)

LIMIT_DEFAULT = 100
FIRST_DAY, LAST_DAY = date(1900, 1, 1), date(2999, 12, 31)
#: A removed row is never handed out, so nobody can ask for one.
STATUSES = (TransactionStatus.PENDING, TransactionStatus.BOOKED)

_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}\Z")
_LIMIT = re.compile(r"[1-9][0-9]{0,2}\Z")
_ECHO_LENGTH = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class TransactionQuery:
    """Days are inclusive and compared with `listed_on`. `cursor` is as it came."""

    start_on: date | None
    end_on: date | None
    status: TransactionStatus | None
    limit: int
    cursor: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeQuery:
    """`cursor` is as it came."""

    limit: int
    cursor: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EventQuery:
    """`after` is as it came."""

    limit: int
    after: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentQuery:
    """`cursor` is as it came."""

    status: ConsentStatus | None
    limit: int
    cursor: str | None


def none(query: QueryDict) -> None:
    """For addresses that take no parameter. Raises RequestInvalid."""
    _refuse(_strangers(query, ()))


def transactions(query: QueryDict) -> TransactionQuery:
    """`from`, `to`, `status`, `limit`, `cursor`. Raises RequestInvalid with every finding at once."""
    findings = _strangers(query, ("from", "to", "status", "limit", "cursor"))
    read = TransactionQuery(
        start_on=_day(query, "from", findings),
        end_on=_day(query, "to", findings),
        status=_choice(query, "status", STATUSES, findings),
        limit=_limit(query, findings),
        cursor=query.get("cursor"),
    )
    if read.start_on and read.end_on and read.start_on > read.end_on:
        findings.append(FieldProblem(parameter="from", code="out_of_order", detail="`from` is later than `to`."))
    _refuse(findings)
    return read


def changes(query: QueryDict) -> ChangeQuery:
    """`limit`, `cursor`. Raises RequestInvalid with every finding at once."""
    findings = _strangers(query, ("limit", "cursor"))
    read = ChangeQuery(limit=_limit(query, findings), cursor=query.get("cursor"))
    _refuse(findings)
    return read


def events(query: QueryDict) -> EventQuery:
    """`after`, `limit`. Raises RequestInvalid with every finding at once."""
    findings = _strangers(query, ("after", "limit"))
    read = EventQuery(limit=_limit(query, findings), after=query.get("after"))
    _refuse(findings)
    return read


def consents(query: QueryDict) -> ConsentQuery:
    """`status`, `limit`, `cursor`. Raises RequestInvalid with every finding at once."""
    findings = _strangers(query, ("status", "limit", "cursor"))
    read = ConsentQuery(
        status=_choice(query, "status", tuple(ConsentStatus), findings),
        limit=_limit(query, findings),
        cursor=query.get("cursor"),
    )
    _refuse(findings)
    return read


def _refuse(findings: list[FieldProblem]) -> None:
    if findings:
        raise RequestInvalid(findings)


def _strangers(query: QueryDict, known: Collection[str]) -> list[FieldProblem]:
    findings = []
    for name in query:
        if name not in known:
            shown = name[:_ECHO_LENGTH]
            findings.append(FieldProblem(parameter=shown, code="unknown", detail="No such parameter here."))
        elif len(query.getlist(name)) > 1:
            findings.append(FieldProblem(parameter=name, code="repeated", detail="Give it once."))
    return findings


def _day(query: QueryDict, name: str, findings: list[FieldProblem]) -> date | None:
    text = query.get(name)
    if text is None:
        return None
    try:
        day = date.fromisoformat(text) if _DAY.match(text) else None
    except ValueError:
        day = None
    if day is None or not FIRST_DAY <= day <= LAST_DAY:
        detail = f"A calendar day, YYYY-MM-DD, from {FIRST_DAY} to {LAST_DAY}."
        findings.append(FieldProblem(parameter=name, code="bad_date", detail=detail))
    return day


def _choice(query: QueryDict, name: str, choices: Sequence[Word], findings: list[FieldProblem]) -> Word | None:
    text = query.get(name)
    if text is None:
        return None
    found = next((choice for choice in choices if choice == text), None)
    if found is None:
        findings.append(FieldProblem(parameter=name, code="bad_choice", detail=f"One of: {', '.join(choices)}."))
    return found


def _limit(query: QueryDict, findings: list[FieldProblem]) -> int:
    text = query.get("limit")
    if text is None:
        return LIMIT_DEFAULT
    limit = int(text) if _LIMIT.match(text) else 0
    if not 1 <= limit <= PAGE_LIMIT_MAX:
        findings.append(FieldProblem(parameter="limit", code="out_of_range", detail=f"From 1 to {PAGE_LIMIT_MAX}."))
    return limit
