"""What takes two people of one bank: one asks, another approves. Whoever approves signs what was asked, or nothing."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction

from consents import audit, lifecycle, policies, withdrawal
from consents.audit import Actor
from consents.errors import (
    ConsentNotFound,
    PolicyChanged,
    ProposalDecided,
    ProposalNotFound,
    TransitionRefused,
    TwoPeopleNeeded,
)
from consents.models import ApprovedMerchant, Proposal
from consents.models.policy import ProposalKind, ProposalStatus
from consents.policy_terms import PolicyTerms, terms_from_json
from consents.states import PolicyStatus


def propose_terms(
    *,
    institution_id: UUID,
    platform_id: UUID | None,
    terms: PolicyTerms,
    base_version: int,
    reason: str,
    person: UUID,
    actor: Actor,
    now: datetime,
) -> Proposal:
    """Wider terms. `base_version`: the newest version they were made from (0: none). Raises PolicyChanged."""
    newest = policies.latest(institution_id, platform_id)
    version = 0 if newest is None else newest.version
    if version != base_version:
        raise PolicyChanged(version)
    return _propose(
        ProposalKind.WIDEN,
        institution_id=institution_id,
        platform_id=platform_id,
        terms=terms.as_json(),
        base_version=base_version,
        reason=reason,
        person=person,
        actor=actor,
        now=now,
    )


def propose_lift(
    *, institution_id: UUID, platform_id: UUID | None, reason: str, person: UUID, actor: Actor, now: datetime
) -> Proposal:
    """The terms of the stop, allowed again. Raises TransitionRefused (there is no stop)."""
    newest = policies.latest(institution_id, platform_id)
    if newest is None or newest.status != PolicyStatus.SUSPEND:
        raise TransitionRefused(PolicyStatus.ALLOW)
    return _propose(
        ProposalKind.LIFT,
        institution_id=institution_id,
        platform_id=platform_id,
        terms=replace(policies.terms_of(newest), status=PolicyStatus.ALLOW).as_json(),
        base_version=newest.version,
        reason=reason,
        person=person,
        actor=actor,
        now=now,
    )


def propose_consent_lift(
    *,
    institution_id: UUID,
    platform_id: UUID,
    consent_id: UUID,
    reason: str,
    person: UUID,
    actor: Actor,
    now: datetime,
) -> Proposal:
    """This bank's accounts under one consent of one customer, served again."""
    return _propose(
        ProposalKind.LIFT,
        institution_id=institution_id,
        platform_id=platform_id,
        terms={"consent_id": str(consent_id)},
        base_version=0,
        reason=reason,
        person=person,
        actor=actor,
        now=now,
    )


def propose_withdrawal(
    *, institution_id: UUID, platform_id: UUID, reason: str, person: UUID, actor: Actor, now: datetime
) -> Proposal:
    """The end of everything this platform holds at this bank. Raises TransitionRefused (withdrawn already)."""
    newest = policies.latest(institution_id, platform_id)
    if newest is not None and newest.status == PolicyStatus.BLOCK:
        raise TransitionRefused(PolicyStatus.BLOCK)
    return _propose(
        ProposalKind.WITHDRAW,
        institution_id=institution_id,
        platform_id=platform_id,
        terms={},
        base_version=0 if newest is None else newest.version,
        reason=reason,
        person=person,
        actor=actor,
        now=now,
    )


def propose_merchant(
    *,
    institution_id: UUID,
    platform_id: UUID,
    merchant_key: str,
    merchant_name: str,
    reason: str,
    person: UUID,
    actor: Actor,
    now: datetime,
) -> Proposal:
    """That this merchant is the platform itself. `merchant_key` as banks.normalize.merchants makes it.

    Raises TransitionRefused (approved already).
    """
    if _approved(institution_id, platform_id, merchant_key):
        raise TransitionRefused(ProposalStatus.SIGNED)
    return _propose(
        ProposalKind.MERCHANT,
        institution_id=institution_id,
        platform_id=platform_id,
        terms={"merchant_key": merchant_key, "merchant_name": merchant_name},
        base_version=0,
        reason=reason,
        person=person,
        actor=actor,
        now=now,
    )


def approve(*, proposal_id: UUID, institution_id: UUID, person: UUID, actor: Actor, now: datetime) -> Proposal:
    """Carry it out, in the transaction that signs it. SUPERSEDED instead, and nothing done, when what it was asked for
    has changed since.

    Raises ProposalNotFound, ProposalDecided (somebody was first), TwoPeopleNeeded (they asked for it themselves).
    """
    with transaction.atomic():
        policies.hold(institution_id)  # first: what is signed while we wait for it may supersede this one
        proposal = _claimed(proposal_id, institution_id, person, ProposalStatus.SIGNED, now)
        try:
            with transaction.atomic():
                _carry_out(proposal, actor, now)
        except (ConsentNotFound, PolicyChanged, TransitionRefused):
            proposal.status = ProposalStatus.SUPERSEDED
            proposal.save(update_fields=["status"])
        _record(proposal, actor, now)
    return proposal


def refuse(*, proposal_id: UUID, institution_id: UUID, person: UUID, actor: Actor, now: datetime) -> Proposal:
    """Nothing comes of it. Who asked may say so too. Raises ProposalNotFound, ProposalDecided."""
    with transaction.atomic():
        proposal = _claimed(proposal_id, institution_id, person, ProposalStatus.REFUSED, now)
        _record(proposal, actor, now)
    return proposal


def remove_merchant(*, merchant_id: UUID, institution_id: UUID, reason: str, actor: Actor, now: datetime) -> bool:
    """At once: its rows are on-platform no longer. Whether there was one."""
    with transaction.atomic():
        found = ApprovedMerchant.objects.filter(id=merchant_id, institution_id=institution_id)
        merchant = found.first()
        if merchant is None or not found.delete()[0]:
            return False
        audit.record(
            "merchant.removed",
            actor=actor,
            now=now,
            platform_id=merchant.platform_id,
            institution_id=institution_id,
            reason_code=reason,
            details={"merchant_key": merchant.merchant_key},
        )
    return True


def _propose(
    kind: ProposalKind,
    *,
    institution_id: UUID,
    platform_id: UUID | None,
    terms: Mapping[str, Any],
    base_version: int,
    reason: str,
    person: UUID,
    actor: Actor,
    now: datetime,
) -> Proposal:
    with transaction.atomic():
        proposal = Proposal.objects.create(
            institution_id=institution_id,
            platform_id=platform_id,
            kind=kind,
            terms=dict(terms),
            base_version=base_version,
            reason_code=reason,
            proposed_by=person,
            proposed_at=now,
        )
        _record(proposal, actor, now)
    return proposal


def _claimed(proposal_id: UUID, institution_id: UUID, person: UUID, target: ProposalStatus, now: datetime) -> Proposal:
    """Update-where-waiting: of two people at once one decides."""
    own = Proposal.objects.filter(id=proposal_id, institution_id=institution_id)
    waiting = own.filter(status=ProposalStatus.WAITING)
    if target == ProposalStatus.SIGNED:
        waiting = waiting.exclude(proposed_by=person)
    changed = waiting.update(status=target, decided_by=person, decided_at=now)
    proposal = own.first()
    if proposal is None:
        raise ProposalNotFound(proposal_id)
    if not changed:
        raise (
            TwoPeopleNeeded(proposal_id) if proposal.status == ProposalStatus.WAITING else ProposalDecided(proposal_id)
        )
    return proposal


def _carry_out(proposal: Proposal, actor: Actor, now: datetime) -> None:
    """Raises PolicyChanged, TransitionRefused, ConsentNotFound: what it was asked for is not there any more."""
    assert proposal.decided_by is not None
    people = [proposal.proposed_by, proposal.decided_by]
    kind = ProposalKind(proposal.kind)
    if kind == ProposalKind.MERCHANT:
        _approve_merchant(proposal, now)
    elif kind == ProposalKind.WITHDRAW:
        assert proposal.platform_id is not None
        withdrawal.withdraw(
            institution_id=proposal.institution_id,
            platform_id=proposal.platform_id,
            approved_by=people,
            reason=proposal.reason_code,
            actor=actor,
            now=now,
        )
    elif "consent_id" in proposal.terms:
        lifecycle.lift_accounts(
            consent_id=UUID(proposal.terms["consent_id"]),
            institution_id=proposal.institution_id,
            reason=proposal.reason_code,
            actor=actor,
            now=now,
            asked_at=proposal.proposed_at,
        )
    else:
        policies.sign(
            institution_id=proposal.institution_id,
            platform_id=proposal.platform_id,
            terms=terms_from_json(proposal.terms),
            approved_by=people,
            actor=actor,
            now=now,
            reason=proposal.reason_code,
            base_version=proposal.base_version,
        )


def _approve_merchant(proposal: Proposal, now: datetime) -> None:
    key = proposal.terms["merchant_key"]
    assert proposal.platform_id is not None
    # Asked for twice, it may be approved twice at once.
    _, is_first = ApprovedMerchant.objects.get_or_create(
        platform_id=proposal.platform_id,
        institution_id=proposal.institution_id,
        merchant_key=key,
        defaults={"approved_at": now},
    )
    if not is_first:
        raise TransitionRefused(ProposalStatus.SIGNED)


def _approved(institution_id: UUID, platform_id: UUID, merchant_key: str) -> bool:
    return ApprovedMerchant.objects.filter(
        institution_id=institution_id, platform_id=platform_id, merchant_key=merchant_key
    ).exists()


def _record(proposal: Proposal, actor: Actor, now: datetime) -> None:
    consent_id = proposal.terms.get("consent_id")
    audit.record(
        f"proposal.{proposal.status.lower()}",
        actor=actor,
        now=now,
        platform_id=proposal.platform_id,
        institution_id=proposal.institution_id,
        consent_id=None if consent_id is None else UUID(consent_id),
        to_status=proposal.status,
        reason_code=proposal.reason_code,
        details={"proposal_id": str(proposal.id), "kind": proposal.kind},
    )
