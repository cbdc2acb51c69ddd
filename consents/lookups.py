"""A bank's staff look up one customer: told to that customer, kept in the audit, and only so often."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from django.contrib.auth import get_user_model
from django.db import transaction

from consents import audit
from consents.audit import Actor
from consents.errors import LookupsSpent
from consents.models import AuditEntry, CustomerLookup
from consents.reasons import LookupReason

#: Look-ups of one person in one hour, found or not: enough for a desk, too few to try numbers.
LOOKUPS_MAX = 20
_WINDOW = timedelta(hours=1)

_FOUND, _NOT_FOUND = "customer.looked_up", "customer.not_found"


def record(
    *, institution_id: UUID, user_ids: Sequence[UUID], reason: LookupReason, actor: Actor, now: datetime
) -> list[CustomerLookup]:
    """One row for each person found, theirs to read, and one audit entry each; one entry where nobody was found.

    Raises LookupsSpent: what was found is told to nobody then.
    """
    with transaction.atomic():
        _refuse_spent(institution_id, actor, now)
        if not user_ids:
            audit.record(_NOT_FOUND, actor=actor, now=now, institution_id=institution_id, reason_code=reason)
        people = dict(get_user_model().objects.filter(id__in=user_ids).values_list("id", "pseudonym"))
        return [
            _record(institution_id, user_id, people.get(user_id), reason, actor, now) for user_id in sorted(user_ids)
        ]


def _refuse_spent(institution_id: UUID, actor: Actor, now: datetime) -> None:
    """Raises LookupsSpent."""
    # Held to the end: of two at once the second counts the first.
    list(get_user_model().objects.select_for_update(no_key=True).filter(pseudonym=actor.pseudonym).values_list("id"))
    made = AuditEntry.objects.filter(
        institution_id=institution_id,
        occurred_at__gt=now - _WINDOW,
        actor_pseudonym=actor.pseudonym,
        action__in=(_FOUND, _NOT_FOUND),
    )
    if made.count() >= LOOKUPS_MAX:
        raise LookupsSpent(institution_id)


def _record(
    institution_id: UUID, user_id: UUID, pseudonym: UUID | None, reason: LookupReason, actor: Actor, now: datetime
) -> CustomerLookup:
    audit.record(
        _FOUND, actor=actor, now=now, institution_id=institution_id, user_pseudonym=pseudonym, reason_code=reason
    )
    return CustomerLookup.objects.create(
        user_id=user_id,
        institution_id=institution_id,
        staff_pseudonym=actor.pseudonym,
        reason_code=reason,
        request_id=actor.request_id,
        looked_up_at=now,
    )
