"""Consents as their hands find them: asked and granted by the real functions, accounts anywhere."""

from collections.abc import Collection
from typing import Any
from uuid import UUID, uuid4

from consents import lifecycle
from consents.lifecycle import AccountChoice, Narrower
from consents.models import AuditEntry, Consent, ConsentAccount, Event, Platform
from consents.scopes import Scope
from consents.states import ConsentStatus
from gateway.identity.models import User
from tests.support import ledger
from tests.support.ledger import BY_OPERATOR, BY_PLATFORM, BY_USER, NOW, SHOWN

ACORN, BIRCH = UUID(int=10), UUID(int=20)
DAYS = 90


def account(institution_id: UUID = ACORN) -> AccountChoice:
    return AccountChoice(account_id=uuid4(), connection_id=uuid4(), institution_id=institution_id)


def lodged(user: User, platform: Platform, scopes: Collection[Scope], **asked: Any) -> Consent:
    return lifecycle.request(
        user_id=user.id, platform=platform, asked=ledger.asked(scopes, **asked), actor=BY_PLATFORM, now=NOW
    )


def authorised(
    user: User | None = None,
    platform: Platform | None = None,
    scopes: Collection[Scope] = (Scope.ACCOUNTS, Scope.BALANCES),
    *,
    accounts: Collection[AccountChoice] = (),
    narrower: Narrower | None = None,
    **asked: Any,
) -> Consent:
    """AUTHORISED at NOW for DAYS; revision 2."""
    asked.setdefault("duration_days", DAYS)
    consent = lodged(user or ledger.user("alice"), platform or ledger.platform(), scopes, **asked)
    return lifecycle.authorise(
        consent_id=consent.id,
        user_id=consent.user_id,
        accounts=accounts or [account()],
        scopes=scopes,
        disclosure=SHOWN,
        actor=BY_USER,
        now=NOW,
        narrower=narrower or Narrower(),
    )


def brought_to(status: ConsentStatus, consent: Consent) -> Consent:
    """The same consent in another status, without the hand that would lead there."""
    Consent.objects.filter(id=consent.id).update(status=status, status_before="", status_initiator="OPERATOR")
    consent.refresh_from_db()
    return consent


def paused(consent: Consent) -> Consent:
    return lifecycle.pause(consent_id=consent.id, user_id=consent.user_id, actor=BY_USER, now=NOW)


def suspended(consent: Consent, **changes: Any) -> Consent:
    values: dict[str, Any] = {"reason": "under_review", "actor": BY_OPERATOR, "now": NOW, **changes}
    return lifecycle.suspend(consent_id=consent.id, **values)


def accounts_of(consent: Consent) -> dict[UUID, str]:
    """Account id -> status."""
    return dict(ConsentAccount.objects.filter(consent=consent).values_list("account_id", "status"))


def trace(consent: Consent) -> tuple[dict[str, Any], list[dict[str, Any]], int, int]:
    """All that a change of this consent would have left: what a refused one must leave as it was."""
    return (
        Consent.objects.values().get(id=consent.id),
        list(ConsentAccount.objects.filter(consent=consent).order_by("id").values()),
        AuditEntry.objects.count(),
        Event.objects.count(),
    )
