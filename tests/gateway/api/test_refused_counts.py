"""Refused calls are counted at the banks they were about, so that a stop is seen to work."""

import pytest
from django.db.models import Sum

from banks.models import Account, Institution
from consents.models import BankPolicy, Consent, RefusedCount
from consents.scopes import Scope
from gateway.identity.models import User
from tests.gateway.api import world
from tests.gateway.api.conftest import LetIn
from tests.gateway.api.world import Api
from tests.support import cast
from tests.support.cast import Member


def counted() -> dict[tuple[object, str], int]:
    """By bank and problem code."""
    rows = RefusedCount.objects.values_list("institution_id", "code").annotate(calls=Sum("calls"))
    return {(institution_id, code): calls for institution_id, code, calls in rows}


def test_every_refused_call_counts_at_the_bank_that_said_no(api: Api, northbank: Institution, chat: Member) -> None:
    BankPolicy.objects.update(status="SUSPEND")

    for _ in range(3):
        assert api.get("/v1/accounts").status_code == 403

    assert counted() == {(northbank.id, "policy_suspended"): 3}
    assert set(RefusedCount.objects.values_list("platform_id", flat=True)) == {chat.platform.id}


@pytest.mark.parametrize("status", ["PAUSED", "SUSPENDED"])
def test_a_consent_that_waits_counts_at_each_of_its_banks(
    let_in: LetIn, alice: User, account: Account, northbank: Institution, status: str
) -> None:
    other = cast.institution("southbank")
    cast.permissive_policy(other)
    (second,) = world.accounts_of(alice, other)
    api = let_in(accounts=(account, second))
    Consent.objects.update(status=status)

    api.get("/v1/accounts")

    assert counted() == {(bank.id, f"consent_{status.lower()}"): 1 for bank in (northbank, other)}


def test_a_scope_that_is_too_small_counts(let_in: LetIn, northbank: Institution) -> None:
    let_in((Scope.ACCOUNTS,)).get("/v1/transactions/sync")

    assert counted() == {(northbank.id, "scope_not_granted"): 1}


def test_an_answer_a_mistake_and_a_stranger_count_at_no_bank(api: Api, chat: Member) -> None:
    api.get("/v1/accounts")
    api.get("/v1/accounts", {"x": 1})
    api.get("/v1/accounts/acc_0")
    Api(None).get("/v1/accounts")
    world.manager(chat).get("/v1/accounts")

    assert counted() == {}
