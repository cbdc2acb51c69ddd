"""Which accounts, of one bank or of several: nothing ticked until the user does."""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_http_methods

from banks import directory
from banks.sharing import Offer
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
    """POST takes `account`, once per account chosen; `then=bank` keeps them and goes for another bank.

    `select` in the address ticks all there are, or none, and shows the page again.
    """
    found = steps.offer(request, consent, now)
    if not found.accounts and not found.narrow:
        return steps.to("bank", consent.id)
    if request.method == "POST":
        return _posted(request, consent, found, now)
    return _page(request, consent, found, steps.chosen(request, consent.id).account_ids, now)


def _posted(request: PersonRequest, consent: Consent, found: Offer, now: datetime) -> HttpResponse:
    ticked = _ticked(request, found.accounts)
    steps.remember(request, consent.id, replace(steps.chosen(request, consent.id), account_ids=ticked))
    if "select" in request.GET:
        return steps.to("accounts", consent.id)
    if request.POST.get("then") == "bank":
        return steps.to("bank", consent.id)
    if ticked:
        return steps.to("confirm", consent.id)
    return _page(request, consent, found, frozenset(), now, error="Choose at least one account")


def _ticked(request: PersonRequest, offered: list[AccountChoice]) -> frozenset[UUID]:
    """Of what the bank offered; anything else in the form does not exist."""
    if "select" in request.GET:
        return frozenset(choice.account_id for choice in offered if request.GET["select"] == "all")
    posted = set(request.POST.getlist("account"))
    return frozenset(choice.account_id for choice in offered if str(choice.account_id) in posted)


def _page(
    request: PersonRequest,
    consent: Consent,
    found: Offer,
    ticked: Collection[UUID],
    now: datetime,
    *,
    error: str = "",
) -> HttpResponse:
    banks = {choice.institution_id for choice in found.accounts}
    context = {
        "consent": consent,
        "banks": bank_names(banks),
        "groups": _groups(request, found.accounts, ticked, now),
        "left_out": _groups(request, found.left_out, (), now),
        "aged": bank_names(found.aged),
        "narrow": bank_names(found.narrow),
        "can_add": len(directory.institutions()) > len(banks),
        "error": error,
    }
    return render(request, "portal/connect/accounts.html", context, status=422 if error else 200)


def _groups(
    request: PersonRequest, choices: list[AccountChoice], ticked: Collection[UUID], now: datetime
) -> list[BoxesOfBank]:
    """By bank and name."""
    labelled = accounts.labels(request.user.id, choices, now=now, request_id=request_id_of(request))
    cards = directory.by_id(choice.institution_id for choice in choices)
    boxes: dict[str, list[Box]] = defaultdict(list)
    for choice in choices:
        if choice.account_id in labelled:
            (bank,) = bank_names([choice.institution_id], cards)
            boxes[bank].append(Box(choice.account_id, labelled[choice.account_id], choice.account_id in ticked))
    groups: list[BoxesOfBank] = []
    for bank in sorted(boxes):
        first = 1 + sum(len(group.boxes) for group in groups)
        in_order = sorted(boxes[bank], key=lambda box: (box.label.text, str(box.account_id)))
        groups.append(BoxesOfBank(bank, in_order, first))
    return groups
