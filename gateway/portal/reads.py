"""The usage log: every read of what one shares, and every look-up by a bank's staff; as a page, as CSV and as JSON."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import cast
from urllib.parse import urlencode
from uuid import UUID

from django.http import Http404, HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.utils.safestring import SafeString
from django.views.decorators.http import require_safe

from consents import clock
from consents.models import ConsentAccount
from consents.scopes import Record
from gateway import charts, words
from gateway.portal import accounts, exports, usage, usage_lines
from gateway.portal.own import own, own_or_404
from gateway.portal.pages import PersonRequest, page
from gateway.portal.usage import Position, Wanted
from gateway.portal.usage_lines import ReadLine
from gateway.request_ids import request_id_of

PAGE_SIZE = 50
#: Entries that an export reads at once.
CHUNK = 500
#: Value of the kind that is no record of ours.
LOOKUP = "lookup"


@dataclass(frozen=True, slots=True)
class Option:
    value: str
    label: str
    is_chosen: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The filter as it was sent, and what it means. `problems`: field -> what is wrong; then nothing is looked for."""

    fields: dict[str, str]
    wanted: Wanted
    problems: dict[str, str]

    @property
    def query(self) -> str:
        return urlencode({name: value for name, value in self.fields.items() if value})


@require_safe
@page
def read_list(request: PersonRequest) -> HttpResponse:
    now = clock.now()
    asked = _asked(request)
    after = _position(request.GET.get("after", ""))
    entries, older = ([], None) if asked.problems else _page(request, asked.wanted, after, now)
    context = {
        "lines": entries,
        "asked": asked,
        "consent": own_or_404(request, asked.wanted.consent_id) if asked.wanted.consent_id else None,
        "is_first": after is None,
        "older": older,
        "chart": None if asked.problems or after else _chart(request, asked.wanted, now),
        "error": next(iter(asked.problems.values()), ""),
        "target": next(iter(asked.problems), ""),
        **_options(request, asked, now),
    }
    return render(request, "portal/reads.html", context, status=422 if asked.problems else 200)


@require_safe
@page
def as_csv(request: PersonRequest) -> HttpResponse:
    return _download(exports.csv_of(_all(request)), "text/csv; charset=utf-8", "csv")


@require_safe
@page
def as_json(request: PersonRequest) -> HttpResponse:
    return _download(exports.json_of(_all(request)), "application/json", "json")


def _download(parts: Iterator[str], content_type: str, ending: str) -> HttpResponse:
    headers = {"Content-Disposition": f'attachment; filename="reads.{ending}"'}
    # Django's two responses share no class that has all of a response; what wraps views here uses neither's own.
    return cast(HttpResponse, StreamingHttpResponse(parts, content_type=content_type, headers=headers))


def _all(request: PersonRequest) -> Iterator[ReadLine]:
    """Every entry that the filter lets through, however many; raises Http404 for a filter that means nothing."""
    now = clock.now()
    asked = _asked(request)
    if asked.problems:
        raise Http404
    return _chunks(request, asked.wanted, now)


def _chunks(request: PersonRequest, wanted: Wanted, now: datetime) -> Iterator[ReadLine]:
    after: Position | None = None
    while True:
        entries, after = usage.page(request.user.id, wanted, size=CHUNK, now=now, after=after)
        yield from usage_lines.lines(entries, request.user.id, now=now, request_id=request_id_of(request))
        if after is None:
            return


def _page(
    request: PersonRequest, wanted: Wanted, after: Position | None, now: datetime
) -> tuple[list[ReadLine], Position | None]:
    entries, older = usage.page(request.user.id, wanted, size=PAGE_SIZE, now=now, after=after)
    return usage_lines.lines(entries, request.user.id, now=now, request_id=request_id_of(request)), older


def _chart(request: PersonRequest, wanted: Wanted, now: datetime) -> SafeString | None:
    if not wanted.has_reads:
        return None
    days = usage.by_day(request.user.id, wanted, now=now)
    points = [(f"{day.day} {day:%B}", count) for day, count in days]
    return charts.bars(f"Reads on each of the last {usage.CHART_DAYS} days", points, unit="reads")


# -- the filter --------------------------------------------------------------------------------------------------------

_NAMES = ("consent", "platform", "kind", "account", "from", "to")


def _asked(request: PersonRequest) -> Asked:
    fields = {name: request.GET.get(name, "").strip() for name in _NAMES}
    problems: dict[str, str] = {}
    kind = fields["kind"]
    if kind and kind != LOOKUP and kind not in tuple(Record):
        problems["kind"] = "Choose a kind from the list"
    wanted = Wanted(
        consent_id=_own_consent(request, fields["consent"]),
        platform_id=_id(fields, "platform", "Choose an app from the list", problems),
        record=Record(kind) if kind in tuple(Record) else None,
        account_id=_id(fields, "account", "Choose an account from the list", problems),
        first_on=_day(fields, "from", problems),
        last_on=_day(fields, "to", problems),
        lookups={LOOKUP: True, "": None}.get(kind, False),
    )
    if wanted.first_on and wanted.last_on and wanted.first_on > wanted.last_on:
        problems["from"] = "The first day must not be after the last day"
    return Asked(fields=fields, wanted=wanted, problems=problems)


def _own_consent(request: PersonRequest, text: str) -> UUID | None:
    """Raises Http404 for a consent that is not theirs."""
    if not text:
        return None
    try:
        return own_or_404(request, UUID(text)).id
    except ValueError as error:
        raise Http404 from error


def _id(fields: Mapping[str, str], name: str, problem: str, problems: dict[str, str]) -> UUID | None:
    try:
        return UUID(fields[name]) if fields[name] else None
    except ValueError:
        problems[name] = problem
        return None


def _day(fields: Mapping[str, str], name: str, problems: dict[str, str]) -> date | None:
    try:
        return date.fromisoformat(fields[name]) if fields[name] else None
    except ValueError:
        problems[name] = "Write a day as year-month-day, such as 2026-05-31"
        return None


def _position(text: str) -> Position | None:
    """Raises Http404 for one that no page of ours leads to."""
    try:
        return Position.parsed(text) if text else None
    except ValueError as error:
        raise Http404 from error


def _options(request: PersonRequest, asked: Asked, now: datetime) -> dict[str, list[Option]]:
    """What there is to choose: only what this person ever shared."""
    platforms = own(request).exclude(authorised_at=None).values_list("platform_id", "platform__name")
    names = {str(one): name for one, name in platforms.order_by("platform__name").distinct()}
    rows = ConsentAccount.objects.filter(consent__user_id=request.user.id)
    labelled = accounts.labels(request.user.id, rows, now=now, request_id=request_id_of(request))
    kinds = {**{str(record): label for record, label in words.RECORD_WORDS.items()}, LOOKUP: "Look-ups by your bank"}
    return {
        "platforms": _chosen(names, asked.fields["platform"]),
        "kinds": _chosen(kinds, asked.fields["kind"]),
        "accounts": _chosen({str(one): label.text for one, label in labelled.items()}, asked.fields["account"]),
    }


def _chosen(labels: Mapping[str, str], chosen: str) -> list[Option]:
    return [Option(value, label, value == chosen) for value, label in labels.items()]
