"""A sync while banks fail, consents end and credentials die: what is stored stays, and nobody is asked in vain."""

import time
from typing import Any

import pytest

from banks import balances, job_requests, leases, sessions, sync, upstream
from banks.connector import Credentials
from banks.dialects.uk_obie import UkObie
from banks.errors import BankUnavailable, StaleLease
from banks.models import Balance, Connection, QuarantinedRow, SyncTrigger, Transaction
from banks.vault import Vault
from consents import clock
from consents.errors import Denied
from consents.models import Event, Platform
from consents.states import ConnectionStatus
from gateway.identity.models import User
from tests.support import linked
from tests.support.books import (
    SOON,
    Books,
    Crash,
    crash_after_the_refresh,
    held_until,
    invented_row,
    rows_as_they_are,
    served,
    stored,
)
from tests.support.linked import BALANCES, Linked

pytestmark = pytest.mark.django_db


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
    rows, before = rows_as_they_are(), [answer.as_of for answer in served(consent)]
    world.fault(user="happy", path_contains=where, times=1, **fault)

    job = linked.again(linked.the_connection())

    assert (job.status, job.error_code, job.upstream_status) == ("RETRY_WAIT", code, fault["status"])
    assert job.started_at is not None
    assert abs((job.next_attempt_at - job.started_at).total_seconds() - waits) < 3
    link = linked.the_connection()
    assert (link.status, link.status_reason) == (status, code)
    assert rows_as_they_are() == rows
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
    invented = invented_row(linked.the_connection(), current)

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
    crash_after_the_refresh(monkeypatch)
    job_requests.enqueue(linked.the_connection().id, trigger=SyncTrigger.SCHEDULE, now=clock.now())
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
    monkeypatch.setattr(upstream, "attempt", lambda *_, **__: None)
    world.consent(alice, chat, BALANCES)
    linked.expire_access_token(linked.the_connection())
    before = linked.the_connection()
    world.consent(alice, budget, BALANCES)
    current, mark, held = sessions.opened(linked.the_connection()), world.mark(), linked.claimed()

    with pytest.raises(StaleLease):
        sessions.fresh_session(before, held, now=clock.now(), deadline_monotonic=time.monotonic() + 10)

    assert world.seen(after=mark).grants("refresh_token") == []
    assert sessions.opened(linked.the_connection()) == current
    sync.run(held, clock=clock.now)
    assert linked.the_job().status == "COMMITTED"
