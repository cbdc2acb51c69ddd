"""The hot reads run text that the ORM compiled once: for every scope and every filter it gives the ORM's own rows."""

import itertools
from collections.abc import Collection, Iterator
from copy import deepcopy
from dataclasses import replace
from datetime import date, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from pytest_django import DjangoDbBlocker

from banks import compiled, permitted, read, read_sql, usage_sql
from banks.compiled import Compiled
from banks.errors import AccountNotFound
from banks.models import Account, Transaction
from banks.read import Position, TransactionFilter
from banks.types import TransactionStatus
from consents.models import ApprovedMerchant, LodgedReference, ReadCount, UsageRow
from consents.policy import Permit
from consents.scopes import LocationPrecision, Record, Scope, SensitiveGroup
from tests.support import ledger
from tests.support.keeping import kept
from tests.support.ledger import NOW, TODAY

pytestmark = pytest.mark.django_db

GRANTS: list[tuple[tuple[Scope, ...], LocationPrecision | None]] = [
    ((Scope.TRANSACTIONS,), None),
    ((Scope.TRANSACTIONS, Scope.MERCHANTS), None),
    *(((Scope.TRANSACTIONS, Scope.LOCATIONS), precision) for precision in LocationPrecision),
    ((Scope.TRANSACTIONS, Scope.COUNTERPARTIES), None),
    ((Scope.TRANSACTIONS, Scope.BALANCES), None),
    ((Scope.ACCOUNTS, Scope.TRANSACTIONS), None),
    ((Scope.ACCOUNT_NUMBERS, Scope.BALANCES, Scope.TRANSACTIONS), None),
    (tuple(ledger.EVERYTHING_RELEASED), LocationPrecision.STORE),
]
MIDDLE = TODAY - timedelta(days=3)
FILTERS: dict[str, dict[str, Any]] = {
    "from": {"start_on": MIDDLE},
    "to": {"end_on": MIDDLE},
    "booked": {"status": TransactionStatus.BOOKED},
    "pending": {"status": TransactionStatus.PENDING},
    "after": {"after": Position(MIDDLE, uuid4())},
}


class World:
    """Rows of every kind that a filter looks at, over a week, in two accounts; a stranger has the same."""

    def __init__(self) -> None:
        self.alice, self.chat, self.bank = ledger.user("alice"), ledger.platform("Chat"), ledger.institution("acorn")
        self.policy = ledger.policy(self.bank.id)
        link = ledger.connection(self.alice, self.bank)
        self.current, self.savings = ledger.account(link), ledger.account(link)
        self.strangers = ledger.account(ledger.connection(ledger.user("bob"), self.bank))
        for account in (self.current, self.savings, self.strangers):
            self._fill(account)
        ApprovedMerchant.objects.create(
            platform=self.chat, institution_id=self.bank.id, merchant_key="ours", approved_at=NOW
        )
        LodgedReference.objects.create(
            platform=self.chat,
            reference_digest=ledger.reference_digest("lodged"),
            lodged_at=NOW - timedelta(days=30),
            lodged_on=TODAY - timedelta(days=30),
        )

    def _fill(self, account: Account) -> None:
        days = [TODAY - timedelta(days=back) for back in range(6)]
        groups = [SensitiveGroup.NONE, SensitiveGroup.HEALTH, None]
        rows = []
        for day, group, status in itertools.product(days, groups, TransactionStatus):
            rows += [
                ledger.unsaved_transaction(account, listed_on=day, sensitive_group=group, status=status, **more)
                for more in ({}, {"merchant_key": "ours"}, {"reference_digest": ledger.reference_digest("lodged")})
            ]
        Transaction.objects.for_sync().bulk_create(rows)
        for currency, amount in (("GBP", 1), ("EUR", None)):
            line = {"included": True, "type": "Pre-Agreed", "amount_minor": amount, "currency": currency}
            ledger.balance(account, currency=currency, credit_lines=[line])

    def permit(self, scopes: Collection[Scope] = ledger.EVERYTHING_RELEASED, **members: Any) -> Permit:
        return ledger.permit(ledger.consent(self.alice, self.chat, [self.current, self.savings], scopes, **members))


@pytest.fixture(scope="module")
def beginning(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[World]:
    """Written once: no test changes a row of it, but in a transaction of its own."""
    with kept(django_db_blocker, World) as world:
        yield world


@pytest.fixture
def world(beginning: World, db: None) -> World:
    return deepcopy(beginning)


def both(permit: Permit, account: Account, wanted: TransactionFilter) -> tuple[list[Any], list[Any]]:
    """The rows of the text, and those of the same query run by the ORM."""
    part = permitted.part_of(permit, account.id, Record.TRANSACTION)
    text = read_sql.page(permit, part, account.id, wanted, limit=wanted.limit)
    values = read_sql.page_values(permit, part, account.id, wanted)
    query = list(read_sql.page_query(read_sql.page_shape(part, wanted, wanted.limit), values))
    # And the ORM's own way to the same rows, which lists of changes take.
    live = permitted.live_rows(permit, part, account.id).values_list("id", flat=True)
    assert {row[0] for row in query} <= set(live)
    return text, query


@pytest.mark.parametrize(("scopes", "precision"), GRANTS)
@pytest.mark.parametrize("name", [None, *FILTERS])
def test_for_every_scope_and_filter_the_text_gives_the_orms_rows(
    world: World, scopes: tuple[Scope, ...], precision: LocationPrecision | None, name: str | None
) -> None:
    permit = world.permit(scopes, location_precision=precision)

    text, orm = both(permit, world.current, TransactionFilter(limit=500, **({} if name is None else FILTERS[name])))

    assert text == orm
    assert len(text) > 20


ROW_FILTERS: dict[str, dict[str, Any]] = {
    "window": {"history_days": 4},
    "hidden": {"hidden_groups": frozenset({SensitiveGroup.HEALTH})},
    "on platform": {"on_platform_only": True},
    "all": {
        "history_days": 4,
        "hidden_groups": frozenset({SensitiveGroup.HEALTH, SensitiveGroup.GAMBLING}),
        "on_platform_only": True,
    },
}


@pytest.mark.parametrize("terms", ROW_FILTERS.values(), ids=ROW_FILTERS)
@pytest.mark.parametrize("limit", [3, 500])
def test_for_every_row_filter_with_every_filter_the_text_gives_the_orms_rows(
    world: World, terms: dict[str, Any], limit: int
) -> None:
    permit = world.permit(**terms)
    everything: dict[str, Any] = {
        "start_on": TODAY - timedelta(days=6),
        "end_on": TODAY,
        **FILTERS["after"],
        **FILTERS["booked"],
    }

    for members in ({}, *FILTERS.values(), everything):
        text, orm = both(permit, world.current, TransactionFilter(limit=limit, **members))
        assert text == orm
        assert text, members


def test_a_text_made_for_one_reader_gives_another_reader_theirs(world: World) -> None:
    """What is kept of a query holds nobody's values."""
    mine = world.permit(history_days=4)
    bobs = ledger.permit(ledger.consent(ledger.user("carol"), world.chat, [world.strangers], history_days=6))
    first, _ = both(mine, world.current, TransactionFilter(limit=500))
    second, orm = both(mine, world.savings, TransactionFilter(limit=500))

    assert second == orm and not {row[0] for row in first} & {row[0] for row in second}
    with pytest.raises(AccountNotFound):
        read_sql.account_state(bobs, world.strangers.id)  # bob's account under another person's consent


def test_the_text_of_a_page_is_asked_for_accounts_of_the_slice_only(world: World) -> None:
    permit = world.permit()
    part = permit.slices[0]
    wide = replace(part, account_ids=part.account_ids | {world.strangers.id})

    for asked in (part, wide):
        with pytest.raises(AccountNotFound):
            read_sql.page(permit, asked, world.strangers.id, TransactionFilter(), limit=1)


@pytest.mark.parametrize(("scopes", "precision"), GRANTS)
def test_accounts_and_balances_are_the_orms_too(
    world: World, scopes: tuple[Scope, ...], precision: LocationPrecision | None
) -> None:
    permit = world.permit(scopes, location_precision=precision)
    (part,) = permit.slices
    own = {"user_id": permit.user_id, "account_id": world.current.id}

    columns = (*part.fields(Record.ACCOUNT), "fetched_at", "next_refresh_after")
    listed = {"user_id": permit.user_id, "id_0": world.current.id, "id_1": world.savings.id}
    shape = read_sql.RecordShape(columns, 2)
    text = read_sql.account_rows(permit, [world.current.id, world.savings.id], columns)
    assert sorted(text) == sorted(read_sql.accounts_query(shape, listed)) and len(text) == 2

    state = read_sql.account_state(permit, world.current.id)
    assert [state] == [
        permitted.AccountState(**dict(zip(read_sql.STATE_COLUMNS, row, strict=True)))
        for row in read_sql.state_query(own)
    ]

    if part.fields(Record.BALANCE):
        shape = read_sql.RecordShape(part.fields(Record.BALANCE))
        balances = read_sql.balances(permit, part, world.current.id)
        assert balances == list(read_sql.balances_query(shape, own)) and len(balances) == 2


# -- how text is run ---------------------------------------------------------------------------------------------------


def _count(status: str) -> Compiled:
    return Compiled(Transaction.objects.for_sync().filter(status=status).values_list("id"))


def test_a_text_is_prepared_once_for_a_connection_and_shown_to_whoever_logs_queries(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    query = _count("BOOKED")
    plain = query.rows({})
    run: list[str] = []

    def seen(execute: Any, sql: str, *rest: Any) -> Any:
        run.append(sql)
        return execute(sql, *rest)

    with connection.execute_wrapper(seen):
        again = query.rows({})
    with CaptureQueriesContext(connection) as queries:
        logged = query.rows({})

    assert sorted(plain) == sorted(again) == sorted(logged)
    assert queries.captured_queries[0]["sql"].startswith("SELECT")
    if connection.vendor == "postgresql":
        assert [sql.split()[0] for sql in run] == ["EXECUTE"]
    monkeypatch.setitem(connection.settings_dict, "DISABLE_SERVER_SIDE_CURSORS", True)
    run.clear()
    with connection.execute_wrapper(seen):
        query.rows({})
    assert [sql.split()[0] for sql in run] == ["SELECT"]


def test_words_of_ours_stand_in_the_text_and_nobodys_values_do(world: World) -> None:
    permit = world.permit(hidden_groups=frozenset({SensitiveGroup.HEALTH}))
    part = permitted.part_of(permit, world.current.id, Record.TRANSACTION)
    shape = read_sql.page_shape(part, TransactionFilter(start_on=date(2026, 1, 1)), 5)

    text, parameters = Compiled(read_sql.page_query(shape, compiled.SLOTS)).embedded()

    assert "'REMOVED'" in text and "'GAMBLING'" in text
    assert all(name is not None for name, _ in parameters)
    assert text.count("%s") == len(parameters)


# -- the log of a read -------------------------------------------------------------------------------------------------


def _log() -> tuple[list[Any], list[Any]]:
    columns = [field.name for field in UsageRow._meta.concrete_fields if field.name not in ("id", "pk")]
    counts = ("institution_id", "platform_id", "read_on", "shard", "reads", "last_read_at")
    return (
        sorted(UsageRow.objects.values_list(*columns), key=str),
        sorted(ReadCount.objects.values_list(*counts), key=str),
    )


def test_one_statement_writes_what_several_do(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    second = ledger.institution("birch")
    ledger.policy(second.id)
    other = ledger.account(ledger.connection(world.alice, second))
    consent = ledger.consent(world.alice, world.chat, [world.current, other])
    permit = ledger.permit(consent)
    written = []

    for is_one in {False, connection.vendor == "postgresql"}:
        UsageRow.objects.all().delete()
        ReadCount.objects.all().delete()
        monkeypatch.setattr(usage_sql, "is_one_statement", lambda is_one=is_one: is_one)
        for _ in range(3):
            read.accounts(permit, now=NOW, request_id="req_same")
        read.transactions(permit, world.current.id, TransactionFilter(), now=NOW, request_id="req_same")
        written.append(_log())

    assert len(written[0][0]) == 7
    assert {row[4] for row in written[0][1]} == {3, 4}
    assert all(one == written[0] for one in written)


def test_a_read_refuses_to_be_part_of_somebody_elses_transaction(world: World) -> None:
    permit = world.permit()

    with transaction.atomic(), pytest.raises(RuntimeError, match="durable"):
        read.transactions(permit, world.current.id, TransactionFilter(), now=NOW, request_id="req")


def test_no_slot_is_a_value_that_a_row_could_have() -> None:
    days = [slot for slot in compiled.SLOTS.values() if isinstance(slot, date)]

    assert days and all(day.year == 7 for day in days)
    assert len({repr(slot) for slot in compiled.SLOTS.values()}) == len(compiled.SLOTS)
