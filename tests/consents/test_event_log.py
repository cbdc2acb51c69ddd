"""What is laid into which platform's log, in which order, how far it was acknowledged, and what is forgotten."""

from datetime import datetime, timedelta
from uuid import UUID, uuid4

import pytest

from consents import event_log, events, lifecycle, tasks
from consents.errors import EventsGone
from consents.events import EventType
from consents.models import Consent, ConsentAccount, Delivery, Event, EventLog, Platform, Revocation
from consents.scopes import Scope
from gateway.identity.models import User
from tests.support import ledger
from tests.support.ledger import BY_PLATFORM, BY_USER, NOW, SHOWN

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)
LINK = UUID(int=7)


@pytest.fixture
def alice() -> User:
    return ledger.user("alice")


@pytest.fixture
def chat() -> Platform:
    return ledger.platform("Chat")


@pytest.fixture
def budget() -> Platform:
    return ledger.platform("Budget")


def consented(user: User, platform: Platform, *links: UUID) -> Consent:
    lodged = lifecycle.request(
        user_id=user.id, platform=platform, asked=ledger.asked({Scope.ACCOUNTS}), actor=BY_PLATFORM, now=NOW
    )
    return lifecycle.authorise(
        consent_id=lodged.id,
        user_id=user.id,
        accounts=[
            lifecycle.AccountChoice(account_id=uuid4(), connection_id=link, institution_id=uuid4())
            for link in links or (LINK,)
        ],
        scopes=[Scope.ACCOUNTS],
        disclosure=SHOWN,
        actor=BY_USER,
        now=NOW,
    )


def revoke(consent: Consent, now: datetime = NOW + DAY) -> None:
    lifecycle.revoke(consent_id=consent.id, reason="user_revoked", actor=BY_USER, now=now)


def updated(user: User, link: UUID = LINK, now: datetime = NOW) -> Event:
    return events.publish(EventType.TRANSACTIONS_UPDATED, now=now, user_id=user.id, connection_id=link)


def told(platform: Platform) -> list[tuple[int, str, UUID]]:
    rows = Delivery.objects.filter(platform_id=platform.id).order_by("sequence").select_related("event")
    return [(row.sequence, row.event.type, row.consent_id) for row in rows]


# -- laying ------------------------------------------------------------------------------------------------------------


def test_a_consents_events_go_to_its_own_platform_in_the_order_they_happened(
    alice: User, chat: Platform, budget: Platform
) -> None:
    consent = consented(alice, chat)
    lifecycle.pause(consent_id=consent.id, user_id=alice.id, actor=BY_USER, now=NOW + timedelta(hours=1))
    revoke(consent)

    assert event_log.spread(now=NOW + DAY) == 3

    assert told(chat) == [
        (1, "consent.granted", consent.id),
        (2, "consent.paused", consent.id),
        (3, "consent.revoked", consent.id),
    ]
    assert told(budget) == []
    assert not Event.objects.filter(spread_at=None).exists()
    assert EventLog.objects.get(platform=chat).last_sequence == 3


def test_a_consents_events_keep_their_order_though_a_hand_waited_for_its_turn(alice: User, chat: Platform) -> None:
    """It read the clock before it got the row; in the other order a platform would take a stopped consent for live."""
    consent = consented(alice, chat)
    event_log.spread(now=NOW)
    lifecycle.pause(consent_id=consent.id, user_id=alice.id, actor=BY_USER, now=NOW + DAY)
    lifecycle.resume(consent_id=consent.id, user_id=alice.id, actor=BY_USER, now=NOW + DAY)
    revoke(consent, now=NOW + DAY - timedelta(milliseconds=20))

    event_log.spread(now=NOW + DAY)

    assert [kind for _, kind, _ in told(chat)][1:] == ["consent.paused", "consent.resumed", "consent.revoked"]


def test_what_is_laid_is_laid_once(alice: User, chat: Platform) -> None:
    consented(alice, chat)
    event_log.spread(now=NOW)

    assert event_log.spread(now=NOW) == 0
    assert len(told(chat)) == 1


def test_each_platform_counts_for_itself_and_goes_on_counting(alice: User, chat: Platform, budget: Platform) -> None:
    first, second = consented(alice, chat), consented(alice, budget)
    event_log.spread(now=NOW)
    revoke(first)
    revoke(second)
    event_log.spread(now=NOW)

    for platform in (chat, budget):
        assert [number for number, _, _ in told(platform)] == [1, 2]


def test_what_concerns_a_connection_goes_to_every_live_consent_on_it(
    alice: User, chat: Platform, budget: Platform
) -> None:
    first, second = consented(alice, chat), consented(alice, chat, LINK, UUID(int=8))
    third, elsewhere = consented(alice, budget), consented(alice, budget, UUID(int=8))
    event_log.spread(now=NOW)
    Delivery.objects.all().delete()
    updated(alice)

    event_log.spread(now=NOW)

    assert sorted(consent for _, _, consent in told(chat)) == sorted([first.id, second.id])
    assert [consent for _, _, consent in told(budget)] == [third.id]
    assert elsewhere.id not in {consent for _, _, consent in told(budget)}


def test_what_concerns_a_connection_goes_to_no_ended_consent_no_stopped_account_and_no_other_user(
    alice: User, chat: Platform
) -> None:
    ended, waiting, suspended, foreign = (
        consented(alice, chat),
        consented(alice, chat),
        consented(alice, chat),
        consented(ledger.user("bob"), chat),
    )
    revoke(ended, NOW)
    Consent.objects.filter(id=waiting.id).update(status="AWAITING_AUTHORISATION")
    ConsentAccount.objects.filter(consent=suspended).update(status="SUSPENDED")
    event_log.spread(now=NOW)
    Delivery.objects.all().delete()
    updated(alice)

    event_log.spread(now=NOW)

    assert told(chat) == []
    assert foreign.user_id != alice.id


def test_a_paused_consent_keeps_its_place_in_the_log(alice: User, chat: Platform) -> None:
    """Whether it is told is decided when it is read."""
    consent = consented(alice, chat)
    lifecycle.pause(consent_id=consent.id, user_id=alice.id, actor=BY_USER, now=NOW)
    updated(alice)

    event_log.spread(now=NOW)

    assert "transactions.updated" in {kind for _, kind, _ in told(chat)}


def test_an_event_that_concerns_nobody_or_a_platform_that_is_gone_holds_nothing_up(alice: User, chat: Platform) -> None:
    updated(alice, uuid4())
    events.publish(EventType.CONSENT_GRANTED, now=NOW, platform_id=uuid4(), consent_id=uuid4())
    events.publish(EventType.CONSENT_GRANTED, now=NOW)
    consent = consented(alice, chat)

    assert event_log.spread(now=NOW) == 4
    assert [found for _, _, found in told(chat)] == [consent.id]
    assert Delivery.objects.count() == 1


def test_more_than_a_batch_is_laid_in_one_go(alice: User, chat: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_log, "BATCH", 2)
    consented(alice, chat)
    for minute in range(5):
        updated(alice, now=NOW + timedelta(minutes=1 + minute))

    tasks.spread()

    assert [number for number, _, _ in told(chat)] == [1, 2, 3, 4, 5, 6]
    laid = [row.event.occurred_at for row in Delivery.objects.order_by("sequence").select_related("event")]
    assert laid == sorted(laid)
    assert tasks.spread.name == "consents.spread"


# -- reading -----------------------------------------------------------------------------------------------------------


def laid(alice: User, chat: Platform, count: int) -> Consent:
    """`consent.granted`, and `count` - 1 events after it."""
    consent = consented(alice, chat)
    for minute in range(1, count):
        updated(alice, now=NOW + timedelta(minutes=minute))
    event_log.spread(now=NOW)
    return consent


def numbers(page: event_log.LogPage) -> list[int]:
    return [delivery.sequence for delivery in page.deliveries]


def test_pages_follow_one_another_without_a_gap(alice: User, chat: Platform) -> None:
    laid(alice, chat, 5)

    first = event_log.page(chat.id, after=None, limit=2)
    second = event_log.page(chat.id, after=first.position, limit=2)
    third = event_log.page(chat.id, after=second.position, limit=2)

    assert [numbers(page) for page in (first, second, third)] == [[1, 2], [3, 4], [5]]
    assert [page.has_more for page in (first, second, third)] == [True, True, False]
    assert event_log.page(chat.id, after=third.position, limit=2) == event_log.LogPage([], 5, False)


def test_without_a_position_one_begins_after_what_was_acknowledged(alice: User, chat: Platform) -> None:
    laid(alice, chat, 4)

    assert event_log.acknowledge(chat.id, through=3, now=NOW) == 3
    assert numbers(event_log.page(chat.id, after=None, limit=10)) == [4]
    assert numbers(event_log.page(chat.id, after=1, limit=10)) == [2, 3, 4]


def test_acknowledging_moves_forward_only(alice: User, chat: Platform) -> None:
    laid(alice, chat, 4)
    event_log.acknowledge(chat.id, through=3, now=NOW)

    assert event_log.acknowledge(chat.id, through=1, now=NOW + DAY) == 3
    log = EventLog.objects.get(platform=chat)
    assert (log.acknowledged_sequence, log.acknowledged_at) == (3, NOW)


def test_what_was_never_laid_cannot_be_acknowledged_nor_read_past(alice: User, chat: Platform) -> None:
    laid(alice, chat, 2)

    with pytest.raises(EventsGone) as ahead:
        event_log.acknowledge(chat.id, through=3, now=NOW)
    assert ahead.value.position == 2
    with pytest.raises(EventsGone):
        event_log.page(chat.id, after=3, limit=10)


def test_a_platform_without_events_has_an_empty_log(chat: Platform) -> None:
    assert event_log.page(chat.id, after=None, limit=10) == event_log.LogPage([], 0, False)
    assert event_log.acknowledge(chat.id, through=0, now=NOW) == 0
    assert not EventLog.objects.exists()


def test_another_platforms_log_is_another(alice: User, chat: Platform, budget: Platform) -> None:
    laid(alice, chat, 3)

    assert event_log.page(budget.id, after=None, limit=10).deliveries == []
    event_log.acknowledge(chat.id, through=2, now=NOW)
    assert not EventLog.objects.filter(platform=budget).exists()


# -- a revocation that was told ----------------------------------------------------------------------------------------


def test_acknowledging_past_a_revocation_acknowledges_it_once_it_was_told(alice: User, chat: Platform) -> None:
    told_of, untold = consented(alice, chat), consented(alice, chat)
    for consent in (told_of, untold):
        revoke(consent)
    event_log.spread(now=NOW + DAY)
    event_log.revocations.notified([told_of.id], now=NOW + DAY)

    event_log.acknowledge(chat.id, through=4, now=NOW + 2 * DAY)

    assert Revocation.objects.get(consent=told_of).acknowledged_at == NOW + 2 * DAY
    assert Revocation.objects.get(consent=untold).acknowledged_at is None


def test_a_revocation_after_what_was_acknowledged_waits(alice: User, chat: Platform) -> None:
    consent = consented(alice, chat)
    revoke(consent)
    event_log.spread(now=NOW + DAY)
    event_log.revocations.notified([consent.id], now=NOW + DAY)

    event_log.acknowledge(chat.id, through=1, now=NOW + DAY)

    assert Revocation.objects.get().acknowledged_at is None


def test_steps_of_a_revocation_keep_their_first_instant(alice: User, chat: Platform) -> None:
    consent = consented(alice, chat)
    revoke(consent)

    assert event_log.revocations.notified([consent.id], now=NOW + DAY) == 1
    assert event_log.revocations.notified([consent.id], now=NOW + 2 * DAY) == 0
    assert event_log.revocations.acknowledged([consent.id], now=NOW + 3 * DAY) == 1
    assert event_log.revocations.acknowledged([consent.id], now=NOW + 4 * DAY) == 0
    row = Revocation.objects.get()
    assert (row.notified_at, row.acknowledged_at) == (NOW + DAY, NOW + 3 * DAY)


# -- forgetting --------------------------------------------------------------------------------------------------------


def test_what_is_older_than_30_days_goes_and_the_rest_can_be_read(alice: User, chat: Platform) -> None:
    laid(alice, chat, 2)
    updated(alice, now=NOW + DAY)
    event_log.spread(now=NOW + DAY)

    assert event_log.forget(now=NOW + event_log.KEPT_FOR - timedelta(seconds=1)) == 0
    assert event_log.forget(now=NOW + event_log.KEPT_FOR) == 2 + 1  # the granted one, and an update a minute younger

    assert numbers(event_log.page(chat.id, after=2, limit=10)) == [3]
    for after in (None, 0, 1):
        with pytest.raises(EventsGone) as gone:
            event_log.page(chat.id, after=after, limit=10)
        assert gone.value.position == 2


def test_what_went_before_an_older_number_is_said_to_be_gone(alice: User, chat: Platform) -> None:
    """Two hosts whose clocks differ, or two sweeps of which the second is faster."""
    laid(alice, chat, 4)
    Delivery.objects.exclude(sequence=2).update(created_at=NOW + DAY)
    event_log.forget(now=NOW + event_log.KEPT_FOR)

    assert event_log.page(chat.id, after=0, limit=10).position == 1
    assert event_log.page(chat.id, after=0, limit=10).has_more
    with pytest.raises(EventsGone) as gone:
        event_log.page(chat.id, after=1, limit=10)
    assert gone.value.position == 2
    assert numbers(event_log.page(chat.id, after=2, limit=10)) == [3, 4]


def test_a_log_that_was_forgotten_to_the_end_says_so_and_goes_on(alice: User, chat: Platform) -> None:
    laid(alice, chat, 3)
    event_log.forget(now=NOW + 2 * event_log.KEPT_FOR)

    with pytest.raises(EventsGone) as gone:
        event_log.page(chat.id, after=1, limit=10)
    assert gone.value.position == 3
    assert event_log.page(chat.id, after=3, limit=10) == event_log.LogPage([], 3, False)
    updated(alice, now=NOW + 2 * event_log.KEPT_FOR)
    event_log.spread(now=NOW + 2 * event_log.KEPT_FOR)
    assert numbers(event_log.page(chat.id, after=3, limit=10)) == [4]


def test_an_event_stays_while_a_delivery_of_it_is_kept_or_it_was_not_laid(alice: User, chat: Platform) -> None:
    consented(alice, chat)
    late = NOW + 40 * DAY
    event_log.spread(now=late)
    updated(alice)

    event_log.forget(now=late)

    assert Event.objects.count() == 2
    assert len(told(chat)) == 1


def test_an_event_that_concerned_nobody_goes_with_age(alice: User) -> None:
    updated(alice)
    event_log.spread(now=NOW)

    assert event_log.forget(now=NOW + DAY) == 0
    assert event_log.forget(now=NOW + event_log.KEPT_FOR) == 1
    assert not Event.objects.exists()


def test_the_sweep_forgets(alice: User, chat: Platform) -> None:
    laid(alice, chat, 3)
    Delivery.objects.update(created_at=NOW - 300 * DAY)
    Event.objects.update(occurred_at=NOW - 300 * DAY)

    tasks.sweep()

    assert not Delivery.objects.exists()
