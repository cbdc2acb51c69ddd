"""The same login, another person or another account behind it."""

from dataclasses import replace
from typing import TYPE_CHECKING

from banks.sandbox.behaviours.base import Behaviour
from banks.sandbox.people import OTHER_PERSON, Scenario

if TYPE_CHECKING:
    from banks.sandbox.door import CustomerAccess


class AnotherPerson(Behaviour):
    """From stage 1 on the login, and every consent given under it, opens another person's account."""

    def person(self, person: Scenario, stage: int) -> Scenario:
        if not stage:
            return person
        return replace(person, full_name=OTHER_PERSON.full_name, accounts=OTHER_PERSON.accounts)

    def customer(self, access: "CustomerAccess", stage: int) -> "CustomerAccess":
        person = self.person(access.person, stage)
        ids = frozenset(account.account_id for account in person.accounts) if stage else access.account_ids
        return replace(access, person=person, account_ids=ids)


class OtherNumber(Behaviour):
    """From stage 1 on the same AccountId has another sort code and number: another account under an old id."""

    def person(self, person: Scenario, stage: int) -> Scenario:
        if not stage:
            return person
        return replace(
            person, accounts=tuple(replace(account, number_of="other_number|new") for account in person.accounts)
        )


class ClosedAccount(Behaviour):
    """From stage 1 on the second account is gone from the list; asking for it is 403, as for one that never was."""

    def person(self, person: Scenario, stage: int) -> Scenario:
        return replace(person, accounts=person.accounts[:1]) if stage else person
