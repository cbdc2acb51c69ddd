"""The user renews a connection at the bank: same accounts, same ids, same history; whatever fails changes nothing."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from banks import connections, endings, held_jobs, job_requests, renewal
from banks.connections import Finished
from banks.errors import (
    BankRefused,
    BankUnavailable,
    ConnectionNotFound,
    LinkStateInvalid,
    NotRenewable,
    OtherLogin,
    RenewalFailed,
    StaleLease,
)
from banks.models import Account, Connection, Institution, LinkAttempt, SyncJob, UpstreamEnding
from banks.renewal import ConnectionCard
from consents import clock
from consents.models import Consent, Event, Platform
from gateway.identity.models import User
from tests.support import cast, linked
from tests.support.linked import BALANCES, ROWS, SESSION, Linked

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)
ADDRESS = "203.0.113.7"


@pytest.fixture
def consent(world: Linked, alice: User, chat: Platform) -> Consent:
    """Alice shares with Chat for 90 days, the first sync is done, and the bank wants her to log in again."""
    consent = world.consent(alice, chat, BALANCES)
    assert linked.run().status == "COMMITTED"
    Connection.objects.update(status="REAUTH_REQUIRED", status_reason="reauth_required")
    return consent


def card_of(user: User) -> ConnectionCard:
    (card,) = renewal.own_connections(user.id, now=clock.now())
    return card


def start(user: User, **changes: Any) -> str:
    return renewal.start_renewal(
        **{
            "user_id": user.id,
            "connection_id": Connection.objects.get(user=user).id,
            "session_key": SESSION,
            "now": clock.now(),
            **changes,
        }
    )


def finish(world: Linked, user: User, back: dict[str, str], **changes: Any) -> Finished:
    return connections.finish_link(
        **{
            "user_id": user.id,
            "slug": world.slug,
            "session_key": SESSION,
            "parameters": back,
            "now": clock.now(),
            "customer_ip_address": ADDRESS,
            **changes,
        }
    )


def everything() -> list[Any]:
    """The connection, its accounts and rows, what is shared and what is due: all that a failure must leave alone."""
    return [
        Connection.objects.values().get(),
        linked.contents(),
        list(Consent.objects.order_by("id").values()),
        list(SyncJob.objects.order_by("id").values()),
    ]


# -- there and back ----------------------------------------------------------------------------------------------------


def test_a_renewal_keeps_accounts_ids_and_history_and_fetches_again(world: Linked, alice: User, chat: Platform) -> None:
    world.consent(alice, chat, ROWS)
    linked.run()
    old, contents = linked.the_connection(), linked.contents()
    kept = [(row.id, row.revision) for row in linked.rows()]
    Connection.objects.update(status="REAUTH_REQUIRED", expiry_announced_days=0)

    finished = finish(world, alice, world.at_the_bank(start(alice), "happy"))

    new = linked.the_connection()
    assert finished == Finished(consent_id=None, connection_id=old.id)
    assert (new.id, new.status, new.status_reason) == (old.id, "ACTIVE", "")
    assert new.bank_consent_id != old.bank_consent_id
    assert new.consent_expires_at is not None and new.expiry_announced_days is None
    assert linked.contents() == contents
    job = linked.the_job()
    assert (job.status, job.trigger, job.customer_ip_address) == ("QUEUED", "USER_PRESENT", ADDRESS)
    assert linked.run().status == "COMMITTED"
    assert kept and [(row.id, row.revision) for row in linked.rows()] == kept
    assert world.bank_consents()[old.bank_consent_id]["deleted"]
    assert UpstreamEnding.objects.get().status == "DONE"
    assert Event.objects.filter(type="connection.linked").count() == 2


def test_the_bank_is_asked_for_what_live_consents_need_and_nothing_else(
    world: Linked, alice: User, chat: Platform, budget: Platform, consent: Consent
) -> None:
    wide = world.consent(alice, budget, ROWS)
    cast.revoke(wide)
    Connection.objects.update(status="REAUTH_REQUIRED")

    start(alice)

    attempt = LinkAttempt.objects.latest("created_at")
    asked = world.bank_consents()[attempt.bank_consent_id]["permissions"]
    assert asked == ["ReadAccountsBasic", "ReadAccountsDetail", "ReadBalances"]
    assert (attempt.consent_id, attempt.renewed_connection_id) == (None, linked.the_connection().id)


def test_a_running_job_is_taken_from_its_holder(world: Linked, alice: User, consent: Consent) -> None:
    connection = linked.the_connection()
    job_requests.enqueue(connection.id, trigger="SCHEDULE", now=clock.now())  # type: ignore[arg-type]
    held = linked.claimed()

    finish(world, alice, world.at_the_bank(start(alice), "happy"))

    with pytest.raises(StaleLease):
        held_jobs.fence(held, stage="BALANCES")
    assert SyncJob.objects.get(id=held.job_id).trigger == "USER_PRESENT"


def test_the_login_counts_for_as_many_days_as_the_bank_says(world: Linked, alice: User, consent: Consent) -> None:
    Institution.objects.update(authentication_days_max=30)
    now = clock.now()

    finish(world, alice, world.at_the_bank(start(alice), "happy"), now=now)

    assert linked.the_connection().authentication_expires_at == now + 30 * DAY
    assert linked.the_connection().expiry_announced_days == 30  # who was just there is not told again at once


def test_what_is_not_ticked_any_more_is_not_served_and_comes_back_when_it_is(
    world: Linked, alice: User, consent: Consent
) -> None:
    kept = linked.accounts()[0]
    ids = [row.id for row in linked.accounts()]

    finish(world, alice, world.at_the_bank(start(alice), "happy", accounts=[kept.bank_account_id]))
    assert [row.is_covered for row in linked.accounts()] == [True, False]

    Connection.objects.update(status="REAUTH_REQUIRED")
    finish(world, alice, world.at_the_bank(start(alice), "happy"))
    assert [row.is_covered for row in linked.accounts()] == [True, True]
    assert [row.id for row in linked.accounts()] == ids


# -- when ------------------------------------------------------------------------------------------------------------


def test_a_link_that_works_is_renewed_from_30_days_before_its_end_on(
    world: Linked, alice: User, consent: Consent
) -> None:
    Connection.objects.update(status="ACTIVE", consent_expires_at=clock.now() + 31 * DAY)
    with pytest.raises(NotRenewable):
        start(alice)
    assert not card_of(alice).is_renewable

    Connection.objects.update(consent_expires_at=clock.now() + 29 * DAY)
    assert card_of(alice).is_renewable and not card_of(alice).needs_renewal
    assert start(alice)


def test_a_link_that_ends_with_what_is_shared_need_not_be_renewed(world: Linked, alice: User, chat: Platform) -> None:
    """The bank's consent was asked for minutes before the user said yes, for as long as the sharing lasts."""
    world.consent(alice, chat, BALANCES, duration_days=20)

    assert card_of(alice).ends_at is not None
    assert not card_of(alice).is_renewable


def test_nothing_is_renewed_that_nothing_needs(world: Linked, alice: User, consent: Consent) -> None:
    cast.revoke(consent)

    with pytest.raises(NotRenewable):
        start(alice)

    endings.sweep(now=clock.now())
    card = card_of(alice)
    assert (card.status, card.is_renewable, card.needs_renewal) == ("REVOKED", False, False)
    assert card.deleted_from is not None


def test_a_link_the_bank_ended_waits_for_the_user_and_is_mended(world: Linked, alice: User, consent: Consent) -> None:
    Connection.objects.update(status="REVOKED", status_reason="bank_consent_ended")
    assert card_of(alice).needs_renewal

    finish(world, alice, world.at_the_bank(start(alice), "happy"))

    assert not card_of(alice).needs_renewal
    assert linked.run().status == "COMMITTED"


def test_the_card_says_what_the_clocks_say(world: Linked, alice: User, consent: Consent) -> None:
    Connection.objects.update(status="ACTIVE", consent_expires_at=clock.now())
    assert (card_of(alice).status, card_of(alice).needs_renewal) == ("EXPIRED", True)

    Connection.objects.update(
        consent_expires_at=clock.now() + 60 * DAY, authentication_expires_at=clock.now() - timedelta(seconds=1)
    )
    assert (card_of(alice).status, card_of(alice).needs_renewal) == ("REAUTH_REQUIRED", True)


@pytest.mark.parametrize("spoil", ["another person", "nowhere", "closed"])
def test_a_foreign_an_absent_and_a_closed_link_are_one_answer(
    world: Linked, alice: User, bob: User, consent: Consent, spoil: str
) -> None:
    mark = world.mark()
    if spoil == "closed":
        Connection.objects.update(status="CLOSED")
    spoilt = {"another person": {"user_id": bob.id}, "nowhere": {"connection_id": cast.stranger()}}
    changes: dict[str, Any] = {"user_id": alice.id, "connection_id": Connection.objects.get().id}
    changes |= spoilt.get(spoil, {})

    with pytest.raises(ConnectionNotFound):
        start(alice, **changes)
    with pytest.raises(ConnectionNotFound):
        renewal.own_connection(**changes, now=clock.now())

    assert world.seen(after=mark).rows == []
    assert renewal.own_connections(bob.id, now=clock.now()) == []


# -- what goes wrong ---------------------------------------------------------------------------------------------------


def at_the_bank_says_no(world: Linked, alice: User) -> dict[str, str]:
    return world.at_the_bank(start(alice), "happy", decision="refuse")


def somebody_elses_login(world: Linked, alice: User) -> dict[str, str]:
    return world.at_the_bank(start(alice), "happy2")


def bank_goes_down(world: Linked, alice: User) -> dict[str, str]:
    back = world.at_the_bank(start(alice), "happy")
    world.fault(path_contains="/accounts", status=503, times=1)
    return back


@pytest.mark.parametrize(
    ("happens", "cause"),
    [(at_the_bank_says_no, BankRefused), (somebody_elses_login, OtherLogin), (bank_goes_down, BankUnavailable)],
)
def test_a_renewal_that_fails_leaves_everything_as_it_was(
    world: Linked, alice: User, consent: Consent, happens: Callable[..., dict[str, str]], cause: type[Exception]
) -> None:
    before = everything()
    back = happens(world, alice)

    with pytest.raises(RenewalFailed) as failed:
        finish(world, alice, back)

    assert isinstance(failed.value.cause, cause)
    assert failed.value.connection_id == Connection.objects.get().id
    assert everything() == before
    attempt = LinkAttempt.objects.latest("created_at")
    known = world.bank_consents()
    assert known[attempt.bank_consent_id]["deleted"]
    assert not known[linked.the_connection().bank_consent_id]["deleted"]
    assert UpstreamEnding.objects.get().bank_consent_id == attempt.bank_consent_id
    with pytest.raises(LinkStateInvalid):
        finish(world, alice, back)


def test_a_bank_that_is_down_at_the_start_leaves_no_trace(world: Linked, alice: User, consent: Consent) -> None:
    before = everything()
    world.fault(path_contains="account-access-consents", status=503, times=1)
    attempts = LinkAttempt.objects.count()

    with pytest.raises(BankUnavailable):
        start(alice)

    assert everything() == before and LinkAttempt.objects.count() == attempts


@pytest.mark.parametrize(
    "wrong",
    [
        {"session_key": "another browser"},
        {"slug": "other-bank"},
        {"later": timedelta(minutes=10)},
        {"user": "bob"},
    ],
    ids=["session", "bank", "late", "user"],
)
def test_a_way_back_that_is_not_this_ones_renews_nothing_and_the_right_browser_still_may(
    world: Linked, alice: User, bob: User, consent: Consent, wrong: dict[str, Any]
) -> None:
    cast.institution("other-bank")
    back = world.at_the_bank(start(alice), "happy")
    before, mark = everything(), world.mark()

    changes = {name: value for name, value in wrong.items() if name in ("session_key", "slug")}
    now = clock.now() + wrong.get("later", timedelta(0))

    with pytest.raises(LinkStateInvalid):
        finish(world, bob if "user" in wrong else alice, back, now=now, **changes)

    assert everything() == before and world.seen(after=mark).rows == []
    assert finish(world, alice, back).consent_id is None


def test_the_last_consent_that_ends_while_at_the_bank_keeps_the_link_from_being_renewed(
    world: Linked, alice: User, consent: Consent
) -> None:
    back = world.at_the_bank(start(alice), "happy")
    cast.revoke(consent)
    before, mark = everything(), world.mark()

    with pytest.raises(NotRenewable):
        finish(world, alice, back)

    assert everything() == before
    assert world.seen(after=mark).grants("authorization_code") == []
    assert world.bank_consents()[LinkAttempt.objects.latest("created_at").bank_consent_id]["deleted"]


def test_a_link_that_ended_while_the_bank_was_asked_stays_ended(
    world: Linked, alice: User, consent: Consent, monkeypatch: pytest.MonkeyPatch
) -> None:
    back = world.at_the_bank(start(alice), "happy")
    require = renewal._require_needed
    looked: list[object] = []

    def ended_after_the_first_look(connection: Connection | None, now: Any) -> Connection:
        looked.append(connection)
        if len(looked) == 2:
            cast.revoke(consent)
        return require(connection, now)

    monkeypatch.setattr(renewal, "_require_needed", ended_after_the_first_look)

    with pytest.raises(NotRenewable):
        finish(world, alice, back)

    assert linked.the_connection().status == "REAUTH_REQUIRED"
    assert world.bank_consents()[LinkAttempt.objects.latest("created_at").bank_consent_id]["deleted"]


def test_a_link_of_another_person_at_the_same_bank_is_never_renewed_by_mine(
    world: Linked, alice: User, bob: User, chat: Platform, consent: Consent
) -> None:
    world.consent(bob, chat, BALANCES, customer="happy2")
    theirs = Connection.objects.values().get(user=bob)

    with pytest.raises(RenewalFailed):
        finish(world, alice, world.at_the_bank(start(alice), "happy2"))

    assert Connection.objects.values().get(user=bob) == theirs
    assert {row.user_id for row in Account.objects.for_sync().filter(connection__user=bob)} == {bob.id}
