"""The whole sync against a whole bank: what is stored is what the bank's books say, and nothing nobody asked for."""

import threading
from datetime import date, timedelta
from typing import Any

import pytest

from banks import coverage, store, sync
from banks.dialects.uk_obie import UkObie
from banks.models import Account, Balance, SyncJob, Transaction
from banks.vault import Vault
from consents import clock
from consents.models import Event, Platform
from consents.scopes import Scope
from gateway.identity.models import User
from tests.support import cast, linked
from tests.support.books import (
    Books,
    closing,
    invented_row,
    rows_as_they_are,
    served,
    stored,
    until,
    when_the_bank_has_answered,
)
from tests.support.linked import BALANCES, ROWS, Linked

pytestmark = pytest.mark.django_db


@pytest.fixture
def windows(monkeypatch: pytest.MonkeyPatch) -> list[date]:
    """First days of the windows the bank was asked for: its own log keeps no values."""
    asked: list[date] = []
    transactions = UkObie.transactions

    def watched(connector: UkObie, bank_account_id: str, *, since: date, until: date | None) -> Any:
        asked.append(since)
        return transactions(connector, bank_account_id, since=since, until=until)

    monkeypatch.setattr(UkObie, "transactions", watched)
    return asked


# -- what the bank's books say -----------------------------------------------------------------------------------------


def test_every_entry_of_the_books_is_stored_once_to_the_penny(
    world: Linked, books: Books, alice: User, chat: Platform
) -> None:
    consent = world.consent(alice, chat, history_days=90)

    job = linked.run()

    assert (job.status, job.error_code) == ("COMMITTED", "")
    assert [row.bank_account_id for row in linked.accounts()] == books.account_ids("happy")
    for account in linked.accounts():
        entries = books.entries("happy", account.bank_account_id, since=consent.history_from)
        assert entries
        assert stored(account) == entries
        assert len(linked.rows(account)) == len(entries)
        balances = Balance.objects.for_sync().filter(account_id=account.id)
        assert {row.type: row.amount_minor for row in balances} == books.balances("happy", account.bank_account_id)
    assert job.counts["added"] == len(linked.rows()) == linked.raw_rows()


def test_pounds_and_euros_stand_side_by_side(world: Linked, books: Books, alice: User, chat: Platform) -> None:
    consent = world.consent(alice, chat, customer="happy2", history_days=60)

    linked.run()

    assert sorted(account.currency for account in linked.accounts()) == ["EUR", "GBP"]
    for account in linked.accounts():
        assert stored(account) == books.entries("happy2", account.bank_account_id, since=consent.history_from)
        assert {row.currency for row in linked.rows(account)} <= {account.currency}


def test_debts_are_negative(world: Linked, books: Books, alice: User, chat: Platform) -> None:
    world.consent(alice, chat, BALANCES, customer="overdrawn")

    linked.run()

    (account,) = linked.accounts()
    kept = {row.type: row.amount_minor for row in Balance.objects.for_sync()}
    assert kept == books.balances("overdrawn", account.bank_account_id)
    assert kept["ITBD"] < 0


def test_an_account_without_entries_is_complete_and_empty(world: Linked, alice: User, chat: Platform) -> None:
    world.consent(alice, chat, customer="empty")

    job = linked.run()

    (account,) = linked.accounts()
    assert (job.status, linked.rows()) == ("COMMITTED", [])
    assert account.transactions_as_of is not None
    assert account.coverage_last_on is not None
    assert {row.amount_minor for row in Balance.objects.for_sync()} == {0}


def test_the_raw_rows_are_sealed_and_open_to_what_the_bank_said(world: Linked, alice: User, chat: Platform) -> None:
    from banks.models import RawPayload

    world.consent(alice, chat, history_days=5)
    linked.run()
    link = linked.the_connection()

    row = linked.rows()[0]
    payload = RawPayload.objects.for_sync().get(account_id=row.account_id, transaction_id=row.id)
    plain = Vault.of(link.id, link.wrapped_key).open(f"raw:{row.id}", payload.sealed)

    assert str(row.bank_transaction_id).encode() in plain
    assert str(row.bank_transaction_id).encode() not in bytes(payload.sealed)


def test_a_pending_payment_is_booked_under_the_id_it_had(world: Linked, alice: User, chat: Platform) -> None:
    world.consent(alice, chat, history_days=30)
    world.bank.control("POST", "/control/today", json={"days_ahead": 1})
    try:
        linked.run()
        pending = {row.id for row in linked.rows() if row.status == "PENDING"}
        world.bank.control("POST", "/control/today", json={"days_ahead": 2})
        linked.again(linked.the_connection())
    finally:
        world.bank.control("POST", "/control/today", json={"days_ahead": 0})

    assert pending
    now_booked = [row for row in linked.rows() if row.id in pending]
    assert {row.status for row in now_booked} == {"BOOKED"}
    assert {row.revision for row in now_booked} == {2}
    assert len(now_booked) == len(pending)


# -- doing it again ----------------------------------------------------------------------------------------------------


def test_a_second_sync_writes_no_row_and_asks_for_the_overlap_only(
    world: Linked, alice: User, chat: Platform, windows: list[date]
) -> None:
    consent = world.consent(alice, chat, history_days=90)
    linked.run()
    before, sequence = rows_as_they_are(), linked.the_connection().change_sequence
    first_windows, windows[:] = list(windows), []

    job = linked.again(linked.the_connection())

    assert rows_as_they_are() == before
    assert linked.the_connection().change_sequence == sequence
    assert {job.counts[name] for name in ("added", "modified", "removed", "quarantined")} == {0}
    today = max(account.coverage_last_on for account in linked.accounts())  # type: ignore[type-var]
    assert set(first_windows) == {consent.history_from}
    assert set(windows) == {today - coverage.OVERLAP}  # type: ignore[operator]


def test_a_bank_that_has_less_than_was_asked_for_is_not_asked_for_all_of_it_each_time(
    world: Linked, alice: User, chat: Platform
) -> None:
    world.consent(alice, chat, history_days=700)
    linked.run()
    mark, first = world.mark(), linked.accounts()

    job = linked.again(linked.the_connection())

    calls = world.seen(after=mark).of("/transactions")
    assert len(calls) == 2  # one page for each account
    assert job.status == "COMMITTED"
    assert [row.coverage_first_on for row in linked.accounts()] == [row.coverage_first_on for row in first]


def test_a_wider_consent_fetches_what_the_narrower_one_left_out(
    world: Linked, books: Books, alice: User, chat: Platform, budget: Platform
) -> None:
    world.consent(alice, chat, history_days=20)
    linked.run()
    wider = world.consent(alice, budget, history_days=120)

    job = linked.run()

    assert job.status == "COMMITTED"
    for account in linked.accounts():
        assert stored(account) == books.entries("happy", account.bank_account_id, since=wider.history_from)
        assert account.coverage_first_on == wider.history_from


def test_days_that_nobody_asked_for_are_not_claimed_as_covered(
    world: Linked, books: Books, alice: User, chat: Platform, budget: Platform
) -> None:
    """Covered in spring, again in summer: what lies between was never fetched, whoever asks for it in autumn."""
    first = world.consent(alice, chat, history_days=20)
    linked.run()
    today = clock.now().date()
    spring = {"coverage_first_on": today - timedelta(days=200), "coverage_last_on": today - timedelta(days=130)}
    Account.objects.for_sync().update(**spring)
    cast.revoke(first)
    second = world.consent(alice, chat, history_days=20)
    linked.run()

    assert second.history_from is not None
    between = [str(today - timedelta(days=129)), str(second.history_from - timedelta(days=1))]
    assert [row.coverage_gaps for row in linked.accounts()] == [[between], [between]]

    third = world.consent(alice, budget, history_days=120)
    linked.run()
    assert third.history_from is not None
    rest = [between[0], str(third.history_from - timedelta(days=1))]
    assert [row.coverage_gaps for row in linked.accounts()] == [[rest], [rest]]
    for account in linked.accounts():
        assert stored(account) == books.entries("happy", account.bank_account_id, since=third.history_from)


def test_an_entry_that_moves_over_the_edge_of_the_window_keeps_its_id(
    world: Linked, alice: User, chat: Platform
) -> None:
    world.consent(alice, chat, history_days=40)
    linked.run()
    account = linked.accounts()[0]
    moved = linked.rows(account)[0]
    elsewhere = moved.listed_on - timedelta(days=20)
    Transaction.objects.for_sync().filter(account_id=account.id, id=moved.id).update(
        listed_on=elsewhere, status="PENDING", content_hash="as it was"
    )

    job = linked.again(linked.the_connection())

    assert (job.status, job.counts["modified"]) == ("COMMITTED", 1)
    after = Transaction.objects.for_sync().get(account_id=account.id, id=moved.id)
    assert (after.listed_on, after.status) == (moved.listed_on, moved.status)


def test_a_row_the_bank_no_longer_lists_is_marked_and_stays(world: Linked, alice: User, chat: Platform) -> None:
    world.consent(alice, chat, history_days=40)
    linked.run()
    link = linked.the_connection()
    invented, kept = invented_row(link), len(linked.rows())

    job = linked.again(link)

    row = Transaction.objects.for_sync().get(account_id=invented.account_id, id=invented.id)
    assert (row.status, row.revision, job.counts["removed"]) == ("REMOVED", 2, 1)
    assert row.change_sequence == linked.the_connection().change_sequence
    assert len(linked.rows()) == kept


# -- nothing that no live consent needs --------------------------------------------------------------------------------


def test_balances_only_means_no_transactions_call(world: Linked, alice: User, chat: Platform) -> None:
    mark = world.mark()

    world.consent(alice, chat, BALANCES)
    linked.run()

    seen = world.seen(after=mark)
    assert len(seen.of("/balances")) == 2
    assert seen.of("/transactions") == []
    permissions = world.bank_consents()[linked.the_connection().bank_consent_id]["permissions"]
    assert not [code for code in permissions if "Transactions" in code]
    assert linked.rows() == []


def test_an_account_that_was_not_shared_is_not_asked_about(world: Linked, alice: User, chat: Platform) -> None:
    lodged = world.lodged(alice, chat)
    world.link(lodged, "happy")
    shared, private = linked.accounts()
    world.grant(lodged, [shared.id])
    mark = world.mark()

    linked.run()

    paths = world.seen(after=mark).paths()
    assert any(shared.bank_account_id in path for path in paths)
    assert not any(private.bank_account_id in path for path in paths)
    assert linked.rows(private) == []


def test_after_revocation_the_bank_hears_nothing(world: Linked, alice: User, chat: Platform) -> None:
    consent = world.consent(alice, chat)
    linked.run()
    cast.revoke(consent)
    mark, before = world.mark(), linked.contents()

    job = linked.again(linked.the_connection())

    assert world.seen(after=mark).rows == []
    assert (job.status, job.error_code) == ("CANCELLED", "not_needed")
    assert linked.contents() == before


def test_after_revocation_of_one_the_other_is_served_what_it_needs_and_no_more(
    world: Linked, alice: User, chat: Platform, budget: Platform
) -> None:
    wide = world.consent(alice, chat, ROWS, history_days=20)
    world.consent(alice, budget, BALANCES)
    linked.run()
    cast.revoke(wide)
    mark = world.mark()

    linked.again(linked.the_connection())

    seen = world.seen(after=mark)
    assert len(seen.of("/balances")) == 2
    assert seen.of("/transactions") == []


def test_no_window_begins_before_the_consent_does(
    world: Linked, alice: User, chat: Platform, windows: list[date]
) -> None:
    consent = world.consent(alice, chat, history_days=25)

    linked.run()

    assert consent.history_from is not None
    assert len(windows) == 2
    assert min(windows) >= consent.history_from
    assert min(row.listed_on for row in linked.rows()) >= consent.history_from


def test_whole_account_numbers_are_kept_only_for_a_consent_that_has_them(
    world: Linked, alice: User, bob: User, chat: Platform
) -> None:
    world.consent(alice, chat, BALANCES)
    linked.run()
    assert [row.identifications for row in linked.accounts()] == [[], []]
    assert all(row.masked_number for row in linked.accounts())

    world.consent(bob, chat, BALANCES | {Scope.ACCOUNT_NUMBERS})
    linked.run()

    theirs = [row for row in linked.accounts() if row.user_id == bob.id]
    assert all(row.identifications for row in theirs)


# -- balances first ----------------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_balances_can_be_read_while_transactions_are_still_on_their_way(
    world: Linked, alice: User, chat: Platform
) -> None:
    consent = world.consent(alice, chat, history_days=40)
    world.fault(user="happy", path_contains="/transactions", delay_ms=1000, times=1)
    held = linked.claimed()

    worker = threading.Thread(target=closing, args=(lambda: sync.run(held, clock=clock.now),))
    worker.start()
    try:
        until(lambda: SyncJob.objects.get().stage == "TRANSACTIONS" and Balance.objects.for_sync().count() == 4)
        in_the_meantime = served(consent)
    finally:
        worker.join()

    assert [len(answer.rows) for answer in in_the_meantime] == [2, 0, 2, 0]
    assert [answer.as_of is None for answer in in_the_meantime] == [False, True, False, True]
    assert all(len(answer.rows) for answer in served(consent))


# -- a consent that ends meanwhile -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "left_out"), [("balances", Balance), ("transactions", Transaction)], ids=["balances", "transactions"]
)
def test_what_arrives_after_the_consent_ended_is_not_written(
    world: Linked,
    alice: User,
    chat: Platform,
    monkeypatch: pytest.MonkeyPatch,
    method: str,
    left_out: Any,
) -> None:
    consent = world.consent(alice, chat, history_days=10)
    when_the_bank_has_answered(monkeypatch, method, lambda: cast.revoke(consent))
    mark = world.mark()

    job = linked.run()

    assert left_out.objects.for_sync().count() == 0
    assert linked.raw_rows() == 0
    assert {row.coverage_last_on for row in linked.accounts()} == {None}
    assert world.seen(after=mark).of("/transactions") == [] or method == "transactions"
    assert job.status in ("COMMITTED", "CANCELLED")
    assert not Event.objects.filter(type="transactions.updated").exists()


def test_between_two_chunks_the_consent_is_asked_again(
    world: Linked, alice: User, chat: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "CHUNK", 5)
    consent = world.consent(alice, chat, history_days=20)
    chunks: list[int] = []
    adding = store._adding

    def ends_after_two(account_id: Any, additions: Any, *others: Any) -> Any:
        if len(chunks) == 2:
            cast.revoke(consent)
        chunks.append(len(additions))
        return adding(account_id, additions, *others)

    monkeypatch.setattr(store, "_adding", ends_after_two)

    linked.run()

    assert len(chunks) == 3
    assert len(linked.rows()) == sum(chunks[:2])


# -- sizes -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("history_days", "least"), [(45, 1_000), pytest.param(730, 10_000, marks=pytest.mark.full)], ids=["45-days", "all"]
)
def test_many_pages_are_one_complete_list(
    world: Linked, books: Books, alice: User, chat: Platform, history_days: int, least: int
) -> None:
    consent = world.consent(alice, chat, customer="many", history_days=history_days)

    job = linked.run()

    (account,) = linked.accounts()
    entries = books.entries("many", account.bank_account_id, since=consent.history_from)
    assert len(entries) >= least
    assert (job.status, job.counts["added"]) == ("COMMITTED", len(entries))
    assert stored(account) == entries
    sequences = sorted(row.change_sequence for row in linked.rows())
    assert sequences == list(range(1, len(entries) + 1))
