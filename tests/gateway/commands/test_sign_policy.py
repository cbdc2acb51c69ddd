"""`sign_policy`: nothing is opened that was not said."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from banks.models import Institution
from consents.models import BankPolicy
from tests.support import cast, factors

pytestmark = pytest.mark.django_db


@pytest.fixture
def bank() -> Institution:
    return cast.institution()


def _sign(bank: Institution, *arguments: str) -> BankPolicy:
    call_command("sign_policy", bank.slug, *arguments, stdout=StringIO())
    return BankPolicy.objects.latest("version")


@pytest.mark.parametrize(
    ("arguments", "missing"),
    [
        ([], "--scopes"),
        (["--scopes", "accounts"], "--purposes"),
        (["--purposes", "budgeting"], "--scopes"),
        (["--status", "ALLOW"], "--scopes"),
    ],
)
def test_a_policy_that_allows_says_what(bank: Institution, arguments: list[str], missing: str) -> None:
    with pytest.raises(CommandError, match=missing) as refused:
        _sign(bank, *arguments)

    assert refused.value.returncode == 2, "as of any command that was typed wrong"
    assert not BankPolicy.objects.exists()


def test_it_allows_what_was_said(bank: Institution) -> None:
    policy = _sign(bank, "--scopes", "balances", "accounts", "--purposes", "balance_check")

    assert (policy.scopes, policy.purposes) == (["accounts", "balances"], ["balance_check"])


@pytest.mark.parametrize(("more", "accepted"), [([], False), (["--accepts-attestation"], True)])
def test_a_platforms_word_counts_only_where_it_was_said(bank: Institution, more: list[str], accepted: bool) -> None:
    policy = _sign(bank, "--scopes", "accounts", "--purposes", "balance_check", *more)

    assert policy.accepts_attestation is accepted


@pytest.mark.parametrize("status", ["SUSPEND", "BLOCK"])
def test_a_stop_needs_no_scopes_and_names_none(bank: Institution, status: str) -> None:
    policy = _sign(bank, "--status", status)

    assert (policy.status, policy.scopes, policy.purposes) == (status, [], [])


def test_none_is_no_group_that_can_be_hidden(bank: Institution) -> None:
    with pytest.raises(CommandError, match="invalid choice: 'NONE'"):
        _sign(bank, "--scopes", "accounts", "--purposes", "balance_check", "--hide", "NONE")


@pytest.mark.parametrize("option", ["--history-days-max", "--duration-days-max"])
def test_days_out_of_range_are_one_line(bank: Institution, option: str) -> None:
    with pytest.raises(CommandError, match="must be from 1 to") as refused:
        _sign(bank, "--scopes", "accounts", "--purposes", "balance_check", f"{option}=-5")

    assert "\n" not in str(refused.value) and refused.value.returncode == 2


@pytest.mark.parametrize(("more", "proof"), [([], "bank"), (["--step-up", "passkey"], "passkey")])
def test_a_login_at_the_bank_is_wanted_unless_something_else_was_said(
    bank: Institution, more: list[str], proof: str
) -> None:
    assert _sign(bank, "--scopes", "accounts", "--purposes", "balance_check", *more).step_up == proof


def test_the_operator_signs_nothing_for_a_bank_that_has_people_here(bank: Institution) -> None:
    factors.clerk(bank)

    with pytest.raises(CommandError, match="signed at its console"):
        _sign(bank, "--scopes", "accounts", "--purposes", "balance_check")

    assert not BankPolicy.objects.exists()
