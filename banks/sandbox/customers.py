"""Who banks here, at the bank this process is; and who of them is a customer of another pretend bank too. Pure."""

import hmac
from collections.abc import Mapping

from banks.sandbox import card_people, people
from banks.sandbox.people import PASSWORD, Scenario
from banks.sandbox.profile import PROFILE, PROFILES

#: By Profile.key, then by user name.
CUSTOMERS: Mapping[str, Mapping[str, Scenario]] = {"first": people.SCENARIOS, "card": card_people.SCENARIOS}

SCENARIOS = CUSTOMERS[PROFILE.key]


def log_in(name: str, password: str) -> Scenario | None:
    """The person with this name and password, else None: one answer for an unknown name and a wrong password."""
    person = SCENARIOS.get(name)
    right = hmac.compare_digest(password.encode(), PASSWORD.encode())
    return person if right else None


def elsewhere(person: Scenario) -> list[tuple[str, str]]:
    """The other banks where somebody of this full name is a customer: name of the bank, user name there."""
    return [
        (PROFILES[key].name, other.name)
        for key, table in CUSTOMERS.items()
        for other in table.values()
        if key != PROFILE.key and other.full_name == person.full_name
    ]
