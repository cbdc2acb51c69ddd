"""What a platform asks for, held against the vocabulary and its purposes. Pure."""

from dataclasses import dataclass

from consents.errors import RequestNotAllowed
from consents.scopes import (
    DEPENDENT_SCOPES,
    LocationPrecision,
    Purpose,
    Scope,
    SensitiveGroup,
    consistent,
    implied,
    purpose_scopes,
)

DURATION_DAYS_DEFAULT = 90
DURATION_DAYS_MAX = 365
HISTORY_DAYS_DEFAULT = 90
HISTORY_DAYS_MAX = 730


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestedAccess:
    """One `authorization_details` object of type `account_information` (RFC 9396), checked by `checked`."""

    scopes: frozenset[Scope]
    purposes: frozenset[Purpose]
    #: Of `scopes`, those the platform can do without: the user ticks them one by one.
    optional_scopes: frozenset[Scope] = frozenset()
    duration_days: int = DURATION_DAYS_DEFAULT
    history_days: int = HISTORY_DAYS_DEFAULT
    location_precision: LocationPrecision | None = None
    on_platform_only: bool = False
    hidden_groups: frozenset[SensitiveGroup] = frozenset()


def checked(asked: RequestedAccess, *, allowed_purposes: frozenset[Purpose]) -> RequestedAccess:
    """`asked` with implied scopes filled in. Raises RequestNotAllowed naming the member that goes too far."""
    if not asked.scopes:
        raise RequestNotAllowed("scopes", "at least one scope is needed")
    if not asked.purposes:
        raise RequestNotAllowed("purposes", "at least one purpose is needed")
    if foreign := asked.purposes - allowed_purposes:
        raise RequestNotAllowed("purposes", f"not registered for this platform: {_names(foreign)}")
    scopes = implied(asked.scopes)
    if beyond := scopes - purpose_scopes(asked.purposes):
        raise RequestNotAllowed("scopes", f"beyond the purposes named: {_names(beyond)}")
    _refuse_orphans(scopes)
    _refuse_optional(asked.optional_scopes, scopes)
    _refuse_out_of_range("duration_days", asked.duration_days, DURATION_DAYS_MAX)
    _refuse_out_of_range("history_days", asked.history_days, HISTORY_DAYS_MAX)
    return RequestedAccess(
        scopes=scopes,
        purposes=asked.purposes,
        optional_scopes=asked.optional_scopes,
        duration_days=asked.duration_days,
        history_days=asked.history_days,
        location_precision=_precision(asked, scopes),
        on_platform_only=asked.on_platform_only,
        hidden_groups=asked.hidden_groups - {SensitiveGroup.NONE},
    )


def _refuse_orphans(scopes: frozenset[Scope]) -> None:
    for scope in sorted(scopes):
        ground = DEPENDENT_SCOPES.get(scope)
        if ground is not None and ground not in scopes:
            raise RequestNotAllowed("scopes", f"{scope} needs {ground}")


def _refuse_optional(optional: frozenset[Scope], scopes: frozenset[Scope]) -> None:
    """What is left when none of them is ticked must be a request by itself."""
    if foreign := optional - scopes:
        raise RequestNotAllowed("optional_scopes", f"not among the scopes asked: {_names(foreign)}")
    required = scopes - optional
    if not required:
        raise RequestNotAllowed("optional_scopes", "at least one scope is needed without them")
    if implied(required) != required or consistent(required) != required:
        raise RequestNotAllowed("optional_scopes", "a scope that is needed rests on one that is optional")


def _refuse_out_of_range(field: str, value: int, maximum: int) -> None:
    if not 1 <= value <= maximum:
        raise RequestNotAllowed(field, f"must be from 1 to {maximum}")


def _precision(asked: RequestedAccess, scopes: frozenset[Scope]) -> LocationPrecision | None:
    if Scope.LOCATIONS not in scopes:
        if asked.location_precision is not None:
            raise RequestNotAllowed("location_precision", "needs the scope locations")
        return None
    # The least that makes the scope mean anything: closer must be asked for in so many words.
    return asked.location_precision or LocationPrecision.COUNTRY


def _names(values: frozenset[Scope] | frozenset[Purpose]) -> str:
    return ", ".join(sorted(values))
