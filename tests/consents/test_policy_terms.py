"""What is wider than what: the line between one signature and two."""

from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consents import policies
from consents.policy_terms import PolicyTerms, StepUp, changed, terms_from_json, widened
from consents.scopes import LocationPrecision, Purpose, Scope, SensitiveGroup
from consents.states import PolicyStatus

HELD = PolicyTerms(
    scopes=frozenset({Scope.ACCOUNTS, Scope.BALANCES}),
    purposes=frozenset({Purpose.BALANCE_CHECK}),
    history_days_max=90,
    duration_days_max=90,
    location_precision=LocationPrecision.CITY,
    hidden_groups=frozenset({SensitiveGroup.HEALTH}),
)

#: Field -> from the narrowest value to the widest.
LADDERS: dict[str, list[Any]] = {
    "scopes": [frozenset(), frozenset({Scope.ACCOUNTS}), frozenset({Scope.ACCOUNTS, Scope.BALANCES}), frozenset(Scope)],
    "purposes": [frozenset(), frozenset({Purpose.BUDGETING}), frozenset(Purpose)],
    "status": [PolicyStatus.BLOCK, PolicyStatus.SUSPEND, PolicyStatus.ALLOW],
    "history_days_max": [1, 90, 730, None],
    "duration_days_max": [1, 90, 365, None],
    "location_precision": [None, *LocationPrecision],
    "on_platform_only": [True, False],
    "hidden_groups": [frozenset(SensitiveGroup), frozenset({SensitiveGroup.HEALTH}), frozenset()],
    "requires_attended": [True, False],
    "accepts_attestation": [False, True],
    "step_up": [StepUp.BANK, StepUp.PASSKEY],
    "requires_fapi2": [True, False],
}

terms = st.builds(PolicyTerms, **{name: st.sampled_from(ladder) for name, ladder in LADDERS.items()})


def test_every_field_of_the_terms_is_ranked() -> None:
    assert set(LADDERS) == {field.name for field in fields(PolicyTerms)}


@pytest.mark.parametrize("name", LADDERS)
def test_a_step_up_the_ladder_is_wider_and_a_step_down_is_not(name: str) -> None:
    for lower, upper in zip(LADDERS[name], LADDERS[name][1:], strict=False):
        below, above = replace(HELD, **{name: lower}), replace(HELD, **{name: upper})

        assert widened(below, above) == (name,)
        assert widened(above, below) == ()
        assert changed(below, above) == (name,)


def test_the_same_terms_are_not_wider() -> None:
    assert widened(HELD, HELD) == ()


def test_a_change_that_gives_in_one_place_and_takes_in_another_is_wider() -> None:
    swapped = replace(HELD, scopes=frozenset({Scope.ACCOUNTS, Scope.TRANSACTIONS}))
    mixed = replace(HELD, scopes=frozenset({Scope.ACCOUNTS}), history_days_max=91)

    assert widened(HELD, swapped) == ("scopes",)
    assert widened(HELD, mixed) == ("history_days_max",)


def test_wider_terms_under_a_stop_are_wider_all_the_same() -> None:
    """They would be in force on the day the stop is lifted."""
    stopped = replace(HELD, status=PolicyStatus.SUSPEND)

    assert widened(stopped, replace(stopped, scopes=frozenset(Scope))) == ("scopes",)


def test_where_nothing_was_accepted_whatever_opens_is_wider() -> None:
    nothing = PolicyTerms(scopes=frozenset(), purposes=frozenset(), status=PolicyStatus.SUSPEND)

    assert "status" in widened(None, HELD)
    assert widened(None, nothing) == ()
    assert widened(None, replace(HELD, status=PolicyStatus.SUSPEND)) != ()


@given(terms, terms)
def test_of_two_different_terms_at_least_one_direction_is_wider(one: PolicyTerms, other: PolicyTerms) -> None:
    assert (one == other) == (not widened(one, other) and not widened(other, one))


@given(terms, terms, terms)
def test_what_is_not_wider_in_two_steps_is_not_wider_in_one(a: PolicyTerms, b: PolicyTerms, c: PolicyTerms) -> None:
    if not widened(a, b) and not widened(b, c):
        assert not widened(a, c)


@given(terms)
def test_terms_come_back_from_json_as_they_went(one: PolicyTerms) -> None:
    assert terms_from_json(one.as_json()) == one


def test_a_row_and_its_terms_say_the_same() -> None:
    from uuid import uuid4

    from tests.support.ledger import NOW

    assert policies.terms_of(policies.row(uuid4(), None, HELD, now=NOW)) == HELD


@pytest.mark.parametrize(
    "change",
    [{"scopes": ["everything"]}, {"status": "allow"}, {"more": 1}, {"location_precision": "house"}],
)
def test_a_word_that_is_not_ours_is_never_read_as_a_wider_right(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        terms_from_json({**HELD.as_json(), **change})
