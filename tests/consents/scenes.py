"""One decision with every answer yes, to be spoilt one fact at a time. Values only, no database."""

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

from consents import policy
from consents.denials import Denial
from consents.policy import Permit
from consents.policy_facts import AccountFacts, ConsentFacts, PolicyFacts, Slice
from consents.scopes import LocationPrecision, Presence, Purpose, Scope
from consents.states import ConnectionStatus, ConsentAccountStatus, ConsentStatus, PlatformStatus, PolicyStatus

NOW = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)

ALICE = UUID(int=1)
CHAT = UUID(int=2)
ACORN, BIRCH = UUID(int=10), UUID(int=20)
CURRENT, SAVINGS, CARD = UUID(int=101), UUID(int=102), UUID(int=201)


def consent(**changes: Any) -> ConsentFacts:
    return ConsentFacts(
        **{
            "id": UUID(int=3),
            "user_id": ALICE,
            "user_active": True,
            "platform_id": CHAT,
            "platform_uses_fapi2": False,
            "status": ConsentStatus.AUTHORISED,
            "scopes": frozenset({Scope.ACCOUNTS, Scope.TRANSACTIONS, Scope.LOCATIONS}),
            "purposes": frozenset({Purpose.ACCOUNT_OVERVIEW}),
            "history_from": date(2026, 1, 1),
            "location_precision": LocationPrecision.CITY,
            "on_platform_only": False,
            "hidden_groups": frozenset(),
            "authorised_at": NOW - timedelta(days=1),
            "expires_at": NOW + timedelta(days=89),
            **changes,
        }
    )


def bank_policy(**changes: Any) -> PolicyFacts:
    return PolicyFacts(
        **{
            "status": PolicyStatus.ALLOW,
            "scopes": frozenset(Scope),
            "purposes": frozenset(Purpose),
            "history_days_max": None,
            "duration_days_max": None,
            "location_precision": LocationPrecision.STORE,
            "on_platform_only": False,
            "hidden_groups": frozenset(),
            "requires_attended": False,
            "accepts_attestation": False,
            "requires_fapi2": False,
            **changes,
        }
    )


def account(account_id: UUID = CURRENT, **changes: Any) -> AccountFacts:
    return AccountFacts(
        **{
            "account_id": account_id,
            "status": ConsentAccountStatus.ACTIVE,
            "connection_status": ConnectionStatus.ACTIVE,
            "connection_expires_at": None,
            **changes,
        }
    )


@dataclass(frozen=True, kw_only=True)
class Case:
    """The arguments of `decide`, with small hands to change one of them."""

    consent: ConsentFacts
    slices: tuple[Slice, ...]
    platform: PlatformStatus = PlatformStatus.ACTIVE
    purpose: Purpose | None = None
    presence: Presence = Presence.ABSENT
    now: datetime = NOW

    def decided(self) -> Permit | Denial:
        return policy.decide(self.consent, self.slices, self.platform, self.purpose, self.presence, self.now)

    def permitted(self) -> Permit:
        answer = self.decided()
        assert isinstance(answer, Permit), answer
        return answer

    def with_consent(self, **changes: Any) -> "Case":
        return replace(self, consent=replace(self.consent, **changes))

    def with_policy(self, at: int = 0, **changes: Any) -> "Case":
        part = self.slices[at]
        assert part.policy is not None
        return self.with_slice(at, policy=replace(part.policy, **changes))

    def with_account(self, at: int = 0, **changes: Any) -> "Case":
        first, *rest = self.slices[at].accounts
        return self.with_slice(at, accounts=(replace(first, **changes), *rest))

    def with_slice(self, at: int = 0, **changes: Any) -> "Case":
        slices = list(self.slices)
        slices[at] = replace(slices[at], **changes)
        return replace(self, slices=tuple(slices))


def one_bank() -> Case:
    return Case(
        consent=consent(),
        slices=(Slice(institution_id=ACORN, policy=bank_policy(), accounts=(account(),)),),
    )


def two_banks() -> Case:
    return Case(
        consent=consent(),
        slices=(
            Slice(institution_id=ACORN, policy=bank_policy(), accounts=(account(CURRENT), account(SAVINGS))),
            Slice(institution_id=BIRCH, policy=bank_policy(), accounts=(account(CARD),)),
        ),
    )
