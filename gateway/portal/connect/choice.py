"""Which accounts: nothing ticked until the user does."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_http_methods

from consents.lifecycle import AccountChoice
from consents.models import Consent
from gateway.portal import accounts
from gateway.portal.connect import steps
from gateway.portal.connect.steps import step
from gateway.portal.pages import PersonRequest
from gateway.portal.summaries import bank_names
from gateway.request_ids import request_id_of


@dataclass(frozen=True, slots=True)
class Box:
    """One check box."""

    account_id: UUID
    label: accounts.AccountLabel
    is_ticked: bool


@require_http_methods(["GET", "HEAD", "POST"])
@step
def choose(request: PersonRequest, consent: Consent, now: datetime) -> HttpResponse:
    """POST takes `account`, once per account chosen."""
    found = steps.offered(request, consent, now)
    if not found:
        return steps.to("bank", consent.id)
    chosen = _ticked(request, found)
    if request.method == "POST" and chosen:
        steps.remember(request, consent.id, chosen)
        return steps.to("confirm", consent.id)
    # Only what this person ticked a moment ago, coming back to change it.
    before = frozenset() if request.method == "POST" else steps.remembered(request, consent.id)
    return render(
        request,
        "portal/connect/accounts.html",
        {
            "consent": consent,
            "banks": bank_names(choice.institution_id for choice in found),
            "boxes": _boxes(request, found, before, now),
            "error": "Choose at least one account" if request.method == "POST" else "",
        },
        status=422 if request.method == "POST" else 200,
    )


def _ticked(request: PersonRequest, found: list[AccountChoice]) -> frozenset[UUID]:
    """Of what the bank offered; anything else in the form does not exist."""
    posted = set(request.POST.getlist("account"))
    return frozenset(choice.account_id for choice in found if str(choice.account_id) in posted)


def _boxes(request: PersonRequest, found: list[AccountChoice], ticked: frozenset[UUID], now: datetime) -> list[Box]:
    labelled = accounts.labels(request.user.id, found, now=now, request_id=request_id_of(request))
    boxes = [
        Box(choice.account_id, labelled[choice.account_id], choice.account_id in ticked)
        for choice in found
        if choice.account_id in labelled
    ]
    return sorted(boxes, key=lambda box: (box.label.text, str(box.account_id)))
