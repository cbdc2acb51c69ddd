"""To the bank and back: the choice of a bank, the announced redirect, and the bank's answer."""

from datetime import datetime

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_http_methods, require_safe

from banks import connections, directory
from banks.directory import InstitutionCard
from banks.errors import (
    BankError,
    InstitutionNotFound,
    LinkFailed,
    LinkStateInvalid,
    NotRenewable,
    RenewalFailed,
)
from consents import clock
from consents.errors import Denied, TransitionRefused
from consents.models import Consent
from gateway import words
from gateway.portal import links
from gateway.portal.connect import steps
from gateway.portal.connect.steps import step
from gateway.portal.pages import PersonRequest, SeeOther, address_of, lets_forms_reach, private, status_of
from gateway.request_ids import request_id_of

#: Up to here a list is read faster than it is searched.
SEARCH_FROM = 7


@require_http_methods(["GET", "HEAD", "POST"])
@step
def choose(request: PersonRequest, consent: Consent, now: datetime) -> HttpResponse:
    """GET lists and filters (`q`); POST takes `institution`, a slug."""
    every = directory.institutions()
    chosen = request.POST.get("institution", "")
    if any(card.slug == chosen for card in every):
        return steps.to("redirect", consent.id, chosen)
    wanted = request.GET.get("q", "").strip()
    return render(
        request,
        "portal/connect/bank.html",
        {
            "consent": consent,
            "banks": [_row(card, is_only=len(every) == 1) for card in _matching(every, wanted)],
            "wanted": wanted,
            "searchable": len(every) >= SEARCH_FROM,
            "error": "Choose your bank" if request.method == "POST" else "",
        },
        status=422 if request.method == "POST" else 200,
    )


@require_http_methods(["GET", "HEAD", "POST"])
@step
def announce(request: PersonRequest, consent: Consent, now: datetime, slug: str) -> HttpResponse:
    """GET says where one is going; POST goes."""
    try:
        card = directory.institution(slug)
        if request.method == "POST":
            return SeeOther(_link(request, consent, slug, now))
    except InstitutionNotFound as error:
        raise Http404 from error
    except TransitionRefused:
        return steps.to("done", consent.id)  # answered a moment ago, in another window
    except Denied:
        return _not_linked(request, consent, "not_accepted", status=403)
    except BankError as error:
        return _failed(request, consent, error)
    # A host without a scheme: http matches http and https, https only https (CSP 3 section 6.7.2.8).
    response = render(request, "portal/connect/redirect.html", {"consent": consent, "bank": card})
    return lets_forms_reach(response, card.domain)


@require_safe
@private
def callback(request: HttpRequest, slug: str) -> HttpResponse:
    """The bank's answer. Whoever is not signed in here did not start this; signing in now would not make it theirs."""
    if not request.user.is_authenticated:
        return _nothing_linked(request)
    try:
        finished = connections.finish_link(
            user_id=request.user.id,
            slug=slug,
            session_key=request.session.session_key or "",
            parameters=request.GET.dict(),
            now=clock.now(),
            customer_ip_address=address_of(request),
        )
    except (LinkStateInvalid, InstitutionNotFound, TransitionRefused, NotRenewable):
        return _nothing_linked(request)
    except RenewalFailed as failure:
        return links.not_renewed(request, failure.connection_id, failure.cause)
    except LinkFailed as failure:
        consent = Consent.objects.select_related("platform").get(id=failure.consent_id, user_id=request.user.id)
        return _failed(request, consent, failure.cause)
    if finished.consent_id is None:
        return links.renewed(request, finished.connection_id)
    return steps.to("accounts", finished.consent_id)


def _link(request: PersonRequest, consent: Consent, slug: str, now: datetime) -> str:
    return connections.start_link(
        user_id=request.user.id,
        consent_id=consent.id,
        slug=slug,
        session_key=request.session.session_key or "",
        now=now,
    )


def _matching(cards: list[InstitutionCard], wanted: str) -> list[InstitutionCard]:
    return [card for card in cards if wanted.casefold() in card.name.casefold()]


def _row(card: InstitutionCard, *, is_only: bool) -> dict[str, object]:
    return {"card": card, "health": words.HEALTH_WORDS[card.status], "is_checked": is_only}


def _nothing_linked(request: HttpRequest) -> HttpResponse:
    return render(request, "portal/connect/nothing_linked.html", {"reference": request_id_of(request)}, status=400)


def _failed(request: HttpRequest, consent: Consent, cause: BankError) -> HttpResponse:
    """What happened in our words, never the bank's: its error text is nobody's but ours to read."""
    return _not_linked(request, consent, words.failure(cause.code), status=status_of(cause))


def _not_linked(request: HttpRequest, consent: Consent, cause: str, *, status: int) -> HttpResponse:
    context = {"consent": consent, "cause": cause, "reference": request_id_of(request)}
    return render(request, "portal/connect/failed.html", context, status=status)
