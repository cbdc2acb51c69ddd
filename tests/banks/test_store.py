"""How a fetch is written: in chunks, and numbered under the connection's lock."""

import random
import threading
import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from django.db import connections, transaction

from banks import balances, store
from banks.models import (
    Account,
    Balance,
    Connection,
    LinkSuggestion,
    QuarantinedRow,
    RawPayload,
    Transaction,
)
from banks.normalize.entries import Entry, entry
from banks.normalize.money import AmountRejected
from banks.reconcile import Asked, Changes, reconcile
from banks.types import (
    BalanceData,
    Money,
    RejectedRow,
    TransactionData,
    TransactionStatus,
)
from banks.vault import Vault
from tests.support.cast import NOW
from tests.support.purchases import DAY, additions, linked_account, purchase, rows

pytestmark = pytest.mark.django_db


def written(account: Account, changes: Changes) -> int:
    """All of it, each chunk in a transaction of its own; how many."""
    count = 0
    for write in store.writes(account.id, changes, now=NOW):
        with transaction.atomic():
            write(Connection.objects.get(id=account.connection_id))
        count += 1
    return count


# -- chunks and numbers ------------------------------------------------------------------------------------------------


def test_a_long_list_is_cut_into_transactions_that_a_revocation_can_step_between() -> None:
    account = linked_account()

    chunks = written(account, additions(0, store.CHUNK * 2 + 1))

    assert chunks == 3
    assert [row.change_sequence for row in rows(account)] == list(range(1, store.CHUNK * 2 + 2))
    assert store.CHUNK <= 1_000


def test_every_changed_row_gets_the_next_number_and_the_others_keep_theirs() -> None:
    account = linked_account()
    written(account, additions(0, 3))
    kept = store.stored_entries(account.id, [], since=DAY)
    fetched = [purchase(0), purchase(1, pounds=-2), purchase(9)]

    written(account, reconcile(kept, fetched, asked=Asked(since=DAY, removable_from=DAY)))

    told = {row.bank_transaction_id: (row.change_sequence, row.revision, row.status) for row in rows(account)}
    assert told == {
        "t-0": (1, 1, "BOOKED"),
        "t-9": (4, 1, "BOOKED"),
        "t-1": (5, 2, "BOOKED"),
        "t-2": (6, 2, "REMOVED"),
    }
    assert Connection.objects.get().change_sequence == 6


@pytest.mark.parametrize(
    ("fetched", "status"),
    [
        ([purchase(0), purchase(1), purchase(2)], "added"),
        ([purchase(0), purchase(1, pounds=-2)], "corrected"),
        ([purchase(0)], "removed"),
    ],
    ids=lambda one: one if isinstance(one, str) else "",
)
def test_whatever_changes_rows_raises_the_accounts_version_with_them(fetched: list[Entry], status: str) -> None:
    """What a reader holds is known by it: a change that could be seen without it would never be told."""
    account = linked_account()
    written(account, additions(0, 2))
    changes = reconcile(
        store.stored_entries(account.id, [], since=DAY), fetched, asked=Asked(since=DAY, removable_from=DAY)
    )
    before, version = rows(account), Account.objects.for_sync().get().version
    (write,) = store.writes(account.id, changes, now=NOW)

    with pytest.raises(Undone), transaction.atomic():
        write(Connection.objects.get(id=account.connection_id))
        assert Account.objects.for_sync().get().version > version
        raise Undone
    assert (rows(account), Account.objects.for_sync().get().version) == (before, version)

    assert written(account, changes) == 1
    assert Account.objects.for_sync().get().version > version


class Undone(Exception):
    pass


def test_no_change_writes_nothing() -> None:
    account = linked_account()
    before = Account.objects.for_sync().values().get(id=account.id)

    assert written(account, Changes(unchanged=5)) == 0

    assert Account.objects.for_sync().values().get(id=account.id) == before


def test_older_rows_are_looked_up_only_for_what_the_bank_now_lists() -> None:
    account = linked_account()
    written(account, additions(0, 3))

    later = DAY + timedelta(days=1)

    assert store.stored_entries(account.id, [], since=later) == []
    assert [row.identity_key for row in store.stored_entries(account.id, [purchase(1)], since=later)] == [
        purchase(1).identity_key
    ]


@pytest.mark.django_db(transaction=True)
def test_a_reader_who_follows_the_numbers_never_skips_a_late_commit() -> None:
    missed, errors = _four_writers_and_a_reader()

    assert (missed, errors) == (set(), [])


@pytest.mark.django_db(transaction=True)
def test_without_the_lock_the_reader_would_skip_some(monkeypatch: pytest.MonkeyPatch) -> None:
    """The test above can fail."""

    def unlocked(connection: Connection, count: int) -> int:
        return Connection.objects.values_list("change_sequence", flat=True).get(id=connection.id) + 1

    monkeypatch.setattr(store, "_sequence", unlocked)

    missed, errors = _four_writers_and_a_reader()

    assert missed or errors


def _four_writers_and_a_reader() -> tuple[set[UUID], list[Exception]]:
    account, stop, seen, errors = linked_account(), threading.Event(), list[UUID](), list[Exception]()

    def write(first: int) -> None:
        dice = random.Random(first)
        number = first
        try:
            for _ in range(15):
                count = dice.randint(1, 3)
                for chunk in store.writes(account.id, additions(number, count), now=NOW):
                    with transaction.atomic():
                        chunk(Connection.objects.get(id=account.connection_id))
                        time.sleep(dice.random() * 0.004)
                number += count
        except Exception as error:
            errors.append(error)
        finally:
            connections.close_all()

    def read() -> None:
        cursor = 0
        try:
            while True:
                last = stop.is_set()
                found = Transaction.objects.for_sync().filter(account_id=account.id, change_sequence__gt=cursor)
                page = list(found.order_by("change_sequence", "id").values_list("id", "change_sequence")[:5])
                if page:
                    seen.extend(row_id for row_id, _ in page)
                    cursor = page[-1][1]
                elif last:
                    return
        finally:
            connections.close_all()

    writers = [threading.Thread(target=write, args=(1000 * number,)) for number in range(4)]
    reader = threading.Thread(target=read)
    for thread in [*writers, reader]:
        thread.start()
    for thread in writers:
        thread.join()
    stop.set()
    reader.join()
    return set(Transaction.objects.for_sync().values_list("id", flat=True)) - set(seen), errors


# -- balances, quarantine ----------------------------------------------------------------------------------------------


def balance(amount: str = "10.00", **changes: Any) -> BalanceData:
    return BalanceData(
        **{"type": "ITBD", "money": Money(Decimal(amount), "GBP"), "as_of": datetime(2026, 3, 1, tzinfo=UTC), **changes}
    )


def test_balances_follow_the_bank_new_changed_and_gone() -> None:
    account = linked_account()

    assert balances.store_balances(account.id, [balance(), balance(type="ITAV")], now=NOW) == 2
    assert balances.store_balances(account.id, [balance(), balance(type="ITAV")], now=NOW) == 0
    assert balances.store_balances(account.id, [balance("11.00")], now=NOW) == 2

    (kept,) = Balance.objects.for_sync()
    assert (kept.type, kept.amount_minor) == ("ITBD", 1100)


def test_unchanged_balances_raise_no_version_but_are_fresh() -> None:
    account = linked_account()
    balances.store_balances(account.id, [balance()], now=NOW)
    version = Account.objects.for_sync().get().version

    balances.store_balances(account.id, [balance()], now=NOW + timedelta(hours=1))

    account = Account.objects.for_sync().get()
    assert (account.version, account.balances_as_of) == (version, NOW + timedelta(hours=1))


def test_one_balance_that_does_not_fit_leaves_all_as_they_were() -> None:
    account = linked_account()
    balances.store_balances(account.id, [balance()], now=NOW)
    before = list(Balance.objects.for_sync().values())

    with pytest.raises(AmountRejected):
        balances.store_balances(account.id, [balance("11.00"), balance("1.001", type="ITAV")], now=NOW)

    assert list(Balance.objects.for_sync().values()) == before


def test_a_rejected_row_is_counted_once_and_its_newest_reason_is_told() -> None:
    account = linked_account()
    link = Connection.objects.get()
    for reason in ("too_many_decimals", "unknown_currency"):
        row = RejectedRow(reason=reason, field="Amount", raw=b"the same row")
        store.quarantine(link, account.id, [row], connector="uk_obie", now=NOW)

    (kept,) = QuarantinedRow.objects.for_sync()

    assert (kept.reason, kept.connector) == ("unknown_currency", "uk_obie")
    assert b"the same row" not in bytes(kept.sealed)


# -- what a delta tells apart ------------------------------------------------------------------------------------------


def changed(account: Account, fetched: list[Entry]) -> None:
    kept = store.stored_entries(account.id, fetched, since=DAY - timedelta(days=30))
    asked = Asked(since=DAY - timedelta(days=30), removable_from=DAY - timedelta(days=30))
    written(account, reconcile(kept, fetched, asked=asked))


def told(number: int, **changes: Any) -> Entry:
    made = entry(
        TransactionData(
            **{
                "bank_transaction_id": f"t-{number}",
                "status": TransactionStatus.BOOKED,
                "money": Money(Decimal("-50.00"), "GBP"),
                "booked_on": DAY,
                "listed_on": DAY,
                "merchant_name": "Corner Café",
                "mcc": "5812",
                "raw": b"{}",
                **changes,
            }
        )
    )
    assert isinstance(made, Entry)
    return made


def waiting(number: int, **changes: Any) -> Entry:
    return told(number, status=TransactionStatus.PENDING, booked_on=None, **changes)


def sequences(account: Account) -> dict[str, tuple[int, int, int]]:
    """Bank id -> added, refiled, changed."""
    return {
        str(row.bank_transaction_id): (row.added_sequence, row.refiled_sequence, row.change_sequence)
        for row in rows(account)
    }


def test_a_delta_can_tell_added_filed_elsewhere_and_merely_changed_apart() -> None:
    account = linked_account()
    changed(account, [told(1), told(2), told(3)])
    assert sequences(account) == {"t-1": (1, 1, 1), "t-2": (2, 2, 2), "t-3": (3, 3, 3)}

    changed(account, [told(1, value_on=DAY), told(2, mcc="7995"), told(3, listed_on=DAY - timedelta(days=1))])

    assert sequences(account) == {"t-1": (1, 1, 4), "t-2": (2, 5, 5), "t-3": (3, 6, 6)}


def test_a_row_that_goes_and_comes_back_was_filed_elsewhere_meanwhile() -> None:
    account = linked_account()
    changed(account, [told(1)])
    changed(account, [])
    assert sequences(account) == {"t-1": (1, 1, 2)}

    changed(account, [told(1)])

    assert sequences(account) == {"t-1": (1, 3, 3)}


def test_how_a_pending_row_was_recognised_is_kept() -> None:
    account = linked_account()
    changed(account, [waiting(1), waiting(2, merchant_name="Bookshop")])
    changed(account, [told(1), told(9, merchant_name="Bookshop", listed_on=DAY, booked_on=DAY)])

    assert {row.bank_transaction_id: (row.link_method, row.revision) for row in rows(account)} == {
        "t-1": ("bank", 2),
        "t-9": ("exact", 2),
    }
    changed(account, [told(1, value_on=DAY), told(9, merchant_name="Bookshop")])
    assert {row.link_method for row in rows(account)} == {"bank", "exact"}


def test_a_new_id_is_written_down_and_told_to_nobody() -> None:
    account = linked_account()
    changed(account, [told(1)])
    (before,) = rows(account)
    version = Account.objects.for_sync().get().version

    changed(account, [told(8)])

    (after,) = rows(account)
    assert (after.id, after.bank_transaction_id) == (before.id, "t-8")
    assert (after.revision, after.change_sequence) == (1, 1)
    assert after.identity_key != before.identity_key
    assert Account.objects.for_sync().get().version == version


def test_a_suggestion_stands_beside_the_rows_and_links_nothing() -> None:
    account = linked_account()
    changed(account, [waiting(1)])

    changed(account, [told(9, money=Money(Decimal("-55.00"), "GBP"))])

    pending, booked = rows(account)[::-1]
    assert (pending.status, booked.status, booked.link_method) == ("REMOVED", "BOOKED", None)
    (suggestion,) = LinkSuggestion.objects.for_sync()
    assert (suggestion.pending_transaction_id, suggestion.booked_transaction_id) == (pending.id, booked.id)
    assert suggestion.confidence_percent == 80


def test_the_raw_row_follows_the_row_it_belongs_to() -> None:
    account = linked_account()
    link = Connection.objects.get()
    changed(account, [waiting(1, raw=b"pending")])
    changed(account, [told(9, raw=b"booked")])
    changed(account, [told(8, raw=b"renamed")])

    payload = RawPayload.objects.for_sync().get()
    assert Vault.of(link.id, link.wrapped_key).open(f"raw:{payload.transaction_id}", payload.sealed) == b"renamed"
