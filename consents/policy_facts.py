"""The facts that consents.policy decides from. consents.facts gathers them."""

from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from consents.scopes import LocationPrecision, Purpose, Scope, SensitiveGroup
from consents.states import ConnectionStatus, ConsentAccountStatus, ConsentStatus, PolicyStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentFacts:
    """What the user said."""

    id: UUID
    user_id: UUID
    user_active: bool
    platform_id: UUID
    platform_uses_fapi2: bool
    status: ConsentStatus
    scopes: frozenset[Scope]
    purposes: frozenset[Purpose]
    history_from: date | None  #: inclusive; None: no limit of the user's
    location_precision: LocationPrecision | None
    on_platform_only: bool
    hidden_groups: frozenset[SensitiveGroup]
    authorised_at: datetime | None
    expires_at: datetime
    is_one_time: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyFacts:
    """What a bank accepts of one platform."""

    status: PolicyStatus
    scopes: frozenset[Scope]
    purposes: frozenset[Purpose]
    history_days_max: int | None
    duration_days_max: int | None
    location_precision: LocationPrecision | None
    on_platform_only: bool
    hidden_groups: frozenset[SensitiveGroup]
    requires_attended: bool
    accepts_attestation: bool
    requires_fapi2: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountFacts:
    """One account under the consent, and the connection it comes from."""

    account_id: UUID
    status: ConsentAccountStatus
    connection_status: ConnectionStatus
    connection_expires_at: datetime | None  #: the bank's consent clock; None: the bank sets none


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """Everything of one institution that bears on one consent."""

    institution_id: UUID
    policy: PolicyFacts | None
    accounts: tuple[AccountFacts, ...]
