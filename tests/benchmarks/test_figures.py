"""What a figure says of its goal."""

import pytest

from tests.benchmarks.figures import Baseline, Figure, Goal, Sense


def figure(value: float, *, baseline: float | None = None, goal: Goal | None = None) -> Figure:
    held = None if baseline is None else Baseline(name="stock", value=baseline)
    return Figure(name="page", value=value, unit="us CPU", baseline=held, goal=goal)


@pytest.mark.parametrize(("value", "is_met"), [(1.9, True), (2.0, True), (2.1, False)])
def test_at_most_is_met_up_to_its_value(value: float, is_met: bool) -> None:
    assert figure(value, goal=Goal(sense=Sense.AT_MOST, value=2)).is_met is is_met


@pytest.mark.parametrize(("value", "is_met"), [(119.0, False), (120.0, True), (121.0, True)])
def test_at_least_is_met_from_its_value_on(value: float, is_met: bool) -> None:
    assert figure(value, goal=Goal(sense=Sense.AT_LEAST, value=120)).is_met is is_met


def test_a_goal_of_the_ratio_looks_at_the_baseline() -> None:
    goal = Goal(sense=Sense.AT_MOST, value=0.5, of_ratio=True)

    assert figure(400, baseline=1000, goal=goal).is_met is True
    assert figure(600, baseline=1000, goal=goal).is_met is False


def test_a_goal_of_the_ratio_without_anything_to_hold_it_against_is_not_met() -> None:
    goal = Goal(sense=Sense.AT_MOST, value=0.5, of_ratio=True)

    assert figure(400, goal=goal).is_met is False
    assert figure(400, baseline=0, goal=goal).is_met is False


def test_without_a_goal_nothing_is_met_or_missed() -> None:
    assert figure(1.0, baseline=2.0).is_met is None
    assert figure(1.0, baseline=2.0).ratio == 0.5
