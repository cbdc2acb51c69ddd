"""A connection ends with the last consent that needs it: once, at the right moment, and never under a live consent."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID

import pytest
from django.db import connections as database

from banks import attempts, endings, fences, held_jobs, job_requests, leases, sharing
from banks.errors import StaleLease
from banks.held_jobs import Claim
from banks.models import Account, Connection, Institution, LinkAttempt, SyncJob, SyncTrigger, UpstreamEnding
from consents import lifecycle
from consents.errors import TransitionRefused
from consents.models import AuditEntry, Consent, ConsentAccount, Event, Platform
from consents.scopes import Presence, Scope
from gateway.identity.models import User
from tests.support import cast

pytestmark = pytest.mark.django_db

NOW = cast.NOW
HOUR = timedelta(hours=1)
BALANCES = (Scope.ACCOUNTS, Scope.BALANCES)
ROWS = (*BALANCES, Scope.TRANSACTIONS)
SESSION = "session-of-the-right-browser"


@pytest.fixture
def northbank(db: None) -> Institution:
    return cast.institution(now=NOW)


@dataclass
class Link:
    """One connection of Alice's with two accounts, as if she had just come back from the bank."""

    row: Connection
    current: Account
    savings: Account

    def now(self) -> Connection:
        return Connection.objects.get(id=self.row.id)


@pytest.fixture
def link(alice: User, northbank: Institution) -> Link:
    return linked(alice, northbank)


def linked(user: User, bank: Institution) -> Link:
    row = cast.connection(user, bank, now=NOW)
    Connection.objects.filter(id=row.id).update(bank_consent_id=f"aac-{row.id}", sealed_credentials=b"sealed")
    row.refresh_from_db()
    return Link(row, cast.account(row, "current"), cast.account(row, "savings"))


def share(
    user: User, platform: Platform, *accounts: Account, scopes: Sequence[Scope] = BALANCES, **terms: Any
) -> Consent:
    return cast.authorised_consent(
        user, platform, scopes, accounts=[cast.choice(one) for one in accounts], now=NOW, **terms
    )


def show(consent: Consent, link: Link) -> LinkAttempt:
    """The bank showed both accounts for this question, in SESSION."""
    return LinkAttempt.objects.create(
        state_digest=attempts.digest(str(consent.id)),
        session_digest=attempts.digest(SESSION),
        user=link.row.user,
        institution=link.row.institution,
        consent_id=consent.id,
        bank_consent_id=link.row.bank_consent_id,
        sealed_secrets=b"",
        created_at=NOW,
        expires_at=NOW + attempts.ATTEMPT_WINDOW,
        used_at=NOW,
        connection_id=link.row.id,
        account_ids=[str(link.current.id), str(link.savings.id)],
    )


def grant(consent: Consent, *accounts: Account, now: Any) -> Consent:
    return sharing.grant(
        consent_id=consent.id,
        user_id=consent.user_id,
        session_key=SESSION,
        account_ids=[one.id for one in accounts],
        scopes=[Scope(one) for one in consent.scopes],
        disclosure=cast.DISCLOSURE,
        actor=cast.BY_USER,
        now=now,
    )


def running(link: Link) -> Claim:
    held = leases.claim(job_requests.enqueue(link.row.id, trigger=SyncTrigger.SCHEDULE, now=NOW), now=NOW)
    assert held is not None
    return held


# -- the last one out --------------------------------------------------------------------------------------------------


def test_the_last_consent_takes_the_connection_with_it(alice: User, chat: Platform, link: Link) -> None:
    consent = share(alice, chat, link.current)
    Connection.objects.update(next_sync_at=NOW)
    job_requests.enqueue(link.row.id, trigger=SyncTrigger.SCHEDULE, now=NOW)
    cast.revoke(consent, now=NOW)

    assert endings.sweep(now=NOW) == 1

    ended = link.now()
    assert (ended.status, ended.status_reason, ended.unneeded_at) == ("REVOKED", "no_consent_left", NOW)
    assert ended.next_sync_at is None
    assert ended.purged_at is None and ended.sealed_credentials is not None
    job = SyncJob.objects.get()
    assert (job.status, job.error_code, job.finished_at) == ("CANCELLED", "no_consent_left", NOW)
    upstream = UpstreamEnding.objects.get()
    assert (upstream.bank_consent_id, upstream.reason) == (ended.bank_consent_id, "no_consent_left")
    assert (upstream.status, upstream.connection_id, upstream.created_at) == ("PENDING", ended.id, NOW)
    entry = AuditEntry.objects.get(action="connection.revoked")
    assert (entry.reason_code, entry.details) == ("no_consent_left", {"connection_id": str(ended.id)})
    assert entry.user_pseudonym == alice.pseudonym


def test_a_second_sweep_finds_nothing_more_to_do(alice: User, chat: Platform, link: Link) -> None:
    cast.revoke(share(alice, chat, link.current), now=NOW)
    endings.sweep(now=NOW)
    before = Connection.objects.values().get()

    assert endings.sweep(now=NOW + HOUR / 60) == 0
    assert endings.care(now=NOW + HOUR) == 0

    assert Connection.objects.values().get() == before
    assert UpstreamEnding.objects.count() == AuditEntry.objects.filter(action="connection.revoked").count() == 1


def test_while_another_consent_lives_the_connection_goes_on(
    alice: User, chat: Platform, budget: Platform, link: Link
) -> None:
    share(alice, budget, link.savings)
    held = running(link)
    cast.revoke(share(alice, chat, link.current), now=NOW)

    endings.sweep(now=NOW)

    assert link.now().status == "ACTIVE" and link.now().unneeded_at is None
    assert not UpstreamEnding.objects.exists()
    held_jobs.fence(held, stage="BALANCES")  # its job is still its own


@pytest.mark.parametrize("status", ["AUTHORISED", "PAUSED", "SUSPENDED"])
def test_what_may_come_back_holds_the_connection(alice: User, chat: Platform, link: Link, status: str) -> None:
    consent = share(alice, chat, link.current)
    Consent.objects.filter(id=consent.id).update(status=status)

    endings.review(link.row.id, now=consent.expires_at - timedelta(microseconds=1))
    assert link.now().unneeded_at is None

    endings.review(link.row.id, now=consent.expires_at)  # the clock ends it, whatever the row says
    assert link.now().unneeded_at == consent.expires_at


def test_an_account_the_bank_suspended_still_holds_and_one_taken_out_does_not(
    alice: User, chat: Platform, link: Link
) -> None:
    share(alice, chat, link.current)
    ConsentAccount.objects.update(status="SUSPENDED")
    endings.review(link.row.id, now=NOW)
    assert link.now().unneeded_at is None

    ConsentAccount.objects.update(status="REVOKED")
    endings.review(link.row.id, now=NOW)

    assert link.now().unneeded_at == NOW


def test_another_persons_consent_holds_nothing_of_mine(
    alice: User, bob: User, chat: Platform, northbank: Institution, link: Link
) -> None:
    share(bob, chat, linked(bob, northbank).current)
    cast.revoke(share(alice, chat, link.current), now=NOW)

    endings.sweep(now=NOW)

    assert link.now().status == "REVOKED"
    assert Connection.objects.get(user=bob).status == "ACTIVE"


def test_a_consent_over_two_banks_ends_each_by_itself(
    alice: User, chat: Platform, budget: Platform, link: Link
) -> None:
    other = linked(alice, cast.institution("southbank", now=NOW))
    both = share(alice, chat, link.current, other.current)
    share(alice, budget, other.savings)
    cast.revoke(both, now=NOW)

    endings.sweep(now=NOW)

    assert (link.now().status, other.now().status) == ("REVOKED", "ACTIVE")
    assert [row.institution_id for row in UpstreamEnding.objects.all()] == [link.row.institution_id]


def test_what_the_bank_ended_keeps_its_reason_and_is_ended_there_all_the_same(
    alice: User, chat: Platform, link: Link
) -> None:
    Connection.objects.update(status="REVOKED", status_reason="bank_consent_ended")
    cast.revoke(share(alice, chat, link.current), now=NOW)

    endings.sweep(now=NOW)

    assert (link.now().status_reason, link.now().unneeded_at) == ("bank_consent_ended", NOW)
    assert UpstreamEnding.objects.exists()


def test_a_worker_in_the_middle_of_it_writes_nothing_more(alice: User, chat: Platform, link: Link) -> None:
    consent = share(alice, chat, link.current)
    held = running(link)
    cast.revoke(consent, now=NOW)

    endings.sweep(now=NOW)

    with pytest.raises(StaleLease), fences.fenced(held, stage="BALANCES", presence=Presence.ABSENT, now=lambda: NOW):
        pytest.fail("wrote")
    with pytest.raises(StaleLease):
        held_jobs.extend(held, now=NOW)
    assert SyncJob.objects.get().status == "CANCELLED"


def test_a_sweep_that_was_missed_is_made_up_for(alice: User, chat: Platform, link: Link) -> None:
    cast.revoke(share(alice, chat, link.current), now=NOW)
    later = NOW + timedelta(days=3)

    assert endings.sweep(now=later) == 0
    assert endings.care(now=later) == 1

    assert link.now().unneeded_at == later


# -- questions ---------------------------------------------------------------------------------------------------------


def test_an_open_question_holds_what_the_bank_showed_for_it(alice: User, chat: Platform, link: Link) -> None:
    show(cast.requested_consent(alice, chat, BALANCES, now=NOW), link)

    assert endings.care(now=NOW + HOUR - timedelta(seconds=1)) == 0
    assert endings.care(now=NOW + HOUR) == 1  # nobody answered


def test_a_no_ends_what_was_linked_for_the_question(alice: User, chat: Platform, link: Link) -> None:
    question = cast.requested_consent(alice, chat, BALANCES, now=NOW)
    show(question, link)
    lifecycle.reject(consent_id=question.id, user_id=alice.id, reason="user_refused", actor=cast.BY_USER, now=NOW)

    endings.sweep(now=NOW)

    assert link.now().status == "REVOKED"
    assert UpstreamEnding.objects.get().bank_consent_id == link.row.bank_consent_id


def test_nothing_is_offered_or_granted_over_a_connection_that_has_ended(
    alice: User, chat: Platform, link: Link
) -> None:
    question = cast.requested_consent(alice, chat, BALANCES, now=NOW)
    show(question, link)
    Connection.objects.update(status="REVOKED", unneeded_at=NOW)

    with pytest.raises(ValueError, match="account"):
        grant(question, link.current, now=NOW)

    assert Consent.objects.get(id=question.id).status == "AWAITING_AUTHORISATION"
    assert not ConsentAccount.objects.exists()


def test_a_redirect_that_nobody_came_back_from_is_ended_at_the_bank_and_forgotten(
    alice: User, chat: Platform, link: Link
) -> None:
    show(cast.requested_consent(alice, chat, BALANCES, now=NOW), link)
    left = show(cast.requested_consent(alice, chat, BALANCES, now=NOW), link)
    LinkAttempt.objects.filter(id=left.id).update(connection_id=None, bank_consent_id="aac-left", used_at=None)

    endings.care(now=NOW + timedelta(minutes=30))
    assert LinkAttempt.objects.count() == 2

    endings.care(now=NOW + HOUR + timedelta(seconds=1))

    assert not LinkAttempt.objects.filter(id=left.id).exists()
    ending = UpstreamEnding.objects.get(bank_consent_id="aac-left")
    assert (ending.reason, ending.connection_id) == ("not_linked", None)
    assert LinkAttempt.objects.count() == 1  # what led somewhere stays for a day

    endings.care(now=NOW + timedelta(hours=25))
    assert not LinkAttempt.objects.exists()


# -- accounts of a connection that goes on -----------------------------------------------------------------------------


def marks_of(account: Account) -> tuple[Any, Any]:
    row = Account.objects.for_sync().get(id=account.id)
    return row.unneeded_at, row.transactions_unneeded_at


def test_an_account_that_nobody_was_given_is_marked_and_the_shared_one_is_not(
    alice: User, chat: Platform, link: Link
) -> None:
    share(alice, chat, link.current)

    endings.care(now=NOW)

    assert marks_of(link.current) == (None, None)
    assert marks_of(link.savings) == (NOW, None)


def test_transactions_alone_are_marked_when_only_balances_are_shared(
    alice: User, chat: Platform, budget: Platform, link: Link
) -> None:
    Account.objects.for_sync().filter(id=link.current.id).update(transactions_as_of=NOW)
    share(alice, chat, link.current, link.savings)
    cast.revoke(share(alice, budget, link.current, link.savings, scopes=ROWS), now=NOW)

    endings.sweep(now=NOW)

    assert marks_of(link.current) == (None, NOW)
    assert marks_of(link.savings) == (None, None)  # there are none


def test_a_grant_takes_the_marks_away_that_it_needs_gone(alice: User, chat: Platform, link: Link) -> None:
    share(alice, chat, link.savings)
    Account.objects.for_sync().update(unneeded_at=NOW, transactions_unneeded_at=NOW)
    question = cast.requested_consent(alice, chat, BALANCES, now=NOW)
    show(question, link)

    grant(question, link.current, now=NOW)

    assert marks_of(link.current) == (None, NOW)  # balances are no reason to keep transactions
    assert marks_of(link.savings) == (NOW, NOW)

    wider = cast.requested_consent(alice, chat, ROWS, now=NOW)
    show(wider, link)
    grant(wider, link.current, now=NOW)

    assert marks_of(link.current) == (None, None)


# -- announcements -----------------------------------------------------------------------------------------------------


def announced() -> list[Any]:
    events = Event.objects.filter(type="connection.needs_renewal").order_by("occurred_at", "id")
    return [(event.details["days"], event.details["code"]) for event in events]


def test_each_stage_before_the_end_and_the_end_are_announced_once(alice: User, chat: Platform, link: Link) -> None:
    share(alice, chat, link.current, link.savings, duration_days=180)
    end = NOW + timedelta(days=60)
    Connection.objects.update(consent_expires_at=end)

    for days in (60, 31, 30, 29, 7, 6, 1, 0.5, 0, -1):
        endings.care(now=end - timedelta(days=days))
        endings.care(now=end - timedelta(days=days))

    assert announced() == [
        (30, "connection_expiring"),
        (7, "connection_expiring"),
        (1, "connection_expiring"),
        (0, "connection_expired"),
    ]


def test_a_stage_that_was_slept_through_is_not_announced_late(alice: User, chat: Platform, link: Link) -> None:
    share(alice, chat, link.current, link.savings, duration_days=180)
    end = NOW + timedelta(days=60)
    Connection.objects.update(authentication_expires_at=end)

    endings.care(now=end - timedelta(days=3))
    endings.care(now=end)

    assert announced() == [(7, "connection_expiring"), (0, "reauth_required")]


def test_nothing_is_announced_where_the_sharing_ends_first_or_nothing_is_shared(
    alice: User, chat: Platform, link: Link
) -> None:
    consent = share(alice, chat, link.current, link.savings, duration_days=30)
    Connection.objects.update(consent_expires_at=consent.expires_at)

    endings.care(now=consent.expires_at - timedelta(hours=1))
    endings.care(now=consent.expires_at + timedelta(hours=1))

    assert announced() == []


# -- everything at once ------------------------------------------------------------------------------------------------


def together(*calls: Callable[[], object]) -> list[object]:
    """What each call returned or raised; all begin at one barrier, each in a thread with a connection of its own."""
    barrier = threading.Barrier(len(calls))
    results: list[object] = [None] * len(calls)

    def run(index: int, call: Callable[[], object]) -> None:
        try:
            barrier.wait(30)
            results[index] = call()
        except Exception as error:
            results[index] = error
        finally:
            database.close_all()

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return results


@pytest.mark.django_db(transaction=True)
def test_a_consent_granted_in_the_very_moment_wins_or_loses_cleanly(transactional_db: None) -> None:
    """The question's last instant here is the first one after it there: both clocks are right, one of them is first."""
    alice, chat, bank = cast.alice(), cast.chat().platform, cast.institution(now=NOW)
    for _ in range(8):
        link = linked(alice, bank)
        question = cast.requested_consent(alice, chat, BALANCES, now=NOW)
        LinkAttempt.objects.filter(id=show(question, link).id).update(used_at=question.expires_at)
        just_before = question.expires_at - timedelta(microseconds=1)

        answered, reviewed = together(
            partial(grant, question, link.current, now=just_before),
            partial(endings.review, link.row.id, now=question.expires_at),
        )

        status = Consent.objects.values_list("status", flat=True).get(id=question.id)
        ended = link.now().unneeded_at is not None
        assert (status == "AUTHORISED") is not ended, (answered, reviewed)
        assert SyncJob.objects.filter(connection_id=link.row.id, status="QUEUED").exists() is not ended
        assert isinstance(answered, Consent | ValueError | TransitionRefused), answered


@pytest.mark.django_db(transaction=True)
def test_sweeps_at_once_end_a_connection_once(transactional_db: None) -> None:
    alice, chat, bank = cast.alice(), cast.chat().platform, cast.institution(now=NOW)
    link = linked(alice, bank)
    cast.revoke(share(alice, chat, link.current), now=NOW)

    results = together(*[lambda: endings.sweep(now=NOW)] * 4)

    assert sorted(results, key=str) == [0, 0, 0, 1]
    assert UpstreamEnding.objects.count() == AuditEntry.objects.filter(action="connection.revoked").count() == 1


def test_looking_at_connections_costs_the_same_however_many_there_are(
    alice: User, chat: Platform, northbank: Institution, django_assert_num_queries: Any
) -> None:
    """The quick sweep runs every few seconds: it must not look at each connection by itself."""

    def ended_consents(count: int) -> None:
        for _ in range(count):
            link = linked(alice, northbank)
            share(alice, chat, link.current, link.savings)
            cast.revoke(share(alice, chat, link.current), now=NOW)

    ended_consents(2)
    with django_assert_num_queries(7):
        endings.sweep(now=NOW)
    ended_consents(5)
    with django_assert_num_queries(7):
        assert endings.sweep(now=NOW) == 0


def test_a_connection_that_is_not_there_is_no_trouble() -> None:
    assert not endings.review(UUID(int=1), now=NOW)
