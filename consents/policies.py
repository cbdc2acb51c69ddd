"""Signs what a bank accepts of platforms: each change is a new version, the old ones stay."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import Max

from consents import audit
from consents.audit import Actor
from consents.errors import RequestNotAllowed
from consents.models import BankPolicy
from consents.requested import DURATION_DAYS_MAX, HISTORY_DAYS_MAX
from consents.scopes import LocationPrecision, Purpose, Scope, SensitiveGroup
from consents.states import PolicyStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyTerms:
    """Limits of one version. None: no limit of the bank's own (days), or nothing at all (precision)."""

    scopes: frozenset[Scope]
    purposes: frozenset[Purpose]
    status: PolicyStatus = PolicyStatus.ALLOW
    history_days_max: int | None = 365
    duration_days_max: int | None = 365
    location_precision: LocationPrecision | None = LocationPrecision.CITY
    on_platform_only: bool = False
    hidden_groups: frozenset[SensitiveGroup] = frozenset()
    requires_attended: bool = False
    accepts_attestation: bool = False
    requires_fapi2: bool = True


def sign(
    *,
    institution_id: UUID,
    platform_id: UUID | None,
    terms: PolicyTerms,
    approved_by: Collection[UUID],
    actor: Actor,
    now: datetime,
) -> BankPolicy:
    """Put a new version in force; `platform_id` None: for every platform without one of its own.

    Raises RequestNotAllowed naming the limit that is out of range.
    Two people signing at once: the version is unique, so the later one gets an IntegrityError and reads again.
    """
    _refuse_out_of_range("history_days_max", terms.history_days_max, HISTORY_DAYS_MAX)
    _refuse_out_of_range("duration_days_max", terms.duration_days_max, DURATION_DAYS_MAX)
    with transaction.atomic():
        signed = BankPolicy.objects.filter(institution_id=institution_id)
        versions = signed.filter(platform=None) if platform_id is None else signed.filter(platform_id=platform_id)
        latest = versions.aggregate(top=Max("version"))["top"] or 0
        policy = BankPolicy.objects.create(
            institution_id=institution_id,
            platform_id=platform_id,
            version=latest + 1,
            effective_from=now,
            status=terms.status,
            scopes=sorted(terms.scopes),
            purposes=sorted(terms.purposes),
            history_days_max=terms.history_days_max,
            duration_days_max=terms.duration_days_max,
            location_precision=terms.location_precision,
            on_platform_only=terms.on_platform_only,
            hidden_groups=sorted(terms.hidden_groups),
            requires_attended=terms.requires_attended,
            accepts_attestation=terms.accepts_attestation,
            requires_fapi2=terms.requires_fapi2,
            approved_by=sorted(str(person) for person in approved_by),
            created_at=now,
        )
        audit.record(
            "policy.signed",
            actor=actor,
            now=now,
            platform_id=platform_id,
            institution_id=institution_id,
            to_status=terms.status,
            details={"version": policy.version},
        )
    return policy


def _refuse_out_of_range(field: str, days: int | None, maximum: int) -> None:
    """A limit wider than anybody may ask for limits nothing, and 0 would be a stop that no status shows."""
    if days is not None and not 1 <= days <= maximum:
        raise RequestNotAllowed(field, f"must be from 1 to {maximum}")
