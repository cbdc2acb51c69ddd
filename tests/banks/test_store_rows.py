"""Rows written as one JSON parameter and rows written by the ORM are the same; what says nothing new writes none."""

import random
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import Any
from uuid import UUID

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from banks import store, store_rows
from banks.models import Account, Connection, LinkSuggestion, RawPayload, Transaction
from banks.normalize.entries import Entry, entry
from banks.reconcile import Asked, Changes, reconcile, says_the_same
from banks.types import CounterpartyKind, Money, Place, TransactionData, TransactionKind, TransactionStatus
from banks.vault import Vault
from tests import environment
from tests.support import cast, entries
from tests.support.cast import NOW

pytestmark = pytest.mark.django_db

DAY = date(2026, 3, 1)
SINCE = DAY - timedelta(days=30)
ASKED = Asked(since=SINCE, removable_from=SINCE)
_RUN = 2**32
on_postgresql = pytest.mark.skipif(environment.database() == environment.SQLITE, reason="SQLite has one form only")


def told(number: int, **changes: Any) -> Entry:
    made = entry(
        TransactionData(
            **{
                "bank_transaction_id": f"t-{number}",
                "status": TransactionStatus.BOOKED,
                "money": Money(Decimal("-50.00"), "GBP"),
                "booked_on": DAY,
                "listed_on": DAY,
                "merchant_name": f'Corner "Café" \\ {number}',
                "mcc": "5812",
                "raw": f'{{"row": {number}}}'.encode(),
                **changes,
            }
        )
    )
    assert isinstance(made, Entry)
    return made


def waiting(number: int, **changes: Any) -> Entry:
    return told(number, status=TransactionStatus.PENDING, booked_on=None, **changes)


#: What a bank lists, fetch after fetch: added, corrected, booked by id and by looks, renamed, gone, back, alike.
FETCHES: tuple[tuple[Entry, ...], ...] = (
    (
        told(1),
        told(
            2,
            kind=TransactionKind.CARD_PAYMENT,
            immutable=True,
            value_on=DAY + timedelta(days=1),
            transacted_at=datetime(2026, 3, 1, 9, 30, 1, 250_000, tzinfo=UTC),
            instructed=Money(Decimal("-61.25"), "EUR"),
            exchange_rate=Decimal("1.2250"),
            counterparty_name="Zoë O'Neil ✓",
            counterparty_kind=CounterpartyKind.PERSON,
            balance_after=Money(Decimal("10.01"), "GBP"),
            description="line one\\line 'two'; DROP TABLE",
            place=Place(country="GB", region="Yorkshire", city="Leeds", postal_code="LS1", address="1 High St"),
            reference="invoice 7",
        ),
        told(3),
        told(3, money=Money(Decimal("-7.00"), "GBP")),
        waiting(4),
        waiting(5, merchant_name="Bookshop"),
        waiting(6, merchant_name="Theatre"),
    ),
    (
        told(1, value_on=DAY),
        told(2, mcc="7995"),
        told(13, merchant_name='Corner "Café" \\ 3'),
        told(3, money=Money(Decimal("-7.00"), "GBP")),
        told(4),
        told(15, merchant_name="Bookshop"),
        told(16, merchant_name="Theatre", money=Money(Decimal("-55.00"), "GBP")),
    ),
    (told(2), told(4)),
    (told(1), told(2), told(4), told(20)),
)


@pytest.fixture
def numbered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ids in the order of asking, each time anew: two runs give equal rows equal ids."""
    monkeypatch.setattr(store, "uuid4", _ids().__next__)


def _ids(run: int = 0) -> Iterator[UUID]:
    """Of a run of their own, and alike but for it."""
    return (UUID(int=run * _RUN + number) for number in count(1))


def _alike(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value.int % _RUN if isinstance(value, UUID) else value for name, value in row.items()}


def linked_account() -> Account:
    number = Account.objects.for_sync().count()
    bank = cast.institution(slug=f"bank-{number}", now=NOW)
    return cast.account(cast.connection(cast.person(f"person-{number}"), bank, now=NOW))


def fetch(account: Account, listed: tuple[Entry, ...] | list[Entry], asked: Asked = ASKED) -> Changes:
    changes = store.compared(account.id, listed, asked=asked)
    for write in store.writes(account.id, changes, now=NOW):
        with transaction.atomic():
            write(Connection.objects.select_for_update(no_key=True).get(id=account.connection_id))
    return changes


def left_behind(account: Account) -> dict[str, Any]:
    """All that a fetch wrote, with the account's own ids left out and the raw rows opened."""
    link = Connection.objects.get(id=account.connection_id)
    owner = Vault.of(link.id, link.wrapped_key)
    names = [field.attname for field in Transaction._meta.concrete_fields if field.attname != "account_id"]
    suggested = ("id", "pending_transaction_id", "booked_transaction_id", "confidence_percent", "created_at")
    mine = {"account_id": account.id}
    return {
        "rows": [_alike(row) for row in Transaction.objects.for_sync().filter(**mine).order_by("id").values(*names)],
        "raw": {
            row.transaction_id.int % _RUN: owner.open(f"raw:{row.transaction_id}", row.sealed)
            for row in RawPayload.objects.for_sync().filter(**mine)
        },
        "suggested": [_alike(row) for row in LinkSuggestion.objects.for_sync().filter(**mine).values(*suggested)],
        "sequence": link.change_sequence,
        "version": Account.objects.for_sync().get(id=account.id).version,
    }


@on_postgresql
def test_both_forms_leave_the_same_rows_after_every_fetch(monkeypatch: pytest.MonkeyPatch) -> None:
    by_json, by_orm = linked_account(), linked_account()
    ids = {by_json.id: _ids(1), by_orm.id: _ids(2)}
    seen = Changes()

    for listed in FETCHES:
        for account, takes_json in ((by_json, True), (by_orm, False)):
            monkeypatch.setattr(store_rows, "takes_json", lambda takes_json=takes_json: takes_json)
            monkeypatch.setattr(store, "uuid4", ids[account.id].__next__)
            changes = fetch(account, listed)
        for name in ("added", "modified", "renamed", "removed", "suggested"):
            getattr(seen, name).extend(getattr(changes, name))

        assert left_behind(by_json) == left_behind(by_orm)

    # The fetches did all that can be done to a row.
    assert seen.added and seen.modified and seen.renamed and seen.removed and seen.suggested
    assert any(one.link for one in seen.modified) and any(not one.refiled for one in seen.modified)


@pytest.mark.usefixtures("numbered")
def test_every_column_comes_back_as_the_bank_told_it() -> None:
    account = linked_account()

    fetch(account, FETCHES[0])

    for one in FETCHES[0]:
        columns = Transaction.objects.for_sync().filter(account_id=account.id, content_hash=one.content_hash)
        assert one.columns in list(columns.values(*one.columns))
    assert set(left_behind(account)["raw"].values()) == {one.raw for one in FETCHES[0]}


@on_postgresql
def test_a_list_of_any_length_is_written_by_as_many_statements() -> None:
    account = linked_account()

    def statements(listed: list[Entry]) -> int:
        changes = store.compared(account.id, listed, asked=ASKED)
        (write,) = store.writes(account.id, changes, now=NOW)
        link = Connection.objects.get(id=account.connection_id)
        with CaptureQueriesContext(connection) as queries:
            write(link)
        return len(queries)

    numbers = range(100, 150)
    # The numbers, the rows, the raw rows, the account's version.
    assert statements([told(number) for number in numbers]) == 4
    assert statements([told(number, value_on=DAY) for number in numbers]) == 4
    # Nothing is kept of the raw row of one that is gone, so that it stays.
    assert statements([]) == 3


@pytest.mark.parametrize("size", [1, 50])
def test_what_the_bank_told_before_is_read_once_and_written_never(size: int) -> None:
    account = linked_account()
    fetch(account, [told(number) for number in range(size)])
    before = left_behind(account)

    with CaptureQueriesContext(connection) as queries:
        changes = fetch(account, [told(number) for number in reversed(range(size))])

    assert changes == Changes(unchanged=size)
    assert [query["sql"].split()[0] for query in queries] == ["SELECT"]
    assert left_behind(account) == before


@on_postgresql
def test_what_the_bank_told_before_leaves_no_new_version_of_a_row() -> None:
    account = linked_account()
    fetch(account, FETCHES[0])
    written = _versions()

    fetch(account, FETCHES[0])
    assert _versions() == written

    fetch(account, FETCHES[1])
    assert _versions() != written  # it can be seen


def _versions() -> list[tuple[Any, ...]]:
    """Where each row lies and who wrote it, as PostgreSQL itself says."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT ctid::text, xmin::text, cmin::text FROM banks_transaction ORDER BY 1")
        return list(cursor.fetchall())


def test_a_row_that_is_there_already_is_refused_and_none_of_its_batch_is_kept() -> None:
    account = linked_account()
    fetch(account, [told(1)])
    twice = reconcile([], [told(1), told(2)], asked=ASKED)

    with pytest.raises(IntegrityError), transaction.atomic():
        for write in store.writes(account.id, twice, now=NOW):
            write(Connection.objects.get(id=account.connection_id))

    assert Transaction.objects.for_sync().filter(account_id=account.id).count() == 1


def test_rows_of_another_account_are_out_of_reach() -> None:
    mine, other = linked_account(), linked_account()
    fetch(mine, [told(1)])
    row = Transaction.objects.for_sync().get(account_id=mine.id)

    store_rows.update(Transaction, [{"id": row.id, "status": "REMOVED"}], account_id=other.id, key="id")

    assert Transaction.objects.for_sync().get(account_id=mine.id).status == "BOOKED"


def test_the_short_answer_is_what_reconcile_says_at_length() -> None:
    """Random books: whenever the keys alone say that nothing changed, so does the whole comparison, and only then."""
    dice = random.Random(7)
    settled = 0
    for _ in range(400):
        before = _some(dice)
        kept = [entries.kept(one, number=number, occurrence=number) for number, one in enumerate(before, start=1)]
        fetched = _some(dice) if dice.random() < 0.5 else dice.sample(before, len(before))
        asked = Asked(since=entries.DAY, until=entries.DAY, removable_from=entries.DAY, removable_until=entries.DAY)

        at_length = reconcile(kept, fetched, asked=asked)
        keys = [(row.identity_key, row.content_hash) for row in kept if row.status != TransactionStatus.REMOVED]

        nothing = Changes(unchanged=at_length.unchanged)
        assert says_the_same(keys, fetched) == (at_length == nothing)
        settled += at_length == nothing
    assert 20 < settled < 380


def _some(dice: random.Random) -> list[Entry]:
    return [
        entries.entry(
            name,
            dice.choice("12"),
            has_bank_id=name == "a",
            status=dice.choice([TransactionStatus.BOOKED, TransactionStatus.PENDING]),
        )
        for name in dice.choices("ab", k=dice.randint(0, 3))
    ]
