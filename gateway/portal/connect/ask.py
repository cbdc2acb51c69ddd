"""Who asks, and what for in one sentence; and the way to say no."""

from datetime import datetime
from urllib.parse import urlsplit
from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_http_methods, require_safe

from consents import lifecycle
from consents.errors import ConsentNotFound, TransitionRefused
from consents.models import Consent
from consents.scopes import Purpose
from gateway import words
from gateway.oauth import answers
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
            "returns_to": _returns_to(consent),
            "is_first": not _has_shared(consent),
        },
    )


@require_http_methods(["GET", "HEAD", "POST"])
@step
def refuse(request: PersonRequest, consent: Consent, now: datetime) -> HttpResponse:
    """POST says no. GET, which a sign-in in between may cause, leads back to the question."""
    if request.method != "POST":
        return steps.to("connect", consent.id)
    return _reject(request, consent.id, now)


def _returns_to(consent: Consent) -> str:
    """The site that gets the answer, as registered; "" when nobody waits for one."""
    try:
        return urlsplit(answers.redirect_origin(consent.id)).netloc
    except ConsentNotFound:
        return ""


def _has_shared(consent: Consent) -> bool:
    """With this platform, ever: a name one does not know is the sign of somebody who only looks like it."""
    earlier = Consent.objects.filter(user_id=consent.user_id, platform_id=consent.platform_id)
    return earlier.exclude(authorised_at=None).exists()


def _reject(request: PersonRequest, consent_id: UUID, now: datetime) -> HttpResponse:
    try:
        lifecycle.reject(
            consent_id=consent_id, user_id=request.user.id, reason="user_refused", actor=actor_of(request), now=now
        )
    except TransitionRefused:
        pass  # answered a moment ago, in another window: the next page says how
    steps.forget(request, consent_id)
    return steps.to("done", consent_id)
