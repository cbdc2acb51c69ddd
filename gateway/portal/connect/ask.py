"""Who asks, for what and until when; and the way to say no."""

from datetime import datetime, timedelta
from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_http_methods, require_safe

from consents import lifecycle
from consents.errors import TransitionRefused
from consents.models import Consent
from consents.scopes import Purpose
from gateway import words
from gateway.portal.connect import steps
from gateway.portal.connect.steps import step
from gateway.portal.pages import PersonRequest, actor_of
from gateway.portal.summaries import terms_of


@require_safe
@step
def ask(request: PersonRequest, consent: Consent, now: datetime) -> HttpResponse:
    return render(
        request,
        "portal/connect/ask.html",
        {
            "consent": consent,
            "terms": terms_of(consent),
            "registered_for": [words.PURPOSE_WORDS[Purpose(name)][0] for name in consent.platform.purposes],
            "until": now + timedelta(days=consent.duration_days or 0),
            "promises": words.PROMISES,
            "prevented": words.PREVENTED,
        },
    )


@require_http_methods(["GET", "HEAD", "POST"])
@step
def refuse(request: PersonRequest, consent: Consent, now: datetime) -> HttpResponse:
    """POST says no. GET, which a sign-in in between may cause, leads back to the question."""
    if request.method != "POST":
        return steps.to("connect", consent.id)
    return _reject(request, consent.id, now)


def _reject(request: PersonRequest, consent_id: UUID, now: datetime) -> HttpResponse:
    try:
        lifecycle.reject(
            consent_id=consent_id, user_id=request.user.id, reason="user_refused", actor=actor_of(request), now=now
        )
    except TransitionRefused:
        pass  # answered a moment ago, in another window: the next page says how
    steps.forget(request, consent_id)
    return steps.to("done", consent_id)
