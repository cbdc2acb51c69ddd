"""Not yours, not there, not an id: one answer, byte for byte."""

from typing import Any

import pytest

from banks.models import Account, Institution
from gateway.identity.models import User
from tests.gateway.api import world
from tests.gateway.api.conftest import LetIn
from tests.gateway.api.world import Api
from tests.support import cast
from tests.support.cast import Member

SUFFIXES = ("", "/balances", "/transactions")


def told(answer: Any, path: str) -> tuple[int, bytes, list[tuple[str, str]]]:
    """Status, body and headers, without what names the request itself."""
    request_id = answer["X-Request-Id"].encode()
    body = answer.content.replace(request_id, b"REQUEST").replace(answer.json()["instance"].encode(), b"PATH")
    own = ("X-Request-Id", "Content-Length", "RateLimit")  # of the request, not of what was asked for
    headers = [(name, value) for name, value in answer.items() if name not in own]
    return answer.status_code, body, sorted(headers)


@pytest.fixture
def foreign_ids(
    let_in: LetIn, alice: User, bob: User, chat: Member, budget: Member, northbank: Institution, account: Account
) -> dict[str, str]:
    """Ids that exist for somebody, somewhere, and none that the chat platform's token opens."""
    (of_bob,) = world.accounts_of(bob, northbank)
    (other,) = world.accounts_of(alice, northbank, ["savings"])
    let_in(user=bob, accounts=[of_bob])  # the same platform, another user
    let_in(member=budget)  # another platform, the same user and account
    let_in(accounts=[other])  # another consent of the same platform and user
    (row,) = world.Transaction.objects.for_sync().filter(account_id=account.id)
    return {
        "another user's": world.seen(chat, "acc", of_bob.id),
        "another platform's id of the same account": world.seen(budget, "acc", account.id),
        "another consent's": world.seen(chat, "acc", other.id),
        "nobody's": world.seen(chat, "acc", cast.stranger()),
        "a transaction's id": world.seen(chat, "txn", row.id),
        "the account under another kind": world.seen(chat, "txn", account.id),
        "the internal id": str(account.id),
        "upper case": world.seen(chat, "acc", account.id).upper(),
        "one digit more": world.seen(chat, "acc", account.id) + "0",
        "one digit less": world.seen(chat, "acc", account.id)[:-1],
        "no id at all": "current",
        "a newline behind": world.seen(chat, "acc", account.id) + "\n",
        "a NUL behind": world.seen(chat, "acc", account.id) + "\0",
        "not ASCII": "acc_ü",
        "full-width digits": "acc_" + "１" * 32,
    }


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_every_foreign_id_gets_the_same_404(let_in: LetIn, foreign_ids: dict[str, str], suffix: str) -> None:
    api = let_in()
    before = len(world.usage())

    answers = {}
    for name, account_id in foreign_ids.items():
        path = f"/v1/accounts/{account_id}{suffix}"
        answers[name] = told(api.get(path), path)

    assert {answer[0] for answer in answers.values()} == {404}
    assert len(set(map(repr, answers.values()))) == 1, answers
    assert len(world.usage()) == before


def test_the_own_id_still_opens(let_in: LetIn, foreign_ids: dict[str, str], account_id: str) -> None:
    api = let_in()

    assert [api.get(f"/v1/accounts/{account_id}{suffix}").status_code for suffix in SUFFIXES] == [200, 200, 200]


def test_two_platforms_ids_join_nothing(let_in: LetIn, budget: Member, chat: Member, account: Account) -> None:
    ids: list[set[str]] = []
    for member in (chat, budget):
        api = let_in(member=member)
        account_id = world.seen(member, "acc", account.id)
        rows = api.get(f"/v1/accounts/{account_id}/transactions").json()["transactions"]
        listed = api.get("/v1/accounts").json()["accounts"]
        ids.append(
            {row["transaction_id"] for row in rows}
            | {row["account_id"] for row in (*rows, *listed)}
            | {api.get("/v1/consent").json()["consent_id"]}
        )

    halves = [{text.partition("_")[2] for text in member_ids} for member_ids in ids]
    assert all(halves) and not halves[0] & halves[1]


def test_no_internal_id_is_in_any_answer(api: Api, account: Account, account_id: str) -> None:
    assert api.tokens is not None
    (row,) = world.Transaction.objects.for_sync().filter(account_id=account.id)
    secrets = (
        account.id,
        account.connection_id,
        account.institution_id,
        account.user_id,
        row.id,
        api.tokens.consent.id,
    )
    paths = (
        "/v1/institutions",
        "/v1/accounts",
        "/v1/consent",
        *(f"/v1/accounts/{account_id}{end}" for end in SUFFIXES),
    )

    answers = b"".join(api.get(path).content for path in paths).decode()

    assert not [secret for secret in secrets if str(secret) in answers or secret.hex in answers]
