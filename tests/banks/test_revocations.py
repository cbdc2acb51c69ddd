"""What is left to do when somebody ended a consent is done, at the bank and here, and marked when it is true."""

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from django.db import connections as database

from banks import endings, purge, revocations, sessions, tasks, upstream
from banks.errors import BankUnavailable
from banks.models import Account, Balance, Connection, Institution, UpstreamEnding
from consents import clock, lifecycle
from consents.models import AccessToken, Consent, Platform, Revocation
from consents.scopes import Scope
from gateway.identity.models import User
from tests.banks.test_retention import counts, filled
from tests.support import cast, ledger
from tests.support.linked import Linked

pytestmark = pytest.mark.django_db

NOW = cast.NOW
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(hours=24)
BALANCES = (Scope.ACCOUNTS, Scope.BALANCES)
ROWS = (*BALANCES, Scope.TRANSACTIONS)


@dataclass
class Link:
    row: Connection
    current: Account
    savings: Account


def linked(user: User, slug: str) -> Link:
    bank = Institution.objects.filter(slug=slug).first() or cast.institution(slug, now=NOW)
    row = cast.connection(user, bank, now=NOW)
    Connection.objects.filter(id=row.id).update(bank_consent_id=f"aac-{row.id}")
    row.refresh_from_db()
    return Link(row, filled(row, "current"), filled(row, "savings"))


@pytest.fixture
def link(alice: User) -> Link:
    return linked(alice, "northbank")


def share(user: User, platform: Platform, *accounts: Account, scopes: Any = ROWS) -> Consent:
    return cast.authorised_consent(user, platform, scopes, accounts=[cast.choice(one) for one in accounts], now=NOW)


def end(consent: Consent, *, at_once: bool = False, now: Any = NOW) -> Consent:
    return lifecycle.revoke(
        consent_id=consent.id, reason="user_revoked", actor=cast.BY_USER, now=now, deletes_at_once=at_once
    )


def sweep(now: Any = NOW) -> None:
    endings.sweep(now=now)
    revocations.sweep(now=now)


def care(now: Any) -> None:
    endings.care(now=now)
    purge.sweep(now=now)
    revocations.care(now=now)


def told(consent: Consent) -> tuple[str, Any]:
    """(upstream stage, when purged)"""
    row = Revocation.objects.get(consent=consent)
    return row.upstream_stage, row.purged_at


# -- at the bank -------------------------------------------------------------------------------------------------------


def test_while_another_platform_needs_the_link_nothing_is_to_be_ended_at_the_bank(
    alice: User, chat: Platform, budget: Platform, link: Link
) -> None:
    share(alice, budget, link.current)
    ended = end(share(alice, chat, link.current))

    sweep()

    assert told(ended) == ("NOT_APPLICABLE", NOW)  # of what the other needs too, nothing is to go
    assert revocations.kept_for_others(ended.id, now=NOW) == {link.current.id}
    assert counts(link.current) == [3, 3, 1, 1, 1]


def test_the_last_one_out_waits_for_the_bank_until_it_answers(alice: User, chat: Platform, link: Link) -> None:
    ended = end(share(alice, chat, link.current))

    sweep()
    assert told(ended) == ("UPSTREAM_RETRYING", None)
    UpstreamEnding.objects.update(status="LEASED")
    revocations.bank_answered(link.row.id, now=NOW + MINUTE)
    assert told(ended) == ("UPSTREAM_RETRYING", None)

    UpstreamEnding.objects.update(status="DONE")
    revocations.bank_answered(link.row.id, now=NOW + 2 * MINUTE)

    assert told(ended) == ("UPSTREAM_CANCELLED", None)
    assert Revocation.objects.get().upstream_at == NOW + 2 * MINUTE


def test_what_a_lost_process_did_not_mark_the_slow_sweep_does(alice: User, chat: Platform, link: Link) -> None:
    ended = end(share(alice, chat, link.current))
    sweep()
    UpstreamEnding.objects.update(status="IMPOSSIBLE")

    revocations.care(now=NOW + HOUR)

    assert told(ended) == ("UPSTREAM_IMPOSSIBLE", None)


def test_a_consent_at_two_banks_is_cancelled_when_both_are(alice: User, chat: Platform, link: Link) -> None:
    other = linked(alice, "southbank")
    ended = end(share(alice, chat, link.current, other.current))
    sweep()
    first = UpstreamEnding.objects.filter(connection_id=link.row.id)

    first.update(status="DONE")
    revocations.care(now=NOW)
    assert told(ended)[0] == "UPSTREAM_RETRYING"
    UpstreamEnding.objects.update(status="DONE")
    revocations.care(now=NOW)

    assert told(ended)[0] == "UPSTREAM_CANCELLED"


def test_without_a_consent_at_the_bank_there_is_nothing_to_end(alice: User, chat: Platform, link: Link) -> None:
    Connection.objects.update(bank_consent_id="")
    ended = end(share(alice, chat, link.current))

    sweep()

    assert told(ended)[0] == "NOT_APPLICABLE"


def test_an_earlier_link_that_was_ended_says_nothing_about_this_one(
    alice: User, chat: Platform, budget: Platform, link: Link
) -> None:
    UpstreamEnding.objects.create(
        institution=link.row.institution,
        bank_consent_id="an-old-one",
        connection_id=link.row.id,
        reason="no_consent_left",
        status="DONE",
        next_attempt_at=NOW - DAY,
        created_at=NOW - DAY,
    )
    share(alice, budget, link.current)
    ended = end(share(alice, chat, link.current))

    sweep()

    assert told(ended)[0] == "NOT_APPLICABLE"


def test_the_bank_that_confirms_is_marked_by_the_task_itself(
    world: Linked, alice: User, chat: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = cast.revoke(world.consent(alice, chat, BALANCES))
    sent: list[str] = []
    monkeypatch.setattr(tasks.end_upstream, "apply_async", lambda args, queue: sent.append(args[0]))
    tasks.sweep_endings()
    assert told(ended)[0] == "UPSTREAM_RETRYING"

    tasks.end_upstream(sent[0])

    assert told(ended)[0] == "UPSTREAM_CANCELLED"
    assert all(row["deleted"] for row in world.bank_consents().values() if row["consent_id"] in _ended_at_bank())


def _ended_at_bank() -> set[str]:
    return set(UpstreamEnding.objects.values_list("bank_consent_id", flat=True))


# -- here --------------------------------------------------------------------------------------------------------------


def test_purged_is_said_when_the_day_of_grace_is_over_and_the_rows_are_gone(
    alice: User, chat: Platform, link: Link
) -> None:
    ended = end(share(alice, chat, link.current))
    sweep()

    care(NOW + DAY - timedelta(seconds=1))
    assert told(ended)[1] is None
    care(NOW + DAY)

    assert told(ended)[1] == NOW + DAY
    assert counts(link.current, link.savings) == [0] * 5


def test_it_is_not_said_while_anything_is_left(alice: User, chat: Platform, link: Link) -> None:
    ended = end(share(alice, chat, link.current))
    sweep()
    Connection.objects.update(purged_at=NOW)  # whatever the connection claims

    revocations.care(now=NOW + DAY)

    assert told(ended)[1] is None


def test_transactions_that_only_it_needed_go_and_the_rest_stays(
    alice: User, chat: Platform, budget: Platform, link: Link
) -> None:
    share(alice, budget, link.current, scopes=BALANCES)
    ended = end(share(alice, chat, link.current, scopes=ROWS))
    sweep()
    assert told(ended) == ("NOT_APPLICABLE", None)
    # Budget goes on: its balances are fetched as ever.
    Account.objects.for_sync().update(balances_as_of=NOW + DAY)

    care(NOW + DAY)

    assert told(ended)[1] == NOW + DAY
    assert counts(link.current) == [0, 0, 0, 0, 1]
    assert revocations.kept_for_others(ended.id, now=NOW + DAY) == {link.current.id}


def test_who_wants_it_deleted_at_once_waits_for_the_next_sweep_only(alice: User, chat: Platform, link: Link) -> None:
    ended = end(share(alice, chat, link.current), at_once=True)

    sweep(NOW + timedelta(seconds=5))

    assert told(ended) == ("UPSTREAM_RETRYING", NOW + timedelta(seconds=5))
    assert not Account.objects.for_sync().exists() and counts(link.current, link.savings) == [0] * 5
    closed = Connection.objects.get()
    assert (closed.status, bytes(closed.wrapped_key)) == ("CLOSED", b"")


def test_at_once_takes_nothing_that_another_consent_needs(
    alice: User, chat: Platform, budget: Platform, link: Link
) -> None:
    share(alice, budget, link.current, scopes=[Scope.ACCOUNTS, Scope.TRANSACTIONS])
    ended = end(share(alice, chat, link.current, link.savings), at_once=True)

    sweep()

    assert told(ended) == ("NOT_APPLICABLE", NOW)
    assert counts(link.savings) == [0] * 5
    assert counts(link.current) == [3, 3, 1, 1, 0]  # balances were needed by this one alone
    assert not Balance.objects.for_sync().exists()
    assert Connection.objects.get().status == "ACTIVE"


def test_at_once_takes_nothing_from_who_may_still_think_again(
    alice: User, chat: Platform, budget: Platform, link: Link
) -> None:
    slow = end(share(alice, budget, link.savings))
    sweep()
    ended = end(share(alice, chat, link.current), at_once=True, now=NOW + HOUR)

    sweep(NOW + HOUR)

    assert told(ended)[1] == NOW + HOUR
    assert counts(link.current) == [0] * 5
    assert counts(link.savings) == [3, 3, 1, 1, 1]
    assert told(slow)[1] is None

    care(NOW + HOUR + DAY)
    assert counts(link.savings) == [0] * 5
    assert told(slow)[1] == NOW + HOUR + DAY


def test_another_persons_rows_are_not_touched(alice: User, bob: User, chat: Platform, link: Link) -> None:
    bobs = linked(bob, "northbank")
    share(bob, chat, bobs.current, bobs.savings)
    end(share(alice, chat, link.current), at_once=True)

    sweep()

    assert counts(bobs.current, bobs.savings) == [6, 6, 2, 2, 2]
    assert Connection.objects.get(id=bobs.row.id).status == "ACTIVE"


def test_a_second_sweep_changes_nothing(alice: User, chat: Platform, link: Link) -> None:
    end(share(alice, chat, link.current), at_once=True)
    sweep()
    before = list(Revocation.objects.values())

    sweep(NOW + HOUR)
    care(NOW + 2 * HOUR)

    assert list(Revocation.objects.values()) == before


def test_a_consent_that_ran_out_is_cleaned_up_without_a_revocation(alice: User, chat: Platform, link: Link) -> None:
    consent = share(alice, chat, link.current)
    lifecycle.expire_due(now=consent.expires_at)

    care(consent.expires_at)
    care(consent.expires_at + DAY)

    assert not Revocation.objects.exists()
    assert counts(link.current) == [0] * 5


# -- nothing waits for a bank ------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_t20_a_revocation_is_acknowledged_while_the_bank_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker asks a bank that does not answer. Were anything held meanwhile, this revocation would wait for it."""
    alice, chat = cast.alice(), cast.chat().platform
    link = linked(alice, "northbank")
    end(share(alice, chat, link.current), now=clock.now())
    sweep(clock.now())
    again = linked(alice, "northbank")
    consent = share(alice, chat, again.current)
    ledger.tokens(consent)
    asked, answers = threading.Event(), threading.Event()

    class Hanging:
        def revoke(self, *, bank_consent_id: str) -> None:
            asked.set()
            assert answers.wait(60)
            raise BankUnavailable

    @contextmanager
    def connector_for(*_: Any, **__: Any) -> Any:
        yield Hanging()

    monkeypatch.setattr(sessions, "connector_for", connector_for)

    def worker() -> None:
        try:
            tasks.end_upstream(str(UpstreamEnding.objects.get().id))
        finally:
            database.close_all()

    with ThreadPoolExecutor(1) as pool:
        hung = pool.submit(worker)
        try:
            assert asked.wait(30)

            ended = end(consent, now=clock.now())

            assert ended.status == "REVOKED"
            assert not AccessToken.objects.exists()
            assert not hung.done()  # the bank hangs to this moment, and it is acknowledged all the same
        finally:
            answers.set()
        hung.result(30)
    assert upstream.dispatchable(now=clock.now() + HOUR) != []
