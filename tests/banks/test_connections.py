"""Linking a bank: there and back in one browser, for one person, once; and what may then be shared."""

import base64
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.apps import apps

from banks import authority, connections, sessions, sharing, vault
from banks.errors import (
    BankRefused,
    BankUnavailable,
    InstitutionNotFound,
    LinkFailed,
    LinkStateInvalid,
)
from banks.models import Account, Connection, LinkAttempt, SyncJob
from consents import clock, lifecycle, policies
from consents.audit import Actor
from consents.errors import ConsentNotFound, Denied, TransitionRefused
from consents.lifecycle import Narrower
from consents.models import Consent, ConsentAccount, Event, Platform
from consents.policies import PolicyTerms
from consents.scopes import Presence, Purpose, Scope
from consents.states import Initiator, PolicyStatus
from gateway.identity.models import User
from tests.support import cast, linked
from tests.support.linked import BALANCES, ROWS, Linked

pytestmark = pytest.mark.django_db


def attempts() -> list[tuple[object, ...]]:
    return list(LinkAttempt.objects.order_by("created_at").values_list())


def nothing_was_linked() -> bool:
    return not Connection.objects.exists() and not Account.objects.for_sync().exists()


# -- there -------------------------------------------------------------------------------------------------------------


def test_the_bank_is_asked_for_what_the_consent_needs_and_nothing_else(
    world: Linked, alice: User, chat: Platform
) -> None:
    consent = world.lodged(alice, chat, BALANCES)

    world.start(consent)

    asked = world.bank_consents()[LinkAttempt.objects.get().bank_consent_id]
    assert asked["permissions"] == ["ReadAccountsBasic", "ReadAccountsDetail", "ReadBalances"]


def test_what_the_user_left_out_of_the_question_is_not_asked_for(world: Linked, alice: User, chat: Platform) -> None:
    consent = world.lodged(alice, chat, ROWS)

    connections.start_link(
        user_id=alice.id,
        consent_id=consent.id,
        slug=world.slug,
        session_key=linked.SESSION,
        now=clock.now(),
        scopes=BALANCES,
        narrower=Narrower(duration_days=7),
    )

    asked = world.bank_consents()[LinkAttempt.objects.get().bank_consent_id]
    assert asked["permissions"] == ["ReadAccountsBasic", "ReadAccountsDetail", "ReadBalances"]


def test_what_is_taken_in_again_after_the_visit_needs_another_one(world: Linked, alice: User, chat: Platform) -> None:
    consent = world.lodged(alice, chat, ROWS)
    address = connections.start_link(
        user_id=alice.id,
        consent_id=consent.id,
        slug=world.slug,
        session_key=linked.SESSION,
        now=clock.now(),
        scopes=BALANCES,
    )
    world.finish(alice, world.at_the_bank(address, "happy"))
    seen = lifecycle.as_if_authorised(
        Consent.objects.select_related("user", "platform").get(id=consent.id), scopes=ROWS, now=clock.now()
    )

    found = sharing.offer(seen, session_key=linked.SESSION, now=clock.now())

    assert (found.accounts, found.narrow) == ([], [world.institution.id])
    with pytest.raises(ValueError, match="account"):
        world.grant(consent, [row.id for row in linked.accounts()], scopes=ROWS)
    assert world.grant(consent, [row.id for row in linked.accounts()], scopes=BALANCES).status == "AUTHORISED"


def test_what_the_users_live_consents_there_need_is_asked_for_again(
    world: Linked, alice: User, chat: Platform, budget: Platform
) -> None:
    wide = world.consent(alice, chat, ROWS, history_days=60)

    world.start(world.lodged(alice, budget, BALANCES))

    attempt = LinkAttempt.objects.latest("created_at")
    assert "ReadTransactionsDetail" in world.bank_consents()[attempt.bank_consent_id]["permissions"]
    assert attempt.history_from == wide.history_from


def test_what_an_ended_consent_needed_is_not_asked_for(
    world: Linked, alice: User, chat: Platform, budget: Platform
) -> None:
    cast.revoke(world.consent(alice, chat, ROWS))

    world.start(world.lodged(alice, budget, BALANCES))

    attempt = LinkAttempt.objects.latest("created_at")
    assert "ReadTransactionsDetail" not in world.bank_consents()[attempt.bank_consent_id]["permissions"]


def test_what_another_person_needs_is_not_asked_for(world: Linked, alice: User, bob: User, chat: Platform) -> None:
    world.consent(bob, chat, ROWS)

    world.start(world.lodged(alice, chat, BALANCES))

    attempt = LinkAttempt.objects.latest("created_at")
    assert "ReadTransactionsDetail" not in world.bank_consents()[attempt.bank_consent_id]["permissions"]


@pytest.mark.parametrize(
    ("spoil", "error"),
    [
        (lambda world, consent: {"consent_id": uuid4()}, ConsentNotFound),
        (lambda world, consent: {"user_id": cast.bob().id}, ConsentNotFound),
        (lambda world, consent: {"slug": "no-such-bank"}, InstitutionNotFound),
        (lambda world, consent: {"now": clock.now() + timedelta(minutes=61)}, TransitionRefused),
    ],
    ids=["unknown-consent", "other-user", "unknown-bank", "too-late"],
)
def test_nobody_is_sent_to_the_bank_without_a_question_to_answer(
    world: Linked, alice: User, chat: Platform, spoil: Callable[..., dict[str, Any]], error: type[Exception]
) -> None:
    consent = world.lodged(alice, chat)
    good = {
        "user_id": alice.id,
        "consent_id": consent.id,
        "slug": world.slug,
        "session_key": linked.SESSION,
        "now": clock.now(),
    }
    mark = world.mark()

    with pytest.raises(error):
        connections.start_link(**{**good, **spoil(world, consent)})

    assert attempts() == []
    assert world.seen(after=mark).rows == []


def test_an_answered_question_leads_to_no_bank(world: Linked, alice: User, chat: Platform) -> None:
    consent = world.consent(alice, chat, BALANCES)
    mark = world.mark()

    with pytest.raises(TransitionRefused):
        world.start(consent)

    assert world.seen(after=mark).rows == []


def test_nobody_is_sent_to_a_bank_that_does_not_accept_the_platform(world: Linked, alice: User, chat: Platform) -> None:
    policies.sign(
        institution_id=world.institution.id,
        platform_id=chat.id,
        terms=PolicyTerms(scopes=frozenset(Scope), purposes=frozenset(Purpose), status=PolicyStatus.BLOCK),
        approved_by=[alice.id],
        actor=Actor(initiator=Initiator.BANK),
        now=clock.now() - timedelta(seconds=1),
    )
    mark = world.mark()

    with pytest.raises(Denied):
        world.start(world.lodged(alice, chat))

    assert world.seen(after=mark).rows == []


def test_a_bank_that_is_down_keeps_no_attempt(world: Linked, alice: User, chat: Platform) -> None:
    world.fault(path_contains="account-access-consents", status=503, times=1)

    with pytest.raises(BankUnavailable):
        world.start(world.lodged(alice, chat))

    assert attempts() == []


# -- and back ----------------------------------------------------------------------------------------------------------


def test_the_way_back_links_once(world: Linked, alice: User, chat: Platform) -> None:
    consent = world.lodged(alice, chat)
    back = world.at_the_bank(world.start(consent), "happy")

    assert world.finish(alice, back) == consent.id

    assert [row.user_id for row in linked.accounts()] == [alice.id, alice.id]
    assert linked.the_connection().status == "ACTIVE"
    assert Event.objects.get(type="connection.linked").user_id == alice.id
    assert not SyncJob.objects.exists()  # nobody may see anything yet, so nothing is fetched
    with pytest.raises(LinkStateInvalid):
        world.finish(alice, back)
    assert Connection.objects.count() == 1


def _other_bank(world: Linked) -> None:
    cast.institution("other-bank")


@pytest.mark.parametrize(
    "wrong",
    [
        {"session_key": "another browser"},
        {"slug": "other-bank"},
        {"state": "unknown"},
        {"state": ""},
        {"later": timedelta(minutes=10)},
        {"someone_else": True},
    ],
    ids=["session", "bank", "unknown-state", "no-state", "late", "user"],
)
def test_a_way_back_that_is_not_this_ones_changes_nothing_and_the_right_browser_still_may(
    world: Linked, alice: User, bob: User, chat: Platform, wrong: dict[str, Any]
) -> None:
    _other_bank(world)
    consent = world.lodged(alice, chat)
    back = world.at_the_bank(world.start(consent), "happy")
    before, mark = attempts(), world.mark()

    with pytest.raises(LinkStateInvalid):
        connections.finish_link(
            user_id=bob.id if wrong.get("someone_else") else alice.id,
            slug=wrong.get("slug", world.slug),
            session_key=wrong.get("session_key", linked.SESSION),
            parameters={**back, "state": wrong.get("state", back["state"])},
            now=clock.now() + wrong.get("later", timedelta(0)),
        )

    assert attempts() == before
    assert nothing_was_linked()
    assert world.seen(after=mark).rows == []
    assert world.finish(alice, back) == consent.id


def test_the_last_second_of_the_ten_minutes_still_counts(world: Linked, alice: User, chat: Platform) -> None:
    world.start(world.lodged(alice, chat))
    attempt = LinkAttempt.objects.get()

    assert attempt.expires_at - attempt.created_at == timedelta(minutes=10)


def test_a_customer_who_says_no_at_the_bank_links_nothing(world: Linked, alice: User, chat: Platform) -> None:
    consent = world.lodged(alice, chat)
    back = world.at_the_bank(world.start(consent), "happy", decision="refuse")

    with pytest.raises(LinkFailed) as failed:
        world.finish(alice, back)

    assert isinstance(failed.value.cause, BankRefused)
    assert failed.value.consent_id == consent.id
    assert nothing_was_linked()
    assert Consent.objects.get(id=consent.id).status == "AWAITING_AUTHORISATION"
    with pytest.raises(LinkStateInvalid):
        world.finish(alice, back)


def test_after_a_no_the_same_question_can_be_taken_to_the_bank_again(
    world: Linked, alice: User, chat: Platform
) -> None:
    consent = world.lodged(alice, chat)
    with pytest.raises(LinkFailed):
        world.finish(alice, world.at_the_bank(world.start(consent), "happy", decision="refuse"))

    world.link(consent, "happy")

    assert world.grant(consent).status == "AUTHORISED"


def test_a_bank_that_fails_after_the_yes_links_nothing_and_keeps_no_consent_of_ours(
    world: Linked, alice: User, chat: Platform
) -> None:
    consent = world.lodged(alice, chat)
    back = world.at_the_bank(world.start(consent), "down")

    with pytest.raises(LinkFailed) as failed:
        world.finish(alice, back)

    assert isinstance(failed.value.cause, BankUnavailable)
    assert nothing_was_linked()
    assert world.bank_consents()[LinkAttempt.objects.get().bank_consent_id]["deleted"]


@pytest.mark.parametrize("iss", ["https://evil.example", None], ids=["other", "missing"])
def test_t6_an_answer_of_another_issuer_is_not_looked_at(
    world: Linked, alice: User, chat: Platform, iss: str | None
) -> None:
    back = world.at_the_bank(world.start(world.lodged(alice, chat)), "happy")
    spoilt = {name: value for name, value in (back | {"iss": iss}).items() if value is not None}
    mark = world.mark()

    with pytest.raises(LinkFailed) as failed:
        world.finish(alice, spoilt)

    assert isinstance(failed.value.cause, BankRefused)
    assert nothing_was_linked()
    assert world.seen(after=mark).grants("authorization_code") == []


def test_a_code_of_another_consent_links_nothing(world: Linked, alice: User, bob: User, chat: Platform) -> None:
    """A code that was stolen elsewhere and put into this flow: PKCE keeps it from opening anything."""
    stolen = world.at_the_bank(world.start(world.lodged(bob, chat)), "happy2")
    back = world.at_the_bank(world.start(world.lodged(alice, chat)), "happy")

    with pytest.raises(LinkFailed):
        world.finish(alice, back | {"code": stolen["code"]})

    assert nothing_was_linked()


# -- one connection, or two --------------------------------------------------------------------------------------------


def test_a_second_consent_at_the_same_bank_renews_the_link_in_place(
    world: Linked, alice: User, chat: Platform, budget: Platform
) -> None:
    world.consent(alice, chat, BALANCES)
    old, ids = linked.the_connection(), [row.id for row in linked.accounts()]
    mark = world.mark()

    world.consent(alice, budget, ROWS)

    new = linked.the_connection()
    assert new.id == old.id
    assert [row.id for row in linked.accounts()] == ids
    assert new.bank_consent_id != old.bank_consent_id
    assert set(new.resources) > set(old.resources)
    deleted = [row["consent_id"] for row in world.seen(after=mark).rows if row["method"] == "DELETE"]
    assert deleted == [old.bank_consent_id]
    assert world.bank_consents()[old.bank_consent_id]["deleted"]
    assert not world.bank_consents()[new.bank_consent_id]["deleted"]


def test_a_failed_renewal_leaves_the_link_as_it_was(
    world: Linked, alice: User, chat: Platform, budget: Platform
) -> None:
    world.consent(alice, chat, BALANCES)
    before = Connection.objects.values().get()
    again = world.lodged(alice, budget, ROWS)

    with pytest.raises(LinkFailed):
        world.finish(alice, world.at_the_bank(world.start(again), "happy", decision="refuse"))

    assert Connection.objects.values().get() == before
    assert linked.run().status == "COMMITTED"


def test_a_bank_that_can_not_be_told_that_the_old_consent_is_over_does_not_undo_the_new_link(
    world: Linked, alice: User, chat: Platform, budget: Platform
) -> None:
    world.consent(alice, chat, BALANCES)
    old = linked.the_connection()
    world.fault(path_contains=f"account-access-consents/{old.bank_consent_id}", status=500)

    world.consent(alice, budget, BALANCES)

    assert linked.the_connection().bank_consent_id != old.bank_consent_id
    assert linked.run().status == "COMMITTED"


def test_another_login_at_the_bank_is_a_connection_of_its_own(
    world: Linked, alice: User, chat: Platform, budget: Platform
) -> None:
    world.consent(alice, chat, BALANCES, customer="happy")
    first = linked.the_connection()
    mark = world.mark()

    world.consent(alice, budget, BALANCES, customer="happy2")

    assert Connection.objects.count() == 2
    assert not [row for row in world.seen(after=mark).rows if row["method"] == "DELETE"]
    assert Connection.objects.get(id=first.id).bank_consent_id == first.bank_consent_id


def test_two_people_with_one_login_never_share_a_row(world: Linked, alice: User, bob: User, chat: Platform) -> None:
    world.consent(alice, chat, BALANCES)
    world.consent(bob, chat, BALANCES)

    assert Connection.objects.count() == 2
    assert {row.user_id for row in linked.accounts()} == {alice.id, bob.id}
    assert len({row.id for row in linked.accounts()}) == 4


def test_a_link_that_the_bank_ended_is_mended_by_a_new_one(
    world: Linked, alice: User, chat: Platform, budget: Platform
) -> None:
    world.consent(alice, chat, BALANCES)
    ended = linked.the_connection()
    Connection.objects.update(status="REVOKED", status_reason="bank_consent_ended")

    world.consent(alice, budget, BALANCES)

    renewed = linked.the_connection()
    assert (renewed.id, renewed.status, renewed.status_reason) == (ended.id, "ACTIVE", "")


def test_an_account_the_bank_calls_by_a_new_id_is_known_by_its_number(
    world: Linked, alice: User, chat: Platform, budget: Platform
) -> None:
    world.consent(alice, chat, BALANCES)
    ids = {row.id for row in linked.accounts()}
    for number, row in enumerate(linked.accounts()):
        Account.objects.for_sync().filter(id=row.id).update(bank_account_id=f"as it was called before {number}")

    world.consent(alice, budget, BALANCES)

    assert {row.id for row in linked.accounts()} == ids


# -- sharing -----------------------------------------------------------------------------------------------------------


def test_what_is_offered_is_what_the_bank_showed_in_this_flow(world: Linked, alice: User, chat: Platform) -> None:
    consent = world.lodged(alice, chat)
    world.link(consent, "happy")

    offered = world.offered(consent, user_id=alice.id)

    assert {choice.account_id for choice in offered} == {row.id for row in linked.accounts()}


def test_an_older_link_is_not_offered_without_a_login_at_the_bank(
    world: Linked, alice: User, chat: Platform, budget: Platform
) -> None:
    world.consent(alice, chat)

    later = world.lodged(alice, budget)

    assert world.offered(later, user_id=alice.id) == []


def test_nothing_is_offered_to_anyone_else(world: Linked, alice: User, bob: User, chat: Platform) -> None:
    consent = world.lodged(alice, chat)
    world.link(consent, "happy")

    assert world.offered(consent, user_id=bob.id) == []


def test_a_grant_makes_the_first_sync_due_for_a_person_who_is_there(world: Linked, alice: User, chat: Platform) -> None:
    world.consent(alice, chat)

    job = linked.the_job()

    assert (job.status, job.trigger) == ("QUEUED", "USER_PRESENT")


@pytest.mark.parametrize("chosen", ["stranger", "both", "none"])
def test_only_offered_accounts_can_be_granted(
    world: Linked, alice: User, bob: User, chat: Platform, chosen: str
) -> None:
    world.consent(bob, chat, BALANCES, customer="happy2")
    foreign = linked.accounts()[0].id
    SyncJob.objects.all().delete()
    consent = world.lodged(alice, chat)
    world.link(consent, "happy")
    own = world.offered(consent, user_id=alice.id)[0].account_id
    picked: dict[str, list[UUID]] = {"stranger": [foreign], "both": [own, foreign], "none": []}

    with pytest.raises(ValueError, match="account"):
        world.grant(consent, picked[chosen])

    assert Consent.objects.get(id=consent.id).status == "AWAITING_AUTHORISATION"
    assert not ConsentAccount.objects.filter(consent_id=consent.id).exists()
    assert not SyncJob.objects.exists()


def test_a_question_is_answered_once(world: Linked, alice: User, chat: Platform) -> None:
    consent = world.consent(alice, chat)
    before = Consent.objects.values().get(id=consent.id)

    with pytest.raises(TransitionRefused):
        world.grant(consent)

    assert Consent.objects.values().get(id=consent.id) == before
    assert SyncJob.objects.count() == 1


def test_a_grant_that_is_refused_leaves_no_job(world: Linked, alice: User, chat: Platform) -> None:
    consent = world.lodged(alice, chat, BALANCES)
    world.link(consent, "happy")

    with pytest.raises(ValueError, match="more than was asked"):
        world.grant(consent, scopes=[Scope.ACCOUNTS, Scope.TRANSACTIONS])

    assert not SyncJob.objects.exists()
    assert not ConsentAccount.objects.exists()


def test_what_a_later_link_made_too_narrow_is_not_offered_any_more(
    world: Linked, alice: User, chat: Platform, budget: Platform
) -> None:
    """Linked but not yet allowed, and then linked anew for less: the bank would refuse what this one needs."""
    wide = world.lodged(alice, chat, ROWS, history_days=60)
    world.link(wide, "happy")
    narrow = world.lodged(alice, budget, BALANCES)
    world.link(narrow, "happy")

    assert world.offered(wide, user_id=alice.id) == []
    with pytest.raises(ValueError, match="account"):
        world.grant(wide, [row.id for row in linked.accounts()])

    assert world.grant(narrow).status == "AUTHORISED"
    world.link(wide, "happy")
    assert world.grant(wide).status == "AUTHORISED"
    assert linked.run().status == "COMMITTED"
    assert linked.rows()


def test_what_a_later_link_still_covers_stays_offered(
    world: Linked, alice: User, chat: Platform, budget: Platform
) -> None:
    narrow = world.lodged(alice, chat, BALANCES)
    world.link(narrow, "happy")
    world.link(world.lodged(alice, budget, ROWS), "happy")

    assert world.grant(narrow).status == "AUTHORISED"
    assert linked.run().status == "COMMITTED"


# -- at rest -----------------------------------------------------------------------------------------------------------


def test_no_secret_of_a_link_rests_in_the_clear(
    world: Linked, alice: User, chat: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every column of every table is looked at, as text and as bytes."""
    secrets: dict[str, str] = {}
    finish = sessions.sealed

    def heard(owner: vault.Vault, credentials: Any) -> bytes:
        secrets.update(access=credentials.access_token, refresh=credentials.refresh_token)
        return finish(owner, credentials)

    monkeypatch.setattr(sessions, "sealed", heard)
    consent = world.lodged(alice, chat, BALANCES | {Scope.ACCOUNT_NUMBERS})
    address = world.start(consent)
    secrets.update(linked.unsealed(LinkAttempt.objects.get()))
    del secrets["bank_consent_id"], secrets["redirect_to"]
    back = world.at_the_bank(address, "happy")
    private = json.loads(world.bank.client_key.export())["d"]
    secrets |= {"state": back["state"], "code": back["code"], "signing key": private}
    waiting = _everything_kept()
    world.finish(alice, back)
    world.grant(consent)
    linked.expire_access_token(linked.the_connection())
    linked.run()
    settled = _everything_kept()

    assert set(secrets) == {"access", "refresh", "verifier", "nonce", "state", "code", "signing key"}
    for name, secret in secrets.items():
        assert len(secret) > 20, name
        for kept in (waiting, settled):
            assert secret.encode() not in kept, name
            assert base64.b64encode(secret.encode())[:24] not in kept, name
    assert linked.accounts()[0].id.hex.encode() in settled  # the search finds what is there
    assert bytes(LinkAttempt.objects.get().sealed_secrets) == b""


def _everything_kept() -> bytes:
    found: list[bytes] = []
    for model in apps.get_models(include_auto_created=True):
        manager = model.objects.for_sync() if hasattr(model.objects, "for_sync") else model._base_manager
        for row in manager.values_list(*[field.name for field in model._meta.concrete_fields]):
            for value in row:
                if isinstance(value, UUID):
                    found.append(value.hex.encode())
                found.append(bytes(value) if isinstance(value, bytes | memoryview) else str(value).encode())
    return b"\0".join(found)


def test_credentials_open_only_with_their_own_connections_key(
    world: Linked, alice: User, bob: User, chat: Platform
) -> None:
    world.consent(alice, chat, BALANCES)
    world.consent(bob, chat, BALANCES)
    first, second = Connection.objects.select_related("institution").order_by("created_at")

    second.sealed_credentials = first.sealed_credentials

    with pytest.raises(vault.Unsealable):
        sessions.opened(second)


def test_a_link_without_credentials_asks_for_renewal(world: Linked, alice: User, chat: Platform) -> None:
    world.consent(alice, chat, BALANCES)
    Connection.objects.update(sealed_credentials=None)

    job = linked.run()

    assert (job.status, job.error_code) == ("FAILED", "reauth_required")


# -- a login at the bank belongs to one browser, and ages --------------------------------------------------------------


def test_another_browser_of_the_same_person_does_not_inherit_the_login_at_the_bank(
    world: Linked, alice: User, chat: Platform
) -> None:
    consent = world.lodged(alice, chat, BALANCES)
    world.link(consent, "happy")
    picked = [choice.account_id for choice in world.offered(consent)]

    assert world.offered(consent, session="another browser") == []
    with pytest.raises(ValueError, match="account"):
        world.grant(consent, picked, session="another browser")

    assert not ConsentAccount.objects.exists()


def test_sharing_a_link_that_was_there_takes_a_login_of_the_last_five_minutes(
    world: Linked, alice: User, chat: Platform, budget: Platform
) -> None:
    world.consent(alice, chat, BALANCES)
    later = world.lodged(alice, budget, BALANCES)
    world.link(later, "happy")

    assert world.offered(later)
    assert world.offered(later, now=clock.now() + timedelta(minutes=6)) == []


def test_a_new_link_may_be_thought_over(world: Linked, alice: User, chat: Platform) -> None:
    consent = world.lodged(alice, chat, BALANCES)
    world.link(consent, "happy")

    assert world.offered(consent, now=clock.now() + timedelta(minutes=30))


def test_an_account_taken_back_at_the_bank_is_served_no_more(
    world: Linked, alice: User, chat: Platform, budget: Platform
) -> None:
    consent = world.consent(alice, chat, BALANCES)
    assert (
        len(
            authority.permit_for(consent, purpose=None, presence=Presence.ABSENT, now=clock.now()).slices[0].account_ids
        )
        == 2
    )
    kept = linked.accounts()[0]

    again = world.lodged(alice, budget, BALANCES)
    world.link(again, "happy", accounts=[kept.bank_account_id])

    permit = authority.permit_for(consent, purpose=None, presence=Presence.ABSENT, now=clock.now())
    assert permit.slices[0].account_ids == {kept.id}


# -- no means no, wherever the browser is ------------------------------------------------------------------------------


def said_no(consent: Consent) -> None:
    lifecycle.reject(
        consent_id=consent.id, user_id=consent.user_id, reason="user_refused", actor=cast.BY_USER, now=clock.now()
    )


def waited_too_long(consent: Consent) -> None:
    Consent.objects.filter(id=consent.id).update(expires_at=clock.now())


@pytest.mark.parametrize("answered", [said_no, waited_too_long])
def test_who_said_no_here_while_at_the_bank_has_nothing_fetched(
    world: Linked, alice: User, chat: Platform, answered: Callable[[Consent], None]
) -> None:
    consent = world.lodged(alice, chat)
    back = world.at_the_bank(world.start(consent), "happy")
    answered(consent)
    before = world.mark()

    with pytest.raises(TransitionRefused):
        world.finish(alice, back)

    seen = world.seen(after=before)
    assert seen.grants("authorization_code") == [] and seen.resources == []
    assert any(path.startswith("DELETE /account-access-consents/") for path in seen.paths())
    assert not Connection.objects.exists() and not Account.objects.for_sync().exists()


def test_who_says_no_while_the_bank_is_asked_has_nothing_kept(
    world: Linked, alice: User, chat: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    consent = world.lodged(alice, chat)
    back = world.at_the_bank(world.start(consent), "happy")
    keep = connections._keep

    def too_late(*arguments: Any) -> str | None:
        said_no(consent)
        return keep(*arguments)

    monkeypatch.setattr(connections, "_keep", too_late)

    with pytest.raises(TransitionRefused):
        world.finish(alice, back)

    assert not Connection.objects.exists() and not Account.objects.for_sync().exists()


def test_whole_numbers_are_not_kept_before_anyone_allowed_them(world: Linked, alice: User, chat: Platform) -> None:
    consent = world.lodged(alice, chat, [Scope.ACCOUNTS, Scope.ACCOUNT_NUMBERS])
    world.link(consent, "happy")

    assert [row.identifications for row in linked.accounts()] == [[], []]
    assert all(row.masked_number for row in linked.accounts())

    world.grant(consent)
    linked.run()

    assert all(row.identifications for row in linked.accounts())
