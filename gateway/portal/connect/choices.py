"""What a person has chosen so far, of what was asked: held against the question whenever it counts. Pure.

Nothing in it can add to the question, whatever a form or an old session says.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from consents.lifecycle import Narrower
from consents.models import Consent
from consents.scopes import DEPENDENT_SCOPES, LocationPrecision, Purpose, Scope, SensitiveGroup

#: The shortest time in which each purpose makes sense: a budget needs some months, a look at a balance does not.
SHORTEST_DAYS: dict[Purpose, int] = {
    Purpose.BALANCE_CHECK: 30,
    Purpose.ACCOUNT_OVERVIEW: 30,
    Purpose.FRAUD_ALERTS: 90,
    Purpose.SPENDING_INSIGHTS: 90,
    Purpose.BUDGETING: 90,
}
#: Offered where no more was asked for, beside all of what was asked.
OFFERED_DAYS = (30, 90)
#: Of the names in a form: for one use.
ONE_TIME = "one_time"


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """Where nothing was chosen yet: the least of everything that still serves the purposes.

    `bank`: slug. `duration_days` None: not chosen.
    """

    bank: str = ""
    optional_scopes: frozenset[Scope] = frozenset()
    location_precision: LocationPrecision = LocationPrecision.COUNTRY
    on_platform_only: bool = False
    hidden_groups: frozenset[SensitiveGroup] = frozenset()
    is_one_time: bool = False
    duration_days: int | None = None
    account_ids: frozenset[UUID] = frozenset()

    @property
    def has_terms(self) -> bool:
        """Whether the person has been through the pages up to how long."""
        return self.is_one_time or self.duration_days is not None

    def scopes(self, consent: Consent) -> frozenset[Scope]:
        """What is needed, and what was ticked of the rest."""
        asked = {Scope(scope) for scope in consent.scopes}
        return frozenset(asked - optional_of(consent)) | (self.optional_scopes & optional_of(consent))

    def narrower(self, consent: Consent) -> Narrower:
        return Narrower(
            duration_days=None if self.is_one_time else self.days(consent),
            is_one_time=self.is_one_time,
            location_precision=self.precision(consent),
            on_platform_only=self.on_platform_only,
            hidden_groups=self.hidden_groups,
        )

    def precision(self, consent: Consent) -> LocationPrecision | None:
        """None: no places are asked for."""
        if consent.location_precision is None:
            return None
        asked = LocationPrecision(consent.location_precision)
        return min(asked, self.location_precision, key=lambda precision: precision.reach)

    def days(self, consent: Consent) -> int:
        asked = consent.duration_days or 1
        return min(asked, self.duration_days or shortest_days(consent))


def optional_of(consent: Consent) -> frozenset[Scope]:
    return frozenset(Scope(scope) for scope in consent.optional_scopes)


def shortest_days(consent: Consent) -> int:
    """What the purposes need, and not more than was asked."""
    needed = max(SHORTEST_DAYS[Purpose(purpose)] for purpose in consent.purposes)
    return min(consent.duration_days or 1, needed)


def days_offered(consent: Consent, longest: timedelta) -> list[int]:
    """Ascending. `longest`: as long as the bank goes along from now on; the last is all that was asked, or that."""
    most = max(min(consent.duration_days or 1, longest.days), 1)
    return sorted({*(days for days in OFFERED_DAYS if days < most), most})


def precisions_offered(asked: str | None, at_the_bank: LocationPrecision | None) -> list[LocationPrecision]:
    """Least first, never closer than asked, nor than the bank tells; none where places are not to be had at all."""
    if asked is None or at_the_bank is None:
        return []
    closest = min(LocationPrecision(asked), at_the_bank, key=lambda precision: precision.reach)
    return [precision for precision in LocationPrecision if precision.reach <= closest.reach]


def groundless(scopes: Collection[Scope]) -> tuple[Scope, Scope] | None:
    """A scope that was ticked without the one it describes: both of them; None: all is well."""
    for scope in Scope:
        ground = DEPENDENT_SCOPES.get(scope)
        if scope in scopes and ground is not None and ground not in scopes:
            return scope, ground
    return None


# -- in a session ------------------------------------------------------------------------------------------------------


def to_session(choices: Choices) -> dict[str, Any]:
    return {
        "bank": choices.bank,
        "optional_scopes": sorted(choices.optional_scopes),
        "location_precision": choices.location_precision,
        "on_platform_only": choices.on_platform_only,
        "hidden_groups": sorted(choices.hidden_groups),
        "is_one_time": choices.is_one_time,
        "duration_days": choices.duration_days,
        "account_ids": sorted(str(account_id) for account_id in choices.account_ids),
    }


def from_session(kept: Mapping[str, Any]) -> Choices:
    """Kept by us, in the database: an unknown word raises."""
    if not kept:
        return Choices()
    return Choices(
        bank=kept["bank"],
        optional_scopes=frozenset(Scope(scope) for scope in kept["optional_scopes"]),
        location_precision=LocationPrecision(kept["location_precision"]),
        on_platform_only=kept["on_platform_only"],
        hidden_groups=frozenset(SensitiveGroup(group) for group in kept["hidden_groups"]),
        is_one_time=kept["is_one_time"],
        duration_days=kept["duration_days"],
        account_ids=frozenset(UUID(account_id) for account_id in kept["account_ids"]),
    )
