"""The delta, against real rows: what a copy that follows it comes to hold, and what it must never hear of."""

import random
import threading
import time
from collections.abc import Callable, Collection
from dataclasses import replace
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import connection, connections, transaction
from django.db.models import F
from django.test.utils import CaptureQueriesContext

from banks import change_positions, permitted, read
from banks.errors import CursorStale
from banks.models import Account, Connection, Transaction
from banks.read import ChangePage, ChangePosition, Coverage, Stretch, TransactionFilter, UpdateStatus
from consents import lifecycle
from consents.errors import PermitExpired, ScopeNotGranted
from consents.models import ApprovedMerchant, Consent, ConsentAccount, UsageRow
from consents.policy import Permit
from consents.scopes import LocationPrecision, Purpose, Record, Scope, SensitiveGroup
from tests import environment
from tests.support import ledger
from tests.support.ledger import BY_USER, NOW, TODAY
from tests.support.plans import explained

pytestmark = pytest.mark.django_db

SHOPS = {"merchant_key": "chat-shop"}


class World:
    """Alice banks at Acorn; Chat keeps a copy. Rows are written as a sync writes them, under the sequence."""

    def __init__(self) -> None:
        self.alice = ledger.user("alice")
        self.chat = ledger.platform("Chat")
        self.acorn = ledger.institution("acorn")
        self.policy = ledger.policy(self.acorn.id)
        self.link = ledger.connection(self.alice, self.acorn)
        self.current = ledger.account(self.link)

    def consent(
        self,
        scopes: Collection[Scope] = ledger.EVERYTHING_RELEASED,
        accounts: Collection[Account] = (),
        **members: Any,
    ) -> Consent:
        return ledger.consent(self.alice, self.chat, list(accounts) or [self.current], scopes, **members)

    def put(self, of: Account | None = None, **columns: Any) -> Transaction:
        account = of or self.current
        number = next_sequence(account.connection_id)
        sequences = dict.fromkeys(("change_sequence", "added_sequence", "refiled_sequence"), number)
        return ledger.transaction(account, **{**sequences, **columns})

    def change(self, row: Transaction, *, refiled: bool = False, **columns: Any) -> None:
        account_id, row_id = row.account_id, row.id
        connection_id = Account.objects.for_sync().values_list("connection_id", flat=True).get(id=account_id)
        columns["change_sequence"] = next_sequence(connection_id)
        if refiled:
            columns["refiled_sequence"] = columns["change_sequence"]
        Transaction.objects.for_sync().filter(account_id=account_id, id=row_id).update(**columns)

    def remove(self, row: Transaction) -> None:
        self.change(row, status="REMOVED")


def next_sequence(connection_id: UUID) -> int:
    Connection.objects.filter(id=connection_id).update(change_sequence=F("change_sequence") + 1)
    return Connection.objects.values_list("change_sequence", flat=True).get(id=connection_id)


def look(
    of: Consent | Permit, since: ChangePosition | None = None, *, limit: int = 500, revision: int = 1, **words: Any
) -> ChangePage:
    permit = of if isinstance(of, Permit) else ledger.permit(of)
    return read.changes(permit, since, **{"revision": revision, "limit": limit, "now": NOW, "request_id": "r", **words})


class Copy:
    """What a platform holds that does as the documentation says. `heard`: every id that was ever told to it."""

    def __init__(self, of: Consent, limit: int = 500) -> None:
        self.of, self.limit = of, limit
        self.rows: dict[object, dict[str, object]] = {}
        self.heard: set[object] = set()
        self.cursor: ChangePosition | None = None

    def page(self) -> ChangePage:
        page = look(self.of, self.cursor, limit=self.limit)
        for row in page.rows:
            self.rows[row["id"]] = dict(row)
        for row in page.removed:
            self.rows.pop(row["id"], None)
        self.heard |= {row["id"] for row in (*page.rows, *page.removed)}
        self.cursor = page.next
        return page

    def walk(self) -> list[ChangePage]:
        pages = [self.page()]
        while pages[-1].has_more:
            pages.append(self.page())
        return pages


def ids(rows: Collection[Any]) -> set[object]:
    return {row["id"] for row in rows}


def listed(of: Consent, account: Account) -> dict[object, dict[str, object]]:
    """The same account, as the list tells it."""
    wanted = TransactionFilter(limit=500)
    page = read.transactions(ledger.permit(of), account.id, wanted, now=NOW, request_id="r")
    return {row["id"]: {**row, "account_id": account.id} for row in page.rows}


@pytest.fixture
def world() -> World:
    return World()


# -- what is told ------------------------------------------------------------------------------------------------------


def test_without_a_cursor_every_live_row_is_added_and_nothing_else_is_told(world: World) -> None:
    live = {world.put().id, world.put(status="PENDING").id}
    changed = world.put()
    world.change(changed, amount_minor=-1)
    gone = world.put()
    world.remove(gone)

    page = look(world.consent())

    assert ids(page.added) == live | {changed.id}
    assert (page.modified, page.removed, page.has_more) == ([], [], False)


def test_a_row_of_an_earlier_release_is_added_too(world: World) -> None:
    """It has no number of its addition: 0."""
    row = world.put(added_sequence=0, refiled_sequence=0)
    copy = Copy(world.consent())

    (first,) = copy.walk()
    world.change(row, amount_minor=-7)
    (second,) = copy.walk()

    assert ids(first.added) == {row.id} == ids(second.modified)


def test_when_nothing_changed_nothing_is_told_and_the_position_stays(world: World) -> None:
    world.put()
    copy = Copy(world.consent())
    (first,) = copy.walk()

    (second,) = copy.walk()

    assert (second.rows, second.removed, second.has_more) == ([], [], False)
    assert second.next == first.next


def test_what_came_changed_and_went_since_is_told_apart(world: World) -> None:
    stays, changes, goes = world.put(), world.put(), world.put()
    copy = Copy(world.consent())
    copy.walk()

    world.change(changes, amount_minor=-99)
    comes = world.put()
    world.remove(goes)
    came_and_went = world.put()
    world.remove(came_and_went)
    (page,) = copy.walk()

    assert (ids(page.added), ids(page.modified), ids(page.removed)) == ({comes.id}, {changes.id}, {goes.id})
    assert set(copy.rows) == {stays.id, changes.id, comes.id}
    assert copy.rows[changes.id]["amount_minor"] == -99
    assert came_and_went.id not in copy.heard


def test_a_removed_row_that_the_bank_lists_again_comes_back_under_its_id(world: World) -> None:
    row = world.put()
    copy = Copy(world.consent())
    copy.walk()
    world.remove(row)
    copy.walk()

    world.change(row, status="BOOKED")
    (page,) = copy.walk()

    assert ids(page.modified) == {row.id} == set(copy.rows)


def test_what_is_told_of_a_removed_row_is_its_id_and_its_account(world: World) -> None:
    row = world.put()
    copy = Copy(world.consent())
    copy.walk()
    world.remove(row)

    (page,) = copy.walk()

    assert [dict(one) for one in page.removed] == [{"id": row.id, "account_id": world.current.id}]


# -- what is not -------------------------------------------------------------------------------------------------------

#: A filter -> members of the consent that set it, and columns of a row that it shows, and that it withholds.
FILTERS: dict[str, tuple[dict[str, Any], dict[str, Any], dict[str, Any]]] = {
    "hidden group": (
        {"hidden_groups": frozenset({SensitiveGroup.HEALTH})},
        {"sensitive_group": "NONE"},
        {"sensitive_group": "HEALTH"},
    ),
    "hidden group, not classified": (
        {"hidden_groups": frozenset({SensitiveGroup.HEALTH})},
        {"sensitive_group": "NONE"},
        {"sensitive_group": None},
    ),
    "on platform": ({"on_platform_only": True}, {"merchant_key": "chat-shop"}, {"merchant_key": "elsewhere"}),
    "on platform, not classified": ({"on_platform_only": True}, {"merchant_key": "chat-shop"}, {"merchant_key": None}),
    "window": ({"history_days": 30}, {"listed_on": TODAY}, {"listed_on": TODAY - timedelta(days=31)}),
}


@pytest.fixture(params=FILTERS)
def narrowed(world: World, request: pytest.FixtureRequest) -> tuple[Consent, dict[str, Any], dict[str, Any]]:
    members, shown, withheld = FILTERS[request.param]
    ApprovedMerchant.objects.create(
        platform=world.chat, institution_id=world.acorn.id, merchant_key="chat-shop", approved_at=NOW
    )
    return world.consent(**members), shown, withheld


Narrowed = tuple[Consent, dict[str, Any], dict[str, Any]]


def test_a_row_that_was_withheld_all_along_does_not_even_tell_its_id(world: World, narrowed: Narrowed) -> None:
    consent, shown, withheld = narrowed
    kept, secret, doomed = world.put(**shown), world.put(**withheld), world.put(**withheld)
    copy = Copy(consent)
    copy.walk()

    world.change(secret, amount_minor=-5, status="PENDING")
    world.remove(doomed)
    late = world.put(**withheld)
    (page,) = copy.walk()

    assert (page.rows, page.removed) == ([], [])
    assert copy.heard == {kept.id}
    assert not copy.heard & {secret.id, doomed.id, late.id}


def test_a_row_that_was_refiled_before_the_first_look_does_not_tell_its_id_on_any_page(
    world: World, narrowed: Narrowed
) -> None:
    """On a later page it lies behind the page's position, and is no news all the same."""
    consent, shown, withheld = narrowed
    secret = world.put(**shown)
    shown_ids = {world.put(**shown).id for _ in range(3)}
    world.change(secret, refiled=True, **withheld)
    copy = Copy(consent, limit=1)

    copy.walk()

    assert copy.heard == shown_ids


def test_a_row_that_a_filter_begins_to_withhold_is_removed(world: World, narrowed: Narrowed) -> None:
    consent, shown, withheld = narrowed
    row = world.put(**shown)
    copy = Copy(consent)
    copy.walk()

    world.change(row, refiled=True, **withheld)
    (page,) = copy.walk()

    assert ids(page.removed) == {row.id}
    assert copy.rows == {}


def test_a_row_that_comes_into_view_is_told_in_full(world: World, narrowed: Narrowed) -> None:
    consent, shown, withheld = narrowed
    row = world.put(**withheld)
    copy = Copy(consent)
    copy.walk()

    world.change(row, refiled=True, **shown)
    (page,) = copy.walk()

    assert ids(page.modified) == {row.id}
    assert copy.rows == listed(consent, world.current)


def test_a_withheld_rows_columns_are_not_even_read(world: World, narrowed: Narrowed) -> None:
    consent, shown, withheld = narrowed
    row = world.put(**shown)
    copy = Copy(consent)
    copy.walk()
    world.change(row, refiled=True, **withheld)
    permit = ledger.permit(consent)

    with CaptureQueriesContext(connection) as queries:
        page = look(permit, copy.cursor)

    assert ids(page.removed) == {row.id}
    columns = [
        query["sql"].split(" FROM ")[0]
        for query in queries.captured_queries
        if query["sql"].startswith("SELECT") and 'FROM "banks_transaction"' in query["sql"]
    ]
    assert len(columns) == 2, "what is shown, and what is withheld"
    assert not any(name in one for one in columns for name in ('"amount_minor"', '"description"'))


@pytest.mark.parametrize(
    "granted", ["transactions", "transactions merchants", "transactions locations", "transactions balances", "all"]
)
def test_a_row_is_exactly_the_one_of_the_list(world: World, granted: str) -> None:
    scopes = ledger.EVERYTHING_RELEASED if granted == "all" else {Scope(word) for word in granted.split()}
    world.put()
    world.put(status="PENDING", booked_on=None)
    consent = world.consent(scopes)
    copy = Copy(consent)

    copy.walk()

    assert len(copy.rows) == 2
    assert copy.rows == listed(consent, world.current)
    fields = ledger.permit(consent).slices[0].fields(Record.TRANSACTION)
    assert all(set(row) == {*fields, "account_id"} for row in copy.rows.values())


def test_a_consent_that_names_another_persons_account_tells_nothing_of_it(world: World) -> None:
    charlie = ledger.user("charlie")
    theirs = ledger.account(ledger.connection(charlie, world.acorn))
    world.put(theirs)
    mine = world.put()
    consent = world.consent(accounts=[world.current, theirs])
    assert ledger.permit(consent).slice_of(theirs.id) is not None, "the consent must name it, or this proves nothing"

    page = look(consent)

    assert ids(page.rows) == {mine.id}
    assert [one.account_id for one in page.accounts] == [world.current.id]


def test_without_transactions_there_is_no_delta(world: World) -> None:
    with pytest.raises(ScopeNotGranted):
        look(world.consent({Scope.ACCOUNTS, Scope.BALANCES}))

    assert not UsageRow.objects.exists()


# -- pages -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("limit", "sizes"), [(1, [1] * 6), (2, [2, 2, 2]), (4, [4, 2]), (5, [5, 1]), (6, [6]), (7, [6])]
)
def test_pages_are_complete_and_the_last_one_knows_it(world: World, limit: int, sizes: list[int]) -> None:
    savings = ledger.account(world.link)
    rows = [world.put(account) for _ in range(3) for account in (world.current, savings)]
    copy = Copy(world.consent(accounts=[world.current, savings]), limit)

    pages = copy.walk()

    assert [len(page.rows) for page in pages] == sizes
    assert [row["id"] for page in pages for row in page.rows] == [row.id for row in rows], "in order of their change"


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 5])
def test_two_banks_are_walked_in_one(world: World, limit: int) -> None:
    birch = ledger.institution("birch")
    ledger.policy(birch.id)
    card = ledger.account(ledger.connection(world.alice, birch))
    rows = {world.put(account).id for _ in range(2) for account in (world.current, card)}
    hidden_from_nobody = Copy(world.consent(accounts=[world.current, card]), limit)

    pages = hidden_from_nobody.walk()

    assert [len(page.rows) for page in pages] == [limit] * (4 // limit) + ([4 % limit] if 4 % limit else [])
    assert set(hidden_from_nobody.rows) == rows


def test_removed_rows_count_for_the_limit(world: World) -> None:
    rows = [world.put() for _ in range(5)]
    copy = Copy(world.consent(), 2)
    copy.walk()
    for row in rows:
        world.remove(row)

    pages = copy.walk()

    assert [len(page.removed) for page in pages] == [2, 2, 1]
    assert copy.rows == {}


def test_what_is_withheld_behind_the_last_row_makes_no_empty_page(world: World) -> None:
    consent = world.consent(hidden_groups=frozenset({SensitiveGroup.HEALTH}))
    world.put()
    for _ in range(3):
        world.put(sensitive_group="HEALTH")

    page = look(consent, limit=1)

    assert (len(page.rows), page.has_more) == (1, False)


def test_a_page_walks_the_index_and_looks_one_row_ahead(world: World) -> None:
    for _ in range(9):
        world.put()
    permit = ledger.permit(world.consent())

    with CaptureQueriesContext(connection) as queries:
        look(permit, limit=3)

    keys = [query["sql"] for query in queries.captured_queries if "is_live" in query["sql"]]
    assert len(keys) == 1 and keys[0].endswith("LIMIT 4")


def test_what_is_withheld_is_found_by_an_index_of_what_was_ever_filed_anew(world: World) -> None:
    """However much is left of a walk: the backfill of years may lie in it."""
    numbers = [dict.fromkeys(("change_sequence", "added_sequence", "refiled_sequence"), n) for n in range(1, 4001)]
    rows = [ledger.unsaved_transaction(world.current, **columns) for columns in numbers]
    Transaction.objects.for_sync().bulk_create(rows)
    Connection.objects.filter(id=world.link.id).update(change_sequence=4000)
    if environment.database() == environment.POSTGRESQL:
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE banks_transaction")
    permit = ledger.permit(world.consent())
    first = look(permit, limit=1)
    ((one, stretch),) = first.next.stretches.items()
    begun = replace(first.next, stretches={one: replace(stretch, since=stretch.at)})

    with CaptureQueriesContext(connection) as queries:
        look(permit, begun, limit=1)

    (withheld,) = [query["sql"] for query in queries.captured_queries if "refiled_sequence" in query["sql"]]
    assert "transaction_refiled" in explained(withheld), explained(withheld)


@pytest.mark.parametrize("limit", [0, -1, 501])
def test_a_limit_out_of_range_is_refused(world: World, limit: int) -> None:
    with pytest.raises(ValueError, match="limit"):
        look(world.consent(), limit=limit)


# -- rows that change while one pages ----------------------------------------------------------------------------------


def test_what_changes_during_a_walk_comes_with_the_next_one(world: World) -> None:
    told, waiting, told_and_gone, waiting_and_gone = (world.put() for _ in range(4))
    world.change(waiting, amount_minor=-3)
    world.change(waiting_and_gone, amount_minor=-3)
    copy = Copy(world.consent(), 2)
    first = copy.page()
    assert ids(first.rows) == {told.id, told_and_gone.id} and first.has_more

    world.change(told, amount_minor=-11)
    world.change(waiting, amount_minor=-12)
    world.remove(told_and_gone)
    world.remove(waiting_and_gone)
    late = world.put()
    rest = copy.page()
    assert (rest.rows, rest.has_more) == ([], False), "all that was left of this walk has moved beyond it"

    pages = copy.walk()

    assert {row["id"]: row["amount_minor"] for row in copy.rows.values()} == {
        told.id: -11,
        waiting.id: -12,
        late.id: -1250,
    }
    assert {row_id for page in pages for row_id in ids(page.added)} == {late.id}


def change_again(world: World, row: Transaction) -> None:
    world.change(row, amount_minor=-77)


def remove_again(world: World, row: Transaction) -> None:
    world.remove(row)


@pytest.mark.parametrize("and_then", [change_again, remove_again])
def test_a_row_that_is_withheld_is_removed_however_it_changes_before_the_walk_comes_to_it(
    world: World, narrowed: Narrowed, and_then: Callable[[World, Transaction], None]
) -> None:
    """Its last number lies beyond the walk; in the next one, the number that it was filed anew with lies before it."""
    consent, shown, withheld = narrowed
    others, row = [world.put(**shown) for _ in range(2)], world.put(**shown)
    copy = Copy(consent, limit=1)
    copy.walk()
    for other in others:
        world.change(other, amount_minor=-3)
    world.change(row, refiled=True, **withheld)
    assert copy.page().has_more and row.id in copy.rows

    and_then(world, row)
    pages = [*copy.walk(), *copy.walk()]

    assert set(copy.rows) == {other.id for other in others}
    assert [one["id"] for page in pages for one in page.removed] == [row.id], "once, and nothing is said of it again"


def test_a_row_that_is_withheld_and_shown_again_during_a_walk_stays(world: World, narrowed: Narrowed) -> None:
    consent, shown, withheld = narrowed
    other, row = world.put(**shown), world.put(**shown)
    copy = Copy(consent, limit=1)
    copy.walk()
    world.change(other, amount_minor=-3)
    world.change(row, refiled=True, **withheld)
    copy.page()

    world.change(row, refiled=True, amount_minor=-8, **shown)
    copy.walk()
    copy.walk()

    assert copy.rows == listed(consent, world.current)
    assert copy.rows[row.id]["amount_minor"] == -8


def test_rows_that_are_withheld_come_in_their_place_among_those_that_are_shown(world: World) -> None:
    consent = world.consent(hidden_groups=frozenset({SensitiveGroup.HEALTH}))
    rows = [world.put() for _ in range(6)]
    copy = Copy(consent, limit=2)
    copy.walk()
    for number, row in enumerate(rows):
        world.change(row, refiled=True, sensitive_group="HEALTH" if number % 2 else "NONE")
    for row in rows[1::2]:
        world.change(row, amount_minor=-9)

    pages = copy.walk()

    assert [(len(page.modified), len(page.removed)) for page in pages] == [(1, 1)] * 3
    assert set(copy.rows) == {row.id for row in rows[::2]}


def test_a_walk_ends_where_it_was_begun_however_much_is_written(world: World) -> None:
    for _ in range(4):
        world.put()
    copy = Copy(world.consent(), 1)
    pages = 0

    while copy.page().has_more:
        world.put()
        pages += 1

    assert pages == 3


# -- a permit that changed ---------------------------------------------------------------------------------------------


def policy(**columns: Any) -> Callable[[World, Consent], object]:
    def change(world: World, consent: Consent) -> None:
        for name, value in columns.items():
            setattr(world.policy, name, value)
        world.policy.save()

    return change


def account_suspended(world: World, consent: Consent) -> None:
    ConsentAccount.objects.filter(consent=consent).exclude(account_id=world.current.id).update(status="SUSPENDED")


def merchant_approved(world: World, consent: Consent) -> None:
    ApprovedMerchant.objects.create(
        platform=world.chat, institution_id=world.acorn.id, merchant_key="new-shop", approved_at=NOW
    )


def merchant_withdrawn(world: World, consent: Consent) -> None:
    ApprovedMerchant.objects.all().delete()


CHANGES: dict[str, Callable[[World, Consent], object]] = {
    "a scope less": policy(scopes=["transactions", "merchants"]),
    "a coarser place": policy(location_precision="country"),
    "a shorter window": policy(history_days_max=10),
    "a hidden group": policy(hidden_groups=["GAMBLING"]),
    "on platform only": policy(on_platform_only=True),
    "an account less": account_suspended,
    "a merchant more": merchant_approved,
    "a merchant less": merchant_withdrawn,
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_cursor_goes_stale_when_what_is_let_through_changes(world: World, name: str) -> None:
    savings = ledger.account(world.link)
    consent = world.consent(accounts=[world.current, savings], on_platform_only="merchant" in name)
    merchant_approved_before = {"platform": world.chat, "institution_id": world.acorn.id, "approved_at": NOW}
    ApprovedMerchant.objects.create(merchant_key="chat-shop", **merchant_approved_before)
    for _ in range(3):
        world.put(merchant_key="chat-shop")
    between, within = look(consent).next, look(consent, limit=1).next
    assert look(consent, between).rows == [], "good before"

    CHANGES[name](world, consent)

    for cursor in (between, within):
        with pytest.raises(CursorStale):
            look(consent, cursor)
    assert not look(consent).has_more, "and without one it begins again"


def test_a_cursor_goes_stale_with_another_revision_and_another_purpose(world: World) -> None:
    consent = world.consent({Scope.TRANSACTIONS}, purposes=frozenset({Purpose.BUDGETING, Purpose.ACCOUNT_OVERVIEW}))
    permit = ledger.permit(consent, purpose=Purpose.BUDGETING)
    cursor = look(permit).next

    with pytest.raises(CursorStale):
        look(permit, cursor, revision=2)
    with pytest.raises(CursorStale):
        look(ledger.permit(consent, purpose=Purpose.ACCOUNT_OVERVIEW), cursor)
    assert look(permit, cursor).rows == []


def test_a_merchant_that_is_withdrawn_while_a_page_is_read_and_approved_again_makes_the_cursor_stale(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its rows were left out of that page; a walk that went on would never tell them."""
    consent = world.consent(on_platform_only=True)
    merchant_approved(world, consent)
    for _ in range(6):
        world.put(merchant_key="new-shop")
    first = look(consent, limit=2)
    real = change_positions.stretches

    def withdrawn_before_the_rows(*arguments: Any) -> Any:
        merchant_withdrawn(world, consent)
        return real(*arguments)

    monkeypatch.setattr(change_positions, "stretches", withdrawn_before_the_rows)
    second = look(consent, first.next, limit=2)
    monkeypatch.undo()
    assert (len(first.added), second.added) == (2, [])
    merchant_approved(world, consent)

    with pytest.raises(CursorStale):
        look(consent, second.next, limit=2)

    assert len(look(consent).added) == 6


def test_merchants_do_not_matter_where_they_decide_nothing(world: World) -> None:
    consent = world.consent()
    cursor = look(consent).next

    merchant_approved(world, consent)

    assert look(consent, cursor).rows == []


def test_a_window_that_moves_on_by_a_day_leaves_the_cursor_good_and_tells_nothing(world: World) -> None:
    policy(history_days_max=10)(world, world.consent())
    consent = world.consent()
    world.put(listed_on=TODAY - timedelta(days=10))
    first = look(consent)
    tomorrow = NOW + timedelta(days=1)

    second = look(ledger.permit(consent, now=tomorrow), first.next, now=tomorrow)

    assert len(first.added) == 1
    assert (second.rows, second.removed) == ([], [])


def test_a_cursor_ahead_of_the_database_is_stale(world: World) -> None:
    """A database that was restored from a backup would else be silent until it has caught up."""
    world.put()
    consent = world.consent()
    cursor = look(consent).next

    Connection.objects.update(change_sequence=0)

    with pytest.raises(CursorStale):
        look(consent, cursor)


def test_a_position_over_another_connection_is_stale(world: World) -> None:
    world.put()
    consent = world.consent()
    cursor = look(consent).next

    stranger = ChangePosition(fingerprint=cursor.fingerprint, stretches={UUID(int=1): Stretch(0, 0, 0)})

    with pytest.raises(CursorStale):
        look(consent, stranger)


# -- how far the fetching has come -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({}, "CURRENT"),
        ({"transactions_as_of": None}, "FIRST_SYNC"),
        ({"transactions_as_of": None, "coverage_first_on": None, "coverage_last_on": None}, "FIRST_SYNC"),
        ({"coverage_first_on": None, "coverage_last_on": None}, "BACKFILLING"),
        ({"coverage_first_on": TODAY - timedelta(days=5)}, "BACKFILLING"),
        ({"coverage_first_on": TODAY - timedelta(days=30)}, "CURRENT"),
        ({"coverage_first_on": TODAY - timedelta(days=5), "bank_first_on": TODAY - timedelta(days=5)}, "CURRENT"),
        ({"coverage_first_on": TODAY - timedelta(days=5), "bank_first_on": TODAY - timedelta(days=6)}, "BACKFILLING"),
        ({"coverage_gaps": [[str(TODAY - timedelta(days=9)), str(TODAY - timedelta(days=8))]]}, "BACKFILLING"),
        ({"coverage_gaps": [[str(TODAY - timedelta(days=90)), str(TODAY - timedelta(days=80))]]}, "CURRENT"),
    ],
)
def test_update_status_says_what_is_missing_of_the_window(world: World, columns: dict[str, Any], expected: str) -> None:
    Account.objects.for_sync().filter(id=world.current.id).update(**columns)

    page = look(world.consent(history_days=30))

    assert page.update_status == expected
    assert [one.update_status for one in page.accounts] == [expected]


def test_what_the_bank_does_not_keep_is_not_missing(world: World) -> None:
    world.acorn.history_days_max = 5
    world.acorn.save()
    Account.objects.for_sync().filter(id=world.current.id).update(coverage_first_on=TODAY - timedelta(days=5))

    assert look(world.consent(history_days=30)).update_status == UpdateStatus.CURRENT


def test_the_whole_is_as_far_as_its_least_account(world: World) -> None:
    savings = ledger.account(world.link, transactions_as_of=None)
    behind = ledger.account(world.link, coverage_first_on=TODAY, transactions_as_of=NOW - timedelta(hours=3))

    page = look(world.consent(accounts=[world.current, behind, savings]))

    by_id = {one.account_id: one.update_status for one in page.accounts}
    assert by_id == {world.current.id: "CURRENT", behind.id: "BACKFILLING", savings.id: "FIRST_SYNC"}
    assert page.update_status == UpdateStatus.FIRST_SYNC
    assert page.as_of == NOW - timedelta(hours=3)


def test_coverage_is_clipped_to_the_window_here_too(world: World) -> None:
    gaps = [["2024-02-01", "2024-02-05"], ["2026-02-01", "2026-03-01"]]
    Account.objects.for_sync().filter(id=world.current.id).update(coverage_gaps=gaps)
    edge = TODAY - timedelta(days=20)

    (progress,) = look(world.consent(history_days=20)).accounts

    assert progress.coverage == Coverage(first_on=edge, last_on=TODAY, gaps=((edge, date(2026, 3, 1)),))


@pytest.mark.parametrize(
    ("hours", "told"), [((5, 3), 3), ((None, 3), None), ((-1, 3), None), ((-1, -2), None), ((None, None), None)]
)
def test_next_refresh_after_is_the_first_that_helps_and_never_in_the_past(
    world: World, hours: tuple[int | None, int | None], told: int | None
) -> None:
    savings = ledger.account(world.link)
    for account, ahead in zip((world.current, savings), hours, strict=True):
        until = None if ahead is None else NOW + timedelta(hours=ahead)
        Account.objects.for_sync().filter(id=account.id).update(next_refresh_after=until)
    consent = world.consent(accounts=[world.current, savings])

    page = look(consent)
    accounts = read.accounts(ledger.permit(consent), now=NOW, request_id="r")

    expected = None if told is None else NOW + timedelta(hours=told)
    assert page.next_refresh_after == accounts.next_refresh_after == expected
    alone = read.balances(ledger.permit(consent), world.current.id, now=NOW, request_id="r").next_refresh_after
    assert alone == (NOW + timedelta(hours=hours[0]) if hours[0] is not None and hours[0] > 0 else None)


# -- the log, and saying stop ------------------------------------------------------------------------------------------


def test_each_page_is_logged_for_each_bank_with_what_it_told(world: World) -> None:
    birch = ledger.institution("birch")
    ledger.policy(birch.id)
    card = ledger.account(ledger.connection(world.alice, birch))
    kept, goes, _ = world.put(), world.put(), world.put(card)
    copy = Copy(world.consent(accounts=[world.current, card]))
    copy.walk()
    world.change(kept, amount_minor=-1)
    world.remove(goes)
    UsageRow.objects.all().delete()

    copy.walk()

    assert set(UsageRow.objects.values_list("institution_id", "rows", "record", "account_id")) == {
        (world.acorn.id, 2, "transaction", None),
        (birch.id, 0, "transaction", None),
    }


def test_a_stop_between_the_rows_and_the_usage_row_withholds_the_rows(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.put()
    consent = world.consent()
    permit = ledger.permit(consent)
    commit, handed_over = permitted.commit_usage, []

    def stopped_just_before(permit: Permit, counts: Any, *args: Any, **words: Any) -> None:
        handed_over.extend(count for _, count in counts)
        lifecycle.revoke(consent_id=consent.id, reason="user_revoked", actor=BY_USER, now=NOW)
        commit(permit, counts, *args, **words)

    monkeypatch.setattr(permitted, "commit_usage", stopped_just_before)

    with pytest.raises(PermitExpired):
        look(permit)

    assert handed_over == [1], "the rows must have been read, or this proves nothing"
    assert not UsageRow.objects.exists()


def test_a_revoked_consent_tells_nothing(world: World) -> None:
    world.put()
    consent = world.consent()
    permit = ledger.permit(consent)
    lifecycle.revoke(consent_id=consent.id, reason="user_revoked", actor=BY_USER, now=NOW)

    with pytest.raises(PermitExpired):
        look(permit)


def test_a_permit_ends_at_its_own_clock(world: World) -> None:
    world.link.consent_expires_at = NOW + timedelta(minutes=1)
    world.link.save()
    permit = ledger.permit(world.consent())

    with pytest.raises(PermitExpired), CaptureQueriesContext(connection) as queries:
        look(permit, now=permit.expires_at)
    assert not queries.captured_queries


def test_a_page_refuses_to_be_part_of_somebody_elses_transaction(world: World) -> None:
    permit = ledger.permit(world.consent())

    with pytest.raises(RuntimeError, match="durable"), transaction.atomic():
        look(permit)


def test_places_are_as_coarse_as_in_the_list(world: World) -> None:
    world.put()
    consent = world.consent({Scope.TRANSACTIONS, Scope.LOCATIONS}, location_precision=LocationPrecision.COUNTRY)

    (row,) = look(consent).rows

    assert row["place_country"] == "GB" and "place_city" not in row


# -- writers and a reader at once --------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("filters", [{}, {"hidden_groups": frozenset({SensitiveGroup.HEALTH})}], ids=["all", "hidden"])
def test_a_copy_that_follows_four_writers_is_the_table(filters: dict[str, Any]) -> None:
    """Two accounts, one sequence; each write waits before its commit, so that later ones would overtake it."""
    world = World()
    accounts = [world.current, ledger.account(world.link)]
    copy = Copy(world.consent(accounts=accounts, **filters), limit=7)
    stop, errors, steps_back = threading.Event(), list[BaseException](), list[object]()

    def write(seed: int) -> None:
        dice, mine = random.Random(seed), list[Transaction]()
        try:
            for number in range(25):
                with transaction.atomic():
                    Connection.objects.select_for_update(no_key=True).get(id=world.link.id)
                    _write_one(world, dice, accounts, mine, amount_minor=-number)
                    time.sleep(dice.random() * 0.003)
        except BaseException as error:
            errors.append(error)
        finally:
            connections.close_all()

    def follow() -> None:
        try:
            while True:
                last = stop.is_set()
                before = {row_id: row["amount_minor"] for row_id, row in copy.rows.items()}
                copy.walk()
                after = {row_id: row["amount_minor"] for row_id, row in copy.rows.items()}
                # A writer's amounts only fall: one that rose is older content after newer.
                steps_back.extend(one for one in before.keys() & after.keys() if int(after[one]) > int(before[one]))  # type: ignore[call-overload]
                if last:
                    return
        except BaseException as error:
            errors.append(error)
        finally:
            connections.close_all()

    reader = threading.Thread(target=follow)
    writers = [threading.Thread(target=write, args=(seed,)) for seed in range(4)]
    for thread in (reader, *writers):
        thread.start()
    for thread in writers:
        thread.join()
    stop.set()
    reader.join()

    assert errors == [] and steps_back == []
    table = {row_id: row for account in accounts for row_id, row in listed(copy.of, account).items()}
    assert len(table) > 10
    assert copy.rows == table


#: Each of these sees a withheld row that was forgotten (tests/architecture/test_mutants.py).
@pytest.mark.parametrize("seed", [3, 5, 8])
def test_a_copy_is_the_table_wherever_writes_fall_between_its_pages(world: World, seed: int) -> None:
    """The same without chance: walks of many pages, and after each page some writes, mostly of rows still to come."""
    dice, mine = random.Random(seed), list[Transaction]()
    consent = world.consent(hidden_groups=frozenset({SensitiveGroup.HEALTH}))
    copy = Copy(consent, limit=1)

    for number in range(0, -90, -1):
        _write_one(world, dice, [world.current], mine, amount_minor=number)
        if dice.random() < 0.4:
            copy.page()
    copy.walk()
    copy.walk()

    assert copy.rows == listed(consent, world.current)


def _write_one(
    world: World, dice: random.Random, accounts: list[Account], mine: list[Transaction], *, amount_minor: int
) -> None:
    """Adds, corrects, hides, shows, removes or brings back a row of this writer's own."""
    deed = dice.choice(["add", "add", "correct", "correct", "hide", "show", "remove", "return"])
    if deed == "add" or not mine:
        mine.append(world.put(dice.choice(accounts), amount_minor=amount_minor))
        return
    row = dice.choice(mine)
    if deed in ("hide", "show"):
        group = "HEALTH" if deed == "hide" else "NONE"
        world.change(row, refiled=True, sensitive_group=group, amount_minor=amount_minor)
    else:
        status = {"correct": "PENDING", "remove": "REMOVED", "return": "BOOKED"}[deed]
        world.change(row, status=status, amount_minor=amount_minor)


def test_nothing_is_called_current_that_came_while_one_paged(world: World) -> None:
    """The last days are stored, and covered, between two pages of a walk: they come with the next one."""
    for _ in range(4):
        world.put()
    Account.objects.for_sync().filter(id=world.current.id).update(coverage_first_on=TODAY - timedelta(days=5))
    copy = Copy(world.consent(history_days=30), limit=3)
    assert copy.page().update_status == UpdateStatus.BACKFILLING
    world.put()
    Account.objects.for_sync().filter(id=world.current.id).update(coverage_first_on=TODAY - timedelta(days=30))

    last = copy.page()

    assert (last.has_more, last.update_status, len(copy.rows)) == (False, UpdateStatus.BACKFILLING, 4)
    (page,) = copy.walk()
    assert (page.update_status, len(copy.rows)) == (UpdateStatus.CURRENT, 5)
