"""The end of a bank link: which apps it concerns is said first, and it has ended when the answer comes."""

from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from banks import disconnect as disconnecting
from banks import renewal
from banks.errors import ConnectionNotFound
from consents import clock
from gateway.portal.changes.acts import deletes_at_once
from gateway.portal.pages import PersonRequest, SeeOther, actor_of, page
from gateway.portal.summaries import bank_names


@require_http_methods(["GET", "HEAD", "POST"])
@page
def disconnect(request: PersonRequest, connection_id: UUID) -> HttpResponse:
    """GET tells what it means; POST does it. Somebody else's link is not there at all."""
    now = clock.now()
    try:
        card = renewal.own_connection(request.user.id, connection_id, now=now)
        (bank,) = bank_names([card.institution_id])
        if request.method == "POST":
            return _disconnected(request, connection_id, bank)
        affected = disconnecting.affected(user_id=request.user.id, connection_id=connection_id, now=now)
    except ConnectionNotFound as error:
        raise Http404 from error
    if card.deleted_from is not None:
        return SeeOther(reverse("portal:links"))
    return render(request, "portal/links/disconnect.html", {"card": card, "bank": bank, "affected": affected})


def _disconnected(request: PersonRequest, connection_id: UUID, bank: str) -> HttpResponse:
    has_ended = disconnecting.disconnect(
        user_id=request.user.id,
        connection_id=connection_id,
        actor=actor_of(request),
        now=clock.now(),
        deletes_at_once=deletes_at_once(request),
    )
    if has_ended:
        messages.success(request, f"{bank} is disconnected. Nothing is read from there any more.")
    return SeeOther(reverse("portal:links"))
