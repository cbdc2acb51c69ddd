"""Signs what a bank accepts of platforms: each change is a new version, the old ones stay."""

from collections.abc import Collection
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import OuterRef, Q, QuerySet, Subquery

from consents import audit
from consents.audit import Actor
from consents.errors import PolicyChanged, RequestNotAllowed
from consents.models import BankPolicy, Proposal
from consents.models.policy import ProposalKind, ProposalStatus
from consents.policy_terms import PolicyTerms, StepUp
from consents.requested import DURATION_DAYS_MAX, HISTORY_DAYS_MAX
from consents.scopes import LocationPrecision, Purpose, Scope, SensitiveGroup
from consents.states import PolicyStatus

__all__ = [
    "PolicyTerms",
    "hold",
    "latest",
    "latest_versions",
    "row",
    "sign",
    "terms_of",
    "terms_that_hold",
    "versions",
]


def hold(institution_id: UUID) -> None:
    """Until the caller's transaction ends, nobody else signs for this bank.

    What is signed for one platform may be made from the general policy, and a stop for all is a version of each: read
    before this returns, either may be out of date. Taken before a proposal, and before the locks of consents. A bank
    that never signed anything has nothing to hold, nor anything to be out of date.
    """
    first = BankPolicy.objects.select_for_update(no_key=True, of=("self",)).filter(
        institution_id=institution_id, version=1
    )
    list(first.order_by("id").values_list("id", flat=True))


def sign(
    *,
    institution_id: UUID,
    platform_id: UUID | None,
    terms: PolicyTerms,
    approved_by: Collection[UUID],
    actor: Actor,
    now: datetime,
    reason: str = "",
    base_version: int | None = None,
) -> BankPolicy:
    """Put a new version in force; `platform_id` None: for every platform without one of its own.

    `base_version`: the newest version that whoever signs has seen (0: none); None: whichever it is. Raises
    RequestNotAllowed naming the limit that is out of range, PolicyChanged (another version came first).
    """
    _refuse_out_of_range("history_days_max", terms.history_days_max, HISTORY_DAYS_MAX)
    _refuse_out_of_range("duration_days_max", terms.duration_days_max, DURATION_DAYS_MAX)
    with transaction.atomic():
        hold(institution_id)
        newest = latest(institution_id, platform_id)
        version = 0 if newest is None else newest.version
        if base_version is not None and base_version != version:
            raise PolicyChanged(version)
        policy = row(institution_id, platform_id, terms, now=now)
        policy.version = version + 1
        policy.reason_code = reason
        policy.approved_by = sorted(str(person) for person in approved_by)
        try:
            with transaction.atomic():
                policy.save(force_insert=True)
        except IntegrityError as error:  # two at once: the version is unique
            raise PolicyChanged(version) from error
        _supersede(policy)
        audit.record(
            "policy.signed",
            actor=actor,
            now=now,
            platform_id=platform_id,
            institution_id=institution_id,
            from_status="" if newest is None else newest.status,
            to_status=terms.status,
            reason_code=reason,
            details={"version": policy.version},
        )
    return policy


def _supersede(policy: BankPolicy) -> None:
    """Terms that wait for a second person were made from the version before: they wait in vain.

    Terms for a platform without a policy of its own were made from the general one. What only stops, or concerns one
    consent, goes on waiting.
    """
    made_from = Q(platform_id=policy.platform_id)
    if policy.platform_id is None:
        made_from = Q(platform=None) | Q(base_version=0)
    waiting = Proposal.objects.filter(
        made_from,
        institution_id=policy.institution_id,
        status=ProposalStatus.WAITING,
        kind__in=(ProposalKind.WIDEN, ProposalKind.LIFT),
    ).exclude(terms__has_key="consent_id")
    # One that is being decided just now is passed over, or two first signatures, which hold nothing, would wait for
    # each other: its own finds this version, and gives up.
    ids = list(waiting.select_for_update(skip_locked=True, of=("self",)).values_list("id", flat=True))
    Proposal.objects.filter(id__in=ids).update(status=ProposalStatus.SUPERSEDED, decided_at=policy.created_at)


def row(institution_id: UUID, platform_id: UUID | None, terms: PolicyTerms, *, now: datetime) -> BankPolicy:
    """`terms` as a row that is not saved: to be signed, or to be tried on the consents there are."""
    columns: dict[str, Any] = terms.as_json()
    return BankPolicy(
        institution_id=institution_id, platform_id=platform_id, effective_from=now, created_at=now, **columns
    )


def terms_of(policy: BankPolicy) -> PolicyTerms:
    """An unknown word raises ValueError: never a wider right."""
    precision = policy.location_precision
    return PolicyTerms(
        scopes=frozenset(Scope(name) for name in policy.scopes),
        purposes=frozenset(Purpose(name) for name in policy.purposes),
        status=PolicyStatus(policy.status),
        history_days_max=policy.history_days_max,
        duration_days_max=policy.duration_days_max,
        location_precision=None if precision is None else LocationPrecision(precision),
        on_platform_only=policy.on_platform_only,
        hidden_groups=frozenset(SensitiveGroup(name) for name in policy.hidden_groups),
        requires_attended=policy.requires_attended,
        accepts_attestation=policy.accepts_attestation,
        step_up=StepUp(policy.step_up),
        requires_fapi2=policy.requires_fapi2,
    )


def versions(institution_id: UUID, platform_id: UUID | None) -> QuerySet[BankPolicy]:
    """Every version of one policy, newest first."""
    signed = BankPolicy.objects.filter(institution_id=institution_id)
    own = signed.filter(platform=None) if platform_id is None else signed.filter(platform_id=platform_id)
    return own.order_by("-version")


def latest(institution_id: UUID, platform_id: UUID | None) -> BankPolicy | None:
    """The newest version of this policy itself: the general one is not looked at for a platform."""
    return versions(institution_id, platform_id).first()


def latest_versions(institution_id: UUID) -> dict[UUID | None, BankPolicy]:
    """The newest version of each policy of this bank, by platform; None: the general one."""
    signed = BankPolicy.objects.filter(institution_id=institution_id)
    own = signed.filter(platform_id=OuterRef("platform_id")).order_by("-version").values("version")[:1]
    general = signed.filter(platform=None).order_by("-version").first()
    newest = {policy.platform_id: policy for policy in signed.exclude(platform=None).filter(version=Subquery(own))}
    return newest if general is None else {None: general, **newest}


def terms_that_hold(institution_id: UUID, platform_id: UUID | None) -> PolicyTerms | None:
    """What a change of this policy starts from: its own newest version, else the general one's; None: neither."""
    policy = latest(institution_id, platform_id) or latest(institution_id, None)
    return None if policy is None else terms_of(policy)


def _refuse_out_of_range(field: str, days: int | None, maximum: int) -> None:
    """A limit wider than anybody may ask for limits nothing, and 0 would be a stop that no status shows."""
    if days is not None and not 1 <= days <= maximum:
        raise RequestNotAllowed(field, f"must be from 1 to {maximum}")
