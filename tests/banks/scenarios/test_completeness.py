"""Every customer of every pretend bank has a test of what becomes of them."""

import importlib
import pkgutil

from banks.sandbox import card_people, people
from tests.banks import scenarios
from tests.banks.scenarios.register import OUTCOMES


def test_every_scenario_has_an_outcome_and_every_outcome_a_scenario() -> None:
    for module in pkgutil.iter_modules(scenarios.__path__):
        importlib.import_module(f"{scenarios.__name__}.{module.name}")

    assert OUTCOMES.keys() == people.SCENARIOS.keys() | card_people.SCENARIOS.keys()
    assert all(name.startswith("test_") for names in OUTCOMES.values() for name in names)
