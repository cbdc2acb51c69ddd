"""The audit trail: written with the change it records, sealed in batches, verifiable by anyone who holds the rows."""

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import Max

from consents.errors import AuditBroken
from consents.models import AuditEntry
from consents.states import Initiator

SEAL_BATCH = 500
_GENESIS = "0" * 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who did it: `pseudonym` is the person's, None for a platform or the system itself."""

    initiator: Initiator
    pseudonym: UUID | None = None
    request_id: str = ""


def record(
    action: str,
    *,
    actor: Actor,
    now: datetime,
    user_pseudonym: UUID | None = None,
    consent_id: UUID | None = None,
    platform_id: UUID | None = None,
    institution_id: UUID | None = None,
    from_status: str = "",
    to_status: str = "",
    reason_code: str = "",
    details: dict[str, object] | None = None,
) -> AuditEntry:
    """Append one entry, in the caller's transaction. `details` holds ids and codes only."""
    return AuditEntry.objects.create(
        action=action,
        initiator=actor.initiator,
        actor_pseudonym=actor.pseudonym,
        user_pseudonym=user_pseudonym,
        consent_id=consent_id,
        platform_id=platform_id,
        institution_id=institution_id,
        from_status=from_status,
        to_status=to_status,
        reason_code=reason_code,
        details=details or {},
        request_id=actor.request_id,
        occurred_at=now,
    )


def seal_all() -> None:
    """Chain all that is unsealed, a batch in a transaction."""
    while seal() == SEAL_BATCH:
        pass


def seal() -> int:
    """Chain up to SEAL_BATCH unsealed entries; how many. Of two sealers at once one waits, and goes on behind."""
    with transaction.atomic():
        unsealed = AuditEntry.objects.filter(sequence=None).order_by("occurred_at", "id")
        entries = list(unsealed.select_for_update(no_key=True)[:SEAL_BATCH])
        # Only now, for it may have grown while we waited for them.
        head = AuditEntry.objects.aggregate(top=Max("sequence"))["top"] or 0
        previous = AuditEntry.objects.get(sequence=head).hash if head else _GENESIS
        for entry in entries:
            head += 1
            entry.sequence, entry.previous_hash = head, previous
            entry.hash = previous = _hash(entry)
        AuditEntry.objects.bulk_update(entries, ["sequence", "previous_hash", "hash"])
    return len(entries)


def verify() -> int:
    """Walk the chain; the number of sealed entries. Raises AuditBroken at the first that does not fit."""
    previous, expected = _GENESIS, 1
    for entry in AuditEntry.objects.exclude(sequence=None).order_by("sequence").iterator():
        if entry.sequence != expected or entry.previous_hash != previous or entry.hash != _hash(entry):
            raise AuditBroken(expected)
        previous, expected = entry.hash, expected + 1
    return expected - 1


def _hash(entry: AuditEntry) -> str:
    """SHA-256 over canonical JSON. Members may be appended, never reordered or dropped: old hashes depend on them."""
    members = [
        entry.sequence,
        entry.previous_hash,
        str(entry.id),
        entry.action,
        entry.initiator,
        str(entry.actor_pseudonym),
        str(entry.user_pseudonym),
        str(entry.consent_id),
        str(entry.platform_id),
        str(entry.institution_id),
        entry.from_status,
        entry.to_status,
        entry.reason_code,
        entry.details,
        entry.request_id,
        entry.occurred_at.isoformat(timespec="microseconds"),
    ]
    return hashlib.sha256(json.dumps(members, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
