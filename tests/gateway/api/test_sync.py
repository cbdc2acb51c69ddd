"""/v1/transactions/sync over HTTP: what a platform gets, and what its cursor is good for."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.db.models import F

from banks.errors import CursorInvalid
from banks.models import Account, Connection, Institution, Transaction
from banks.read import ChangePosition, Stretch
from consents import clock
from consents.models import BankPolicy, Consent
from consents.scopes import LocationPrecision, Scope
from gateway.api import change_cursors
from gateway.identity.models import User
from tests.gateway.api import world
from tests.gateway.api.conftest import LetIn
from tests.gateway.api.test_shapes import EVERYTHING
from tests.gateway.api.world import Api
from tests.support import cast
from tests.support.cast import Member

PATH = "/v1/transactions/sync"


@pytest.fixture
def account(account: Account) -> Account:
    """With its one row under sequence 1, as a sync leaves it."""
    Transaction.objects.for_sync().filter(account_id=account.id).update(
        change_sequence=1, added_sequence=1, refiled_sequence=1
    )
    Connection.objects.filter(id=account.connection_id).update(change_sequence=1)
    return account


def change(account: Account, row: Transaction | None = None, **columns: object) -> Transaction:
    """A row is written as a sync writes it: a new one, or `row` with these columns."""
    links = Connection.objects.filter(id=account.connection_id)
    links.update(change_sequence=F("change_sequence") + 1)
    number = links.get().change_sequence
    if row is None:
        sequences = dict.fromkeys(("change_sequence", "added_sequence", "refiled_sequence"), number)
        row = world.transaction_row(account, number, **sequences, **columns)
        row.save(force_insert=True)
    else:
        found = Transaction.objects.for_sync().filter(account_id=account.id, id=row.id)
        found.update(change_sequence=number, **columns)
    return row


def only_row(account: Account) -> Transaction:
    return Transaction.objects.for_sync().get(account_id=account.id)


def test_the_first_answer_is_the_list_as_added(let_in: LetIn, account: Account, account_id: str) -> None:
    api = let_in(EVERYTHING, location_precision=LocationPrecision.STORE)
    listed = api.get(f"/v1/accounts/{account_id}/transactions").json()

    body = api.get(PATH).json()

    assert body["added"] == listed["transactions"] and len(body["added"]) == 1
    assert (body["modified"], body["removed"], body["has_more"]) == ([], [], False)
    assert body["update_status"] == "CURRENT"
    assert body["accounts"] == [
        {
            "account_id": account_id,
            "update_status": "CURRENT",
            "as_of": "2026-01-02T03:04:05Z",
            "next_refresh_after": None,
            "coverage": listed["coverage"],
        }
    ]
    assert (body["as_of"], body["next_refresh_after"]) == ("2026-01-02T03:04:05Z", None)


def test_later_answers_tell_what_changed(api: Api, chat: Member, account: Account, account_id: str) -> None:
    row = only_row(account)
    goes = change(account)
    cursor = api.get(PATH).json()["next_cursor"]

    change(account, row, amount_minor=-999)
    change(account, goes, status="REMOVED")
    comes = change(account, status="PENDING")
    body = api.get(PATH, {"cursor": cursor}).json()

    assert [one["transaction_id"] for one in body["added"]] == [world.seen(chat, "txn", comes.id)]
    assert [(one["transaction_id"], one["amount"]) for one in body["modified"]] == [
        (world.seen(chat, "txn", row.id), "-9.99")
    ]
    assert body["removed"] == [{"transaction_id": world.seen(chat, "txn", goes.id), "account_id": account_id}]
    again = api.get(PATH, {"cursor": body["next_cursor"]}).json()
    assert (again["added"], again["modified"], again["removed"]) == ([], [], [])


def test_pages_go_on_over_banks_until_has_more_is_false(let_in: LetIn, alice: User, account: Account) -> None:
    south = cast.institution("southbank")
    cast.permissive_policy(south)
    (other,) = world.accounts_of(alice, south)
    for _ in range(3):
        change(account)
        change(other)
    api, seen, cursor, more = let_in(accounts=[account, other]), list[str](), None, True

    while more:
        body = api.get(PATH, {"limit": 2, **({} if cursor is None else {"cursor": cursor})}).json()
        seen += [row["transaction_id"] for row in body["added"]]
        cursor, more = body["next_cursor"], body["has_more"]
        assert len(body["added"]) == (2 if more else 1)

    assert len(seen) == len(set(seen)) == 7


def test_a_changed_consent_makes_the_cursor_stale_and_says_where_to_begin_again(api: Api, account: Account) -> None:
    assert api.tokens is not None
    cursor = api.get(PATH).json()["next_cursor"]

    Consent.objects.filter(id=api.tokens.consent.id).update(revision=99)
    before = len(world.usage())
    answer = api.get(PATH, {"cursor": cursor})

    problem = answer.json()
    assert (answer.status_code, problem["code"], problem["owner"]) == (410, "cursor_stale", "PLATFORM")
    assert problem["suggested_action"] == "begin_again_without_the_cursor"
    assert problem["action_url"].endswith(PATH)
    assert answer["Cache-Control"] == "no-store"
    assert len(world.usage()) == before
    assert len(api.get(PATH).json()["added"]) == 1


def test_a_bank_that_narrows_makes_the_cursor_stale(api: Api, account: Account) -> None:
    cursor = api.get(PATH).json()["next_cursor"]

    BankPolicy.objects.update(hidden_groups=["HEALTH"])

    assert api.get(PATH, {"cursor": cursor}).json()["code"] == "cursor_stale"


def test_a_cursor_is_good_for_its_own_consent_alone(
    let_in: LetIn, api: Api, budget: Member, bob: User, northbank: Institution, account: Account, account_id: str
) -> None:
    (of_bob,) = world.accounts_of(bob, northbank)
    change(account)
    cursor = api.get(PATH).json()["next_cursor"]
    listed = api.get(f"/v1/accounts/{account_id}/transactions", {"limit": 1}).json()["next_cursor"]

    answers = {
        "another consent": let_in().get(PATH, {"cursor": cursor}),
        "another platform": let_in(member=budget).get(PATH, {"cursor": cursor}),
        "another user": let_in(user=bob, accounts=[of_bob]).get(PATH, {"cursor": cursor}),
        "a list's cursor": api.get(PATH, {"cursor": listed}),
        "at a list": api.get(f"/v1/accounts/{account_id}/transactions", {"cursor": cursor}),
    }

    told = {name: (answer.status_code, answer.json()["code"]) for name, answer in answers.items()}
    assert set(told.values()) == {(400, "cursor_invalid")}, told


def test_another_limit_fits_and_equal_positions_have_equal_cursors(api: Api, account: Account) -> None:
    for _ in range(4):
        change(account)
    first, same = (api.get(PATH, {"limit": 1}).json()["next_cursor"] for _ in range(2))

    assert first == same
    assert len(api.get(PATH, {"limit": 500, "cursor": first}).json()["added"]) == 4


@pytest.mark.parametrize("cursor", ["", "a", "=", "%00", "Ag", "A" * 66, "A" * 98, "%C3%BC" * 20, "null", "9" * 10_000])
def test_a_bad_cursor_is_refused(api: Api, cursor: str) -> None:
    answer = api.get(PATH, f"cursor={cursor}")

    assert (answer.status_code, answer.json()["code"]) == (400, "cursor_invalid")
    assert world.usage() == []


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("limit=0", "out_of_range"),
        ("limit=501", "out_of_range"),
        ("limit=ten", "out_of_range"),
        ("cursor=a&cursor=b", "repeated"),
        ("from=2026-01-01", "unknown"),
        ("status=BOOKED", "unknown"),
        ("account_id=x", "unknown"),
    ],
)
def test_bad_queries_are_refused(api: Api, query: str, code: str) -> None:
    answer = api.get(PATH, query)

    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (400, code)
    assert world.usage() == []


def test_not_one_changed_character_passes() -> None:
    consent = Consent(id=uuid4(), platform_id=uuid4())
    position = ChangePosition(fingerprint=bytes(range(16)), stretches={uuid4(): Stretch(-1, 3, 2**60)})
    sealed = change_cursors.seal(position, consent)

    changed = [sealed[:at] + ("A" if sealed[at] != "A" else "B") + sealed[at + 1 :] for at in range(len(sealed))]

    assert change_cursors.open_sealed(sealed, consent) == position
    for text in (*changed, sealed + "=", sealed + "A", sealed[:-1], sealed[4:], sealed + "\n"):
        with pytest.raises(CursorInvalid):
            change_cursors.open_sealed(text, consent)


def test_a_paused_consent_or_one_without_transactions_has_no_delta(let_in: LetIn, account: Account) -> None:
    api = let_in()
    assert api.tokens is not None
    Consent.objects.filter(id=api.tokens.consent.id).update(status="PAUSED")

    assert api.get(PATH).json()["code"] == "consent_paused"
    assert let_in([Scope.BALANCES]).get(PATH).json()["code"] == "scope_not_granted"
    assert world.usage() == []


def test_one_read_leaves_one_usage_row(api: Api, alice: User, account: Account) -> None:
    answer = api.get(PATH)

    (row,) = world.usage()
    assert (row.user_id, row.record, row.rows, row.account_id) == (alice.id, "transaction", 1, None)
    assert row.request_id == answer["X-Request-Id"]


def test_before_the_first_fetch_it_says_so(api: Api, account: Account) -> None:
    Account.objects.for_sync().filter(id=account.id).update(transactions_as_of=None)

    body = api.get(PATH).json()

    assert (body["update_status"], body["as_of"]) == ("FIRST_SYNC", None)


def test_next_refresh_after_is_in_every_answer_that_carries_data(api: Api, account: Account, account_id: str) -> None:
    until = clock.now() + timedelta(hours=3)
    Account.objects.for_sync().filter(id=account.id).update(next_refresh_after=until)
    paths = ("/v1/accounts", f"/v1/accounts/{account_id}", PATH)
    paths += tuple(f"/v1/accounts/{account_id}/{end}" for end in ("balances", "transactions"))

    told = {path: api.get(path).json()["next_refresh_after"] for path in paths}

    assert set(told.values()) == {until.isoformat().replace("+00:00", "Z")}, told
    Account.objects.for_sync().filter(id=account.id).update(next_refresh_after=clock.now())
    assert {api.get(path).json()["next_refresh_after"] for path in paths} == {None}


def test_no_internal_id_is_in_the_answer_or_its_cursor(api: Api, account: Account) -> None:
    row = only_row(account)
    first = api.get(PATH)
    change(account, row, status="REMOVED")
    second = api.get(PATH, {"cursor": first.json()["next_cursor"]})
    assert second.json()["removed"]

    told = (first.content + second.content).decode()

    for secret in (account.id, account.connection_id, account.institution_id, account.user_id, row.id):
        assert str(secret) not in told and secret.hex not in told
