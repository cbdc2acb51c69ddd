"""Pages are complete, without duplicates, and a cursor is good for nothing but the list it came from."""

from datetime import UTC, date, datetime, timedelta
from uuid import uuid4

import pytest

from banks.errors import CursorInvalid
from banks.models import Account, Institution, Transaction
from banks.read import Position
from consents.models import Consent
from consents.scopes import Scope
from gateway.api import cursors
from gateway.identity.models import User
from tests.gateway.api import world
from tests.gateway.api.conftest import LetIn
from tests.gateway.api.world import Api
from tests.support.cast import Member

TODAY = datetime.now(UTC).date()


@pytest.fixture
def many(account: Account) -> list[Transaction]:
    """1 500 rows of one day."""
    Transaction.objects.for_sync().filter(account_id=account.id).delete()
    return world.transactions(account, 1500)


def walk(api: Api, account_id: str, **query: object) -> list[list[str]]:
    pages: list[list[str]] = []
    cursor: str | None = None
    while True:
        following = {} if cursor is None else {"cursor": cursor}
        body = api.get(f"/v1/accounts/{account_id}/transactions", {**query, **following}).json()
        pages.append([row["transaction_id"] for row in body["transactions"]])
        cursor = body["next_cursor"]
        if cursor is None:
            return pages


@pytest.mark.parametrize(("limit", "sizes"), [(500, [500] * 3), (400, [400, 400, 400, 300]), (499, [499, 499, 499, 3])])
def test_1500_rows_of_one_day_come_complete_and_once(
    api: Api, chat: Member, account_id: str, many: list[Transaction], limit: int, sizes: list[int]
) -> None:
    pages = walk(api, account_id, limit=limit)

    ids = [row_id for page in pages for row_id in page]
    assert [len(page) for page in pages] == sizes
    assert len(set(ids)) == 1500
    newest_first = sorted((row.id for row in many), reverse=True)
    assert ids == [world.seen(chat, "txn", row_id) for row_id in newest_first]


def test_the_default_is_100_rows(api: Api, account_id: str, many: list[Transaction]) -> None:
    body = api.get(f"/v1/accounts/{account_id}/transactions").json()

    assert len(body["transactions"]) == 100


def test_exactly_one_page_has_no_cursor(api: Api, account: Account, account_id: str) -> None:
    Transaction.objects.for_sync().filter(account_id=account.id).delete()
    world.transactions(account, 5)

    assert [len(page) for page in walk(api, account_id, limit=5)] == [5]


def test_rows_added_on_top_disturb_no_page_below(api: Api, account: Account, account_id: str) -> None:
    Transaction.objects.for_sync().filter(account_id=account.id).delete()
    old = world.transactions(account, 4, listed_on=TODAY - timedelta(days=3))
    path = f"/v1/accounts/{account_id}/transactions"
    first = api.get(path, {"limit": 2}).json()

    world.transaction_row(account, 99, listed_on=TODAY).save(force_insert=True)
    second = api.get(path, {"limit": 2, "cursor": first["next_cursor"]}).json()

    ids = [row["transaction_id"] for page in (first, second) for row in page["transactions"]]
    assert len(set(ids)) == len(old) and second["next_cursor"] is None


def test_filters_are_inclusive_and_hold_on_every_page(api: Api, account: Account, account_id: str) -> None:
    Transaction.objects.for_sync().filter(account_id=account.id).delete()
    for number in range(10):
        status = "PENDING" if number % 2 else "BOOKED"
        day = TODAY - timedelta(days=number)
        world.transaction_row(account, number, listed_on=day, status=status).save(force_insert=True)
    query = {"from": str(TODAY - timedelta(days=7)), "to": str(TODAY - timedelta(days=2)), "limit": 1}

    both = walk(api, account_id, **query)
    booked = walk(api, account_id, **query, status="BOOKED")

    assert [len(page) for page in both] == [1] * 6
    assert [len(page) for page in booked] == [1] * 3


def test_a_removed_row_is_on_no_page(api: Api, account: Account, account_id: str) -> None:
    Transaction.objects.for_sync().filter(account_id=account.id).update(status="REMOVED")

    assert walk(api, account_id) == [[]]


def test_a_cursor_fits_its_own_list_only(
    let_in: LetIn, api: Api, alice: User, bob: User, budget: Member, chat: Member, northbank: Institution,
    account: Account, account_id: str, many: list[Transaction],
) -> None:  # fmt: skip
    (second,) = world.accounts_of(alice, northbank, ["savings"])
    (of_bob,) = world.accounts_of(bob, northbank)
    query = {"from": "2020-01-01", "to": "2999-01-01", "status": "BOOKED", "limit": 10}
    path = f"/v1/accounts/{account_id}/transactions"
    cursor = api.get(path, query).json()["next_cursor"]
    other_account = f"/v1/accounts/{world.seen(chat, 'acc', second.id)}/transactions"
    at_budget = f"/v1/accounts/{world.seen(budget, 'acc', account.id)}/transactions"
    at_bob = f"/v1/accounts/{world.seen(chat, 'acc', of_bob.id)}/transactions"

    answers = {
        "fits": api.get(path, {**query, "cursor": cursor}),
        "another limit fits": api.get(path, {**query, "limit": 20, "cursor": cursor}),
        "another from": api.get(path, {**query, "from": "2020-01-02", "cursor": cursor}),
        "no to": api.get(path, {"from": "2020-01-01", "status": "BOOKED", "cursor": cursor}),
        "another status": api.get(path, {**query, "status": "PENDING", "cursor": cursor}),
        "another consent": let_in().get(path, {**query, "cursor": cursor}),
        "another account": let_in(accounts=[account, second]).get(other_account, {**query, "cursor": cursor}),
        "another platform": let_in(member=budget).get(at_budget, {**query, "cursor": cursor}),
        "another user": let_in(user=bob, accounts=[of_bob]).get(at_bob, {**query, "cursor": cursor}),
    }

    fitting = {name for name, answer in answers.items() if answer.status_code == 200}
    assert fitting == {"fits", "another limit fits"}
    refused = [answer.json()["code"] for name, answer in answers.items() if name not in fitting]
    assert refused == ["cursor_invalid"] * 7


def test_a_changed_consent_starts_the_list_again(api: Api, account_id: str, many: list[Transaction]) -> None:
    assert api.tokens is not None
    path = f"/v1/accounts/{account_id}/transactions"
    cursor = api.get(path).json()["next_cursor"]

    Consent.objects.filter(id=api.tokens.consent.id).update(revision=99)

    assert api.get(path, {"cursor": cursor}).json()["code"] == "cursor_invalid"


def test_not_one_changed_bit_passes() -> None:
    bound = cursors.Binding(
        platform_id=uuid4(), consent_id=uuid4(), revision=1, account_id=uuid4(), start_on=None, end_on=None, status=None
    )
    position = Position(date(2026, 1, 2), uuid4())
    sealed = cursors.seal(position, bound)

    changed = [
        sealed[:index] + ("A" if sealed[index] != "A" else "B") + sealed[index + 1 :] for index in range(len(sealed))
    ]

    assert cursors.open_sealed(sealed, bound) == position
    for text in (*changed, sealed + "=", sealed + "A", sealed[:-1], sealed + "\n", " " + sealed):
        with pytest.raises(CursorInvalid):
            cursors.open_sealed(text, bound)


def test_a_cursor_tells_nothing_and_is_the_same_for_the_same_page(
    api: Api, account_id: str, many: list[Transaction]
) -> None:
    path = f"/v1/accounts/{account_id}/transactions"

    cursor = api.get(path).json()["next_cursor"]

    assert cursor == api.get(path).json()["next_cursor"]
    raw = cursors._bytes(cursor)
    assert not [row for row in many if row.id.bytes in raw or row.id.hex in cursor]


def test_the_window_of_the_consent_is_the_first_day_there_is(let_in: LetIn, account: Account, account_id: str) -> None:
    world.transaction_row(account, 7, listed_on=TODAY - timedelta(days=31)).save(force_insert=True)
    world.transaction_row(account, 8, listed_on=TODAY - timedelta(days=30)).save(force_insert=True)
    api = let_in([Scope.TRANSACTIONS], history_days=30)

    body = api.get(f"/v1/accounts/{account_id}/transactions", {"from": "2000-01-01"}).json()

    assert [row["listed_on"] for row in body["transactions"]] == [
        str(TODAY - timedelta(days=1)),
        str(TODAY - timedelta(days=30)),
    ]
    assert body["coverage"]["first_on"] == str(TODAY - timedelta(days=30))
