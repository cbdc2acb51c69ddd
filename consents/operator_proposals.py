"""What takes two operators: giving back what one of them stopped, and the end of a platform for good.

One asks, another approves; whoever approves signs what was asked, or nothing. Stopping takes one (consents.platforms,
consents.lifecycle). Banks have proposals of their own.
"""

from datetime import datetime
from uuid import UUID

from django.db import IntegrityError, transaction

from consents import audit, lifecycle, platforms
from consents.audit import Actor
from consents.errors import ConsentNotFound, ProposalDecided, ProposalNotFound, TransitionRefused, TwoPeopleNeeded
from consents.models import Consent, OperatorProposal, Platform
from consents.models.policy import ProposalKind, ProposalStatus
from consents.states import PLATFORM_TRANSITIONS, ConsentStatus, PlatformStatus

_TARGETS = {ProposalKind.LIFT: PlatformStatus.ACTIVE, ProposalKind.WITHDRAW: PlatformStatus.REVOKED}


def propose(
    platform: Platform, kind: ProposalKind, *, reason: str, person: UUID, actor: Actor, now: datetime
) -> OperatorProposal:
    """LIFT: active (again); WITHDRAW: revoked for good. `person`: user id.

    Raises TransitionRefused (its status does not allow it, or the same waits already).
    """
    if _TARGETS[kind] not in PLATFORM_TRANSITIONS[PlatformStatus(platform.status)]:
        raise TransitionRefused(platform.status)
    if kind == ProposalKind.LIFT:
        _supersede(platform.id, None, stopped_at=platform.status_changed_at, now=now)
    return _propose(platform, kind, consent_id=None, reason=reason, person=person, actor=actor, now=now)


def propose_consent_lift(
    consent: Consent, *, reason: str, person: UUID, actor: Actor, now: datetime
) -> OperatorProposal:
    """A suspended consent, back to where it was. Raises TransitionRefused (not suspended, or it waits already)."""
    if consent.status != ConsentStatus.SUSPENDED:
        raise TransitionRefused(consent.status)
    _supersede(consent.platform_id, consent.id, stopped_at=consent.status_changed_at, now=now)
    return _propose(
        consent.platform, ProposalKind.LIFT, consent_id=consent.id, reason=reason, person=person, actor=actor, now=now
    )


def approve(*, proposal_id: UUID, person: UUID, actor: Actor, now: datetime) -> OperatorProposal:
    """Carry it out, in the transaction that signs it; SUPERSEDED, and nothing done, when it no longer fits.

    Raises ProposalNotFound, ProposalDecided (somebody was first), TwoPeopleNeeded (they asked for it themselves).
    """
    with transaction.atomic():
        proposal = _claimed(proposal_id, ProposalStatus.SIGNED, person, now)
        try:
            with transaction.atomic():
                _carry_out(proposal, actor, now)
        except (ConsentNotFound, TransitionRefused):
            proposal.status = ProposalStatus.SUPERSEDED
            proposal.save(update_fields=["status"])
        _record(proposal, actor, now)
    return proposal


def refuse(*, proposal_id: UUID, person: UUID, actor: Actor, now: datetime) -> OperatorProposal:
    """Nothing comes of it. Who asked may say so too. Raises ProposalNotFound, ProposalDecided."""
    with transaction.atomic():
        proposal = _claimed(proposal_id, ProposalStatus.REFUSED, person, now)
        _record(proposal, actor, now)
    return proposal


def _propose(
    platform: Platform,
    kind: ProposalKind,
    *,
    consent_id: UUID | None,
    reason: str,
    person: UUID,
    actor: Actor,
    now: datetime,
) -> OperatorProposal:
    try:
        with transaction.atomic():
            proposal = OperatorProposal.objects.create(
                platform=platform,
                consent_id=consent_id,
                kind=kind,
                reason_code=reason,
                proposed_by=person,
                proposed_at=now,
            )
            _record(proposal, actor, now)
    except IntegrityError:
        raise TransitionRefused(ProposalStatus.WAITING) from None
    return proposal


def _supersede(platform_id: UUID, consent_id: UUID | None, *, stopped_at: datetime | None, now: datetime) -> None:
    """What was asked for before this stop waits in vain, and would be in the way of the same about this one."""
    if stopped_at is not None:
        OperatorProposal.objects.filter(
            platform_id=platform_id,
            consent_id=consent_id,
            kind=ProposalKind.LIFT,
            status=ProposalStatus.WAITING,
            proposed_at__lt=stopped_at,
        ).update(status=ProposalStatus.SUPERSEDED, decided_at=now)


def _claimed(proposal_id: UUID, target: ProposalStatus, person: UUID, now: datetime) -> OperatorProposal:
    """Update-where-waiting: of two people at once one decides."""
    same = OperatorProposal.objects.filter(id=proposal_id)
    waiting = same.filter(status=ProposalStatus.WAITING)
    if target == ProposalStatus.SIGNED:
        waiting = waiting.exclude(proposed_by=person)
    changed = waiting.update(status=target, decided_by=person, decided_at=now)
    proposal = same.first()
    if proposal is None:
        raise ProposalNotFound(proposal_id)
    if not changed:
        own = proposal.status == ProposalStatus.WAITING
        raise TwoPeopleNeeded(proposal_id) if own else ProposalDecided(proposal_id)
    return proposal


def _carry_out(proposal: OperatorProposal, actor: Actor, now: datetime) -> None:
    """Raises ConsentNotFound, TransitionRefused: what it was asked for is not so any more."""
    reason = proposal.reason_code
    if proposal.consent_id is not None:
        lifecycle.lift(
            consent_id=proposal.consent_id, reason=reason, actor=actor, now=now, asked_at=proposal.proposed_at
        )
        return
    kind = ProposalKind(proposal.kind)
    # Under its lock, so that a suspension at the same moment is not lifted for one that it took over from.
    platform = Platform.objects.select_for_update(no_key=True).get(id=proposal.platform_id)
    stopped_at = platform.status_changed_at
    if kind == ProposalKind.LIFT and stopped_at is not None and stopped_at > proposal.proposed_at:
        raise TransitionRefused(f"{platform.status} since it was asked for")
    platforms.change_status(platform, _TARGETS[kind], reason=reason, actor=actor, now=now)


def _record(proposal: OperatorProposal, actor: Actor, now: datetime) -> None:
    audit.record(
        f"proposal.{proposal.status.lower()}",
        actor=actor,
        now=now,
        platform_id=proposal.platform_id,
        consent_id=proposal.consent_id,
        to_status=proposal.status,
        reason_code=proposal.reason_code,
        details={"proposal_id": str(proposal.id), "kind": proposal.kind},
    )
