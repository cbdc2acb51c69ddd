"""Every change of a consent: allowed or refused from each status, audited and published with it or not at all."""

from collections.abc import Callable
from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import IntegrityError, transaction

from consents import lifecycle
from consents.errors import ConsentNotFound, PlatformNotUsable, TransitionRefused
from consents.facts import consent_facts
from consents.lifecycle import changing
from consents.models import AccessToken, AuditEntry, Consent, ConsentAccount, Event, Grant, Platform, RefreshToken
from consents.scopes import Scope, SensitiveGroup
from consents.states import CONSENT_TRANSITIONS, PLATFORM_TRANSITIONS, ConsentStatus, PlatformStatus
from gateway.identity.models import User
from tests.support import ledger
from tests.support.ledger import BY_PLATFORM, BY_USER, NOW, SHOWN

pytestmark = pytest.mark.django_db

MINUTE = timedelta(minutes=1)


@pytest.fixture
def alice() -> User:
    return ledger.user("alice")


@pytest.fixture
def chat() -> Platform:
    return ledger.platform()


@pytest.fixture
def lodged(alice: User, chat: Platform) -> Consent:
    return lifecycle.request(
        user_id=alice.id,
        platform=chat,
        asked=ledger.asked({Scope.ACCOUNTS, Scope.BALANCES, Scope.TRANSACTIONS, Scope.MERCHANTS}),
        actor=BY_PLATFORM,
        now=NOW,
    )


def _choices(count: int = 1) -> list[lifecycle.AccountChoice]:
    return [
        lifecycle.AccountChoice(account_id=uuid4(), connection_id=uuid4(), institution_id=uuid4()) for _ in range(count)
    ]


def _authorise(consent: Consent, **changes: object) -> Consent:
    values: dict[str, object] = {
        "consent_id": consent.id,
        "user_id": consent.user_id,
        "accounts": _choices(),
        "scopes": [Scope.ACCOUNTS],
        "disclosure": SHOWN,
        "actor": BY_USER,
        "now": NOW + MINUTE,
        **changes,
    }
    return lifecycle.authorise(**values)  # type: ignore[arg-type]


def _reject(consent: Consent) -> Consent:
    return lifecycle.reject(
        consent_id=consent.id, user_id=consent.user_id, reason="declined", actor=BY_USER, now=NOW + MINUTE
    )


def _revoke(consent: Consent) -> Consent:
    return lifecycle.revoke(consent_id=consent.id, reason="user_revoked", actor=BY_USER, now=NOW + MINUTE)


def _expire(consent: Consent) -> Consent:
    """By the clock; refused, for this table, when nothing was written."""
    if not lifecycle.expire_due(now=consent.expires_at):
        raise TransitionRefused
    consent.refresh_from_db()
    return consent


def _in(consent: Consent, status: ConsentStatus) -> Consent:
    Consent.objects.filter(id=consent.id).update(status=status)
    consent.refresh_from_db()
    return consent


def _written() -> tuple[list[str], list[str]]:
    """Actions audited and event types published, in order of writing."""
    return (
        list(AuditEntry.objects.exclude(action__startswith="platform.").values_list("action", flat=True)),
        list(Event.objects.values_list("type", flat=True)),
    )


# -- the tables -------------------------------------------------------------------------------------------------------

CONSENT_TABLE = {
    "AWAITING_AUTHORISATION": "AUTHORISED REJECTED EXPIRED",
    "AUTHORISED": "PAUSED SUSPENDED REVOKED EXPIRED CONSUMED",
    "PAUSED": "AUTHORISED SUSPENDED REVOKED EXPIRED",
    "SUSPENDED": "AUTHORISED PAUSED REVOKED EXPIRED",
    "REJECTED": "",
    "REVOKED": "",
    "EXPIRED": "",
    "CONSUMED": "",
}


def test_the_consent_transitions_are_the_designs_and_no_others() -> None:
    assert {source: set(targets) for source, targets in CONSENT_TRANSITIONS.items()} == {
        source: set(targets.split()) for source, targets in CONSENT_TABLE.items()
    }


def test_every_status_of_a_platform_has_a_row_and_the_removed_never_return() -> None:
    assert set(PLATFORM_TRANSITIONS) == set(PlatformStatus)
    assert PLATFORM_TRANSITIONS[PlatformStatus.REMOVED] == frozenset()
    for ended in (PlatformStatus.REVOKED, PlatformStatus.SURRENDERED):
        assert PLATFORM_TRANSITIONS[ended] == {"REMOVED"}


ALLOWED: list[tuple[Callable[[Consent], Consent], str, set[str]]] = [
    (_authorise, "AUTHORISED", {"AWAITING_AUTHORISATION"}),
    (_reject, "REJECTED", {"AWAITING_AUTHORISATION"}),
    (_revoke, "REVOKED", {"AUTHORISED", "PAUSED", "SUSPENDED"}),
    (_expire, "EXPIRED", {"AWAITING_AUTHORISATION", "AUTHORISED", "PAUSED", "SUSPENDED"}),
]


@pytest.mark.parametrize(
    ("hand", "target", "before"),
    [(hand, target, status) for hand, target, sources in ALLOWED for status in ConsentStatus if status in sources],
)
def test_a_change_happens_from_the_statuses_that_allow_it(
    lodged: Consent, hand: Callable[[Consent], Consent], target: str, before: ConsentStatus
) -> None:
    _in(lodged, before)

    changed = hand(lodged)

    assert changed.status == target
    assert changed.revision == 2
    entry = AuditEntry.objects.order_by("occurred_at", "action").get(to_status=target)
    assert (entry.from_status, entry.consent_id, entry.user_pseudonym) == (before, lodged.id, lodged.user.pseudonym)
    (event,) = Event.objects.all()
    assert (event.consent_id, event.platform_id, event.user_id) == (lodged.id, lodged.platform_id, lodged.user_id)
    assert entry.occurred_at == event.occurred_at == changed.status_changed_at


@pytest.mark.parametrize(
    ("hand", "before"),
    [(hand, status) for hand, _, sources in ALLOWED for status in ConsentStatus if status not in sources],
)
def test_a_change_is_refused_from_every_other_status_and_leaves_no_trace(
    lodged: Consent, hand: Callable[[Consent], Consent], before: ConsentStatus
) -> None:
    _in(lodged, before)
    unchanged, written = Consent.objects.values().get(id=lodged.id), _written()

    with pytest.raises(TransitionRefused):
        hand(lodged)

    assert Consent.objects.values().get(id=lodged.id) == unchanged
    assert _written() == written
    assert not ConsentAccount.objects.exists()


@pytest.mark.parametrize(
    ("hand", "event"),
    [
        (_authorise, "consent.granted"),
        (_reject, "consent.rejected"),
        (_expire, "consent.expired"),
    ],
)
def test_each_change_is_published_under_its_own_name(
    lodged: Consent, hand: Callable[[Consent], Consent], event: str
) -> None:
    hand(lodged)

    assert _written()[1] == [event]


# -- asking -----------------------------------------------------------------------------------------------------------


def test_a_request_is_lodged_as_asked_and_says_when_it_dies(lodged: Consent, chat: Platform) -> None:
    assert lodged.status == "AWAITING_AUTHORISATION"
    assert lodged.expires_at == NOW + timedelta(minutes=60)
    assert lodged.scopes == ["accounts", "balances", "merchants", "transactions"]
    assert lodged.history_from == NOW.date() - timedelta(days=90)
    assert lodged.authorised_at is None
    assert _written() == (["consent.requested"], [])


@pytest.mark.parametrize("status", [s for s in PlatformStatus if s in {"PENDING", "INACTIVE", "SUSPENDED", "REVOKED"}])
def test_a_platform_that_is_not_active_may_ask_nothing(alice: User, status: PlatformStatus) -> None:
    chat = ledger.platform(status=status)

    with pytest.raises(PlatformNotUsable):
        lifecycle.request(user_id=alice.id, platform=chat, asked=ledger.asked(), actor=BY_PLATFORM, now=NOW)

    assert not Consent.objects.exists()


def test_of_many_unanswered_requests_the_newest_stay(alice: User, chat: Platform) -> None:
    def ask(of: Platform, who: User, minute: int) -> Consent:
        return lifecycle.request(
            user_id=who.id, platform=of, asked=ledger.asked(), actor=BY_PLATFORM, now=NOW + minute * MINUTE
        )

    answered = _authorise(ask(chat, alice, 0))
    others = [ask(ledger.platform("other"), alice, 0), ask(chat, ledger.user("bob"), 0)]
    many = [ask(chat, alice, minute) for minute in range(1, lifecycle.AWAITING_MAX + 3)]

    for one in (answered, *others, *many):
        one.refresh_from_db()
    assert [one.status for one in many] == ["EXPIRED"] * 2 + ["AWAITING_AUTHORISATION"] * lifecycle.AWAITING_MAX
    assert (many[0].status_reason, many[0].status_initiator) == ("superseded", "SYSTEM")
    assert many[0].ended_at == NOW + (lifecycle.AWAITING_MAX + 1) * MINUTE
    assert answered.status == "AUTHORISED"
    assert {one.status for one in others} == {"AWAITING_AUTHORISATION"}
    assert _written()[1].count("consent.expired") == 2


def test_the_newest_request_stays_even_at_the_same_instant(alice: User, chat: Platform) -> None:
    for _ in range(lifecycle.AWAITING_MAX + 3):
        newest = lifecycle.request(user_id=alice.id, platform=chat, asked=ledger.asked(), actor=BY_PLATFORM, now=NOW)

    newest.refresh_from_db()
    assert newest.status == "AWAITING_AUTHORISATION"
    assert Consent.objects.filter(status="AWAITING_AUTHORISATION").count() == lifecycle.AWAITING_MAX


# -- granting ---------------------------------------------------------------------------------------------------------


def test_the_user_grants_less_than_was_asked(lodged: Consent) -> None:
    choices = _choices(2)

    granted = _authorise(lodged, accounts=choices, scopes=[Scope.BALANCES])

    assert granted.scopes == ["balances"]
    assert granted.authorised_at == NOW + MINUTE
    assert granted.expires_at == NOW + MINUTE + timedelta(days=90)
    assert granted.ended_at is None
    assert (granted.disclosure_version, granted.disclosure_locale) == ("1", "en")
    assert set(ConsentAccount.objects.values_list("account_id", flat=True)) == {c.account_id for c in choices}


@pytest.mark.parametrize(
    "changes",
    [
        {"accounts": []},
        {"scopes": []},
        {"scopes": [Scope.ACCOUNT_NUMBERS]},
        {"scopes": [Scope.ACCOUNTS, Scope.LOCATIONS, Scope.TRANSACTIONS]},
        {"scopes": [Scope.MERCHANTS]},  # a detail without its ground is nothing
    ],
    ids=["no account", "no scope", "a scope never asked", "one more than asked", "a detail alone"],
)
def test_nothing_chosen_or_more_than_asked_grants_nothing(lodged: Consent, changes: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="at least one account"):
        _authorise(lodged, **changes)

    lodged.refresh_from_db()
    assert lodged.status == "AWAITING_AUTHORISATION"
    assert not ConsentAccount.objects.exists()


_FEWER = {
    "scopes": [Scope.ACCOUNTS],
    "narrower": lifecycle.Narrower(duration_days=7, hidden_groups=frozenset({SensitiveGroup.HEALTH})),
}


def test_what_is_looked_at_before_the_answer_is_what_the_answer_makes(lodged: Consent) -> None:
    now = NOW + MINUTE
    seen = lifecycle.as_if_authorised(lodged, now=now, **_FEWER)  # type: ignore[arg-type]

    granted = _authorise(lodged, **_FEWER)

    assert consent_facts(seen) == consent_facts(Consent.objects.select_related("user", "platform").get(id=granted.id))


def test_looking_writes_nothing_and_what_was_looked_at_cannot_be_saved(lodged: Consent) -> None:
    before = Consent.objects.values().get(id=lodged.id)
    seen = lifecycle.as_if_authorised(lodged, scopes=[Scope.ACCOUNTS], now=NOW + MINUTE)

    with pytest.raises(IntegrityError), transaction.atomic():
        seen.save()

    assert Consent.objects.values().get(id=lodged.id) == before
    assert lodged.status == ConsentStatus.AWAITING_AUTHORISATION
    assert not ConsentAccount.objects.exists()


def test_an_answered_question_is_not_looked_at_again(lodged: Consent) -> None:
    _authorise(lodged)
    fresh = Consent.objects.get(id=lodged.id)

    with pytest.raises(TransitionRefused):
        lifecycle.as_if_authorised(fresh, scopes=[Scope.ACCOUNTS], now=NOW + MINUTE)


@pytest.mark.parametrize(("days", "before"), [(365, 30), (31, 30), (30, 7), (7, 1), (2, 1), (1, None)])
def test_a_reminder_comes_as_early_as_the_time_is_long(days: int, before: int | None) -> None:
    assert lifecycle.reminded_days(days) == before


@pytest.mark.parametrize(("minutes", "in_time"), [(59, True), (60, False), (61, False)])
def test_a_request_can_be_granted_for_sixty_minutes_whether_or_not_a_job_has_run(
    lodged: Consent, minutes: int, in_time: bool
) -> None:
    late = NOW + timedelta(minutes=minutes)

    if in_time:
        assert _authorise(lodged, now=late).status == "AUTHORISED"
    else:
        with pytest.raises(TransitionRefused):
            _authorise(lodged, now=late)
        lodged.refresh_from_db()
        assert lodged.status == "AWAITING_AUTHORISATION"


@pytest.mark.parametrize("held", [ConsentStatus.PAUSED, ConsentStatus.SUSPENDED])
def test_an_old_consent_page_sent_again_lifts_no_pause_and_no_suspension(lodged: Consent, held: ConsentStatus) -> None:
    granted = _in(_authorise(lodged), held)

    with pytest.raises(TransitionRefused):
        _authorise(granted, scopes=[Scope.ACCOUNTS], now=NOW + timedelta(minutes=5))

    granted.refresh_from_db()
    assert granted.status == held
    assert ConsentAccount.objects.count() == 1


# -- whose consent ----------------------------------------------------------------------------------------------------


def test_another_users_consent_does_not_exist(lodged: Consent) -> None:
    charlie = ledger.user("charlie")

    with pytest.raises(ConsentNotFound):
        _authorise(lodged, user_id=charlie.id)
    with pytest.raises(ConsentNotFound):
        lifecycle.reject(consent_id=lodged.id, user_id=charlie.id, reason="x", actor=BY_USER, now=NOW)
    with pytest.raises(ConsentNotFound):
        lifecycle.revoke(consent_id=lodged.id, user_id=charlie.id, reason="x", actor=BY_USER, now=NOW)


def test_another_platforms_consent_does_not_exist(lodged: Consent) -> None:
    granted, other = _authorise(lodged), ledger.platform("Other")

    with pytest.raises(ConsentNotFound):
        lifecycle.revoke(consent_id=granted.id, platform_id=other.id, reason="x", actor=BY_PLATFORM, now=NOW)

    granted.refresh_from_db()
    assert granted.status == "AUTHORISED"


def test_a_consent_that_was_never_made_does_not_exist(alice: User) -> None:
    with pytest.raises(ConsentNotFound):
        lifecycle.revoke(consent_id=uuid4(), user_id=alice.id, reason="x", actor=BY_USER, now=NOW)


# -- ending -----------------------------------------------------------------------------------------------------------


def _tokens_left() -> int:
    return AccessToken.objects.count() + RefreshToken.objects.count() + Grant.objects.count()


def test_revocation_ends_all_tokens_of_this_consent_and_none_of_another(alice: User, lodged: Consent) -> None:
    other = lifecycle.request(
        user_id=alice.id, platform=lodged.platform, asked=ledger.asked({Scope.ACCOUNTS}), actor=BY_PLATFORM, now=NOW
    )
    granted, kept = _authorise(lodged), _authorise(other)
    ledger.tokens(granted)
    ledger.tokens(kept)

    revoked = _revoke(granted)

    assert revoked.status == "REVOKED"
    assert (revoked.status_reason, revoked.status_initiator) == ("user_revoked", "USER")
    assert revoked.ended_at == NOW + MINUTE
    assert _tokens_left() == 3
    assert set(AccessToken.objects.values_list("consent_id", flat=True)) == {kept.id}
    kept.refresh_from_db()
    assert kept.status == "AUTHORISED"
    assert _written()[1][-1] == "consent.revoked"


def test_a_second_revocation_is_refused_and_writes_nothing(lodged: Consent) -> None:
    _revoke(_authorise(lodged))
    written = _written()

    with pytest.raises(TransitionRefused):
        _revoke(lodged)

    assert _written() == written


def test_a_change_that_is_rolled_back_leaves_neither_event_nor_entry_nor_dead_token(lodged: Consent) -> None:
    granted = _authorise(lodged)
    ledger.tokens(granted)
    written = _written()

    class Boom(Exception): ...

    with pytest.raises(Boom), transaction.atomic():
        _revoke(granted)
        raise Boom

    granted.refresh_from_db()
    assert granted.status == "AUTHORISED"
    assert _tokens_left() == 3
    assert _written() == written


def test_a_row_that_changed_since_it_was_looked_at_is_not_overwritten(lodged: Consent) -> None:
    """The update names the status it found: should a lock ever be missing, the first hand still wins."""
    stale = Consent.objects.get(id=lodged.id)
    _reject(lodged)
    written = _written()

    with pytest.raises(TransitionRefused):
        changing.transition(stale, ConsentStatus.AUTHORISED, reason="granted", actor=BY_USER, now=NOW + MINUTE)

    lodged.refresh_from_db()
    assert lodged.status == "REJECTED"
    assert _written() == written


def test_expiry_writes_down_what_is_due_and_only_that(alice: User, chat: Platform) -> None:
    unanswered, answered = (
        lifecycle.request(
            user_id=alice.id, platform=chat, asked=ledger.asked({Scope.ACCOUNTS}), actor=BY_PLATFORM, now=NOW
        )
        for _ in range(2)
    )
    _authorise(answered)
    ledger.tokens(answered)

    early = lifecycle.expire_due(now=NOW + timedelta(minutes=60) - timedelta(microseconds=1))
    at_the_hour = lifecycle.expire_due(now=NOW + timedelta(minutes=60))
    again = lifecycle.expire_due(now=NOW + timedelta(minutes=60))

    unanswered.refresh_from_db()
    answered.refresh_from_db()
    assert (early, at_the_hour, again) == (0, 1, 0)
    assert (unanswered.status, unanswered.status_initiator) == ("EXPIRED", "SYSTEM")
    assert answered.status == "AUTHORISED"
    assert _tokens_left() == 3

    at_the_end = lifecycle.expire_due(now=answered.expires_at)

    answered.refresh_from_db()
    assert at_the_end == 1
    assert answered.status == "EXPIRED"
    assert _tokens_left() == 0


def test_a_consent_counts_as_expired_from_its_last_instant_on(lodged: Consent) -> None:
    assert not lodged.is_expired(lodged.expires_at - timedelta(microseconds=1))
    assert lodged.is_expired(lodged.expires_at)
