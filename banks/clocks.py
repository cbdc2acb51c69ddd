"""The two clocks of a connection: how long the bank's consent lasts, how long its customer counts as logged in. Pure.

Stored is what a bank or a person did; what the clocks make of it is computed whenever it is read.

    ACTIVE -> EXPIRING (7 days before the earlier clock) -> REAUTH_REQUIRED (login) | EXPIRED (consent)
"""

from datetime import datetime, timedelta

from consents.states import SERVING_CONNECTIONS, ConnectionStatus

#: From here on a connection is EXPIRING.
EXPIRING_WITHIN = timedelta(days=7)

#: From here on it may be renewed although nothing is wrong with it (FDX: 30 days).
RENEWABLE_WITHIN = timedelta(days=30)

#: Days before the end that are announced, each once; 0 announces the end itself.
ANNOUNCED_DAYS = (0, 1, 7, 30)

#: A bank's consent is asked for as long as the sharing lasts, minutes before the sharing begins. One that ends this
#: close to the last consent ends with it: renewing it would gain nothing.
ENDS_TOGETHER = timedelta(days=1)

_NEEDS_RENEWAL = frozenset({ConnectionStatus.REAUTH_REQUIRED, ConnectionStatus.EXPIRED, ConnectionStatus.REVOKED})


def connection_state(
    status: ConnectionStatus,
    consent_expires_at: datetime | None,
    authentication_expires_at: datetime | None,
    now: datetime,
) -> ConnectionStatus:
    """The status as of `now`. None: the bank sets no such clock."""
    if status not in SERVING_CONNECTIONS:
        return status
    if _is_over(consent_expires_at, now):
        return ConnectionStatus.EXPIRED
    if status == ConnectionStatus.REAUTH_REQUIRED or _is_over(authentication_expires_at, now):
        return ConnectionStatus.REAUTH_REQUIRED
    # Trouble at the bank is told before an end that is days away.
    if status in (ConnectionStatus.DEGRADED, ConnectionStatus.RATE_LIMITED):
        return status
    first = ends_at(consent_expires_at, authentication_expires_at)
    return ConnectionStatus.EXPIRING if _is_over(first, now + EXPIRING_WITHIN) else ConnectionStatus.ACTIVE


def authentication_end(logged_in_at: datetime, days_max: int | None, told: datetime | None) -> datetime | None:
    """When the bank wants its customer to log in again: what it told, or its rule in days, the earlier."""
    return ends_at(told, None if days_max is None else logged_in_at + timedelta(days=days_max))


def renewal_due_at(
    consent_expires_at: datetime | None, authentication_expires_at: datetime | None, needed_until: datetime | None
) -> datetime | None:
    """The first clock that runs out while a live consent still needs the connection; None: it lasts.

    `needed_until`: end of the last live consent on it; None: none needs it.
    """
    if needed_until is None:
        return None
    clocks = (consent_expires_at, authentication_expires_at)
    return min((one for one in clocks if one is not None and one < needed_until - ENDS_TOGETHER), default=None)


def needs_renewal(state: ConnectionStatus, needed_until: datetime | None, now: datetime) -> bool:
    """Whether something that is shared waits for the user. `state` as of now."""
    return state in _NEEDS_RENEWAL and needed_until is not None and needed_until > now


def is_renewable(
    state: ConnectionStatus, due_at: datetime | None, needed_until: datetime | None, now: datetime
) -> bool:
    """Whether the user may renew it now: it waits for that, or will within 30 days."""
    if state in (ConnectionStatus.SUSPENDED, ConnectionStatus.CLOSED):
        return False
    return needs_renewal(state, needed_until, now) or (due_at is not None and due_at <= now + RENEWABLE_WITHIN)


def announced_days(due_at: datetime | None, now: datetime) -> int | None:
    """The announcement that is due: 30, 7 or 1 days before the end, 0 from the end on; None: none yet."""
    if due_at is None:
        return None
    return next((days for days in ANNOUNCED_DAYS if due_at <= now + timedelta(days=days)), None)


def ends_at(left: datetime | None, right: datetime | None) -> datetime | None:
    """The earlier of two clocks; None: the bank sets neither."""
    return min((one for one in (left, right) if one is not None), default=None)


def _is_over(clock: datetime | None, now: datetime) -> bool:
    return clock is not None and clock <= now
