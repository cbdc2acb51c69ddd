"""Refused calls are counted at the banks they were about, so that a stop is seen to work."""

import pytest
from django.db import connection
from django.db.models import Sum
from django.test.utils import CaptureQueriesContext

from banks.models import Account, Institution
from consents.models import BankPolicy, Consent, RefusedCount
from consents.scopes import Scope
from gateway.api import refused_calls
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


def test_banks_are_counted_in_one_order_whichever_accounts_come_first(
    let_in: LetIn, alice: User, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two calls at once that hold each other's rows would be a deadlock."""
    banks = [account.institution_id, *(cast.institution(name).id for name in ("southbank", "westbank"))]
    api = let_in(accounts=(account,))
    Consent.objects.update(status="PAUSED")
    for order in (sorted(banks), sorted(banks, reverse=True)):
        monkeypatch.setattr(refused_calls, "refusals", lambda *_, o=order, **__: dict.fromkeys(o, "consent_paused"))
        with CaptureQueriesContext(connection) as queries:
            api.get("/v1/accounts")
        texts = [query["sql"] for query in queries.captured_queries if "consents_refusedcount" in query["sql"]]
        told = [next(one for one in banks if one.hex in text.replace("-", "")) for text in texts]
        assert list(dict.fromkeys(told)) == sorted(banks)


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
