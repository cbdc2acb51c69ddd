"""The dashboard: all that one shares, what waits for an answer, what has ended; and each consent's own page."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import Q, QuerySet
from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from banks import directory
from consents import clock
from consents.models import Consent, ConsentAccount, Platform
from consents.states import LIVE_CONSENTS, ConsentStatus
from gateway.portal import accounts, links, timeline, usage, usage_lines
from gateway.portal.own import own, own_or_404
from gateway.portal.pages import PersonRequest, page
from gateway.portal.summaries import summaries
from gateway.portal.usage import Wanted
from gateway.request_ids import request_id_of

#: Ended and waiting consents on one page of the list, newest first; a link leads on to the older ones. What is live has
#: no bound: platforms open requests at will, and must not push a consent out of reach of its stop link.
LISTED = 100
#: From more consents than this on, the list can be searched.
SEARCHED_FROM = 5
LATEST_READS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """What the list is narrowed to; "" and None: everything. `before`: only what is older than this own consent."""

    text: str = ""
    state: str = ""
    before: UUID | None = None

    @property
    def is_narrowed(self) -> bool:
        return bool(self.text or self.state)


#: Value of the filter -> what it is called, and the statuses it lets through.
STATES: dict[str, tuple[str, frozenset[ConsentStatus]]] = {
    "waiting": ("Waiting for your answer", frozenset({ConsentStatus.AWAITING_AUTHORISATION})),
    "live": ("Sharing, paused or on hold", LIVE_CONSENTS),
    "ended": ("Ended", frozenset(ConsentStatus) - LIVE_CONSENTS - {ConsentStatus.AWAITING_AUTHORISATION}),
}


@require_safe
@page
def consent_list(request: PersonRequest) -> HttpResponse:
    now = clock.now()
    search = _search(request.GET)
    found = _found(request, search)
    # An older page goes on with what has ended or waits; all that is live is on the first.
    live = [] if search.before else list(found.filter(status__in=LIVE_CONSENTS))
    others = list(_older(request, found.exclude(status__in=LIVE_CONSENTS), search)[: LISTED + 1])
    listed = summaries([*live, *others[:LISTED]], request.user.id, now=now)
    return render(
        request,
        "portal/consents.html",
        {
            "waiting": [one for one in listed if one.is_waiting],
            "live": [one for one in listed if one.is_live],
            "ended": [one for one in listed if not one.is_live and not one.is_waiting],
            "older": others[LISTED - 1].id if len(others) > LISTED else None,
            "search": search,
            "states": [(value, label) for value, (label, _) in STATES.items()],
            "can_search": search.is_narrowed or search.before or len(live) + len(others) > SEARCHED_FROM,
            "waiting_links": links.waiting(request.user.id, now=now),
        },
    )


@require_safe
@page
def consent_detail(request: PersonRequest, consent_id: UUID) -> HttpResponse:
    now = clock.now()
    consent = own_or_404(request, consent_id)
    (summary,) = summaries([consent], request.user.id, now=now, fully=True)
    rows = list(ConsentAccount.objects.filter(consent_id=consent_id).order_by("added_at", "id"))
    labelled = accounts.labels(request.user.id, rows, now=now, request_id=request_id_of(request))
    return render(
        request,
        "portal/consent.html",
        {
            "consent": summary,
            "record": consent,
            "accounts": accounts.texts(labelled, [row.account_id for row in rows if row.status != "REVOKED"]),
            "taken_out": accounts.texts(labelled, [row.account_id for row in rows if row.status == "REVOKED"]),
            "happenings": timeline.timeline(consent),
            "steps": timeline.steps(consent, now=now),
            **_reads(request, consent_id, now),
        },
    )


def _reads(request: PersonRequest, consent_id: UUID, now: datetime) -> dict[str, object]:
    wanted = Wanted(consent_id=consent_id)
    latest, older = usage.page(request.user.id, wanted, size=LATEST_READS, now=now)
    lines = usage_lines.lines(latest, request.user.id, now=now, request_id=request_id_of(request))
    return {"reads": lines, "has_more_reads": older is not None}


def _search(given: Mapping[str, str]) -> Search:
    """Raises Http404 for an address that no page of ours leads to."""
    state, before = given.get("state", ""), given.get("before", "")
    if state and state not in STATES:
        raise Http404
    try:
        older_than = UUID(before) if before else None
    except ValueError as error:
        raise Http404 from error
    return Search(text=" ".join(given.get("q", "").split())[:100], state=state, before=older_than)


def _found(request: PersonRequest, search: Search) -> QuerySet[Consent]:
    found = own(request).order_by("-created_at", "-id")
    if search.state:
        found = found.filter(status__in=STATES[search.state][1])
    return _named(request, found, search.text.casefold()) if search.text else found


def _named(request: PersonRequest, found: QuerySet[Consent], text: str) -> QuerySet[Consent]:
    """Of a platform or at a bank whose name has `text` in it. Compared here: databases fold letters differently."""
    platforms = Platform.objects.filter(id__in=own(request).values("platform_id"))
    named = [one.id for one in platforms if text in f"{one.name}\n{one.legal_name}".casefold()]
    banks = [card.id for card in directory.institutions() if text in card.name.casefold()]
    at_banks = ConsentAccount.objects.filter(institution_id__in=banks, consent__user_id=request.user.id)
    return found.filter(Q(platform_id__in=named) | Q(id__in=at_banks.values("consent_id")))


def _older(request: PersonRequest, others: QuerySet[Consent], search: Search) -> QuerySet[Consent]:
    if search.before is None:
        return others
    last = own_or_404(request, search.before)
    return others.filter(Q(created_at__lt=last.created_at) | Q(created_at=last.created_at, id__lt=last.id))
