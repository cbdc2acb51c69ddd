"""What a change of a bank's policy would do to the consents there are: asked of decide(), nothing is written."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from django.db.models import Count, QuerySet

from banks.authority import connections_of, slices_from
from consents import policies
from consents.facts import consent_facts, policies_in_force, policy_facts
from consents.models import Consent, ConsentAccount
from consents.policy import Permit, PermitSlice, decide
from consents.policy_facts import ConsentFacts, PolicyFacts, Slice
from consents.policy_terms import PolicyTerms
from consents.scopes import Presence
from consents.states import LIVE_CONSENTS, ConsentAccountStatus, ConsentStatus, PlatformStatus

#: Consents that are looked at one by one; of more the answer says how many were.
EXAMINED_MAX = 2_000
_BATCH = 500
#: How a platform calls; nobody is PRESENT on its side.
_PRESENCES = (Presence.ABSENT, Presence.ATTESTED)


@dataclass(frozen=True, slots=True, kw_only=True)
class DryRun:
    """Of the consents that the change concerns, all are counted and the first EXAMINED_MAX looked at.

    A consent may lose in one place and gain in another; one that loses everything opens nothing at any bank any more.
    """

    consents: int
    people: int
    accounts: int
    examined: int
    lose_everything: int
    lose_part: int
    gain: int
    losing_platforms: frozenset[UUID]
    gaining_platforms: frozenset[UUID]

    @property
    def is_cut(self) -> bool:
        return self.examined < self.consents


def rehearse(*, institution_id: UUID, changes: Mapping[UUID | None, PolicyTerms], now: datetime) -> DryRun:
    """`changes`: the terms to try, by platform; None: the general policy, which concerns every platform.

    A paused consent counts as if it went on: the change would meet it on the day it does.
    """
    rows = _concerned(institution_id, changes, now)
    totals = rows.aggregate(
        consents=Count("consent_id", distinct=True),
        people=Count("consent__user_id", distinct=True),
        accounts=Count("account_id", distinct=True),
    )
    ids = list(rows.order_by("consent_id").values_list("consent_id", flat=True).distinct()[:EXAMINED_MAX])
    before, after = _policies(institution_id, changes, now)
    effects = [
        effect
        for begin in range(0, len(ids), _BATCH)
        for effect in _effects(ids[begin : begin + _BATCH], institution_id, before, after, now)
    ]
    return DryRun(
        **totals,
        examined=len(ids),
        lose_everything=sum(one.loses_everything for one in effects),
        lose_part=sum(one.loses and not one.loses_everything for one in effects),
        gain=sum(one.gains for one in effects),
        losing_platforms=frozenset(one.platform_id for one in effects if one.loses),
        gaining_platforms=frozenset(one.platform_id for one in effects if one.gains),
    )


def _concerned(institution_id: UUID, changes: Collection[UUID | None], now: datetime) -> QuerySet[ConsentAccount]:
    rows = ConsentAccount.objects.filter(
        institution_id=institution_id, consent__status__in=LIVE_CONSENTS, consent__expires_at__gt=now
    ).exclude(status=ConsentAccountStatus.REVOKED)
    platform_ids = [platform_id for platform_id in changes if platform_id is not None]
    return rows if None in changes else rows.filter(consent__platform_id__in=platform_ids)


_Policies = dict[UUID | None, PolicyFacts | None]  #: by platform; None: of those without one of their own


def _policies(
    institution_id: UUID, changes: Mapping[UUID | None, PolicyTerms], now: datetime
) -> tuple[_Policies, _Policies]:
    held = policies.latest_versions(institution_id)
    tried = {
        **held,
        **{
            platform_id: policies.row(institution_id, platform_id, terms, now=now)
            for platform_id, terms in changes.items()
        },
    }
    platforms = {None, *held, *tried}
    return (
        {one: policy_facts(held.get(one), held.get(None)) for one in platforms},
        {one: policy_facts(tried.get(one), tried.get(None)) for one in platforms},
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Effect:
    platform_id: UUID
    loses: bool
    loses_everything: bool
    gains: bool


def _effects(
    ids: list[UUID], institution_id: UUID, before: _Policies, after: _Policies, now: datetime
) -> list[_Effect]:
    consents = list(Consent.objects.filter(id__in=ids).select_related("user", "platform"))
    rows = list(ConsentAccount.objects.filter(consent_id__in=ids).order_by("account_id"))
    by_consent: dict[UUID, list[ConsentAccount]] = defaultdict(list)
    for row in rows:
        by_consent[row.consent_id].append(row)
    elsewhere = {row.institution_id for row in rows} - {institution_id}
    others = {
        platform_id: policies_in_force(elsewhere, platform_id, now=now)
        for platform_id in {consent.platform_id for consent in consents}
    }
    connections = connections_of([row.account_id for row in rows], now)
    effects = []
    for consent in consents:
        facts = replace(consent_facts(consent), status=ConsentStatus.AUTHORISED)
        platform = PlatformStatus(consent.platform.status)
        slices = slices_from(by_consent[consent.id], others[consent.platform_id], connections)
        own = consent.platform_id if consent.platform_id in after else None
        parts = [
            [replace(one, policy=facts_by[own]) if one.institution_id == institution_id else one for one in slices]
            for facts_by in (before, after)
        ]
        effects.append(_effect(facts, parts[0], parts[1], platform, institution_id, now))
    return effects


def _effect(
    consent: ConsentFacts,
    before: list[Slice],
    after: list[Slice],
    platform: PlatformStatus,
    institution_id: UUID,
    now: datetime,
) -> _Effect:
    loses = gains = False
    opened_before = opens_after = False
    for purpose in consent.purposes:
        for presence in _PRESENCES:
            old = decide(consent, before, platform, purpose, presence, now)
            new = decide(consent, after, platform, purpose, presence, now)
            opened_before |= isinstance(old, Permit)
            opens_after |= isinstance(new, Permit)
            left, right = _here(old, institution_id), _here(new, institution_id)
            loses |= _exceeds(left, right)
            gains |= _exceeds(right, left)
    return _Effect(
        platform_id=consent.platform_id,
        loses=loses,
        loses_everything=opened_before and not opens_after,
        gains=gains,
    )


def _here(answer: object, institution_id: UUID) -> tuple[PermitSlice, datetime] | None:
    if not isinstance(answer, Permit):
        return None
    part = next((one for one in answer.slices if one.institution_id == institution_id), None)
    return None if part is None else (part, answer.expires_at)


def _exceeds(left: tuple[PermitSlice, datetime] | None, right: tuple[PermitSlice, datetime] | None) -> bool:
    """Whether `left` opens anything that `right` does not."""
    if left is None or right is None:
        return left is not None
    (one, one_ends_at), (other, other_ends_at) = left, right
    return (
        not one.released <= other.released
        or not one.derivable <= other.derivable
        or not one.account_ids <= other.account_ids
        or not other.hidden_groups <= one.hidden_groups
        or (other.on_platform_only and not one.on_platform_only)
        or _reach(one) > _reach(other)
        or (other.history_from is not None and (one.history_from is None or one.history_from < other.history_from))
        or one_ends_at > other_ends_at
    )


def _reach(part: PermitSlice) -> int:
    return -1 if part.location_precision is None else part.location_precision.reach
