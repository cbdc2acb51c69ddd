"""The list of what one shares, each consent's own page, and the way to stop it."""

from uuid import UUID

from django.db.models import QuerySet
from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from consents import clock, lifecycle
from consents.errors import ConsentNotFound, TransitionRefused
from consents.models import Consent, ConsentAccount
from consents.states import LIVE_CONSENTS
from gateway.portal import accounts, links, usage
from gateway.portal.pages import PersonRequest, SeeOther, actor_of, page
from gateway.portal.summaries import summaries
from gateway.request_ids import request_id_of

#: Ended and waiting consents on the list, newest first; those beyond it are not lost, only not listed here. What is
#: live has no bound: platforms open requests at will, and must not push a consent out of reach of its stop link.
LISTED = 100


@require_safe
@page
def consent_list(request: PersonRequest) -> HttpResponse:
    now = clock.now()
    own = _own(request).order_by("-created_at", "-id")
    live = list(own.filter(status__in=LIVE_CONSENTS))
    others = list(own.exclude(status__in=LIVE_CONSENTS)[: LISTED + 1])
    listed = summaries([*live, *others[:LISTED]], request.user.id, now=now)
    return render(
        request,
        "portal/consents.html",
        {
            "waiting": [one for one in listed if one.is_waiting],
            "live": [one for one in listed if one.is_live],
            "ended": [one for one in listed if not one.is_live and not one.is_waiting],
            "is_cut": len(others) > LISTED,
            "limit": LISTED,
            "waiting_links": links.waiting(request.user.id, now=now),
        },
    )


@require_safe
@page
def consent_detail(request: PersonRequest, consent_id: UUID) -> HttpResponse:
    now = clock.now()
    consent = _own_or_404(request, consent_id)
    (summary,) = summaries([consent], request.user.id, now=now)
    rows = list(ConsentAccount.objects.filter(consent_id=consent_id).order_by("added_at", "id"))
    labelled = accounts.labels(request.user.id, rows, now=now, request_id=request_id_of(request))
    reads, total = usage.latest(request.user.id, consent_id, now=now)
    return render(
        request,
        "portal/consent.html",
        {
            "consent": summary,
            "accounts": accounts.texts(labelled, [row.account_id for row in rows]),
            "reads": usage.lines(reads, labelled),
            "total": total,
        },
    )


@require_http_methods(["GET", "HEAD", "POST"])
@page
def stop(request: PersonRequest, consent_id: UUID) -> HttpResponse:
    """GET tells what happens; POST does it, and it has happened when the answer comes."""
    now = clock.now()
    if request.method == "POST":
        _revoke(request, consent_id)
        return SeeOther(reverse("portal:consent", args=[consent_id]))
    (summary,) = summaries([_own_or_404(request, consent_id)], request.user.id, now=now)
    if not summary.is_live:
        return SeeOther(reverse("portal:consent", args=[consent_id]))
    return render(request, "portal/stop.html", {"consent": summary})


def _revoke(request: PersonRequest, consent_id: UUID) -> None:
    try:
        lifecycle.revoke(
            consent_id=consent_id,
            user_id=request.user.id,
            reason="user_request",
            actor=actor_of(request),
            now=clock.now(),
        )
    except ConsentNotFound as error:
        raise Http404 from error
    except TransitionRefused:
        pass  # it had ended already: its own page says when, and by whom


def _own(request: PersonRequest) -> QuerySet[Consent]:
    return Consent.objects.filter(user_id=request.user.id).select_related("platform")


def _own_or_404(request: PersonRequest, consent_id: UUID) -> Consent:
    """Somebody else's is not there at all."""
    consent = _own(request).filter(id=consent_id).first()
    if consent is None:
        raise Http404
    return consent
