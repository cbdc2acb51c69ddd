"""What a platform may ask for at all, before any user is bothered with it."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from consents.errors import RequestNotAllowed
from consents.requested import RequestedAccess, checked
from consents.scopes import LocationPrecision, Purpose, Scope, SensitiveGroup

REGISTERED = frozenset({Purpose.ACCOUNT_OVERVIEW, Purpose.BALANCE_CHECK})

Scenario = Callable[[RequestedAccess], RequestedAccess]


def an_overview() -> RequestedAccess:
    return RequestedAccess(
        scopes=frozenset({Scope.ACCOUNTS, Scope.TRANSACTIONS}), purposes=frozenset({Purpose.ACCOUNT_OVERVIEW})
    )


def no_scope(asked: RequestedAccess) -> RequestedAccess:
    return replace(asked, scopes=frozenset())


def no_purpose(asked: RequestedAccess) -> RequestedAccess:
    return replace(asked, purposes=frozenset())


def a_purpose_it_never_registered(asked: RequestedAccess) -> RequestedAccess:
    return replace(asked, purposes=asked.purposes | {Purpose.BUDGETING})


def locations_for_a_balance_check(asked: RequestedAccess) -> RequestedAccess:
    return replace(
        asked,
        scopes=frozenset({Scope.BALANCES, Scope.LOCATIONS, Scope.TRANSACTIONS}),
        purposes=frozenset({Purpose.BALANCE_CHECK}),
    )


def merchants_for_a_balance_check(asked: RequestedAccess) -> RequestedAccess:
    return replace(asked, scopes=frozenset({Scope.MERCHANTS}), purposes=frozenset({Purpose.BALANCE_CHECK}))


def locations_of_nothing(asked: RequestedAccess) -> RequestedAccess:
    return replace(asked, scopes=frozenset({Scope.ACCOUNTS, Scope.LOCATIONS}))


def counterparties_of_nothing(asked: RequestedAccess) -> RequestedAccess:
    return replace(asked, scopes=frozenset({Scope.COUNTERPARTIES}))


def no_time_at_all(asked: RequestedAccess) -> RequestedAccess:
    return replace(asked, duration_days=0)


def a_year_and_a_day(asked: RequestedAccess) -> RequestedAccess:
    return replace(asked, duration_days=366)


def no_history_at_all(asked: RequestedAccess) -> RequestedAccess:
    return replace(asked, history_days=0)


def more_history_than_two_years(asked: RequestedAccess) -> RequestedAccess:
    return replace(asked, history_days=731)


def a_precision_of_no_places(asked: RequestedAccess) -> RequestedAccess:
    return replace(asked, location_precision=LocationPrecision.COUNTRY)


@pytest.mark.parametrize(
    ("too_far", "field"),
    [
        (no_scope, "scopes"),
        (no_purpose, "purposes"),
        (a_purpose_it_never_registered, "purposes"),
        (locations_for_a_balance_check, "scopes"),
        (merchants_for_a_balance_check, "scopes"),
        (locations_of_nothing, "scopes"),
        (counterparties_of_nothing, "scopes"),
        (no_time_at_all, "duration_days"),
        (a_year_and_a_day, "duration_days"),
        (no_history_at_all, "history_days"),
        (more_history_than_two_years, "history_days"),
        (a_precision_of_no_places, "location_precision"),
    ],
)
def test_a_request_that_goes_too_far_names_the_member(too_far: Scenario, field: str) -> None:
    with pytest.raises(RequestNotAllowed) as refused:
        checked(too_far(an_overview()), allowed_purposes=REGISTERED)

    assert refused.value.field == field


def test_a_request_within_its_purpose_comes_back_as_it_was() -> None:
    assert checked(an_overview(), allowed_purposes=REGISTERED) == an_overview()


@pytest.mark.parametrize(("duration_days", "history_days"), [(1, 1), (365, 730)])
def test_the_edges_of_duration_and_history_are_allowed(duration_days: int, history_days: int) -> None:
    asked = replace(an_overview(), duration_days=duration_days, history_days=history_days)

    assert checked(asked, allowed_purposes=REGISTERED) == asked


def test_merchants_bring_transactions() -> None:
    asked = replace(an_overview(), scopes=frozenset({Scope.MERCHANTS}))

    assert checked(asked, allowed_purposes=REGISTERED).scopes == {"merchants", "transactions"}


def test_places_are_told_by_country_unless_asked_closer_in_so_many_words() -> None:
    asked = replace(an_overview(), scopes=frozenset({Scope.TRANSACTIONS, Scope.LOCATIONS}))

    assert checked(asked, allowed_purposes=REGISTERED).location_precision == "country"
    closer = replace(asked, location_precision=LocationPrecision.STORE)
    assert checked(closer, allowed_purposes=REGISTERED).location_precision == "store"


def test_the_group_of_what_is_not_sensitive_cannot_be_hidden() -> None:
    asked = replace(an_overview(), hidden_groups=frozenset({SensitiveGroup.NONE, SensitiveGroup.HEALTH}))

    assert checked(asked, allowed_purposes=REGISTERED).hidden_groups == {"HEALTH"}


def test_a_wish_to_see_less_is_kept() -> None:
    asked = replace(an_overview(), on_platform_only=True)

    assert checked(asked, allowed_purposes=REGISTERED).on_platform_only
