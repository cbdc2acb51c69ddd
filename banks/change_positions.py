"""What a walk through changes looks at, and where it stands. banks.changes' inner half.

A position fits only a permit that lets through what it let through before: what came into view or left it since changed
no row, so it has no number that a walk could tell.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from banks import models, permitted
from banks.errors import CursorStale
from banks.permitted import AccountState
from banks.records import NOTHING, ChangePosition, Stretch
from consents.models import ApprovedMerchant
from consents.policy import Permit, PermitSlice
from consents.scopes import Record

_FINGERPRINT_BYTES = 16


@dataclass(frozen=True, slots=True)
class Opened:
    """One account the permit opens for transactions."""

    part: PermitSlice
    state: AccountState


def opened(permit: Permit) -> dict[UUID, Opened]:
    """Each account that it opens for transactions. Raises ScopeNotGranted."""
    opening = permit.opening(Record.TRANSACTION)
    parts = {account_id: part for part in opening for account_id in part.account_ids}
    states = permitted.account_states(permit, frozenset(parts))
    return {state.id: Opened(parts[state.id], state) for state in states}


def fingerprint(permit: Permit, revision: int, opened: Mapping[UUID, Opened]) -> bytes:
    """Of all that decides which rows come and how wide they are. Not of the window's edge, which moves every day."""
    lines = []
    for account_id, one in sorted(opened.items()):
        part = one.part
        lines.append(
            [
                *(str(account_id), str(one.state.connection_id), str(part.institution_id)),
                part.fields(Record.TRANSACTION),
                part.location_precision,
                part.on_platform_only,
                sorted(part.hidden_groups),
                part.history_days_max,
            ]
        )
    narrowed = {one.part.institution_id for one in opened.values() if one.part.on_platform_only}
    told = [str(permit.consent_id), revision, permit.purpose, lines, _approved(permit, narrowed)]
    return hashlib.sha256(json.dumps(told).encode()).digest()[:_FINGERPRINT_BYTES]


def _approved(permit: Permit, institution_ids: set[UUID]) -> list[list[str]]:
    """Merchants count as the rows do that they open: approving or withdrawing one changes no row. One withdrawn and
    approved again is another: a page may have been read in between."""
    if not institution_ids:
        return []
    assert permit.platform_id is not None  # only a platform's permit is narrowed so
    approved = ApprovedMerchant.objects.filter(platform_id=permit.platform_id, institution_id__in=institution_ids)
    names = ("institution_id", "merchant_key", "id")
    found = approved.order_by("institution_id", "merchant_key").values_list(*names)
    return [[str(institution_id), key, str(approval_id)] for institution_id, key, approval_id in found]


def stretches(
    fingerprint: bytes, since: ChangePosition | None, opened: Mapping[UUID, Opened]
) -> tuple[ChangePosition, frozenset[UUID]]:
    """Where the walk stands, and the connections that have changed beyond its end. A finished one begins anew here: its
    end is read before any row is, and after the accounts' own states."""
    connection_ids = {one.state.connection_id for one in opened.values()}
    found = models.Connection.objects.filter(id__in=connection_ids).values_list("id", "change_sequence")
    reached: dict[UUID, int] = dict(found)
    if since is None:
        fresh = {one: Stretch(NOTHING, NOTHING, reached[one]) for one in sorted(reached)}
        return ChangePosition(fingerprint=fingerprint, stretches=fresh), frozenset()
    if since.fingerprint != fingerprint or set(since.stretches) != set(reached):
        raise CursorStale
    if any(stretch.until > reached[one] for one, stretch in since.stretches.items()):
        raise CursorStale  # ahead of what is stored: a database that was restored from a backup
    if any(stretch.at < stretch.until for stretch in since.stretches.values()):
        behind = frozenset(one for one, stretch in since.stretches.items() if stretch.until < reached[one])
        return since, behind
    begun = {one: Stretch(stretch.at, stretch.at, reached[one]) for one, stretch in sorted(since.stretches.items())}
    return ChangePosition(fingerprint=fingerprint, stretches=begun), frozenset()
