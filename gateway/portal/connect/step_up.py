"""Sharing a link that is there already: what proves the person, where the bank leaves that to us."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from allauth.mfa.models import Authenticator
from django.contrib.auth import REDIRECT_FIELD_NAME
from django.urls import reverse
from django.utils.http import urlencode

from banks import sharing
from consents.models import Consent
from gateway.identity import assurance
from gateway.identity.models import User
from gateway.portal.connect import steps
from gateway.portal.pages import PersonRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class Reuse:
    """The bank need not be visited again. `is_proved`: the proof is there and fresh; else `prove_at` is where it is
    given, "" for a person who has set up neither passkey nor code: then the bank is the way.
    """

    is_proved: bool
    prove_at: str


def reuse(request: PersonRequest, consent: Consent, institution_id: UUID, now: datetime) -> Reuse | None:
    """None: this bank is visited, by its own wish or because no link there covers what is to be shared."""
    if institution_id not in sharing.reusable(steps.wanted(request, consent, now), now=now):
        return None
    return Reuse(
        is_proved=assurance.is_stepped_up(request, now=now),
        prove_at=_prove_at(request.user, reverse("portal:accounts", args=[consent.id])),
    )


def _prove_at(user: User, then: str) -> str:
    """allauth's page for the factor this person has; a code before a passkey, because it needs no script."""
    kinds = set(Authenticator.objects.filter(user=user).values_list("type", flat=True))
    if Authenticator.Type.TOTP in kinds:
        page = reverse("mfa_reauthenticate")
    elif Authenticator.Type.WEBAUTHN in kinds:
        page = reverse("mfa_reauthenticate_webauthn")
    else:
        return ""
    return f"{page}?{urlencode({REDIRECT_FIELD_NAME: then})}"
