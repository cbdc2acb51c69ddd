"""How it ended, and the way back to the platform."""

from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_http_methods, require_safe

from consents import clock
from consents.errors import ConsentNotFound
from consents.models import Consent, ConsentAccount
from consents.scopes import DurationType
from consents.standing import status_of
from consents.states import LIVE_CONSENTS, ConsentStatus
from gateway.oauth import answers
from gateway.oauth.errors import AnswerError
from gateway.oauth.models import AuthorizationRequest
from gateway.portal import accounts
from gateway.portal.connect import steps
from gateway.portal.pages import PersonRequest, SeeOther, lets_forms_reach, page
from gateway.portal.summaries import summaries
from gateway.request_ids import request_id_of


@require_safe
@page
def done(request: PersonRequest, consent_id: UUID) -> HttpResponse:
    """What was allowed, or that nothing was: by the consent's own status, whatever way led here."""
    now = clock.now()
    consent = steps.own_or_404(request, consent_id)
    (summary,) = summaries([consent], request.user.id, now=now)
    if summary.is_waiting:
        return steps.to("connect", consent_id)
    rows = list(ConsentAccount.objects.filter(consent_id=consent_id))
    labelled = accounts.labels(request.user.id, rows, now=now, request_id=request_id_of(request))
    origin = _waiting_origin(consent_id)
    response = render(
        request,
        f"portal/connect/{_template(summary.status)}",
        {
            "consent": summary,
            "accounts": accounts.texts(labelled, [row.account_id for row in rows]),
            "can_return": bool(origin),
            "is_one_time": consent.duration_type == DurationType.ONE_TIME,
        },
    )
    return lets_forms_reach(response, origin) if origin else response


@require_http_methods(["GET", "HEAD", "POST"])
@page
def return_to_platform(request: PersonRequest, consent_id: UUID) -> HttpResponse:
    """POST gives the platform its one answer. GET, which a sign-in in between may cause, leads to the page before."""
    consent = steps.own_or_404(request, consent_id)
    if request.method != "POST":
        return steps.to("done", consent_id)
    try:
        return SeeOther(_answer(consent))
    except (AnswerError, ConsentNotFound):
        return steps.to("done", consent_id)  # it has its answer, or never asked for one: that page says so


def _answer(consent: Consent) -> str:
    """Raises AnswerError, ConsentNotFound."""
    now = clock.now()
    if status_of(consent, now) in LIVE_CONSENTS:
        return answers.granted(consent.id, consent.user_id, now=now)
    return answers.refused(consent.id, consent.user_id, "access_denied", now=now)


def _waiting_origin(consent_id: UUID) -> str:
    """Where the platform waits for its answer; "" when it does not, or has had it."""
    if not AuthorizationRequest.objects.filter(consent_id=consent_id, answered_at=None).exists():
        return ""
    return answers.redirect_origin(consent_id)


def _template(status: ConsentStatus) -> str:
    if status in LIVE_CONSENTS:
        return "done.html"
    return "refused.html" if status == ConsentStatus.REJECTED else "over.html"
