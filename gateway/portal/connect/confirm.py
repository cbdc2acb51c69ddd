"""Everything once more, and the answer."""

from datetime import datetime, timedelta

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_http_methods

from banks import sharing
from consents.errors import TransitionRefused
from consents.lifecycle import AccountChoice
from consents.models import Consent
from consents.scopes import Scope
from gateway.portal import accounts
from gateway.portal.connect import steps
from gateway.portal.connect.steps import step
from gateway.portal.disclosure import DisclosureText, disclosure
from gateway.portal.pages import PersonRequest, actor_of
from gateway.portal.summaries import bank_names
from gateway.request_ids import request_id_of


@require_http_methods(["GET", "HEAD", "POST"])
@step
def confirm(request: PersonRequest, consent: Consent, now: datetime) -> HttpResponse:
    """POST with `disclosure`, the hash of the text that was on the page, says yes to that text and to no other."""
    remembered = steps.remembered(request, consent.id)
    chosen = [choice for choice in steps.offered(request, consent, now) if choice.account_id in remembered]
    if not chosen:
        return steps.to("accounts", consent.id)
    text = _text(request, consent, chosen, now)
    if request.method == "POST" and request.POST.get("disclosure") == text.sha256:
        return _grant(request, consent, chosen, text, now)
    context = {"consent": consent, "disclosure": text, "has_changed": request.method == "POST"}
    return render(request, "portal/connect/confirm.html", context, status=409 if request.method == "POST" else 200)


def _text(request: PersonRequest, consent: Consent, chosen: list[AccountChoice], now: datetime) -> DisclosureText:
    labelled = accounts.labels(request.user.id, chosen, now=now, request_id=request_id_of(request))
    return disclosure(
        consent,
        banks=bank_names(choice.institution_id for choice in chosen),
        accounts=accounts.texts(labelled, [choice.account_id for choice in chosen]),
        until=now + timedelta(days=consent.duration_days or 0),
    )


def _grant(
    request: PersonRequest, consent: Consent, chosen: list[AccountChoice], text: DisclosureText, now: datetime
) -> HttpResponse:
    try:
        sharing.grant(
            consent_id=consent.id,
            user_id=request.user.id,
            session_key=request.session.session_key or "",
            account_ids=[choice.account_id for choice in chosen],
            scopes=[Scope(scope) for scope in consent.scopes],
            disclosure=text.as_agreed(),
            actor=actor_of(request),
            now=now,
        )
    except ValueError:
        return steps.to("accounts", consent.id)  # linked anew in another window: other accounts are on offer now
    except TransitionRefused:
        pass  # answered a moment ago, in another window: the next page says how
    steps.forget(request, consent.id)
    return steps.to("done", consent.id)
