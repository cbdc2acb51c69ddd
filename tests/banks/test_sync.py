"""The whole sync against a whole bank: what is stored is what the bank's books say, and nothing nobody asked for."""

import threading
import time
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connections as databases

from banks import balances, coverage, leases, linking, read, sessions, store, sync
from banks.authority import permit_for
from banks.connector import Credentials
from banks.dialects.uk_obie import UkObie
from banks.errors import BankUnavailable, StaleLease
from banks.models import Account, Balance, Connection, QuarantinedRow, SyncJob, SyncTrigger, Transaction
from banks.vault import Vault
from consents import clock
from consents.errors import Denied
from consents.models import Consent, Event, Platform
from consents.scopes import Presence, Purpose, Scope
from consents.states import ConnectionStatus
from gateway.identity.models import User
from tests.support import cast, linked
from tests.support.bank_client import BankClient
from tests.support.linked import BALANCES, ROWS, Linked

pytestmark = pytest.mark.django_db

SOON = timedelta(seconds=1)


@pytest.fixture(scope="session")
def books(sandbox: Any) -> "Books":
    return Books(sandbox)


class Books:
    """The bank's own ledger, read by a client of our own making that shares no line with Sluice."""

    def __init__(self, bank: Any) -> None:
        self._bank = bank
        self._clients: dict[str, BankClient] = {}

    def _client(self, customer: str) -> BankClient:
        if customer not in self._clients:
            client = BankClient(
                issuer=self._bank.issuer,
                client_id=self._bank.client_id,
                key=self._bank.client_key,
                redirect_uri=self._bank.redirect_uri,
            )
            self._clients[customer] = client.connect(customer)
        return self._clients[customer]

    def account_ids(self, customer: str) -> list[str]:
        listed = self._client(customer).api("GET", "/accounts").json()["Data"]["Account"]
        return [row["AccountId"] for row in listed]

    def entries(self, customer: str, account_id: str, *, since: date | None = None) -> dict[str, int]:
        """TransactionId -> signed minor units, of a list in pounds or euros."""
        query = {} if since is None else {"fromBookingDateTime": f"{since}T00:00:00"}
        told: dict[str, int] = {}
        for page in self._client(customer).pages(f"/accounts/{account_id}/transactions", **query):
            for row in page.json()["Data"]["Transaction"]:
                told[row["TransactionId"]] = _signed(row)
        return told

    def balances(self, customer: str, account_id: str) -> dict[str, int]:
        listed = self._client(customer).api("GET", f"/accounts/{account_id}/balances").json()["Data"]["Balance"]
        return {row["Type"]: _signed(row) for row in listed}


def _signed(row: dict[str, Any]) -> int:
    minor = Decimal(row["Amount"]["Amount"]) * 100
    assert minor == int(minor)
    return int(minor) if row["CreditDebitIndicator"] == "Credit" else -int(minor)


def stored(account: Account) -> dict[str, int]:
    return {str(row.bank_transaction_id): row.amount_minor for row in linked.rows(account)}


def served(consent: Consent) -> list[read.Answer]:
    """What the API would answer with now: balances and transactions of every account."""
    now = clock.now()
    permit = permit_for(
        Consent.objects.select_related("user", "platform").get(id=consent.id),
        purpose=Purpose.ACCOUNT_OVERVIEW,
        presence=Presence.ABSENT,
        now=now,
    )
    answers: list[read.Answer] = []
    for account in linked.accounts():
        answers.append(read.balances(permit, account.id, now=now, request_id="r"))
        if Scope.TRANSACTIONS in consent.scopes:
            wanted = read.TransactionFilter()
            answers.append(read.transactions(permit, account.id, wanted, now=now, request_id="r"))
    return answers


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
    before, sequence = _rows_as_they_are(), linked.the_connection().change_sequence
    first_windows, windows[:] = list(windows), []

    job = linked.again(linked.the_connection())

    assert _rows_as_they_are() == before
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
    invented, kept = _invented_row(link), len(linked.rows())

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

    worker = threading.Thread(target=_closing, args=(lambda: sync.run(held, clock=clock.now),))
    worker.start()
    try:
        _until(lambda: SyncJob.objects.get().stage == "BALANCES" and Balance.objects.for_sync().count() == 4)
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
    _when_the_bank_has_answered(monkeypatch, method, lambda: cast.revoke(consent))
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
    consent = world.consent(
        alice, chat, customer="overdrawn", history_days=20
    )  # one account
    written = iter(range(100))
    adding = store._adding

    def ends_after_two(*arguments: Any) -> Any:
        if next(written) == 2:
            cast.revoke(consent)
        return adding(*arguments)

    monkeypatch.setattr(store, "_adding", ends_after_two)

    linked.run()

    assert len(linked.rows()) == 10


# -- trouble at the bank -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "code", "status", "waits"),
    [
        ({"status": 500}, "institution_down", "DEGRADED", 20),
        ({"status": 503}, "institution_down", "DEGRADED", 20),
        ({"status": 503, "retry_after": 120}, "institution_down", "DEGRADED", 120),
        ({"status": 429}, "upstream_rate_limited", "RATE_LIMITED", 20),
        ({"status": 429, "retry_after": 300}, "upstream_rate_limited", "RATE_LIMITED", 300),
    ],
    ids=["500", "503", "503-retry-after", "429", "429-retry-after"],
)
@pytest.mark.parametrize("where", ["/accounts", "/transactions"])
def test_what_is_stored_is_served_while_the_bank_fails_and_the_link_recovers(
    world: Linked,
    alice: User,
    chat: Platform,
    fault: dict[str, int],
    code: str,
    status: str,
    waits: int,
    where: str,
) -> None:
    consent = world.consent(alice, chat, history_days=10)
    linked.run()
    rows, before = _rows_as_they_are(), [answer.as_of for answer in served(consent)]
    world.fault(user="happy", path_contains=where, times=1, **fault)

    job = linked.again(linked.the_connection())

    assert (job.status, job.error_code, job.upstream_status) == ("RETRY_WAIT", code, fault["status"])
    assert job.started_at is not None
    assert abs((job.next_attempt_at - job.started_at).total_seconds() - waits) < 3
    link = linked.the_connection()
    assert (link.status, link.status_reason) == (status, code)
    assert _rows_as_they_are() == rows
    assert all(answer.as_of for answer in served(consent))
    transactions_as_of = [answer.as_of for answer in served(consent)][1::2]
    assert transactions_as_of == before[1::2]
    assert linked.later(job).status == "COMMITTED"
    assert (linked.the_connection().status, linked.the_connection().status_reason) == ("ACTIVE", "")
    told = Event.objects.filter(type__startswith="connection.").order_by("occurred_at").values_list("type", flat=True)
    assert list(told) == ["connection.linked", "connection.degraded", "connection.recovered"]


def test_a_failure_is_told_once_however_often_it_comes(world: Linked, alice: User, chat: Platform) -> None:
    world.consent(alice, chat, BALANCES)
    world.fault(user="happy", path_contains="/accounts", status=503)
    job = linked.run()

    linked.later(job)

    assert Event.objects.filter(type="connection.degraded").count() == 1


def test_a_bank_that_stays_down_is_given_up_and_can_be_asked_again(world: Linked, alice: User, chat: Platform) -> None:
    world.consent(alice, chat, BALANCES)
    world.fault(user="happy", path_contains="/accounts", status=500)
    job = linked.run()
    for _ in range(leases.ATTEMPTS_MAX - 1):
        job = linked.later(job)
    assert (job.status, job.error_code) == ("FAILED", "institution_down")
    world.bank.control("DELETE", "/control/faults")

    assert linked.again(linked.the_connection()).status == "COMMITTED"


def test_a_defect_of_ours_puts_the_job_back_and_goes_on_up(
    world: Linked, alice: User, chat: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.consent(alice, chat, BALANCES)

    def broken(*_: Any, **__: Any) -> int:
        raise ZeroDivisionError

    monkeypatch.setattr(balances, "store_balances", broken)
    held = linked.claimed()

    with pytest.raises(ZeroDivisionError):
        sync.run(held, clock=clock.now)

    job = linked.the_job()
    assert (job.status, job.error_code) == ("RETRY_WAIT", "internal_error")
    assert linked.the_connection().status == "ACTIVE"


def test_broken_answers_cost_only_what_they_break(world: Linked, books: Books, alice: User, chat: Platform) -> None:
    """Balances of the savings account are cut off; one row of the current account has five decimals."""
    consent = world.consent(alice, chat, customer="garbage", history_days=30)

    job = linked.run()

    current, savings = linked.accounts()
    assert (job.status, job.error_code, job.error_account_id) == ("RETRY_WAIT", "bank_format_changed", savings.id)
    assert {row.account_id for row in Balance.objects.for_sync()} == {current.id}
    assert len(linked.rows(current)) == job.counts["added"] - len(linked.rows(savings))
    (bad,) = QuarantinedRow.objects.for_sync()
    assert (bad.account_id, bad.reason, bad.connector) == (current.id, "too_many_decimals", "uk_obie")
    assert bad.field == "Amount.Amount"
    link = linked.the_connection()
    plain = Vault.of(link.id, link.wrapped_key).open(f"quarantine:{bad.digest}", bad.sealed)
    assert b"345" in plain
    assert b"345" not in bytes(bad.sealed)
    assert stored(savings) == books.entries("garbage", savings.bank_account_id, since=consent.history_from)
    assert link.status == "ACTIVE"


def test_a_row_in_quarantine_is_neither_rounded_nor_counted_twice_and_removes_nothing(
    world: Linked, alice: User, chat: Platform
) -> None:
    world.consent(alice, chat, customer="garbage", history_days=30)
    job = linked.run()
    current, _ = linked.accounts()
    (bad,) = QuarantinedRow.objects.for_sync()
    invented = _invented_row(linked.the_connection(), current)

    linked.later(job)

    assert QuarantinedRow.objects.for_sync().get().first_seen_at == bad.first_seen_at
    assert Transaction.objects.for_sync().get(account_id=current.id, id=invented.id).status == "BOOKED"
    import json

    link = linked.the_connection()
    plain = json.loads(Vault.of(link.id, link.wrapped_key).open(f"quarantine:{bad.digest}", bad.sealed))
    assert plain["TransactionId"] not in stored(current)


# -- credentials of the bank -------------------------------------------------------------------------------------------


def test_an_expired_access_token_is_renewed_once_and_the_new_one_kept(
    world: Linked, alice: User, chat: Platform
) -> None:
    world.consent(alice, chat, BALANCES)
    old = linked.expire_access_token(linked.the_connection())
    mark = world.mark()

    job = linked.run()
    linked.again(linked.the_connection())

    assert job.status == "COMMITTED"
    assert len(world.seen(after=mark).grants("refresh_token")) == 1
    kept = sessions.opened(linked.the_connection())
    assert kept.refresh_token not in (None, old.refresh_token)
    assert linked.the_connection().refresh_started_at is None


def test_a_second_expiry_uses_the_second_refresh_token(world: Linked, alice: User, chat: Platform) -> None:
    world.consent(alice, chat, BALANCES)
    for _ in range(3):
        linked.expire_access_token(linked.the_connection())
        job = linked.again(linked.the_connection())

        assert job.status == "COMMITTED"


def test_the_intent_to_use_a_refresh_token_is_committed_before_the_call(
    world: Linked, alice: User, chat: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.consent(alice, chat, BALANCES)
    linked.expire_access_token(linked.the_connection())
    seen: list[object] = []
    refresh = UkObie.refresh

    def looked(connector: UkObie) -> Credentials:
        seen.append(linked.the_connection().refresh_started_at)
        return refresh(connector)

    monkeypatch.setattr(UkObie, "refresh", looked)

    linked.run()

    assert len(seen) == 1
    assert seen[0] is not None


def test_a_token_lost_between_call_and_commit_asks_the_user_after_one_more_try(
    world: Linked, alice: User, chat: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one point where a strict bank and a crash together cost a link. Then it is said, and not tried for ever."""
    consent = world.consent(alice, chat, BALANCES)
    linked.run()
    linked.expire_access_token(linked.the_connection())
    _crash_after_the_refresh(monkeypatch)
    leases.enqueue(linked.the_connection().id, trigger=SyncTrigger.SCHEDULE, now=clock.now())
    held = linked.claimed()
    with pytest.raises(Crash):
        sync.run(held, clock=clock.now)
    assert linked.the_connection().refresh_started_at is not None
    monkeypatch.undo()
    mark = world.mark()

    job = linked.run(now=held_until(held))

    assert (job.status, job.error_code) == ("FAILED", "reauth_required")
    assert len(world.seen(after=mark).grants("refresh_token")) == 1
    assert linked.the_connection().status == "REAUTH_REQUIRED"
    assert served(consent)[0].rows
    assert Event.objects.filter(type="connection.needs_renewal").count() == 1


def test_a_failing_token_endpoint_does_not_cost_the_link(world: Linked, alice: User, chat: Platform) -> None:
    """A call that never spent the token: the same one is good later."""
    world.consent(alice, chat, BALANCES)
    good = linked.expire_access_token(linked.the_connection())
    lost = Credentials(access_token="", access_expires_at=good.access_expires_at, refresh_token=good.refresh_token)
    linked.replace_credentials(linked.the_connection(), lost)
    connection = linked.the_connection()
    token_url = connection.institution.token_url
    type(connection.institution).objects.update(token_url="http://127.0.0.1:9/nobody")
    job = linked.run()
    assert (job.status, job.error_code) == ("RETRY_WAIT", "institution_down")
    assert linked.the_connection().status == "DEGRADED"
    type(connection.institution).objects.update(token_url=token_url)

    assert linked.later(job).status == "COMMITTED"
    assert linked.the_connection().status == "ACTIVE"


# -- the bank ends it --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("token", ["alive", "expired"])
def test_a_customer_who_ends_access_at_the_bank_is_served_nothing_more(
    world: Linked, alice: User, chat: Platform, token: str
) -> None:
    consent = world.consent(alice, chat, BALANCES)
    linked.run()
    link = linked.the_connection()
    if token == "expired":
        linked.expire_access_token(link)
    world.bank.control("POST", f"/control/consents/{link.bank_consent_id}/cancel")

    job = linked.again(link)

    assert (job.status, job.error_code) == ("FAILED", "bank_consent_ended")
    assert linked.the_connection().status == "REVOKED"
    with pytest.raises(Denied):
        served(consent)
    mark = world.mark()
    assert linked.again(link).status == "CANCELLED"
    assert world.seen(after=mark).rows == []


def test_a_consent_deleted_at_the_bank_ends_serving(world: Linked, alice: User, chat: Platform) -> None:
    consent = world.consent(alice, chat, BALANCES)
    linked.run()
    link = linked.the_connection()
    with sessions.connector_for(link.institution, now=clock.now()) as connector:
        connector.revoke(bank_consent_id=link.bank_consent_id)

    job = linked.again(link)

    assert job.error_code == "bank_consent_ended"
    with pytest.raises(Denied):
        served(consent)


def test_a_link_that_waits_for_renewal_still_learns_that_the_bank_ended_it(
    world: Linked, alice: User, chat: Platform
) -> None:
    consent = world.consent(alice, chat, BALANCES)
    linked.run()
    link = linked.the_connection()
    Connection.objects.update(status=ConnectionStatus.REAUTH_REQUIRED)
    world.bank.control("POST", f"/control/consents/{link.bank_consent_id}/cancel")

    linked.again(link)

    assert linked.the_connection().status == "REVOKED"
    with pytest.raises(Denied):
        served(consent)


def test_a_dead_token_alone_asks_for_renewal_and_goes_on_serving(world: Linked, alice: User, chat: Platform) -> None:
    consent = world.consent(alice, chat, BALANCES)
    linked.run()
    link = linked.the_connection()
    dead = Credentials(access_token="dead", access_expires_at=clock.now() - SOON, refresh_token="dead as well")
    linked.replace_credentials(link, dead)

    job = linked.again(link)

    assert (job.status, job.error_code) == ("FAILED", "reauth_required")
    assert linked.the_connection().status == "REAUTH_REQUIRED"
    assert served(consent)[0].rows


# -- whoever comes too late --------------------------------------------------------------------------------------------


def test_a_worker_that_lost_its_lease_marks_nothing(
    world: Linked, alice: User, chat: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It hung at the bank, another finished the job, and now its own call fails."""
    world.consent(alice, chat, BALANCES)
    held = linked.claimed()
    accounts = UkObie.accounts

    def hung(connector: UkObie) -> Any:
        monkeypatch.setattr(UkObie, "accounts", accounts)
        assert linked.run(now=held_until(held)).status == "COMMITTED"
        raise BankUnavailable("hung_up")

    monkeypatch.setattr(UkObie, "accounts", hung)

    sync.run(held, clock=clock.now)

    link = linked.the_connection()
    assert (link.status, link.last_failed_at) == ("ACTIVE", None)
    assert linked.the_job().status == "COMMITTED"
    assert not Event.objects.filter(type="connection.degraded").exists()


def test_a_run_under_the_old_link_can_not_end_the_new_one(
    world: Linked, alice: User, chat: Platform, budget: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second consent renews the link and revokes the old one at the bank while a sync is on its way."""
    first = world.consent(alice, chat, BALANCES)
    held = linked.claimed()
    accounts = UkObie.accounts

    def relinked(connector: UkObie) -> Any:
        monkeypatch.setattr(UkObie, "accounts", accounts)
        world.consent(alice, budget, BALANCES)
        return accounts(connector)

    monkeypatch.setattr(UkObie, "accounts", relinked)

    sync.run(held, clock=clock.now)

    assert linked.the_connection().status == "ACTIVE"
    assert linked.run().status == "COMMITTED"
    assert served(first)[0].rows


def test_a_refresh_under_the_old_link_can_not_replace_the_credentials_of_the_new_one(
    world: Linked, alice: User, chat: Platform, budget: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even where the bank could not be told that the old link is over, so that its refresh token is still good."""
    monkeypatch.setattr(linking, "end_upstream_now", lambda *_, **__: None)
    world.consent(alice, chat, BALANCES)
    linked.expire_access_token(linked.the_connection())
    before = linked.the_connection()
    world.consent(alice, budget, BALANCES)
    current, mark = sessions.opened(linked.the_connection()), world.mark()

    with pytest.raises(StaleLease):
        sessions.fresh_session(before, now=clock.now(), deadline_monotonic=time.monotonic() + 10)

    assert world.seen(after=mark).grants("refresh_token") == []
    assert sessions.opened(linked.the_connection()) == current
    assert linked.run().status == "COMMITTED"


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


# -- hands -------------------------------------------------------------------------------------------------------------


class Crash(BaseException):
    """What a kill looks like from inside: nothing catches it, nothing is tidied up."""


def held_until(held: leases.Claim) -> Any:
    lease = SyncJob.objects.get(id=held.job_id).lease_until
    assert lease is not None
    return lease + SOON


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


def _when_the_bank_has_answered(monkeypatch: pytest.MonkeyPatch, method: str, hand: Callable[[], Any]) -> None:
    """Once, after the whole answer of `method` arrived and before anything of it is written."""
    real, waiting = getattr(UkObie, method), [hand]

    def answered(connector: UkObie, *arguments: Any, **members: Any) -> Any:
        answer = real(connector, *arguments, **members)
        whole = answer if isinstance(answer, list) else list(answer)
        if waiting:
            waiting.pop()()
        return whole

    monkeypatch.setattr(UkObie, method, answered)


def _crash_after_the_refresh(monkeypatch: pytest.MonkeyPatch) -> None:
    refresh = UkObie.refresh

    def crashed(connector: UkObie) -> Credentials:
        refresh(connector)
        raise Crash

    monkeypatch.setattr(UkObie, "refresh", crashed)


def _rows_as_they_are() -> list[tuple[object, ...]]:
    names = [field.name for field in Transaction._meta.concrete_fields]
    return sorted(Transaction.objects.for_sync().values_list(*names), key=repr)


def _invented_row(link: Connection, account: Account | None = None) -> Transaction:
    """A row the bank never had, beside a real one of some days ago."""
    like = linked.rows(account or linked.accounts()[0])[3]
    Connection.objects.filter(id=link.id).update(change_sequence=link.change_sequence + 1)
    fields = {field.name: getattr(like, field.name) for field in like._meta.concrete_fields if field.name != "pk"}
    fields.pop("account")
    import uuid

    changed = {"id": uuid.uuid4(), "identity_key": "0" * 64, "bank_transaction_id": "never", "status": "BOOKED"}
    return Transaction.objects.for_sync().create(
        **{**fields, **changed, "account_id": like.account_id, "change_sequence": link.change_sequence + 1}
    )


def _until(condition: Callable[[], bool], *, seconds: float = 5.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def _closing(hand: Callable[[], Any]) -> Any:
    try:
        return hand()
    finally:
        databases.close_all()
