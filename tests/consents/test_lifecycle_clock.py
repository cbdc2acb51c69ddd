"""What the clock does to a consent: one use, the announcement of its end, and everything of one person at once."""

from datetime import timedelta

import pytest

from consents import lifecycle
from consents.lifecycle import Narrower
from consents.models import AccessToken, AuditEntry, Consent, Event, Revocation, UsageRow
from consents.scopes import Scope
from consents.states import ConsentStatus
from tests.consents import given
from tests.support import ledger
from tests.support.ledger import BY_OPERATOR, BY_USER, NOW, SHOWN

pytestmark = pytest.mark.django_db

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


# -- one use -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def once(db: None) -> Consent:
    return given.authorised(narrower=Narrower(is_one_time=True))


def _read(consent: Consent, at: object) -> None:
    """As banks.permitted leaves it: the read is logged, and the hour begins."""
    UsageRow.objects.create(
        month=NOW.date().replace(day=1),
        user_id=consent.user_id,
        consent_id=consent.id,
        platform_id=consent.platform_id,
        record="account",
        purpose="account_overview",
        rows=1,
        request_id="r",
        read_at=at,
    )
    lifecycle.begin_use(consent.id, now=at)  # type: ignore[arg-type]
    consent.refresh_from_db()


def test_a_consent_for_one_use_waits_a_day_for_it(once: Consent) -> None:
    assert (once.duration_type, once.duration_days) == ("ONE_TIME", None)
    assert once.expires_at == NOW + DAY


def test_the_first_read_starts_the_hour_and_later_ones_do_not_stretch_it(once: Consent) -> None:
    _read(once, NOW + MINUTE)
    assert once.expires_at == NOW + MINUTE + HOUR

    _read(once, NOW + 30 * MINUTE)
    assert once.expires_at == NOW + MINUTE + HOUR
    assert once.revision == 2  # the next page of the same use fits the same permit


def test_a_first_read_late_in_the_day_adds_nothing(once: Consent) -> None:
    _read(once, NOW + DAY - MINUTE)

    assert once.expires_at == NOW + DAY


@pytest.mark.parametrize("status", [s for s in ConsentStatus if s != "AUTHORISED"])
def test_no_use_begins_of_what_is_not_in_force(once: Consent, status: ConsentStatus) -> None:
    given.brought_to(status, once)

    lifecycle.begin_use(once.id, now=NOW + MINUTE)

    once.refresh_from_db()
    assert once.expires_at == NOW + DAY


def test_a_consent_for_a_time_knows_no_use() -> None:
    consent = given.authorised()

    lifecycle.begin_use(consent.id, now=NOW + MINUTE)

    consent.refresh_from_db()
    assert consent.expires_at == NOW + given.DAYS * DAY


def test_used_is_consumed_and_its_tokens_end(once: Consent) -> None:
    ledger.tokens(once)
    _read(once, NOW + MINUTE)

    assert lifecycle.expire_due(now=once.expires_at) == 1

    once.refresh_from_db()
    assert (once.status, once.status_reason, once.status_initiator) == ("CONSUMED", "consumed", "SYSTEM")
    assert not AccessToken.objects.exists()
    assert Event.objects.latest("occurred_at").type == "consent.expired"
    assert not Revocation.objects.exists()  # nobody's hand: there is nothing to measure


def test_unused_or_paused_it_is_merely_expired(once: Consent) -> None:
    other = given.authorised(once.user, once.platform, narrower=Narrower(is_one_time=True))
    _read(other, NOW)
    given.paused(other)

    assert lifecycle.expire_due(now=NOW + DAY) == 2

    for consent in (once, other):
        consent.refresh_from_db()
        assert (consent.status, consent.status_reason) == ("EXPIRED", "expired")


def test_it_is_neither_announced_nor_renewed(once: Consent) -> None:
    assert lifecycle.announce_expiring(now=NOW + HOUR) == 0
    with pytest.raises(lifecycle.changing.TransitionRefused):
        lifecycle.renew(
            consent_id=once.id, user_id=once.user_id, duration_days=1, disclosure=SHOWN, actor=BY_USER, now=NOW
        )


# -- its end is announced ----------------------------------------------------------------------------------------------


def _announced() -> list[object]:
    """Days told, in order."""
    rows = Event.objects.filter(type="consent.expiring").order_by("occurred_at")
    return [event.details["days"] for event in rows]


def test_the_end_is_announced_once_at_each_of_thirty_seven_and_one_days() -> None:
    consent = given.authorised()
    end = consent.expires_at

    for hours in range(24 * 40, -1, -6):
        lifecycle.announce_expiring(now=end - hours * HOUR)

    assert _announced() == [30, 7, 1]
    consent.refresh_from_db()
    assert consent.revision == 2  # nobody's permit is stale for it


def test_of_announcements_that_were_missed_only_the_last_is_made_up_for() -> None:
    consent = given.authorised()

    assert lifecycle.announce_expiring(now=consent.expires_at - 12 * HOUR) == 1
    assert lifecycle.announce_expiring(now=consent.expires_at - 11 * HOUR) == 0

    assert _announced() == [1]


def test_a_renewal_is_announced_anew() -> None:
    consent = given.authorised()
    lifecycle.announce_expiring(now=consent.expires_at - DAY)
    renewed_at = consent.expires_at - HOUR
    renewed = lifecycle.renew(
        consent_id=consent.id,
        user_id=consent.user_id,
        duration_days=given.DAYS,
        disclosure=SHOWN,
        actor=BY_USER,
        now=renewed_at,
    )

    assert lifecycle.announce_expiring(now=renewed_at) == 0
    assert lifecycle.announce_expiring(now=renewed.expires_at - 30 * DAY) == 1

    assert _announced() == [1, 30]


@pytest.mark.parametrize(("days", "told"), [(1, []), (7, [1]), (8, [7, 1]), (30, [7, 1]), (31, [30, 7, 1])])
def test_a_short_consent_is_not_announced_the_moment_it_is_given(days: int, told: list[int]) -> None:
    end = given.authorised(duration_days=days).expires_at

    for hours in range(24 * days, -1, -6):
        lifecycle.announce_expiring(now=end - hours * HOUR)

    assert _announced() == told


def test_gone_on_with_for_a_few_days_it_is_not_announced_at_once() -> None:
    consent = given.authorised()
    lifecycle.renew(
        consent_id=consent.id, user_id=consent.user_id, duration_days=5, disclosure=SHOWN, actor=BY_USER, now=NOW + DAY
    )

    assert lifecycle.announce_expiring(now=NOW + DAY) == 0


@pytest.mark.parametrize("status", ["AWAITING_AUTHORISATION", "REJECTED", "REVOKED", "EXPIRED", "CONSUMED"])
def test_what_is_not_live_is_not_announced(status: str) -> None:
    consent = given.authorised()
    Consent.objects.update(status=status)

    assert lifecycle.announce_expiring(now=consent.expires_at - DAY) == 0


def test_what_has_ended_by_the_clock_is_not_announced() -> None:
    assert lifecycle.announce_expiring(now=given.authorised().expires_at) == 0


# -- everything of one person ------------------------------------------------------------------------------------------


def test_stop_everything_ends_each_live_consent_turns_down_open_questions_and_leaves_others_alone() -> None:
    alice, bob, chat, budget = ledger.user("alice"), ledger.user("bob"), ledger.platform(), ledger.platform("Budget")
    live = [
        given.authorised(alice, chat),
        given.paused(given.authorised(alice, budget)),
        given.suspended(given.authorised(alice, chat)),
    ]
    question = given.lodged(alice, chat, [Scope.ACCOUNTS])
    over = given.authorised(alice, chat)
    Consent.objects.filter(id=over.id).update(expires_at=NOW + MINUTE)
    bobs = given.authorised(bob, chat)
    for consent in (*live, bobs):
        ledger.tokens(consent)

    ended = lifecycle.revoke_all(
        user_id=alice.id, reason="user_stopped_everything", actor=BY_USER, now=NOW + MINUTE, deletes_at_once=True
    )

    assert ended == sorted(consent.id for consent in live)
    assert {row.consent_id for row in Revocation.objects.filter(deletes_at_once=True)} == set(ended)
    assert set(Consent.objects.filter(id__in=ended).values_list("status", flat=True)) == {"REVOKED"}
    for row in (question, over, bobs):
        row.refresh_from_db()
    assert (question.status, question.status_reason) == ("REJECTED", "user_stopped_everything")
    assert (over.status, bobs.status) == ("AUTHORISED", "AUTHORISED")  # the clock ended the first: expire_due says so
    assert set(AccessToken.objects.values_list("consent_id", flat=True)) == {bobs.id}
    assert AuditEntry.objects.filter(action="consent.revoked", occurred_at=NOW + MINUTE).count() == 3
    assert lifecycle.revoke_all(user_id=alice.id, reason="x", actor=BY_USER, now=NOW + MINUTE) == []


def test_stop_everything_is_one_transaction(monkeypatch: pytest.MonkeyPatch) -> None:
    alice, chat = ledger.user("alice"), ledger.platform()
    consents = sorted((given.authorised(alice, chat) for _ in range(3)), key=lambda one: one.id)
    end_tokens = lifecycle.changing.end_tokens

    class Boom(Exception): ...

    def dies_at_the_last(consent_id: object) -> None:
        if consent_id == consents[-1].id:
            raise Boom
        end_tokens(consent_id)  # type: ignore[arg-type]

    monkeypatch.setattr(lifecycle.changing, "end_tokens", dies_at_the_last)
    with pytest.raises(Boom):
        lifecycle.revoke_all(user_id=alice.id, reason="x", actor=BY_OPERATOR, now=NOW)

    assert set(Consent.objects.values_list("status", flat=True)) == {"AUTHORISED"}
    assert not Revocation.objects.exists()
