"""Event types, and the one way an event is written: in the transaction that makes it true."""

from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING
from uuid import UUID

if TYPE_CHECKING:
    from consents.models import Event


class EventType(StrEnum):
    CONSENT_GRANTED = "consent.granted"
    CONSENT_REJECTED = "consent.rejected"
    CONSENT_NARROWED = "consent.narrowed"
    CONSENT_PAUSED = "consent.paused"
    CONSENT_RESUMED = "consent.resumed"
    CONSENT_EXPIRING = "consent.expiring"
    CONSENT_EXPIRED = "consent.expired"
    CONSENT_SUSPENDED = "consent.suspended"
    CONSENT_REVOKED = "consent.revoked"
    CONNECTION_LINKED = "connection.linked"
    CONNECTION_NEEDS_RENEWAL = "connection.needs_renewal"
    CONNECTION_DEGRADED = "connection.degraded"
    CONNECTION_RECOVERED = "connection.recovered"
    TRANSACTIONS_UPDATED = "transactions.updated"


def publish(
    event_type: EventType,
    *,
    now: datetime,
    platform_id: UUID | None = None,
    consent_id: UUID | None = None,
    user_id: UUID | None = None,
    connection_id: UUID | None = None,
    details: dict[str, str | int | bool | None] | None = None,
) -> "Event":
    """Write the row; whoever delivers claims it later. `details` holds ids and codes only."""
    from consents.models import Event  # the table's choices come from EventType above

    return Event.objects.create(
        type=event_type,
        platform_id=platform_id,
        consent_id=consent_id,
        user_id=user_id,
        connection_id=connection_id,
        details=details or {},
        occurred_at=now,
    )
