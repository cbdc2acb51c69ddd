"""The Purpose header: one word of a closed list, and one the user agreed to."""

import pytest

from consents.scopes import Purpose, Scope
from tests.gateway.api import world
from tests.gateway.api.conftest import LetIn

TWO = (Purpose.ACCOUNT_OVERVIEW, Purpose.BALANCE_CHECK)


def test_one_purpose_need_not_be_named(let_in: LetIn) -> None:
    assert let_in().get("/v1/accounts").status_code == 200
    assert [row.purpose for row in world.usage()] == ["account_overview"]


def test_with_two_the_request_names_its_own(let_in: LetIn) -> None:
    api = let_in(purposes=TWO)

    answer = api.get("/v1/accounts")

    assert (answer.status_code, answer.json()["code"], answer.json()["owner"]) == (403, "purpose_required", "PLATFORM")
    assert api.get("/v1/accounts", Purpose="balance_check").status_code == 200
    assert [row.purpose for row in world.usage()] == ["balance_check"]


def test_a_purpose_opens_no_more_than_its_own_scopes(let_in: LetIn, account_id: str) -> None:
    api = let_in(purposes=TWO)
    path = f"/v1/accounts/{account_id}/transactions"

    assert api.get(path, Purpose="account_overview").status_code == 200
    assert api.get(path, Purpose="balance_check").json()["code"] == "scope_not_granted"


def test_a_purpose_that_was_not_granted(let_in: LetIn) -> None:
    answer = let_in().get("/v1/accounts", Purpose="budgeting")

    assert (answer.status_code, answer.json()["code"]) == (403, "purpose_not_granted")
    assert world.usage() == []


@pytest.mark.parametrize(
    "purpose",
    ["", "advertising", "Budgeting", "budgeting, budgeting", "account_overview,balance_check", "account-overview", "*",
     "account_overview;q=1", "ü", "x" * 5000],
)  # fmt: skip
@pytest.mark.parametrize("path", ["/v1/accounts", "/v1/institutions", "/v1/consent"])
def test_a_purpose_that_is_no_word_of_the_list(let_in: LetIn, purpose: str, path: str) -> None:
    answer = let_in().get(path, Purpose=purpose)

    assert (answer.status_code, answer.json()["code"]) == (400, "purpose_unknown")
    assert world.usage() == []


def test_the_consent_tells_what_is_open_for_the_purpose_named(let_in: LetIn) -> None:
    api = let_in([Scope.ACCOUNTS, Scope.BALANCES, Scope.TRANSACTIONS], purposes=TWO)

    unnamed = api.get("/v1/consent").json()
    (narrow,) = api.get("/v1/consent", Purpose="balance_check").json()["open"]

    assert (unnamed["open"], unnamed["denial"]["code"]) == ([], "purpose_required")
    assert narrow["scopes"] == ["accounts", "balances"]
