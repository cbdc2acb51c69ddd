"""Everything once more, with three rows as they would go over, and the answer."""

from collections.abc import Collection
from datetime import datetime

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_http_methods

from banks import authority, directory, sharing
from consents.errors import PlatformNotUsable, TransitionRefused
from consents.lifecycle import AccountChoice
from consents.models import Consent
from gateway.identity import assurance
from gateway.portal import accounts
from gateway.portal.connect import preview, steps
from gateway.portal.connect.steps import step
from gateway.portal.disclosure import DisclosureText, disclosure
from gateway.portal.pages import PersonRequest, actor_of
from gateway.request_ids import request_id_of


@require_http_methods(["GET", "HEAD", "POST"])
@step
def confirm(request: PersonRequest, consent: Consent, now: datetime) -> HttpResponse:
    """POST with `disclosure`, the hash of the text that was on the page, says yes to that text and to no other."""
    ticked = steps.chosen(request, consent.id).account_ids
    chosen = [choice for choice in steps.offer(request, consent, now).accounts if choice.account_id in ticked]
    if not chosen:
        return steps.to("accounts", consent.id)
    wanted = steps.wanted(request, consent, now)
    text = _text(request, consent, wanted, chosen, now)
    if request.method == "POST" and request.POST.get("disclosure") == text.sha256:
        return _grant(request, consent, chosen, text, now)
    context = {
        "consent": consent,
        "disclosure": text,
        "previews": preview.previews(consent, wanted, chosen, now=now, request_id=request_id_of(request)),
        "has_changed": request.method == "POST",
    }
    return render(request, "portal/connect/confirm.html", context, status=409 if request.method == "POST" else 200)


def _text(
    request: PersonRequest, consent: Consent, wanted: Consent, chosen: Collection[AccountChoice], now: datetime
) -> DisclosureText:
    labelled = accounts.labels(request.user.id, chosen, now=now, request_id=request_id_of(request))
    cards = sorted(directory.by_id(choice.institution_id for choice in chosen).values(), key=lambda card: card.name)
    seen = authority.outlooks(wanted, [card.id for card in cards], now=now)
    return disclosure(
        consent,
        wanted,
        at_banks=[(card.name, seen[card.id]) for card in cards],
        accounts=accounts.texts(labelled, [choice.account_id for choice in chosen]),
    )


def _grant(
    request: PersonRequest, consent: Consent, chosen: list[AccountChoice], text: DisclosureText, now: datetime
) -> HttpResponse:
    choices = steps.chosen(request, consent.id)
    try:
        sharing.grant(
            consent_id=consent.id,
            user_id=consent.user_id,
            session_key=request.session.session_key or "",
            account_ids=[choice.account_id for choice in chosen],
            scopes=choices.scopes(consent),
            narrower=choices.narrower(consent),
            stepped_up_at=assurance.second_factor_at(request),
            disclosure=text.as_agreed(),
            actor=actor_of(request),
            now=now,
        )
    except ValueError:
        return steps.to("accounts", consent.id)  # linked anew in another window: other accounts are on offer now
    except PlatformNotUsable:
        return steps.to("connect", consent.id)  # stopped a moment ago: that page says so
    except TransitionRefused:
        pass  # answered a moment ago, in another window: the next page says how
    steps.forget(request, consent.id)
    return steps.to("done", consent.id)
