"""The user disconnects a bank: every app loses what came from there, at once, and nothing of other banks."""

from datetime import timedelta

import pytest

from banks import attempts, disconnect, job_requests, purge, sharing
from banks.errors import ConnectionNotFound
from banks.models import Account, Connection, Institution, LinkAttempt, SyncJob, SyncTrigger, UpstreamEnding
from consents import lifecycle
from consents.errors import ConsentError, TransitionRefused
from consents.models import AuditEntry, Consent, ConsentAccount, Event, Platform, Revocation
from consents.scopes import Purpose, Scope
from consents.states import Initiator
from gateway.identity.models import User
from tests.support import cast

pytestmark = pytest.mark.django_db

NOW = cast.NOW
SESSION = "session-of-the-right-browser"


@pytest.fixture
def northbank(db: None) -> Institution:
    return cast.institution(now=NOW)


@pytest.fixture
def southbank(db: None) -> Institution:
    return cast.institution("southbank", now=NOW)


@pytest.fixture
def link(alice: User, northbank: Institution) -> Connection:
    row = cast.connection(alice, northbank, now=NOW)
    Connection.objects.filter(id=row.id).update(bank_consent_id="at-northbank", next_sync_at=NOW)
    return Connection.objects.get(id=row.id)


@pytest.fixture
def everyday(link: Connection) -> Account:
    return cast.account(link, "everyday")


@pytest.fixture
def elsewhere(alice: User, southbank: Institution) -> Account:
    return cast.account(cast.connection(alice, southbank, now=NOW), "elsewhere")


def share(user: User, platform: Platform, *accounts: Account, purpose: Purpose = Purpose.ACCOUNT_OVERVIEW) -> Consent:
    chosen = [cast.choice(account) for account in accounts]
    return cast.authorised_consent(user, platform, accounts=chosen, purposes=[purpose], now=NOW)


def disconnected(link: Connection, *, deletes_at_once: bool = False) -> bool:
    return disconnect.disconnect(
        user_id=link.user_id, connection_id=link.id, actor=cast.BY_USER, now=NOW, deletes_at_once=deletes_at_once
    )


def test_a_consent_with_no_other_bank_ends(alice: User, chat: Platform, link: Connection, everyday: Account) -> None:
    consent = share(alice, chat, everyday)

    assert disconnected(link)

    consent.refresh_from_db()
    assert (consent.status, consent.status_reason) == ("REVOKED", "bank_disconnected")
    assert consent.status_initiator == Initiator.USER
    assert not Revocation.objects.get(consent=consent).deletes_at_once
    assert ConsentAccount.objects.get().status == "REVOKED"


def test_a_consent_with_another_bank_goes_on_there(
    alice: User, chat: Platform, link: Connection, everyday: Account, elsewhere: Account
) -> None:
    consent = share(alice, chat, everyday, elsewhere)
    revision = consent.revision

    assert disconnected(link)

    consent.refresh_from_db()
    assert consent.status == "AUTHORISED"
    assert consent.revision > revision
    statuses = dict(ConsentAccount.objects.values_list("account_id", "status"))
    assert statuses == {everyday.id: "REVOKED", elsewhere.id: "ACTIVE"}
    told = Event.objects.get(type="consent.narrowed")
    assert told.details["institution_id"] == str(link.institution_id)
    assert Connection.objects.get(id=elsewhere.connection_id).unneeded_at is None


def test_the_link_ends_with_all_that_hangs_on_it(
    alice: User, chat: Platform, budget: Platform, link: Connection, everyday: Account
) -> None:
    share(alice, chat, everyday)
    share(alice, budget, everyday, purpose=Purpose.BUDGETING)
    job_requests.enqueue(link.id, trigger=SyncTrigger.SCHEDULE, now=NOW)

    assert disconnected(link)

    ended = Connection.objects.get(id=link.id)
    assert (ended.status, ended.unneeded_at, ended.next_sync_at) == ("REVOKED", NOW, None)
    assert SyncJob.objects.get().status == "CANCELLED"
    assert UpstreamEnding.objects.get().bank_consent_id == "at-northbank"
    assert set(Consent.objects.values_list("status", flat=True)) == {"REVOKED"}
    entry = AuditEntry.objects.get(action="connection.disconnected")
    assert (entry.initiator, entry.user_pseudonym) == (Initiator.USER, alice.pseudonym)


@pytest.mark.parametrize("deletes_at_once", [True, False])
def test_rows_go_with_the_next_sweep_or_after_a_day(
    alice: User, chat: Platform, link: Connection, everyday: Account, deletes_at_once: bool
) -> None:
    share(alice, chat, everyday)

    disconnected(link, deletes_at_once=deletes_at_once)
    purge.sweep(now=NOW)

    assert Account.objects.for_sync().filter(id=everyday.id).exists() != deletes_at_once
    purge.sweep(now=NOW + timedelta(hours=24))
    assert not Account.objects.for_sync().filter(id=everyday.id).exists()


def test_deleting_at_once_keeps_what_other_links_hold(
    alice: User, chat: Platform, link: Connection, everyday: Account, elsewhere: Account
) -> None:
    share(alice, chat, everyday, elsewhere)

    disconnected(link, deletes_at_once=True)
    purge.sweep(now=NOW)

    assert list(Account.objects.for_sync().values_list("id", flat=True)) == [elsewhere.id]


def test_a_question_forgets_what_this_bank_showed(
    alice: User, chat: Platform, link: Connection, everyday: Account
) -> None:
    question = cast.requested_consent(alice, chat, now=NOW)
    LinkAttempt.objects.create(
        state_digest=attempts.digest("shown"),
        session_digest=attempts.digest(SESSION),
        user=alice,
        institution=link.institution,
        consent_id=question.id,
        bank_consent_id="at-northbank",
        sealed_secrets=b"",
        created_at=NOW,
        expires_at=NOW,
        used_at=NOW,
        connection_id=link.id,
        account_ids=[str(everyday.id)],
    )

    assert disconnected(link)

    with pytest.raises((ConsentError, ValueError)):
        sharing.grant(
            consent_id=question.id,
            user_id=alice.id,
            session_key=SESSION,
            account_ids=[everyday.id],
            scopes=[Scope.BALANCES],
            disclosure=cast.DISCLOSURE,
            actor=cast.BY_USER,
            now=NOW,
        )
    assert not ConsentAccount.objects.exists()
    question.refresh_from_db()
    assert question.status == "AWAITING_AUTHORISATION"


def test_twice_is_once(alice: User, chat: Platform, link: Connection, everyday: Account) -> None:
    share(alice, chat, everyday)

    assert [disconnected(link), disconnected(link)] == [True, False]

    assert Revocation.objects.count() == 1
    assert AuditEntry.objects.filter(action="connection.disconnected").count() == 1


def test_somebody_elses_link_is_not_there(
    alice: User, bob: User, chat: Platform, link: Connection, everyday: Account
) -> None:
    consent = share(alice, chat, everyday)

    with pytest.raises(ConnectionNotFound):
        disconnect.disconnect(user_id=bob.id, connection_id=link.id, actor=cast.BY_USER, now=NOW)
    with pytest.raises(ConnectionNotFound):
        disconnect.affected(user_id=bob.id, connection_id=link.id, now=NOW)

    consent.refresh_from_db()
    assert consent.status == "AUTHORISED"


def test_what_it_would_do_is_told_by_platform(
    alice: User, chat: Platform, budget: Platform, link: Connection, everyday: Account, elsewhere: Account
) -> None:
    share(alice, chat, everyday, elsewhere)
    share(alice, budget, everyday, cast.account(link, "savings"), purpose=Purpose.BUDGETING)
    cast.revoke(share(alice, chat, everyday), now=NOW)

    told = disconnect.affected(user_id=alice.id, connection_id=link.id, now=NOW)

    assert [(one.platform, one.accounts, one.ends) for one in told] == [("budget", 2, True), ("chat", 1, False)]


def test_leaving_a_link_that_gives_a_consent_nothing_is_refused(
    alice: User, chat: Platform, link: Connection, elsewhere: Account
) -> None:
    consent = share(alice, chat, elsewhere)

    with pytest.raises(TransitionRefused):
        lifecycle.leave_connection(
            consent_id=consent.id,
            user_id=alice.id,
            connection_id=link.id,
            reason="test",
            actor=cast.BY_USER,
            now=NOW,
        )

    consent.refresh_from_db()
    assert consent.status == "AUTHORISED"
