"""Going on with a consent before it ends: one page, yes or no, after a fresh proof of who is there.

Whatever goes wrong leaves the consent as it was.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from consents import clock, lifecycle
from consents.errors import PlatformNotUsable
from consents.facts import policies_in_force
from consents.models import Consent, ConsentAccount
from consents.states import ConsentAccountStatus, PlatformStatus
from gateway.identity import assurance
from gateway.portal import accounts, usage
from gateway.portal.changes.acts import done, to_consent
from gateway.portal.changes.renewal_text import renewal_text
from gateway.portal.disclosure import DisclosureText
from gateway.portal.own import own_or_404
from gateway.portal.pages import PersonRequest, SeeOther, actor_of, page
from gateway.portal.summaries import bank_names, is_renewable
from gateway.request_ids import request_id_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """`days`: how long it would go on, from now."""

    days: int
    text: DisclosureText


@require_http_methods(["GET", "HEAD", "POST"])
@page
def renew(request: PersonRequest, consent_id: UUID) -> HttpResponse:
    """GET shows what goes on, and how it was used; POST goes on with exactly that text."""
    now = clock.now()
    consent = own_or_404(request, consent_id)
    if not _can_be_asked(consent, now):
        return to_consent(consent_id)
    if not assurance.is_fresh(request, request.user, now=now):
        back = reverse("portal:renew_consent", args=[consent_id])
        return SeeOther(assurance.proof_address(request.user, then=back))
    offer = _offer(request, consent, now)
    if request.method != "POST":
        return _asked(request, consent, offer, now)
    if request.POST.get("disclosure") != offer.text.sha256:
        return _asked(request, consent, offer, now, has_changed=True)
    return _renewed(request, consent, offer, now)


def _renewed(request: PersonRequest, consent: Consent, offer: Offer, now: datetime) -> HttpResponse:
    try:
        kept = done(
            lambda: lifecycle.renew(
                consent_id=consent.id,
                user_id=request.user.id,
                duration_days=offer.days,
                disclosure=offer.text.as_agreed(),
                actor=actor_of(request),
                now=now,
                revision=consent.revision,
            )
        )
    except PlatformNotUsable:
        kept = None  # stopped a moment ago: the consent's own page says so
    if kept is not None:
        messages.success(request, f"Renewed. It now ends on {kept.expires_at.day} {kept.expires_at:%B %Y}.")
        return to_consent(consent.id)
    current = own_or_404(request, consent.id)
    if _can_be_asked(current, now):  # it was made less, or ends sooner, in another window since the text was made
        return _asked(request, current, _offer(request, current, now), now, has_changed=True)
    return to_consent(consent.id)


def _can_be_asked(consent: Consent, now: datetime) -> bool:
    return is_renewable(consent, now) and consent.platform.status == PlatformStatus.ACTIVE


def _offer(request: PersonRequest, consent: Consent, now: datetime) -> Offer:
    rows = list(
        ConsentAccount.objects.filter(consent_id=consent.id).exclude(status=ConsentAccountStatus.REVOKED).order_by("id")
    )
    labelled = accounts.labels(request.user.id, rows, now=now, request_id=request_id_of(request))
    banks = {row.institution_id for row in rows}
    days = _days(consent, banks, now)
    text = renewal_text(
        consent,
        banks=bank_names(banks),
        accounts=accounts.texts(labelled, [row.account_id for row in rows]),
        until=now + timedelta(days=days),
        days=days,
    )
    return Offer(days=days, text=text)


def _days(consent: Consent, banks: set[UUID], now: datetime) -> int:
    """As long as before, or as the most generous of its banks now lets it."""
    asked = consent.duration_days or 0
    policies = policies_in_force(banks, consent.platform_id, now=now).values()
    limits = [asked if policy.duration_days_max is None else policy.duration_days_max for policy in policies]
    return min(asked, max(limits, default=asked))


def _asked(
    request: PersonRequest, consent: Consent, offer: Offer, now: datetime, *, has_changed: bool = False
) -> HttpResponse:
    since = consent.authorised_at or consent.created_at
    context = {
        "consent": consent,
        "disclosure": offer.text,
        "since": since,
        "reads": usage.reads_since(request.user.id, consent.id, since, now=now),
        "usage": usage.by_consent(request.user.id, [consent.id], now=now).get(consent.id),
        "now": now,
        "has_changed": has_changed,
    }
    return render(request, "portal/renew.html", context, status=409 if has_changed else 200)
