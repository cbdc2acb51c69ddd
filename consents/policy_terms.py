"""What one version of a bank's policy says, and whether another says more. Pure."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from typing import Any

from consents.scopes import LocationPrecision, Purpose, Scope, SensitiveGroup
from consents.states import PolicyStatus


class StepUp(StrEnum):
    """What proves the person again before an existing bank link is shared further."""

    BANK = "bank"
    PASSKEY = "passkey"


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyTerms:
    """Limits of one version. None: no limit of the bank's own (days), or nothing at all (precision)."""

    scopes: frozenset[Scope]
    purposes: frozenset[Purpose]
    status: PolicyStatus = PolicyStatus.ALLOW
    history_days_max: int | None = 365
    duration_days_max: int | None = 365
    location_precision: LocationPrecision | None = LocationPrecision.CITY
    on_platform_only: bool = False
    hidden_groups: frozenset[SensitiveGroup] = frozenset()
    requires_attended: bool = False
    accepts_attestation: bool = False
    step_up: StepUp = StepUp.BANK
    requires_fapi2: bool = True

    def as_json(self) -> dict[str, Any]:
        """Members named as the fields, sets as sorted lists."""
        return {name: sorted(value) if isinstance(value, frozenset) else value for name, value in asdict(self).items()}


#: A stop before anything was ever allowed.
NOTHING = PolicyTerms(
    scopes=frozenset(),
    purposes=frozenset(),
    status=PolicyStatus.SUSPEND,
    location_precision=None,
)

#: How much a status lets through.
_REACH = {PolicyStatus.BLOCK: 0, PolicyStatus.SUSPEND: 1, PolicyStatus.ALLOW: 2}


def terms_from_json(members: Mapping[str, Any]) -> PolicyTerms:
    """What `PolicyTerms.as_json` made. A word or member that is not ours raises ValueError: never a wider right."""
    known = {field.name for field in fields(PolicyTerms)}
    if set(members) != known:
        raise ValueError(f"members are {', '.join(sorted(known))}")
    precision = members["location_precision"]
    return PolicyTerms(
        **{
            **members,
            "scopes": frozenset(Scope(name) for name in members["scopes"]),
            "purposes": frozenset(Purpose(name) for name in members["purposes"]),
            "status": PolicyStatus(members["status"]),
            "location_precision": None if precision is None else LocationPrecision(precision),
            "hidden_groups": frozenset(SensitiveGroup(name) for name in members["hidden_groups"]),
            "step_up": StepUp(members["step_up"]),
        }
    )


def changed(before: PolicyTerms | None, after: PolicyTerms) -> tuple[str, ...]:
    """Fields of `after` that say something else than `before`; all of them when there was nothing."""
    names = tuple(field.name for field in fields(PolicyTerms))
    return names if before is None else tuple(name for name in names if getattr(before, name) != getattr(after, name))


def widened(before: PolicyTerms | None, after: PolicyTerms) -> tuple[str, ...]:
    """Fields by which `after` lets through, or could once it is lifted, what `before` did not. Empty: one may sign it.

    Each field is held against its own: a change that takes in one place and gives in another is wider. `before` None:
    nothing was served, so whatever `after` opens is wider.
    """
    if before is None:
        opens = after.status == PolicyStatus.ALLOW or bool(after.scopes)
        return changed(None, after) if opens else ()
    return tuple(name for name in changed(before, after) if _is_wider(name, before, after))


def _is_wider(name: str, before: PolicyTerms, after: PolicyTerms) -> bool:
    old, new = getattr(before, name), getattr(after, name)
    match name:
        case "scopes" | "purposes":
            return bool(new - old)
        case "hidden_groups":
            return bool(old - new)
        case "status":
            return _REACH[new] > _REACH[old]
        case "history_days_max" | "duration_days_max":
            return _days(new) > _days(old)
        case "location_precision":
            return _reach(new) > _reach(old)
        case "on_platform_only" | "requires_attended" | "requires_fapi2":
            return bool(old)  # they differ, so what was required is not any more
        case "accepts_attestation":
            return bool(new)
        case "step_up":
            return bool(new != StepUp.BANK)  # the bank's own login is the one that the bank itself sees
        case _:
            return True  # a field that nobody ranked takes two people


def _days(limit: int | None) -> float:
    return math.inf if limit is None else limit


def _reach(precision: LocationPrecision | None) -> int:
    return -1 if precision is None else precision.reach
