"""What the steps share: whose request it is, whether it still waits, and what was chosen so far."""

from collections.abc import Callable
from datetime import datetime
from functools import wraps
from typing import Concatenate, ParamSpec, cast
from uuid import UUID

from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.urls import reverse

from banks import sharing
from banks.sharing import Offer
from consents import clock, lifecycle
from consents.models import Consent
from consents.scopes import Scope
from consents.standing import status_of
from consents.states import ConsentStatus, PlatformStatus
from gateway.identity import assurance
from gateway.portal.connect.choices import Choices, from_session, to_session
from gateway.portal.pages import PersonRequest, PersonView, SeeOther, View, page
from gateway.request_ids import request_id_of

Parameters = ParamSpec("Parameters")
Step = Callable[Concatenate[PersonRequest, Consent, datetime, Parameters], HttpResponse]

_SESSION_KEY = "choices"


def step(view: Step[Parameters]) -> View[Concatenate[UUID, Parameters]]:
    """A page of the flow: its view gets the waiting consent and the instant.

    Somebody else's consent is not there; one's own that was answered, or ran out, leads to the page that says so. Of a
    platform that is not active (any more) nothing is shown but that.
    """

    @wraps(view)
    def shown(
        request: PersonRequest, consent_id: UUID, *args: Parameters.args, **kwargs: Parameters.kwargs
    ) -> HttpResponse:
        now = clock.now()
        consent = own_or_404(request, consent_id)
        if status_of(consent, now) != ConsentStatus.AWAITING_AUTHORISATION:
            return to("done", consent_id)
        if consent.platform.status != PlatformStatus.ACTIVE:
            context = {"consent": consent, "reference": request_id_of(request)}
            return render(request, "portal/connect/platform_stopped.html", context, status=403)
        return view(request, consent, now, *args, **kwargs)

    return page(cast("PersonView[Concatenate[UUID, Parameters]]", shown))


def own_or_404(request: PersonRequest, consent_id: UUID) -> Consent:
    consent = Consent.objects.select_related("user", "platform").filter(id=consent_id, user_id=request.user.id).first()
    if consent is None:
        raise Http404
    return consent


def to(name: str, consent_id: UUID, *more: str) -> SeeOther:
    return SeeOther(reverse(f"portal:{name}", args=[consent_id, *more]))


def everything(consent: Consent, now: datetime) -> Consent:
    """The question as it would be if all of it were allowed."""
    return lifecycle.as_if_authorised(consent, scopes=[Scope(scope) for scope in consent.scopes], now=now)


def wanted(request: PersonRequest, consent: Consent, now: datetime) -> Consent:
    """The question as this person would now allow it."""
    choices = chosen(request, consent.id)
    return lifecycle.as_if_authorised(
        consent, scopes=choices.scopes(consent), narrower=choices.narrower(consent), now=now
    )


def offer(request: PersonRequest, consent: Consent, now: datetime) -> Offer:
    """What may be shared in this flow and browser, of what is now chosen."""
    return sharing.offer(
        wanted(request, consent, now),
        session_key=request.session.session_key or "",
        now=now,
        stepped_up_at=assurance.second_factor_at(request),
    )


def has_accounts(request: PersonRequest, consent: Consent, now: datetime) -> bool:
    """Whether accounts are ticked that may be shared: whoever changes something then goes back to the summary."""
    ticked = chosen(request, consent.id).account_ids
    return bool(ticked) and any(choice.account_id in ticked for choice in offer(request, consent, now).accounts)


# -- what was chosen so far: in the session, so on the server; looked at again before it counts -----------------------


def remember(request: PersonRequest, consent_id: UUID, choices: Choices) -> None:
    kept = dict(request.session.get(_SESSION_KEY, {}))
    kept[str(consent_id)] = to_session(choices)
    request.session[_SESSION_KEY] = kept


def chosen(request: PersonRequest, consent_id: UUID) -> Choices:
    return from_session(request.session.get(_SESSION_KEY, {}).get(str(consent_id), {}))


def forget(request: PersonRequest, consent_id: UUID) -> None:
    kept = dict(request.session.get(_SESSION_KEY, {}))
    if kept.pop(str(consent_id), None) is not None:
        request.session[_SESSION_KEY] = kept
