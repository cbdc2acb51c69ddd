"""The user's links to banks: how each one is, until when, and the way to renew it without any app asking."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from banks import directory, renewal
from banks.errors import BankError, ConnectionNotFound, NotRenewable
from banks.renewal import ConnectionCard
from consents import clock
from gateway import words
from gateway.portal.pages import PersonRequest, SeeOther, lets_forms_reach, page, status_of
from gateway.portal.summaries import bank_names
from gateway.request_ids import request_id_of
from gateway.words import StatusWords


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkSummary:
    """One link on the list. `card` is the connection as of now."""

    card: ConnectionCard
    bank: str
    words: StatusWords

    @property
    def is_over(self) -> bool:
        return self.card.deleted_from is not None


@require_safe
@page
def link_list(request: PersonRequest) -> HttpResponse:
    return render(request, "portal/links/list.html", {"links": _links(request.user.id, now=clock.now())})


@require_http_methods(["GET", "HEAD", "POST"])
@page
def renew(request: PersonRequest, connection_id: UUID) -> HttpResponse:
    """GET says where one is going; POST goes. A link that needs nothing leads back to the list."""
    now = clock.now()
    card = _own_or_404(request, connection_id, now)
    if not card.is_renewable:
        return SeeOther(reverse("portal:links"))
    try:
        if request.method == "POST":
            return SeeOther(_start(request, connection_id, now))
    except NotRenewable:
        return SeeOther(reverse("portal:links"))  # what needed it ended a moment ago
    except BankError as error:
        return not_renewed(request, connection_id, error)
    bank = directory.by_id([card.institution_id])[card.institution_id]
    response = render(request, "portal/links/renew.html", {"card": card, "bank": bank})
    return lets_forms_reach(response, bank.domain)


def renewed(request: HttpRequest, connection_id: UUID) -> HttpResponse:
    """Back from the bank, and all is well."""
    card = _own_or_404(request, connection_id, clock.now())
    (name,) = bank_names([card.institution_id])
    messages.success(request, f"{name} is renewed. Your sharing goes on as before.")
    return SeeOther(reverse("portal:links"))


def not_renewed(request: HttpRequest, connection_id: UUID, cause: BankError) -> HttpResponse:
    """What happened in our words, and what one can do; nothing was changed."""
    card = _own_or_404(request, connection_id, clock.now())
    (name,) = bank_names([card.institution_id])
    context = {
        "card": card,
        "bank": name,
        "cause": words.failure(cause.code),
        "reference": request_id_of(request),
    }
    return render(request, "portal/links/failed.html", context, status=status_of(cause))


def waiting(user_id: UUID, *, now: datetime) -> list[str]:
    """Names of the banks whose link waits for the user."""
    cards = renewal.own_connections(user_id, now=now)
    return bank_names(card.institution_id for card in cards if card.needs_renewal)


def _links(user_id: UUID, *, now: datetime) -> list[LinkSummary]:
    cards = renewal.own_connections(user_id, now=now)
    banks = directory.by_id({card.institution_id for card in cards})
    return [
        LinkSummary(card=card, bank=banks[card.institution_id].name, words=words.CONNECTION_WORDS[card.status])
        for card in cards
    ]


def _start(request: PersonRequest, connection_id: UUID, now: datetime) -> str:
    return renewal.start_renewal(
        user_id=request.user.id,
        connection_id=connection_id,
        session_key=request.session.session_key or "",
        now=now,
    )


def _own_or_404(request: HttpRequest, connection_id: UUID, now: datetime) -> ConnectionCard:
    """Somebody else's is not there at all."""
    assert request.user.is_authenticated
    try:
        return renewal.own_connection(request.user.id, connection_id, now=now)
    except ConnectionNotFound as error:
        raise Http404 from error
