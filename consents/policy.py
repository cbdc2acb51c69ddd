"""Decides. The only mint of platform permits: effective right = consent AND bank policy AND platform AND connection.

Pure: takes facts, returns a Permit or a Denial; never reads the clock, the database or a setting. API, events, alerts,
sync planning and a bank's dry-run all call `decide`; there is no second copy of the rule.
"""

from collections.abc import Sequence
from dataclasses import InitVar, dataclass
from datetime import date, datetime, timedelta
from typing import NoReturn
from uuid import UUID

from consents.denials import DENIALS, Denial, DenialCode
from consents.errors import ScopeNotGranted
from consents.policy_facts import AccountFacts, ConsentFacts, PolicyFacts, Slice
from consents.scopes import (
    DERIVED_SCOPES,
    PURPOSE_SCOPES,
    RUNNING_FIELDS,
    LocationPrecision,
    Presence,
    Purpose,
    Record,
    Scope,
    SensitiveGroup,
    consistent,
    opened_fields,
)
from consents.states import SERVING_CONNECTIONS, ConsentAccountStatus, ConsentStatus, PlatformStatus, PolicyStatus

_MINT = object()


# -- the permit --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class PermitSlice:
    """What may be read of one institution's accounts."""

    institution_id: UUID
    account_ids: frozenset[UUID]
    released: frozenset[Scope]  #: may leave, as fields
    derivable: frozenset[Scope]  #: of DERIVED_SCOPES: may be worked out from these accounts, window and filters
    history_from: date | None
    location_precision: LocationPrecision | None
    on_platform_only: bool
    hidden_groups: frozenset[SensitiveGroup]
    history_days_max: int | None  #: the policy's limit, of which `history_from` is today's edge
    presence: Presence  #: what the bank takes the user's presence for

    def fields(self, record: Record) -> tuple[str, ...]:
        """Columns of `record` that this slice releases; empty when closed."""
        fields = opened_fields(record, self.released, self.location_precision)
        if self.on_platform_only or self.hidden_groups:
            return tuple(name for name in fields if name not in RUNNING_FIELDS)
        return fields


@dataclass(frozen=True, slots=True, kw_only=True)
class Permit:
    """Authority to read some of one person's data, until a moment in time.

    Issued by `decide` (platforms) and `ownership.owner_permit` (the holder); built elsewhere it raises TypeError.
    """

    user_id: UUID
    consent_id: UUID | None  #: None: the account holder's own
    platform_id: UUID | None
    purpose: Purpose | None
    presence: Presence  #: as claimed; each slice says what its bank makes of it
    slices: tuple[PermitSlice, ...]
    expires_at: datetime
    mint: InitVar[object]
    is_one_time: bool = False  #: the first read starts the consent's last hour

    def __post_init__(self, mint: object) -> None:
        if mint is not _MINT:
            raise TypeError("Permits are issued by consents.policy, not constructed.")

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("A permit is for now: it is neither stored nor sent nor copied.")

    def opening(self, record: Record) -> tuple[PermitSlice, ...]:
        """The slices that open `record`. Raises ScopeNotGranted when there is none."""
        opening = tuple(part for part in self.slices if part.fields(record))
        if not opening:
            raise ScopeNotGranted(record)
        return opening

    def slice_of(self, account_id: UUID) -> PermitSlice | None:
        """The slice this account belongs to, or None when the permit does not reach it."""
        return next((part for part in self.slices if account_id in part.account_ids), None)


# -- the decision ------------------------------------------------------------------------------------------------------


def decide(
    consent: ConsentFacts,
    slices: Sequence[Slice],
    platform: PlatformStatus,
    purpose: Purpose | None,
    presence: Presence,
    now: datetime,
) -> Permit | Denial:
    """One Permit over every institution that says yes; a Denial when the consent, or all of them, say no.

    `purpose` may be None when the consent names exactly one.
    """
    if denial := _ended(consent, now) or _unavailable(consent, platform):
        return denial
    named = _purpose(consent, purpose)
    if isinstance(named, Denial):
        return named
    answers = [_slice(consent, part, named, presence=presence, now=now) for part in slices]
    permitted = [answer for answer in answers if isinstance(answer, _Permitted)]
    if not permitted:
        return next((a for a in answers if isinstance(a, Denial)), DENIALS[DenialCode.NO_ACCOUNTS])
    return Permit(
        user_id=consent.user_id,
        consent_id=consent.id,
        platform_id=consent.platform_id,
        purpose=named,
        presence=presence,
        slices=tuple(answer.part for answer in permitted),
        expires_at=min(consent.expires_at, *(answer.expires_at for answer in permitted)),
        mint=_MINT,
        is_one_time=consent.is_one_time,
    )


_BY_STATUS: dict[ConsentStatus, DenialCode] = {
    ConsentStatus.AWAITING_AUTHORISATION: DenialCode.CONSENT_NOT_AUTHORISED,
    ConsentStatus.REJECTED: DenialCode.CONSENT_NOT_AUTHORISED,
    ConsentStatus.REVOKED: DenialCode.CONSENT_REVOKED,
    ConsentStatus.EXPIRED: DenialCode.CONSENT_EXPIRED,
    ConsentStatus.CONSUMED: DenialCode.CONSENT_CONSUMED,
    ConsentStatus.PAUSED: DenialCode.CONSENT_PAUSED,
    ConsentStatus.SUSPENDED: DenialCode.CONSENT_SUSPENDED,
}

#: The consent is over: a token that points to it is dead (401), where the others only wait (403).
ENDED = frozenset(
    {
        DenialCode.CONSENT_NOT_AUTHORISED,
        DenialCode.CONSENT_REVOKED,
        DenialCode.CONSENT_EXPIRED,
        DenialCode.CONSENT_CONSUMED,
        DenialCode.USER_INACTIVE,
    }
)


def _ended(consent: ConsentFacts, now: datetime) -> Denial | None:
    code = _BY_STATUS.get(consent.status)
    if code in ENDED:
        return DENIALS[code]
    # By the clock, whatever the row says: no nightly job stands between an expiry and its effect.
    if consent.expires_at <= now:
        return DENIALS[DenialCode.CONSENT_EXPIRED]
    return None if consent.user_active else DENIALS[DenialCode.USER_INACTIVE]


def _unavailable(consent: ConsentFacts, platform: PlatformStatus) -> Denial | None:
    if code := _BY_STATUS.get(consent.status):
        return DENIALS[code]
    return None if platform == PlatformStatus.ACTIVE else DENIALS[DenialCode.PLATFORM_NOT_ACTIVE]


def _purpose(consent: ConsentFacts, purpose: Purpose | None) -> Purpose | Denial:
    if purpose is None:
        if len(consent.purposes) != 1:
            return DENIALS[DenialCode.PURPOSE_REQUIRED]
        return next(iter(consent.purposes))
    return purpose if purpose in consent.purposes else DENIALS[DenialCode.PURPOSE_NOT_GRANTED]


@dataclass(frozen=True, slots=True)
class _Permitted:
    part: PermitSlice
    expires_at: datetime


def _slice(
    consent: ConsentFacts, part: Slice, purpose: Purpose, *, presence: Presence, now: datetime
) -> _Permitted | Denial:
    policy = part.policy
    if policy is None:
        return DENIALS[DenialCode.POLICY_ABSENT]
    accepted = _accepted_presence(policy, presence)
    if denial := _policy_refuses(policy, purpose, accepted):
        return denial
    if policy.requires_fapi2 and not consent.platform_uses_fapi2:
        return DENIALS[DenialCode.PROFILE_REQUIRED]
    until = _until(consent, policy)
    if until <= now:
        return DENIALS[DenialCode.CONSENT_EXPIRED]
    accounts = _serving(part.accounts, now)
    if isinstance(accounts, Denial):
        return accounts
    scopes = consistent(consent.scopes & policy.scopes & PURPOSE_SCOPES[purpose])
    if not scopes:
        return DENIALS[DenialCode.POLICY_EXCLUDES]
    permitted = PermitSlice(
        institution_id=part.institution_id,
        account_ids=frozenset(account.account_id for account in accounts),
        released=scopes - DERIVED_SCOPES,
        derivable=scopes & DERIVED_SCOPES,
        history_from=_history_from(consent, policy, now),
        location_precision=_precision(consent.location_precision, policy.location_precision),
        on_platform_only=consent.on_platform_only or policy.on_platform_only,
        hidden_groups=consent.hidden_groups | policy.hidden_groups,
        history_days_max=policy.history_days_max,
        presence=accepted,
    )
    clocks = [a.connection_expires_at for a in accounts if a.connection_expires_at is not None]
    return _Permitted(permitted, min([until, *clocks]))


def _accepted_presence(policy: PolicyFacts, presence: Presence) -> Presence:
    """A platform's word counts where the bank takes it; elsewhere nobody is there."""
    if presence == Presence.ATTESTED and not policy.accepts_attestation:
        return Presence.ABSENT
    return presence


def _policy_refuses(policy: PolicyFacts, purpose: Purpose, presence: Presence) -> Denial | None:
    if policy.status == PolicyStatus.SUSPEND:
        return DENIALS[DenialCode.POLICY_SUSPENDED]
    if policy.status == PolicyStatus.BLOCK:
        return DENIALS[DenialCode.POLICY_BLOCKED]
    if purpose not in policy.purposes:
        return DENIALS[DenialCode.POLICY_EXCLUDES]
    if policy.requires_attended and presence == Presence.ABSENT:
        return DENIALS[DenialCode.ATTENDED_REQUIRED]
    return None


def _serving(accounts: Sequence[AccountFacts], now: datetime) -> list[AccountFacts] | Denial:
    if not accounts:
        return DENIALS[DenialCode.NO_ACCOUNTS]
    active = [a for a in accounts if a.status == ConsentAccountStatus.ACTIVE]
    if not active:
        return DENIALS[DenialCode.ACCOUNTS_SUSPENDED]
    serving = [a for a in active if a.connection_status in SERVING_CONNECTIONS and _in_date(a, now)]
    return serving or DENIALS[DenialCode.CONNECTION_NOT_SERVING]


def _in_date(account: AccountFacts, now: datetime) -> bool:
    return account.connection_expires_at is None or account.connection_expires_at > now


def _until(consent: ConsentFacts, policy: PolicyFacts) -> datetime:
    if policy.duration_days_max is None or consent.authorised_at is None:
        return consent.expires_at
    return min(consent.expires_at, consent.authorised_at + timedelta(days=policy.duration_days_max))


def _history_from(consent: ConsentFacts, policy: PolicyFacts, now: datetime) -> date | None:
    if policy.history_days_max is None:
        return consent.history_from
    # The window's edge is a calendar day counted back from today in UTC; no row's own date is derived here.
    edge = now.date() - timedelta(days=policy.history_days_max)
    return edge if consent.history_from is None else max(edge, consent.history_from)


def _precision(left: LocationPrecision | None, right: LocationPrecision | None) -> LocationPrecision | None:
    if left is None or right is None:
        return None
    return min(left, right, key=lambda precision: precision.reach)
