"""Pause, suspend, narrow and renew: from which status each may happen, what it leaves, and that a refusal leaves
nothing."""

from collections.abc import Callable
from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import transaction

from consents import lifecycle
from consents.errors import ConsentNotFound, PlatformNotUsable, TransitionRefused
from consents.lifecycle import Narrower
from consents.models import AccessToken, AuditEntry, Consent, Event, Platform
from consents.scopes import LocationPrecision, Scope, SensitiveGroup
from consents.states import ConsentStatus
from tests.consents import given
from tests.support import ledger
from tests.support.ledger import BY_OPERATOR, BY_USER, NOW, SHOWN

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)
LATER = NOW + DAY
Hand = Callable[[Consent], Consent]


def pause(consent: Consent) -> Consent:
    return lifecycle.pause(consent_id=consent.id, user_id=consent.user_id, actor=BY_USER, now=LATER)


def resume(consent: Consent) -> Consent:
    return lifecycle.resume(consent_id=consent.id, user_id=consent.user_id, actor=BY_USER, now=LATER)


def suspend(consent: Consent) -> Consent:
    return lifecycle.suspend(consent_id=consent.id, reason="under_review", actor=BY_OPERATOR, now=LATER)


def lift(consent: Consent) -> Consent:
    return lifecycle.lift(consent_id=consent.id, reason="all_well", actor=BY_OPERATOR, now=LATER)


def narrow(consent: Consent) -> Consent:
    return lifecycle.narrow(
        consent_id=consent.id,
        user_id=consent.user_id,
        scopes=[Scope.ACCOUNTS],
        account_ids=list(given.accounts_of(consent)),
        actor=BY_USER,
        now=LATER,
    )


def renew(consent: Consent) -> Consent:
    return lifecycle.renew(
        consent_id=consent.id,
        user_id=consent.user_id,
        duration_days=given.DAYS,
        disclosure=SHOWN,
        actor=BY_USER,
        now=LATER,
    )


#: Hand -> (statuses it is allowed from, status it leads to ("" = stays), what is audited, what is published).
HANDS: dict[Hand, tuple[str, str, str, str]] = {
    pause: ("AUTHORISED", "PAUSED", "consent.paused", "consent.paused"),
    resume: ("PAUSED", "AUTHORISED", "consent.authorised", "consent.resumed"),
    suspend: ("AUTHORISED PAUSED", "SUSPENDED", "consent.suspended", "consent.suspended"),
    lift: ("SUSPENDED", "AUTHORISED", "consent.authorised", "consent.resumed"),
    narrow: ("AUTHORISED PAUSED SUSPENDED", "", "consent.narrowed", "consent.narrowed"),
    renew: ("AUTHORISED PAUSED", "", "consent.renewed", "consent.granted"),
}
CASES = [(hand, status) for hand in HANDS for status in ConsentStatus]
ALLOWED = [(hand, status) for hand, status in CASES if status in HANDS[hand][0].split()]
REFUSED = [(hand, status) for hand, status in CASES if status not in HANDS[hand][0].split()]


@pytest.fixture
def consent(db: None) -> Consent:
    return given.authorised()


@pytest.mark.parametrize(("hand", "before"), ALLOWED)
def test_a_hand_moves_what_it_may_and_leaves_one_entry_one_event_and_one_revision(
    consent: Consent, hand: Hand, before: ConsentStatus
) -> None:
    _, target, action, event_type = HANDS[hand]
    given.brought_to(before, consent)
    entries, events = AuditEntry.objects.count(), Event.objects.count()

    changed = hand(consent)

    assert changed.status == target or (not target and changed.status == before)
    assert changed.revision == 3
    assert changed.ended_at is None
    assert AuditEntry.objects.count() == entries + 1
    entry = AuditEntry.objects.get(action=action, occurred_at=LATER)
    assert (entry.consent_id, entry.to_status) == (consent.id, changed.status)
    assert entry.from_status == (before if target else "")
    assert Event.objects.count() == events + 1
    event = Event.objects.get(occurred_at=LATER)
    assert (event.type, event.consent_id, event.platform_id) == (event_type, consent.id, consent.platform_id)
    assert event.details["initiator"] == entry.initiator
    assert event.details["reason"] == entry.reason_code != ""


@pytest.mark.parametrize(("hand", "before"), REFUSED)
def test_a_hand_is_refused_from_every_other_status_and_leaves_no_trace(
    consent: Consent, hand: Hand, before: ConsentStatus
) -> None:
    given.brought_to(before, consent)
    untouched = given.trace(consent)

    with pytest.raises(TransitionRefused):
        hand(consent)

    assert given.trace(consent) == untouched


@pytest.mark.parametrize(("hand", "before"), ALLOWED)
def test_what_the_clock_has_ended_no_hand_moves(consent: Consent, hand: Hand, before: ConsentStatus) -> None:
    """No sweep has run: the row still says otherwise."""
    given.brought_to(before, consent)
    Consent.objects.filter(id=consent.id).update(expires_at=LATER)
    untouched = given.trace(consent)

    with pytest.raises(TransitionRefused):
        hand(consent)

    assert given.trace(consent) == untouched


@pytest.mark.parametrize(("hand", "before"), ALLOWED)
def test_a_change_that_is_rolled_back_leaves_nothing(consent: Consent, hand: Hand, before: ConsentStatus) -> None:
    given.brought_to(before, consent)
    untouched = given.trace(consent)

    class Boom(Exception): ...

    with pytest.raises(Boom), transaction.atomic():
        hand(consent)
        raise Boom

    assert given.trace(consent) == untouched


@pytest.mark.parametrize("hand", [pause, narrow, renew])
def test_another_persons_consent_is_not_there(consent: Consent, hand: Hand) -> None:
    stolen = Consent.objects.get(id=consent.id)
    stolen.user_id = ledger.user("bob").id
    untouched = given.trace(consent)

    with pytest.raises(ConsentNotFound):
        hand(stolen)

    assert given.trace(consent) == untouched


# -- suspension --------------------------------------------------------------------------------------------------------


def test_a_lifted_suspension_gives_back_what_was_there_before(consent: Consent) -> None:
    given.paused(consent)
    assert suspend(consent).status_before == "PAUSED"

    lifted = lift(consent)

    assert (lifted.status, lifted.status_before) == ("PAUSED", "")
    told = Event.objects.filter(occurred_at__gte=LATER).order_by("occurred_at").values_list("type", flat=True)
    assert list(told) == ["consent.suspended", "consent.paused"]


def test_a_user_does_not_resume_out_of_a_suspension(consent: Consent) -> None:
    given.suspended(given.paused(consent))

    with pytest.raises(TransitionRefused):
        resume(consent)

    consent.refresh_from_db()
    assert (consent.status, consent.status_before) == ("SUSPENDED", "PAUSED")


def _lift_as_user(consent: Consent) -> Consent:
    return lifecycle.lift(
        consent_id=consent.id, user_id=consent.user_id, reason="user_lifted", actor=BY_USER, now=LATER
    )


def test_a_pause_is_no_way_out_of_the_operators_suspension(consent: Consent) -> None:
    """Paused, it could be resumed: two steps by the user alone would undo what another hand stopped."""
    given.suspended(consent)

    with pytest.raises(TransitionRefused):
        pause(consent)

    consent.refresh_from_db()
    assert consent.status == "SUSPENDED"


def test_users_lift_their_own_suspension(consent: Consent) -> None:
    given.suspended(consent, reason="looks_wrong", actor=BY_USER, user_id=consent.user_id)

    assert _lift_as_user(consent).status == "AUTHORISED"


def test_users_never_lift_the_operators(consent: Consent) -> None:
    given.suspended(consent)
    untouched = given.trace(consent)

    with pytest.raises(TransitionRefused):
        _lift_as_user(consent)

    assert given.trace(consent) == untouched


def test_the_operator_takes_over_what_the_user_suspended(consent: Consent) -> None:
    given.suspended(given.paused(consent), reason="looks_wrong", actor=BY_USER, user_id=consent.user_id)
    events = Event.objects.count()

    taken = suspend(consent)

    assert (taken.status, taken.status_before) == ("SUSPENDED", "PAUSED")
    assert (taken.status_reason, taken.status_initiator) == ("under_review", "OPERATOR")
    assert AuditEntry.objects.get(reason_code="under_review").action == "consent.suspended"
    assert Event.objects.count() == events
    with pytest.raises(TransitionRefused):
        _lift_as_user(consent)
    assert lift(consent).status == "PAUSED"


def test_a_suspended_consent_can_be_ended_and_then_lifted_by_nobody(consent: Consent) -> None:
    given.suspended(consent)
    revoked = lifecycle.revoke(consent_id=consent.id, reason="user_revoked", actor=BY_USER, now=LATER)

    assert (revoked.status, revoked.status_before) == ("REVOKED", "")
    with pytest.raises(TransitionRefused):
        lift(consent)


# -- narrowing ---------------------------------------------------------------------------------------------------------

WIDE = (Scope.ACCOUNTS, Scope.TRANSACTIONS, Scope.MERCHANTS, Scope.LOCATIONS)


def _narrow(consent: Consent, **changes: object) -> Consent:
    values: dict[str, object] = {
        "consent_id": consent.id,
        "user_id": consent.user_id,
        "scopes": [Scope(scope) for scope in consent.scopes],
        "account_ids": list(given.accounts_of(consent)),
        "actor": BY_USER,
        "now": LATER,
        **changes,
    }
    return lifecycle.narrow(**values)  # type: ignore[arg-type]


def test_details_go_with_the_scope_that_they_belong_to() -> None:
    consent = given.authorised(scopes=WIDE, optional_scopes=frozenset({Scope.LOCATIONS}))

    narrowed = _narrow(consent, scopes=[Scope.ACCOUNTS, Scope.MERCHANTS])

    assert narrowed.scopes == ["accounts"]  # shops without their transactions are nothing
    assert narrowed.optional_scopes == []
    assert narrowed.location_precision is None


def test_an_account_taken_out_stays_out() -> None:
    kept, gone = given.account(), given.account()
    consent = given.authorised(accounts=[kept, gone])

    _narrow(consent, account_ids=[kept.account_id])

    assert given.accounts_of(consent) == {kept.account_id: "ACTIVE", gone.account_id: "REVOKED"}
    untouched = given.trace(consent)
    with pytest.raises(ValueError, match="account"):
        _narrow(consent, account_ids=[kept.account_id, gone.account_id])
    assert given.trace(consent) == untouched


def test_an_end_date_only_comes_nearer() -> None:
    consent = given.authorised()
    end = consent.expires_at

    assert _narrow(consent, narrower=Narrower(duration_days=500)).expires_at == end
    assert _narrow(consent, narrower=Narrower(duration_days=10)).expires_at == LATER + 10 * DAY


def test_what_is_hidden_stays_hidden_and_what_is_coarse_stays_coarse() -> None:
    consent = given.authorised(scopes=WIDE)
    coarse = Narrower(
        location_precision=LocationPrecision.CITY,
        on_platform_only=True,
        hidden_groups=frozenset({SensitiveGroup.HEALTH}),
    )
    _narrow(consent, narrower=coarse)

    again = _narrow(consent)

    assert (again.location_precision, again.on_platform_only, again.hidden_groups) == ("city", True, ["HEALTH"])
    with pytest.raises(ValueError, match="location_precision"):
        _narrow(consent, narrower=Narrower(location_precision=LocationPrecision.STORE))


@pytest.mark.parametrize(
    "changes",
    [
        {"scopes": []},
        {"scopes": [Scope.ACCOUNTS, Scope.TRANSACTIONS]},
        {"scopes": [Scope.MERCHANTS]},
        {"account_ids": []},
        {"account_ids": [uuid4()]},
        {"narrower": Narrower(duration_days=0)},
    ],
    ids=["no scope", "one more scope", "a detail alone", "no account", "a strange account", "no day"],
)
def test_narrowing_to_nothing_or_to_more_changes_nothing(consent: Consent, changes: dict[str, object]) -> None:
    untouched = given.trace(consent)

    with pytest.raises(ValueError, match=r"at least|duration_days"):
        _narrow(consent, **changes)

    assert given.trace(consent) == untouched


# -- renewal -----------------------------------------------------------------------------------------------------------


def test_a_renewed_consent_is_the_same_with_a_later_end(consent: Consent) -> None:
    ledger.tokens(consent)
    before = Consent.objects.values().get(id=consent.id)

    renewed = renew(consent)

    assert renewed.expires_at == LATER + given.DAYS * DAY
    assert renewed.authorised_at == LATER
    after = Consent.objects.values().get(id=consent.id)
    changed = {name for name in after if after[name] != before[name]}
    assert changed == {"expires_at", "authorised_at", "revision"}
    assert AccessToken.objects.filter(consent=consent).exists()


@pytest.mark.parametrize("days", [0, given.DAYS + 1])
def test_a_renewal_never_lasts_longer_than_what_was_allowed(consent: Consent, days: int) -> None:
    untouched = given.trace(consent)

    with pytest.raises(ValueError, match="duration_days"):
        lifecycle.renew(
            consent_id=consent.id,
            user_id=consent.user_id,
            duration_days=days,
            disclosure=SHOWN,
            actor=BY_USER,
            now=LATER,
        )

    assert given.trace(consent) == untouched


@pytest.mark.parametrize("status", ["SUSPENDED", "INACTIVE", "REVOKED"])
def test_a_platform_that_was_stopped_is_given_nothing_new(status: str) -> None:
    chat = ledger.platform()
    alice = ledger.user("alice")
    consent, open_question = given.authorised(alice, chat), given.lodged(alice, chat, [Scope.ACCOUNTS])
    Platform.objects.filter(id=chat.id).update(status=status)
    untouched = given.trace(consent), given.trace(open_question)

    with pytest.raises(PlatformNotUsable):
        renew(consent)
    with pytest.raises(PlatformNotUsable):
        lifecycle.authorise(
            consent_id=open_question.id,
            user_id=alice.id,
            accounts=[given.account()],
            scopes=[Scope.ACCOUNTS],
            disclosure=SHOWN,
            actor=BY_USER,
            now=NOW,
        )

    assert (given.trace(consent), given.trace(open_question)) == untouched


@pytest.mark.parametrize("status", ["ACTIVE", "SUSPENDED", "INACTIVE", "REVOKED", "SURRENDERED", "REMOVED"])
def test_whatever_became_of_the_platform_the_user_may_narrow_pause_and_end(status: str) -> None:
    consent = given.authorised()
    Platform.objects.update(status=status)

    assert narrow(consent).scopes == ["accounts"]
    assert pause(consent).status == "PAUSED"
    assert lifecycle.revoke(consent_id=consent.id, reason="x", actor=BY_USER, now=LATER).status == "REVOKED"
