"""Which policy of a bank holds: newest in force, a platform's own before the general one, a general stop above all."""

from datetime import timedelta
from uuid import uuid4

import pytest

from consents.facts import policies_in_force
from consents.policy_facts import PolicyFacts
from consents.scopes import Scope
from consents.states import PolicyStatus
from tests.support import ledger
from tests.support.ledger import NOW

pytestmark = pytest.mark.django_db

ACORN, BIRCH = uuid4(), uuid4()


def _in_force(platform: object, institution_id: object = ACORN) -> PolicyFacts | None:
    return policies_in_force([ACORN, BIRCH], platform.id, now=NOW).get(institution_id)  # type: ignore[attr-defined,call-overload]


def test_no_row_means_no_policy() -> None:
    assert _in_force(ledger.platform()) is None


def test_the_general_policy_holds_for_a_platform_without_its_own() -> None:
    ledger.policy(ACORN, scopes=["accounts"])

    found = _in_force(ledger.platform())

    assert found is not None
    assert found.scopes == {Scope.ACCOUNTS}


def test_a_platforms_own_policy_comes_before_the_general_one() -> None:
    chat, other = ledger.platform("Chat"), ledger.platform("Other")
    ledger.policy(ACORN, scopes=["accounts"], version=9)
    ledger.policy(ACORN, chat, scopes=["balances"], version=1)

    own, general = _in_force(chat), _in_force(other)

    assert own is not None and own.scopes == {Scope.BALANCES}
    assert general is not None and general.scopes == {Scope.ACCOUNTS}


def test_another_banks_policy_is_not_ours() -> None:
    ledger.policy(BIRCH)

    assert _in_force(ledger.platform(), ACORN) is None


def test_the_newest_version_in_force_wins_and_a_future_one_does_not_yet() -> None:
    ledger.policy(ACORN, version=1, scopes=["accounts"])
    ledger.policy(ACORN, version=2, scopes=["balances"], effective_from=NOW)
    ledger.policy(ACORN, version=3, scopes=["transactions"], effective_from=NOW + timedelta(seconds=1))

    found = _in_force(ledger.platform())

    assert found is not None
    assert found.scopes == {Scope.BALANCES}


def test_a_policy_that_is_not_in_force_yet_is_none_at_all() -> None:
    ledger.policy(ACORN, effective_from=NOW + timedelta(seconds=1))

    assert _in_force(ledger.platform()) is None


@pytest.mark.parametrize(
    ("general", "own", "effective"),
    [
        ("SUSPEND", "ALLOW", "SUSPEND"),
        ("BLOCK", "ALLOW", "BLOCK"),
        ("BLOCK", "SUSPEND", "BLOCK"),
        ("ALLOW", "SUSPEND", "SUSPEND"),
        ("ALLOW", "BLOCK", "BLOCK"),
        ("ALLOW", "ALLOW", "ALLOW"),
    ],
)
def test_a_general_stop_beats_a_platforms_own_permission(general: str, own: str, effective: str) -> None:
    chat = ledger.platform()
    ledger.policy(ACORN, status=PolicyStatus(general))
    ledger.policy(ACORN, chat, status=PolicyStatus(own))

    found = _in_force(chat)

    assert found is not None
    assert found.status == effective


def test_a_general_stop_that_was_lifted_stops_nobody() -> None:
    chat = ledger.platform()
    ledger.policy(ACORN, version=1, status=PolicyStatus.SUSPEND)
    ledger.policy(ACORN, version=2, status=PolicyStatus.ALLOW)
    ledger.policy(ACORN, chat, status=PolicyStatus.ALLOW)

    found = _in_force(chat)

    assert found is not None
    assert found.status == "ALLOW"


def test_an_unknown_word_in_a_row_is_an_alarm_and_no_right() -> None:
    ledger.policy(ACORN, scopes=["accounts", "everything"])

    with pytest.raises(ValueError, match="everything"):
        _in_force(ledger.platform())
