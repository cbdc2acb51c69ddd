"""What one person at a bank may do alone and at once: take away. Giving back takes two (consents.proposals)."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from django.db import transaction

from consents import policies
from consents.audit import Actor
from consents.errors import PolicyChanged, TransitionRefused, TwoPeopleNeeded
from consents.models import BankPolicy
from consents.policy_terms import NOTHING, PolicyTerms, widened
from consents.reasons import OpenReason, StopReason
from consents.scopes import Scope, consistent
from consents.states import PolicyStatus

#: How often a stop is tried again after somebody else signed a bank's first version in the same moment, before which
#: there is nothing to hold: it must not fail for that.
_ATTEMPTS = 5


def suspend(
    *, institution_id: UUID, platform_id: UUID | None, person: UUID, reason: StopReason, actor: Actor, now: datetime
) -> BankPolicy:
    """Nothing is served to this platform (None: to any) from now on; all other terms stay for the day it is lifted.

    Raises TransitionRefused (it is stopped already).
    """

    def stopped(held: PolicyTerms) -> PolicyTerms:
        return replace(held, status=PolicyStatus.SUSPEND)

    return _signed(institution_id, platform_id, stopped, person=person, reason=reason, actor=actor, now=now)


def stop_scope(
    *,
    institution_id: UUID,
    platform_id: UUID | None,
    scope: Scope,
    person: UUID,
    reason: StopReason,
    actor: Actor,
    now: datetime,
) -> list[BankPolicy]:
    """`scope`, and what is meaningless without it, is served to this platform (None: to any) no longer.

    For every platform: the general policy and each platform's own, in one transaction; a platform that was withdrawn
    has nothing to lose. Raises TransitionRefused (none of them has it).
    """

    def without(held: PolicyTerms) -> PolicyTerms:
        return replace(held, scopes=consistent(held.scopes - {scope}))

    if platform_id is not None:
        return [_signed(institution_id, platform_id, without, person=person, reason=reason, actor=actor, now=now)]
    with transaction.atomic():
        policies.hold(institution_id)
        having = [
            one
            for one, policy in policies.latest_versions(institution_id).items()
            if scope in policy.scopes and policy.status != PolicyStatus.BLOCK
        ]
        if not having:
            raise TransitionRefused(scope)
        return [
            _signed(institution_id, one, without, person=person, reason=reason, actor=actor, now=now)
            for one in sorted(having, key=str)
        ]


def narrow(
    *,
    institution_id: UUID,
    platform_id: UUID | None,
    terms: PolicyTerms,
    base_version: int,
    person: UUID,
    reason: StopReason | OpenReason,
    actor: Actor,
    now: datetime,
) -> BankPolicy:
    """A version that lets nothing through that did not get through before.

    Raises TwoPeopleNeeded (something in it is wider, or it is the final withdrawal), PolicyChanged, RequestNotAllowed.
    """
    with transaction.atomic():
        policies.hold(institution_id)
        if terms.status == PolicyStatus.BLOCK or widened(policies.terms_that_hold(institution_id, platform_id), terms):
            raise TwoPeopleNeeded(institution_id)
        return policies.sign(
            institution_id=institution_id,
            platform_id=platform_id,
            terms=terms,
            approved_by=[person],
            actor=actor,
            now=now,
            reason=reason,
            base_version=base_version,
        )


def _signed(
    institution_id: UUID,
    platform_id: UUID | None,
    change: Callable[[PolicyTerms], PolicyTerms],
    *,
    person: UUID,
    reason: StopReason,
    actor: Actor,
    now: datetime,
) -> BankPolicy:
    """`change` applied to what holds; anew where another version came between, or it would be undone by the stop."""
    with transaction.atomic():
        policies.hold(institution_id)
        for attempt in range(_ATTEMPTS):
            newest = policies.latest(institution_id, platform_id)
            held = policies.terms_that_hold(institution_id, platform_id) or NOTHING
            terms = change(held)
            if held.status == PolicyStatus.BLOCK or (newest is not None and terms == held):
                raise TransitionRefused(held.status)
            try:
                return policies.sign(
                    institution_id=institution_id,
                    platform_id=platform_id,
                    terms=terms,
                    approved_by=[person],
                    actor=actor,
                    now=now,
                    reason=reason,
                    base_version=0 if newest is None else newest.version,
                )
            except PolicyChanged:
                if attempt == _ATTEMPTS - 1:
                    raise
    raise AssertionError("unreachable")
