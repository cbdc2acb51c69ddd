"""What storing a bank's rows costs, batch by batch, beside the ORM's own upsert of the same rows.

Ours is the whole way from normalized rows to stored ones: the numbers under the connection's lock, what is stored
already, the comparison, the rows, each bank's row sealed beside it, the account's version. The baseline upserts the
same rows and the same sealed rows into the same two tables and does nothing else; a second one leaves the sealed rows
out. All begin with the same entries in memory, and take turns.
"""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from uuid import NAMESPACE_OID, uuid4, uuid5

from django.db import connection, transaction

from banks import store, vault
from banks.models import Account, Connection, Institution, RawPayload, Transaction
from banks.normalize.entries import Entry, entry
from banks.reconcile import Asked
from banks.types import Channel, CounterpartyKind, Money, Place, TransactionData, TransactionKind, TransactionStatus
from gateway.identity.models import User
from tests.benchmarks import processor
from tests.benchmarks.figures import Baseline, Figure, Goal, Sense

NOW = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
DAY = date(2026, 3, 1)
SHOPS = ("Corner Books", "Greenway Market", "Café Zoë", "Northern Rail", "City Pharmacy", "Harbour Fuel")
ROUNDS = 10
_BASELINE = "bulk_create(update_conflicts=True) of the same rows, sealed ones too"
_PASSES = ("new rows", "the same rows again", "5 % of the rows changed")


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


@dataclass(slots=True)
class Cost:
    """Seconds of CPU, and bytes of WAL, of all batches of one pass by one way."""

    client: float = 0.0
    server: float = 0.0
    wal: int = 0
    written: int = 0  #: rows that PostgreSQL inserted, updated or deleted


@dataclass(slots=True)
class Book:
    """An account, and what its bank lists in each of the passes."""

    account_id: object
    connection_id: object
    lists: tuple[list[Entry], ...] = field(repr=False)


Way = Callable[[Book, list[Entry]], None]


def measure(
    *, is_quick: bool = False, rows: int | None = None, batch: int = 50, progress: Callable[[str], None] = say
) -> list[Figure]:
    """With Django ready, on a migrated PostgreSQL on this machine, which keeps the rows.

    Three passes over `rows` rows (100 000, quickly 5 000) in batches of `batch`, an account each: new, the same, 5 %
    changed. Raises ValueError on another database.
    """
    if connection.vendor != "postgresql":
        raise ValueError("ingest is measured on PostgreSQL")
    rows = rows or (5_000 if is_quick else 100_000)
    ways: dict[str, Way] = {"ours": _ours, "bulk_create": _bulk_create, "rows alone": _bulk_create_rows}
    costs = {(name, number): Cost() for name in ways for number in range(len(_PASSES))}
    per_round = max(rows // batch // ROUNDS, 1)
    for turn in range(ROUNDS):
        progress(f"ingest: round {turn + 1} of {ROUNDS}, {per_round * batch} rows each way")
        books = {name: _books(per_round, batch, first=turn * per_round * batch) for name in ways}
        for number in range(len(_PASSES)):
            # Whoever is second finds the machine warmer: they take turns in that too.
            for name in sorted(ways, reverse=bool(turn % 2)):
                with _measured(costs[name, number]):
                    for book in books[name]:
                        ways[name](book, book.lists[number])
    for number in (1,):
        for name, way in ways.items():
            costs[name, number].written = _written(way, _books(per_round, batch, first=rows), number)
    return list(_figures(costs, per_round * batch * ROUNDS, batch))


def _figures(costs: dict[tuple[str, int], Cost], rows: int, batch: int) -> Iterator[Figure]:
    for number, name in enumerate(_PASSES):
        ours, theirs = costs["ours", number], costs["bulk_create", number]
        yield Figure(
            name=f"ingest, batches of {batch}: {name}",
            value=_microseconds(ours, rows),
            unit="us CPU a row",
            baseline=Baseline(name=_BASELINE, value=_microseconds(theirs, rows)),
            goal=Goal(sense=Sense.AT_MOST, value=0.5, of_ratio=True),
            parts={
                "client": ours.client / rows * 1e6,
                "PostgreSQL": ours.server / rows * 1e6,
                "baseline's client": theirs.client / rows * 1e6,
                "baseline's PostgreSQL": theirs.server / rows * 1e6,
            },
        )
        yield Figure(
            name=f"ingest, batches of {batch}: {name}, held against less",
            value=_microseconds(ours, rows),
            unit="us CPU a row",
            baseline=Baseline(
                name="bulk_create(update_conflicts=True) of the rows, nothing sealed",
                value=_microseconds(costs["rows alone", number], rows),
            ),
            goal=Goal(sense=Sense.AT_MOST, value=0.5, of_ratio=True),
            note="ours stores each bank's own row under seal as well, in a table of its own",
        )
        yield Figure(
            name=f"write-ahead log, batches of {batch}: {name}",
            value=ours.wal / rows,
            unit="bytes a row",
            baseline=Baseline(name=_BASELINE, value=theirs.wal / rows),
        )
    yield Figure(
        name="rows written when the same rows come again",
        value=costs["ours", 1].written,
        unit="rows",
        baseline=Baseline(name=_BASELINE, value=costs["bulk_create", 1].written),
        goal=Goal(sense=Sense.AT_MOST, value=0),
        note=f"of {rows // ROUNDS}, as PostgreSQL counts them",
    )


def _microseconds(cost: Cost, rows: int) -> float:
    return (cost.client + cost.server) / rows * 1e6


# -- the two ways ------------------------------------------------------------------------------------------------------


def _ours(book: Book, listed: list[Entry]) -> None:
    with transaction.atomic():
        link = Connection.objects.select_for_update(no_key=True).get(id=book.connection_id)
        asked = Asked(since=DAY, until=DAY, removable_from=DAY, removable_until=DAY)
        changes = store.compared(book.account_id, listed, asked=asked)  # type: ignore[arg-type]
        for write in store.writes(book.account_id, changes, now=NOW):  # type: ignore[arg-type]
            write(link)


_UNIQUE = ["account", "identity_key", "occurrence"]
_KEPT = {"account", "id", "pk", "identity_key", "occurrence", "first_seen_at", "added_sequence"}
_UPDATED = [one.name for one in Transaction._meta.concrete_fields if one.name not in _KEPT]


def _bulk_create(book: Book, listed: list[Entry]) -> None:
    with transaction.atomic():
        link = Connection.objects.get(id=book.connection_id)
        owner = vault.Vault.of(link.id, link.wrapped_key)
        rows = _upserted(book, listed)
        RawPayload.objects.for_sync().bulk_create(
            [
                RawPayload(
                    account_id=book.account_id, transaction_id=row.id, sealed=owner.seal(f"raw:{row.id}", one.raw)
                )
                for row, one in zip(rows, listed, strict=True)
            ],
            update_conflicts=True,
            unique_fields=["account", "transaction_id"],
            update_fields=["sealed"],
        )


def _bulk_create_rows(book: Book, listed: list[Entry]) -> None:
    with transaction.atomic():
        _upserted(book, listed)


def _upserted(book: Book, listed: list[Entry]) -> list[Transaction]:
    rows = [
        Transaction(
            account_id=book.account_id,
            id=uuid5(NAMESPACE_OID, one.identity_key),
            identity_key=one.identity_key,
            content_hash=one.content_hash,
            change_sequence=number,
            added_sequence=number,
            refiled_sequence=number,
            first_seen_at=NOW,
            updated_at=NOW,
            **one.columns,
        )
        for number, one in enumerate(listed)
    ]
    Transaction.objects.for_sync().bulk_create(
        rows, update_conflicts=True, unique_fields=_UNIQUE, update_fields=_UPDATED
    )
    return rows


# -- what is measured --------------------------------------------------------------------------------------------------


@contextmanager
def _measured(cost: Cost) -> Iterator[None]:
    server = processor.parent_of(_asked("SELECT pg_backend_pid()"))
    log_began = _asked("SELECT pg_current_wal_insert_lsn()::text")
    server_began, client_began = processor.seconds_of(server), time.process_time()
    yield
    cost.client += time.process_time() - client_began
    cost.server += processor.seconds_of(server) - server_began
    cost.wal += int(_asked("SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), %s)", log_began))


def _written(way: Way, books: list[Book], number: int) -> int:
    """Rows that PostgreSQL wrote for pass `number`, after the first one, counted by itself."""
    for book in books:
        way(book, book.lists[0])
    with transaction.atomic():
        # What earlier transactions of this session have not reported yet counts as this one's: hence the difference.
        tables = "SELECT sum(n_tup_ins + n_tup_upd + n_tup_del) FROM pg_stat_xact_user_tables"
        before = int(_asked(tables))
        for book in books:
            way(book, book.lists[number])
        return int(_asked(tables)) - before


def _asked(sql: str, *parameters: object) -> object:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        (value,) = cursor.fetchone()
    return value


# -- the books ---------------------------------------------------------------------------------------------------------


def _books(count: int, batch: int, *, first: int) -> list[Book]:
    """Accounts with nothing stored yet, and their banks' lists."""
    owner = User.objects.create(username=f"ingest-{uuid4().hex}")
    bank_id = uuid4()
    bank = Institution.objects.create(
        id=bank_id,
        slug=f"ingest-{bank_id.hex[:12]}",
        name="Ingest",
        country="GB",
        connector="uk_obie",
        version="4.0",
        issuer="https://bank.example",
        authorization_url="https://bank.example/authorize",
        token_url="https://bank.example/token",
        resource_url="https://bank.example/aisp",
        client_id="sluice",
        sealed_signing_key=vault.seal_alone(bank_id, "signing_key", b"none"),
        created_at=NOW,
    )
    links = []
    for _ in range(count):
        link_id = uuid4()
        wrapped = vault.wrap_new_key(link_id)
        links.append(Connection(id=link_id, user=owner, institution=bank, wrapped_key=wrapped, created_at=NOW))
    Connection.objects.bulk_create(links)
    accounts = [
        Account(
            connection=link,
            institution=bank,
            user=owner,
            bank_account_id="1",
            category="DEPOSIT",
            account_type="CACC",
            currency="GBP",
            content_hash="",
            fetched_at=NOW,
        )
        for link in links
    ]
    Account.objects.for_sync().bulk_create(accounts)
    books = []
    for number, account in enumerate(accounts):
        begin = first + number * batch
        told = [_row(one) for one in range(begin, begin + batch)]
        changed = [_row(one, pounds=-99) if one % 20 == 0 else row for one, row in enumerate(told, start=begin)]
        books.append(Book(account.id, account.connection_id, (told, told, changed)))
    return books


def _row(number: int, *, pounds: int = -12) -> Entry:
    """A card payment with what a bank usually tells of one."""
    shop = SHOPS[number % len(SHOPS)]
    made = entry(
        TransactionData(
            bank_transaction_id=f"2026-03-01-{number:012d}",
            status=TransactionStatus.BOOKED,
            immutable=True,
            money=Money(Decimal(pounds) - Decimal(number % 100) / 100, "GBP"),
            booked_on=DAY,
            listed_on=DAY,
            value_on=DAY + timedelta(days=1),
            transacted_at=datetime(2026, 3, 1, 9, number % 60, tzinfo=UTC),
            kind=TransactionKind.CARD_PAYMENT,
            channel=Channel.IN_STORE,
            merchant_name=shop,
            mcc="5411",
            counterparty_name=shop,
            counterparty_kind=CounterpartyKind.MERCHANT,
            place=Place(country="GB", city="Leeds", postal_code="LS1 1AA", address="1 High Street"),
            balance_after=Money(Decimal(1000 + number % 500), "GBP"),
            description=f"{shop.upper()} LEEDS {number % 10_000:04d}",
            provenance={"merchant_name": "MerchantDetails.MerchantName", "listed_on": "BookingDateTime"},
            raw=b'{"TransactionId":"%d","Amount":{"Amount":"12.00","Currency":"GBP"},"Status":"BOOK"}' % number * 4,
        )
    )
    assert isinstance(made, Entry)
    return made
