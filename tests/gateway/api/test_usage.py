"""Every read is logged for the person it is about, before the answer leaves; a refusal is not a read."""

from typing import Any

import pytest

from banks import usage_sql
from banks.models import Account
from consents.scopes import Scope
from gateway.identity.models import User
from tests.gateway.api import world
from tests.gateway.api.conftest import LetIn
from tests.gateway.api.world import Api
from tests.support import cast

READS = {
    "/v1/accounts": "account",
    "/v1/accounts/{id}": "account",
    "/v1/accounts/{id}/balances": "balance",
    "/v1/accounts/{id}/transactions": "transaction",
}


@pytest.mark.parametrize("path", READS)
def test_a_read_leaves_exactly_one_row(api: Api, alice: User, account: Account, account_id: str, path: str) -> None:
    assert api.tokens is not None

    answer = api.get(path.format(id=account_id))

    (row,) = world.usage()
    assert (row.user_id, row.consent_id) == (alice.id, api.tokens.consent.id)
    assert (row.record, row.rows, row.purpose, row.attended) == (READS[path], 1, "account_overview", False)
    assert row.account_id == (None if path == "/v1/accounts" else account.id)
    assert row.request_id == answer["X-Request-Id"]


def test_a_read_over_two_banks_leaves_a_row_for_each(let_in: LetIn, alice: User, account: Account) -> None:
    south = cast.institution("southbank")
    cast.permissive_policy(south)
    others = world.accounts_of(alice, south, ["one", "two"])

    let_in(accounts=[account, *others]).get("/v1/accounts")

    counted = {row.institution_id: row.rows for row in world.usage()}
    assert counted == {account.institution_id: 1, south.id: 2}


def test_what_is_no_customer_data_leaves_none(api: Api) -> None:
    api.get("/v1/institutions")
    api.get("/v1/consent")

    assert world.usage() == []


def test_an_answer_whose_row_cannot_be_written_is_not_sent(
    api: Api, account_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*arguments: Any, **named: Any) -> None:
        raise RuntimeError("disk full at 1 rue du Four")

    monkeypatch.setattr(usage_sql, "commit", full)

    answer = api.get(f"/v1/accounts/{account_id}/transactions")

    assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
    told = {name: member for name, member in answer.json().items() if name != "request_id"}  # which is random digits
    assert "420" not in str(told) and "rue du Four" not in str(told)
    assert world.usage() == []


@pytest.mark.django_db(transaction=True)
def test_the_row_is_committed_before_the_body_exists(
    let_in: LetIn, account_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Looked at from outside any transaction while the body is being made."""
    from django.db import connection

    from gateway.api import render

    seen: list[tuple[bool, int]] = []
    render_transactions = render.transactions

    def watched(*arguments: Any, **named: Any) -> Any:
        seen.append((connection.in_atomic_block, len(world.usage())))
        return render_transactions(*arguments, **named)

    monkeypatch.setattr(render, "transactions", watched)

    let_in([Scope.TRANSACTIONS]).get(f"/v1/accounts/{account_id}/transactions")

    assert seen == [(False, 1)]
