"""Which accounts, of one bank or of several: nothing ticked until the user does."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_http_methods

from banks import directory
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


@dataclass(frozen=True, slots=True)
class BoxesOfBank:
    """One group of check boxes. `first`: the number its first box has on the page."""

    bank: str
    boxes: list[Box]
    first: int


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
            "groups": _groups(request, found, before, now),
            "aged": bank_names(steps.aged_logins(request, consent, now)),
            "can_add": len(directory.institutions()) > len({choice.institution_id for choice in found}),
            "error": "Choose at least one account" if request.method == "POST" else "",
        },
        status=422 if request.method == "POST" else 200,
    )


def _ticked(request: PersonRequest, found: list[AccountChoice]) -> frozenset[UUID]:
    """Of what the bank offered; anything else in the form does not exist."""
    posted = set(request.POST.getlist("account"))
    return frozenset(choice.account_id for choice in found if str(choice.account_id) in posted)


def _groups(
    request: PersonRequest, found: list[AccountChoice], ticked: frozenset[UUID], now: datetime
) -> list[BoxesOfBank]:
    """By bank and name."""
    labelled = accounts.labels(request.user.id, found, now=now, request_id=request_id_of(request))
    cards = directory.by_id(choice.institution_id for choice in found)
    boxes: dict[str, list[Box]] = defaultdict(list)
    for choice in found:
        if choice.account_id in labelled:
            (bank,) = bank_names([choice.institution_id], cards)
            boxes[bank].append(Box(choice.account_id, labelled[choice.account_id], choice.account_id in ticked))
    groups: list[BoxesOfBank] = []
    for bank in sorted(boxes):
        first = 1 + sum(len(group.boxes) for group in groups)
        in_order = sorted(boxes[bank], key=lambda box: (box.label.text, str(box.account_id)))
        groups.append(BoxesOfBank(bank, in_order, first))
    return groups
