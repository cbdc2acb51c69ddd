"""A member that the consent does not open is absent: not null, not empty, not in the bytes."""

import json
from collections.abc import Collection

import pytest

from banks.models import Account
from consents.scopes import FIELD_RULES, LocationPrecision, Record, Scope
from gateway.api import render
from tests.gateway.api import world
from tests.gateway.api.conftest import LetIn
from tests.support.cast import Member

A, N, B, T = Scope.ACCOUNTS, Scope.ACCOUNT_NUMBERS, Scope.BALANCES, Scope.TRANSACTIONS
M, L, C = Scope.MERCHANTS, Scope.LOCATIONS, Scope.COUNTERPARTIES

ACCOUNT_ALWAYS = {"account_id", "as_of", "next_refresh_after"}
ACCOUNT_DETAILS = {"institution", "name", "type", "category", "status", "currency", "masked_number"}
ROW_ALWAYS = {
    "transaction_id account_id status listed_on booked_on value_on transacted_at kind amount currency "
    "credit_debit_indicator"
}.pop().split()
STORE, CITY, COUNTRY = LocationPrecision.STORE, LocationPrecision.CITY, LocationPrecision.COUNTRY

ACCOUNT_TABLE: list[tuple[Collection[Scope], set[str]]] = [
    ([A], ACCOUNT_DETAILS),
    ([N], {"identifications"}),
    ([B], set()),
    ([T], set()),
    ([A, N], ACCOUNT_DETAILS | {"identifications"}),
]

ROW_TABLE: list[tuple[Collection[Scope], LocationPrecision | None, set[str]]] = [
    ([T], None, set()),
    ([T, A, N], None, set()),
    ([T, B], None, {"balance_after"}),
    ([T, M], None, {"merchant"}),
    ([T, L], COUNTRY, {"location", "currency_exchange"}),
    ([T, L], CITY, {"location", "currency_exchange"}),
    ([T, L], STORE, {"location", "currency_exchange"}),
    ([T, C], None, {"counterparty_name"}),
    ([T, M, C], None, {"merchant", "counterparty_name"}),
    ([T, M, L], STORE, {"merchant", "location", "currency_exchange"}),
    ([T, M, L, C], CITY, {"merchant", "location", "currency_exchange", "counterparty_name"}),
    ([T, M, L, C], STORE, {"merchant", "location", "currency_exchange", "counterparty_name", "description"}),
]

#: What the row holds, and the scopes (or precision) that may let it out.
SECRETS = {
    "Boulangerie": M,
    "5462": M,
    "Paris": L,
    "75001": L,
    "rue du Four": L,
    "EUR": L,
    "Marie Dupont": C,
    "CARD 1234": C,
    "100.00": B,
}


@pytest.mark.parametrize(("scopes", "opened"), ACCOUNT_TABLE)
def test_account_members(let_in: LetIn, scopes: Collection[Scope], opened: set[str]) -> None:
    (account,) = let_in(scopes).get("/v1/accounts").json()["accounts"]

    assert set(account) == ACCOUNT_ALWAYS | opened


@pytest.mark.parametrize(("scopes", "precision", "opened"), ROW_TABLE)
def test_transaction_members(
    let_in: LetIn, account_id: str, scopes: Collection[Scope], precision: LocationPrecision | None, opened: set[str]
) -> None:
    members = {} if precision is None else {"location_precision": precision}

    answer = let_in(scopes, **members).get(f"/v1/accounts/{account_id}/transactions")

    (row,) = answer.json()["transactions"]
    assert set(row) == set(ROW_ALWAYS) | opened
    closed = [secret for secret, scope in SECRETS.items() if scope not in scopes]
    assert not [secret for secret in closed if secret in answer.content.decode()]


@pytest.mark.parametrize(
    ("precision", "members"),
    [
        (COUNTRY, {"country"}),
        (CITY, {"country", "region", "city"}),
        (STORE, {"country", "region", "city", "postal_code", "address"}),
    ],
)
def test_a_place_is_as_close_as_was_granted(
    let_in: LetIn, account_id: str, precision: LocationPrecision, members: set[str]
) -> None:
    api = let_in([T, L], location_precision=precision)

    (row,) = api.get(f"/v1/accounts/{account_id}/transactions").json()["transactions"]

    assert set(row["location"]) == members


def test_merchants_make_a_difference_of_exactly_one_member(let_in: LetIn, account_id: str) -> None:
    path = f"/v1/accounts/{account_id}/transactions"
    (without,) = let_in([T]).get(path).json()["transactions"]
    (with_merchants,) = let_in([T, M]).get(path).json()["transactions"]

    assert with_merchants.pop("merchant")["name"] == "Boulangerie"
    assert with_merchants == without


@pytest.mark.parametrize(
    ("scopes", "path"),
    [
        ([A], "/balances"),
        ([A], "/transactions"),
        ([A, B], "/transactions"),
        ([T], "/balances"),
        ([A, N], "/balances"),
        ([A, N], "/transactions"),
    ],
)
def test_a_record_that_is_not_opened_is_refused(
    let_in: LetIn, account_id: str, scopes: Collection[Scope], path: str
) -> None:
    answer = let_in(scopes).get(f"/v1/accounts/{account_id}{path}")

    assert answer.status_code == 403
    assert answer.json()["code"] == "scope_not_granted"
    assert 'error="insufficient_scope"' in answer["WWW-Authenticate"]
    assert world.usage() == []


@pytest.mark.parametrize("scope", [Scope.INSIGHTS, Scope.ALERTS, Scope.ANSWERS])
@pytest.mark.parametrize("path", ["", "/{id}", "/{id}/balances", "/{id}/transactions"])
def test_what_is_worked_out_opens_no_record(let_in: LetIn, account_id: str, scope: Scope, path: str) -> None:
    api = let_in([scope], purposes=["budgeting"])

    answer = api.get("/v1/accounts" + path.format(id=account_id))

    assert (answer.status_code, answer.json()["code"]) == (403, "scope_not_granted")


def test_every_column_of_the_field_table_is_rendered(chat: Member, account: Account) -> None:
    """A column that policy opens and nobody renders would be a promise not kept."""
    marked = {rule.name: f"<{rule.name}>" for rule in FIELD_RULES[Record.TRANSACTION]}
    row: dict[str, object] = {**marked, "amount_minor": 1, "currency": "JPY", "instructed_amount_minor": 2}
    row |= {"instructed_currency": "KWD", "balance_after_minor": 3}

    text = json.dumps(render.transaction(row, transaction_id="<id>", account_id="acc"))

    told = {"amount_minor": '"1"', "currency": "JPY", "instructed_amount_minor": "0.002", "instructed_currency": "KWD"}
    told["balance_after_minor"] = '"3"'
    assert not [name for name in marked if told.get(name, f"<{name}>") not in text]
