"""The user takes a bank link away: its accounts leave the consent, which ends with the last account of any link."""

from datetime import datetime
from uuid import UUID

from django.db import transaction

from consents.audit import Actor
from consents.errors import TransitionRefused
from consents.events import EventType
from consents.lifecycle import changing, ending
from consents.models import Consent, ConsentAccount
from consents.states import LIVE_CONSENTS, ConsentAccountStatus


def leave_connection(
    *,
    consent_id: UUID,
    user_id: UUID,
    connection_id: UUID,
    reason: str,
    actor: Actor,
    now: datetime,
    deletes_at_once: bool = False,
) -> Consent:
    """REVOKED are this consent's accounts of that link; with the last account of all, the consent.

    `deletes_at_once`: as in `revoke`, where it ends. Raises ConsentNotFound, TransitionRefused (nothing of that link is
    left in it, or it has ended).
    """
    with transaction.atomic():
        consent = changing.locked(consent_id, user_id=user_id)
        if consent.status not in LIVE_CONSENTS or consent.is_expired(now):
            raise TransitionRefused(consent.status)
        held = ConsentAccount.objects.filter(consent=consent).exclude(status=ConsentAccountStatus.REVOKED)
        leaving = list(held.filter(connection_id=connection_id).order_by("id"))
        if not leaving:
            raise TransitionRefused(ConsentAccountStatus.REVOKED)
        stays = held.exclude(connection_id=connection_id).exists()
        ConsentAccount.objects.filter(id__in=[row.id for row in leaving]).update(
            status=ConsentAccountStatus.REVOKED,
            status_reason=reason,
            status_initiator=actor.initiator,
            status_changed_at=now,
        )
        if not stays:
            return ending.revoke(
                consent_id=consent_id, reason=reason, actor=actor, now=now, deletes_at_once=deletes_at_once
            )
        institution_id = leaving[0].institution_id
        changing.change(
            consent, "consent_accounts.revoked", reason=reason, actor=actor, now=now, institution_id=institution_id
        )
        changing.publish(
            consent,
            EventType.CONSENT_NARROWED,
            reason=reason,
            actor=actor,
            now=now,
            details={"institution_id": str(institution_id)},
        )
        return consent
