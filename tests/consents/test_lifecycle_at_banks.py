"""T16: a bank's hand reaches the accounts at that bank, and not one row of another's."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.apps import apps

from consents import lifecycle
from consents.audit import Actor
from consents.errors import ConsentNotFound, TransitionRefused
from consents.models import AccessToken, AuditEntry, Consent, ConsentAccount, Event, Revocation
from consents.states import ConsentStatus, Initiator
from tests.consents import given
from tests.consents.given import ACORN, BIRCH
from tests.support import ledger
from tests.support.ledger import NOW

pytestmark = pytest.mark.django_db

BY_BANK = Actor(initiator=Initiator.BANK)
LATER = NOW + timedelta(days=1)


def suspend(consent: Consent) -> Any:
    return lifecycle.suspend_accounts(
        consent_id=consent.id, institution_id=ACORN, reason="fraud", actor=BY_BANK, now=LATER
    )


def lift(consent: Consent) -> Any:
    return lifecycle.lift_accounts(
        consent_id=consent.id, institution_id=ACORN, reason="cleared", actor=BY_BANK, now=LATER
    )


def revoke(consent: Consent) -> Any:
    return lifecycle.revoke_accounts(
        consent_id=consent.id, institution_id=ACORN, reason="account_closed", actor=BY_BANK, now=LATER
    )


@pytest.fixture
def shared(db: None) -> Consent:
    """Two accounts at Acorn, one at Birch."""
    return given.authorised(accounts=[given.account(ACORN), given.account(ACORN), given.account(BIRCH)])


def statuses(consent: Consent, institution_id: object) -> set[str]:
    rows = ConsentAccount.objects.filter(consent=consent, institution_id=institution_id)
    return set(rows.values_list("status", flat=True))


def database() -> dict[str, dict[Any, Any]]:
    """Table -> key -> row, of everything this package keeps."""
    tables = (model for model in apps.get_app_config("consents").get_models())
    return {
        model._meta.label: {row["pk"]: row for row in model._base_manager.values("pk", *_columns(model))}
        for model in tables
    }


def _columns(model: Any) -> list[str]:
    return [field.name for field in model._meta.concrete_fields if not hasattr(field, "fields")]


def changed(before: dict[str, dict[Any, Any]], after: dict[str, dict[Any, Any]]) -> dict[str, list[Any]]:
    """Table -> rows that are new, other or gone."""
    diff = {
        label: [
            after[label].get(key, before[label].get(key))
            for key in {*before[label], *after[label]}
            if before[label].get(key) != after[label].get(key)
        ]
        for label in after
    }
    return {label: rows for label, rows in diff.items() if rows}


@pytest.mark.parametrize(
    ("hand", "status", "event"),
    [(suspend, "SUSPENDED", "consent.suspended"), (revoke, "REVOKED", "consent.narrowed")],
)
def test_t16_one_banks_hand_changes_its_own_accounts_alone(
    shared: Consent, hand: Callable[[Consent], Any], status: str, event: str
) -> None:
    bobs = given.authorised(ledger.user("bob"), shared.platform, accounts=[given.account(ACORN)])
    ledger.tokens(shared)
    ledger.tokens(bobs)
    before = database()

    hand(shared)

    diff = changed(before, database())
    assert set(diff) == {"consents.Consent", "consents.ConsentAccount", "consents.AuditEntry", "consents.Event"}
    assert {(row["consent"], row["institution_id"]) for row in diff["consents.ConsentAccount"]} == {(shared.id, ACORN)}
    assert [row["id"] for row in diff["consents.Consent"]] == [shared.id]
    shared.refresh_from_db()
    assert (shared.status, shared.revision) == ("AUTHORISED", 3)
    assert (statuses(shared, ACORN), statuses(shared, BIRCH)) == ({status}, {"ACTIVE"})
    entry = AuditEntry.objects.get(occurred_at=LATER)
    assert (entry.institution_id, entry.initiator, entry.to_status) == (ACORN, "BANK", "AUTHORISED")
    told = Event.objects.get(occurred_at=LATER)
    assert (told.type, told.details["institution_id"], told.details["initiator"]) == (event, str(ACORN), "BANK")


def test_a_lifted_suspension_gives_back_what_this_bank_took_and_nothing_it_ended(shared: Consent) -> None:
    ended = ConsentAccount.objects.filter(consent=shared, institution_id=ACORN).first()
    assert ended is not None
    ConsentAccount.objects.filter(id=ended.id).update(status="REVOKED")
    ConsentAccount.objects.filter(consent=shared, institution_id=BIRCH).update(status="SUSPENDED")
    assert suspend(shared) == 1

    assert lift(shared) == 1

    ended.refresh_from_db()
    assert ended.status == "REVOKED"
    assert statuses(shared, ACORN) == {"ACTIVE", "REVOKED"}
    assert statuses(shared, BIRCH) == {"SUSPENDED"}  # Birch's own to lift
    assert Event.objects.filter(type="consent.resumed").count() == 1


def test_each_account_says_who_changed_it_why_and_when(shared: Consent) -> None:
    suspend(shared)

    row = ConsentAccount.objects.filter(consent=shared, institution_id=ACORN).first()
    assert row is not None
    assert (row.status_reason, row.status_initiator, row.status_changed_at) == ("fraud", "BANK", LATER)


def test_with_the_last_account_of_any_bank_the_consent_ends(shared: Consent) -> None:
    ConsentAccount.objects.filter(consent=shared, institution_id=BIRCH).update(status="REVOKED")
    ledger.tokens(shared)

    ended = revoke(shared)

    assert (ended.status, ended.status_initiator, ended.status_reason) == ("REVOKED", "BANK", "account_closed")
    assert statuses(shared, ACORN) == {"REVOKED"}
    assert not AccessToken.objects.exists()
    assert Revocation.objects.get().initiator == "BANK"
    assert AuditEntry.objects.get(action="consent.revoked").institution_id == ACORN


@pytest.mark.parametrize("hand", [suspend, lift, revoke])
@pytest.mark.parametrize("status", [s for s in ConsentStatus if s not in {"AUTHORISED", "PAUSED", "SUSPENDED"}])
def test_what_is_not_live_no_bank_moves(shared: Consent, hand: Callable[[Consent], Any], status: ConsentStatus) -> None:
    given.brought_to(status, shared)
    untouched = given.trace(shared)

    with pytest.raises(TransitionRefused):
        hand(shared)

    assert given.trace(shared) == untouched


@pytest.mark.parametrize("hand", [suspend, lift, revoke])
def test_a_bank_that_has_no_account_in_it_moves_nothing(hand: Callable[[Consent], Any]) -> None:
    elsewhere = given.authorised(accounts=[given.account(BIRCH)])
    untouched = given.trace(elsewhere)

    with pytest.raises(TransitionRefused):
        hand(elsewhere)

    assert given.trace(elsewhere) == untouched


@pytest.mark.parametrize("hand", [suspend, revoke])
def test_by_the_clock_it_is_over_for_a_bank_too(shared: Consent, hand: Callable[[Consent], Any]) -> None:
    Consent.objects.filter(id=shared.id).update(expires_at=LATER)

    with pytest.raises(TransitionRefused):
        hand(shared)


@pytest.mark.parametrize("hand", [suspend, lift, revoke])
def test_a_consent_that_is_not_there_is_not_found(shared: Consent, hand: Callable[[Consent], Any]) -> None:
    absent = Consent(id=given.account().account_id)

    with pytest.raises(ConsentNotFound):
        hand(absent)
