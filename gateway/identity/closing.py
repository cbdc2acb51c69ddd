"""Ending an account holder's access."""

from datetime import datetime
from uuid import UUID

from consents import lifecycle
from consents.audit import Actor
from gateway.identity.models import User


def deactivate(*, user_id: UUID, reason: str, actor: Actor, now: datetime) -> None:
    User.objects.filter(id=user_id).update(is_active=False)
    lifecycle.revoke_all(user_id=user_id, reason=reason, actor=actor, now=now)
