"""Two clocks, and what they make of a connection at an instant. No database: nothing is stored for it."""

from datetime import UTC, datetime, timedelta

import pytest

from banks import clocks
from consents.states import ConnectionStatus

NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)
DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)
FAR = NOW + timedelta(days=90)

S = ConnectionStatus


@pytest.mark.parametrize(
    ("stored", "consent", "login", "now"),
    [
        (S.ACTIVE, None, None, S.ACTIVE),
        (S.ACTIVE, FAR, FAR, S.ACTIVE),
        (S.ACTIVE, NOW + 7 * DAY + SECOND, FAR, S.ACTIVE),
        (S.ACTIVE, NOW + 7 * DAY, FAR, S.EXPIRING),
        (S.ACTIVE, FAR, NOW + 7 * DAY, S.EXPIRING),
        (S.ACTIVE, NOW + SECOND, None, S.EXPIRING),
        (S.ACTIVE, NOW, None, S.EXPIRED),
        (S.ACTIVE, FAR, NOW, S.REAUTH_REQUIRED),
        (S.ACTIVE, NOW, NOW, S.EXPIRED),
        (S.EXPIRING, FAR, None, S.ACTIVE),
        (S.REAUTH_REQUIRED, FAR, FAR, S.REAUTH_REQUIRED),
        (S.REAUTH_REQUIRED, NOW, FAR, S.EXPIRED),
        (S.DEGRADED, NOW + DAY, None, S.DEGRADED),
        (S.RATE_LIMITED, NOW + DAY, None, S.RATE_LIMITED),
        (S.DEGRADED, NOW, None, S.EXPIRED),
        (S.RATE_LIMITED, FAR, NOW, S.REAUTH_REQUIRED),
        (S.SUSPENDED, NOW, NOW, S.SUSPENDED),
        (S.REVOKED, NOW, NOW, S.REVOKED),
        (S.CLOSED, NOW, NOW, S.CLOSED),
    ],
)
def test_a_status_is_what_the_clocks_make_of_it(
    stored: S, consent: datetime | None, login: datetime | None, now: S
) -> None:
    assert clocks.connection_state(stored, consent, login, NOW) == now


@pytest.mark.parametrize(
    ("days_max", "told", "end"),
    [
        (None, None, None),
        (180, None, NOW + 180 * DAY),
        (None, FAR, FAR),
        (180, FAR, FAR),
        (30, FAR, NOW + 30 * DAY),
    ],
)
def test_the_login_lasts_as_long_as_the_stricter_of_two_says(
    days_max: int | None, told: datetime | None, end: datetime | None
) -> None:
    assert clocks.authentication_end(NOW, days_max, told) == end


@pytest.mark.parametrize(
    ("consent", "login", "needed_until", "due"),
    [
        (NOW + 9 * DAY, None, FAR, NOW + 9 * DAY),
        (NOW + 9 * DAY, NOW + 5 * DAY, FAR, NOW + 5 * DAY),
        (FAR, NOW + 5 * DAY, FAR, NOW + 5 * DAY),
        (FAR, None, FAR, None),
        (FAR - timedelta(minutes=10), None, FAR, None),  # asked for minutes before the sharing began
        (NOW + 9 * DAY, None, None, None),
        (None, None, FAR, None),
    ],
)
def test_renewing_is_due_only_where_it_would_gain_something(
    consent: datetime | None, login: datetime | None, needed_until: datetime | None, due: datetime | None
) -> None:
    assert clocks.renewal_due_at(consent, login, needed_until) == due


@pytest.mark.parametrize(
    ("state", "due", "renewable"),
    [
        (S.ACTIVE, None, False),
        (S.ACTIVE, NOW + 31 * DAY, False),
        (S.ACTIVE, NOW + 30 * DAY, True),
        (S.EXPIRING, NOW + DAY, True),
        (S.EXPIRING, None, False),
        (S.DEGRADED, None, False),
        (S.REAUTH_REQUIRED, None, True),
        (S.EXPIRED, NOW - DAY, True),
        (S.REVOKED, None, True),
        (S.SUSPENDED, NOW + DAY, False),
        (S.CLOSED, NOW + DAY, False),
    ],
)
def test_a_connection_is_renewed_when_it_must_be_or_soon_will(state: S, due: datetime | None, renewable: bool) -> None:
    assert clocks.is_renewable(state, due, FAR, NOW) is renewable


@pytest.mark.parametrize("state", [S.REAUTH_REQUIRED, S.EXPIRED, S.REVOKED])
def test_nothing_waits_for_the_user_when_nothing_is_shared(state: S) -> None:
    assert clocks.needs_renewal(state, FAR, NOW)
    assert not clocks.needs_renewal(state, None, NOW)
    assert not clocks.needs_renewal(state, NOW, NOW)


@pytest.mark.parametrize(
    ("left", "days"),
    [
        (30 * DAY + SECOND, None),
        (30 * DAY, 30),
        (7 * DAY + SECOND, 30),
        (7 * DAY, 7),
        (DAY, 1),
        (SECOND, 1),
        (timedelta(0), 0),
        (-100 * DAY, 0),
    ],
)
def test_an_end_is_announced_at_30_7_and_1_days_and_when_it_came(left: timedelta, days: int | None) -> None:
    assert clocks.announced_days(NOW + left, NOW) == days


def test_what_never_ends_is_never_announced() -> None:
    assert clocks.announced_days(None, NOW) is None
