"""To the bank and back: the choice of a bank, the announced redirect, and the bank's answer."""

from dataclasses import dataclass, replace
from datetime import datetime

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_http_methods, require_safe

from banks import authority, connections, directory, sharing
from banks.authority import Outlook
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
from consents.scopes import LocationPrecision, Scope
from gateway import words
from gateway.portal import links
from gateway.portal.connect import countries, step_up, steps
from gateway.portal.connect.choices import Choices
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
    seen = authority.outlooks(steps.everything(consent, now), [card.id for card in every], now=now)
    picked = next((card for card in every if card.slug == request.POST.get("institution", "")), None)
    if picked is not None:
        if seen[picked.id].denial:
            return _not_linked(request, consent, "not_accepted", status=403)
        chosen = replace(steps.chosen(request, consent.id), bank=picked.slug)
        steps.remember(request, consent.id, chosen)
        # Whoever has been through the terms, for another bank or before an error, is not asked again.
        return steps.to("redirect", consent.id, picked.slug) if chosen.has_terms else steps.to("scopes", consent.id)
    wanted = request.GET.get("q", "").strip()
    last = sharing.last_bank(consent.user_id)
    rows = [_row(card, consent, seen[card.id], is_only=len(every) == 1, is_last=card.id == last) for card in every]
    return render(
        request,
        "portal/connect/bank.html",
        {
            "consent": consent,
            "banks": _matching(sorted(rows, key=lambda row: not row.is_last), wanted),
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
    context = {"consent": consent, "bank": card, "reuse": step_up.reuse(request, consent, card.id, now)}
    # A host without a scheme: http matches http and https, https only https (CSP 3 section 6.7.2.8).
    return lets_forms_reach(render(request, "portal/connect/redirect.html", context), card.domain)


def onward(request: PersonRequest, consent: Consent, now: datetime) -> HttpResponse:
    """Past the terms: back to the summary where accounts are chosen already, else to the bank that was chosen."""
    if steps.has_accounts(request, consent, now):
        return steps.to("confirm", consent.id)
    card = chosen_card(steps.chosen(request, consent.id))
    return steps.to("bank", consent.id) if card is None else steps.to("redirect", consent.id, card.slug)


def outlook(consent: Consent, chosen: Choices, now: datetime) -> Outlook:
    """What the chosen bank lets out of all that is asked. All of it before one is chosen, or where it says no: that is
    told when one goes there."""
    everything = steps.everything(consent, now)
    card = chosen_card(chosen)
    if card is not None:
        seen = authority.outlooks(everything, [card.id], now=now)[card.id]
        if seen.denial is None:
            return seen
    return Outlook(
        denial=None,
        scopes=frozenset(Scope(scope) for scope in everything.scopes),
        location_precision=LocationPrecision(everything.location_precision) if everything.location_precision else None,
        on_platform_only=everything.on_platform_only,
        hidden_groups=frozenset(),
        history_from=everything.history_from,
        expires_at=everything.expires_at,
    )


def chosen_card(chosen: Choices) -> InstitutionCard | None:
    """None: no bank was chosen yet, or it is gone."""
    try:
        return directory.institution(chosen.bank) if chosen.bank else None
    except InstitutionNotFound:
        return None


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
    chosen = steps.chosen(request, consent.id)
    return connections.start_link(
        user_id=request.user.id,
        consent_id=consent.id,
        slug=slug,
        session_key=request.session.session_key or "",
        now=now,
        scopes=chosen.scopes(consent),
        narrower=chosen.narrower(consent),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class BankRow:
    """One radio button. `not_shared`: what of the question this bank tells nobody; `is_closed`: all of it."""

    card: InstitutionCard
    country: str
    health: str
    not_shared: list[str]
    is_closed: bool
    is_checked: bool
    is_last: bool


def _row(card: InstitutionCard, consent: Consent, seen: Outlook, *, is_only: bool, is_last: bool) -> BankRow:
    asked = frozenset(Scope(scope) for scope in consent.scopes)
    return BankRow(
        card=card,
        country=countries.name(card.country),
        health=words.HEALTH_WORDS[card.status],
        not_shared=[] if seen.denial else words.labels(asked - seen.scopes),
        is_closed=seen.denial is not None,
        is_checked=is_only,
        is_last=is_last,
    )


def _matching(rows: list[BankRow], wanted: str) -> list[BankRow]:
    return [row for row in rows if wanted.casefold() in row.card.name.casefold()]


def _nothing_linked(request: HttpRequest) -> HttpResponse:
    return render(request, "portal/connect/nothing_linked.html", {"reference": request_id_of(request)}, status=400)


def _failed(request: HttpRequest, consent: Consent, cause: BankError) -> HttpResponse:
    """What happened in our words, never the bank's: its error text is nobody's but ours to read."""
    return _not_linked(request, consent, words.failure(cause.code), status=status_of(cause))


def _not_linked(request: HttpRequest, consent: Consent, cause: str, *, status: int) -> HttpResponse:
    context = {"consent": consent, "cause": cause, "reference": request_id_of(request)}
    return render(request, "portal/connect/failed.html", context, status=status)
