"""A bank parts with a platform for good: at once for whoever asks next, consent by consent afterwards."""

from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet

from consents import lifecycle, policies
from consents.audit import Actor
from consents.errors import TransitionRefused
from consents.models import AccessToken, BankPolicy, Consent, ConsentAccount, Grant, Proposal, RefreshToken
from consents.models.policy import ProposalKind, ProposalStatus
from consents.policy_terms import NOTHING
from consents.states import LIVE_CONSENTS, ConsentAccountStatus, Initiator, PolicyStatus

#: Consents that one call of `finish` ends.
BATCH = 500


def withdraw(
    *,
    institution_id: UUID,
    platform_id: UUID,
    approved_by: list[UUID],
    reason: str,
    actor: Actor,
    now: datetime,
) -> BankPolicy:
    """Sign the BLOCK, and delete every token whose consent holds accounts of this bank alone.

    Both in one transaction and a few statements, however many consents there are; `finish` then ends the bank's part
    of each. A consent that also holds accounts of other banks keeps its tokens: they open those. Raises
    TransitionRefused (withdrawn already).
    """
    held = policies.terms_that_hold(institution_id, platform_id) or NOTHING
    newest = policies.latest(institution_id, platform_id)
    if newest is not None and newest.status == PolicyStatus.BLOCK:
        raise TransitionRefused(PolicyStatus.BLOCK)
    with transaction.atomic():
        alone = _here(institution_id, platform_id).exclude(id__in=_elsewhere(institution_id))
        # Held until the end: a token that is just being made is either deleted here or finds its consent blocked.
        ids = list(alone.select_for_update(no_key=True, of=("self",)).order_by("id").values_list("id", flat=True))
        policy = policies.sign(
            institution_id=institution_id,
            platform_id=platform_id,
            terms=replace(held, status=PolicyStatus.BLOCK),
            approved_by=approved_by,
            actor=actor,
            now=now,
            reason=reason,
            base_version=0 if newest is None else newest.version,
        )
        for begin in range(0, len(ids), BATCH):
            _delete_tokens(ids[begin : begin + BATCH])
    return policy


def _delete_tokens(consent_ids: list[UUID]) -> None:
    """As statements, not row by row: these tables point at one another alone, and all rows of a consent go together."""
    for table in (RefreshToken, AccessToken, Grant):
        rows = table.objects.filter(consent_id__in=consent_ids)
        rows._raw_delete(rows.db)


def finish() -> int:
    """End the bank's part of up to BATCH consents of withdrawn platforms; how many. Safe to run twice, and by two.

    The instant written is the withdrawal's: since then nothing was served.
    """
    done = 0
    inner = {name: OuterRef(OuterRef(name)) for name in ("institution_id", "decided_at")}
    left = _left(**inner, platform_id=OuterRef("platform_id")).filter(expires_at__gt=OuterRef("decided_at"))
    signed = Proposal.objects.filter(Exists(left), kind=ProposalKind.WITHDRAW, status=ProposalStatus.SIGNED)
    for proposal in signed.order_by("decided_at", "id"):
        done += _finish(proposal, BATCH - done)
        if done >= BATCH:
            break
    return done


def _finish(proposal: Proposal, limit: int) -> int:
    assert proposal.decided_at is not None and proposal.platform_id is not None
    left = _left(
        institution_id=proposal.institution_id, decided_at=proposal.decided_at, platform_id=proposal.platform_id
    )
    in_date = left.filter(expires_at__gt=proposal.decided_at)
    done = 0
    for consent_id in list(in_date.order_by("id").values_list("id", flat=True)[:limit]):
        try:
            lifecycle.revoke_accounts(
                consent_id=consent_id,
                institution_id=proposal.institution_id,
                reason=proposal.reason_code,
                actor=Actor(initiator=Initiator.BANK),
                now=proposal.decided_at,
            )
        except TransitionRefused:
            continue  # it ended by another hand meanwhile
        done += 1
    return done


def _left(*, institution_id: Any, decided_at: Any, platform_id: Any) -> QuerySet[Consent]:
    """What a withdrawal has still to end, for its values or for references to them. What was allowed after the platform
    came back is none of it; what was only gone on with since is: a renewal adds no account.
    """
    return _here(institution_id, platform_id, added_at__lte=decided_at)


def _here(institution_id: Any, platform_id: Any, **of_accounts: Any) -> QuerySet[Consent]:
    """Live consents of the platform with accounts of this bank."""
    held = ConsentAccount.objects.filter(institution_id=institution_id, **of_accounts)
    here = held.exclude(status=ConsentAccountStatus.REVOKED)
    return Consent.objects.filter(platform_id=platform_id, status__in=LIVE_CONSENTS, id__in=here.values("consent_id"))


def _elsewhere(institution_id: UUID) -> QuerySet[ConsentAccount, UUID]:
    held = ConsentAccount.objects.exclude(institution_id=institution_id).exclude(status=ConsentAccountStatus.REVOKED)
    return held.values_list("consent_id", flat=True)
