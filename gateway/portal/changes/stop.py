"""The end of sharing: of one consent, or of all of them. Two actions, and it has happened when the answer comes."""

from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from consents import clock, lifecycle
from consents.states import LIVE_CONSENTS, ConsentStatus
from gateway.portal.changes.acts import deletes_at_once, done, to_consent
from gateway.portal.own import own, own_or_404
from gateway.portal.pages import PersonRequest, SeeOther, actor_of, page
from gateway.portal.summaries import summaries


@require_http_methods(["GET", "HEAD", "POST"])
@page
def stop(request: PersonRequest, consent_id: UUID) -> HttpResponse:
    """GET tells what happens; POST does it."""
    now = clock.now()
    if request.method == "POST":
        done(
            lambda: lifecycle.revoke(
                consent_id=consent_id,
                user_id=request.user.id,
                reason="user_request",
                actor=actor_of(request),
                now=now,
                deletes_at_once=deletes_at_once(request),
            )
        )
        return to_consent(consent_id)
    (summary,) = summaries([own_or_404(request, consent_id)], request.user.id, now=now)
    if not summary.is_live:
        return to_consent(consent_id)
    return render(request, "portal/stop.html", {"consent": summary})


@require_http_methods(["GET", "HEAD", "POST"])
@page
def stop_everything(request: PersonRequest) -> HttpResponse:
    """All consents and all open requests, in one transaction. Doing it twice does nothing more."""
    now = clock.now()
    if request.method == "POST":
        ended = lifecycle.revoke_all(
            user_id=request.user.id,
            reason="stop_everything",
            actor=actor_of(request),
            now=now,
            deletes_at_once=deletes_at_once(request),
        )
        if ended:
            messages.success(request, _told(len(ended)))
        return SeeOther(reverse("portal:consents"))
    unfinished = own(request).filter(expires_at__gt=now, status__in=(*LIVE_CONSENTS, _WAITING))
    listed = summaries(list(unfinished.order_by("-created_at", "-id")), request.user.id, now=now)
    if not listed:
        return SeeOther(reverse("portal:consents"))
    return render(
        request,
        "portal/stop_everything.html",
        {"live": [one for one in listed if one.is_live], "waiting": [one for one in listed if one.is_waiting]},
    )


_WAITING = ConsentStatus.AWAITING_AUTHORISATION


def _told(count: int) -> str:
    number = "The one app you shared with" if count == 1 else f"All {count} apps you shared with"
    return f"Everything is stopped. {number} can read nothing more through Sluice."
