"""The end of an account: by its holder, and by the operator."""

from datetime import timedelta

import pytest
from allauth.mfa.models import Authenticator
from django.db import IntegrityError
from django.test import Client

from banks.models import Institution
from consents import clock
from consents.models import AccessToken, AuditEntry, Consent, Revocation
from consents.scopes import Scope
from gateway.identity import closing
from gateway.identity.models import SecurityRecord, User, UserSession
from tests.gateway.portal.html import Page
from tests.support import cast, factors
from tests.support.cast import Member, Tokens


@pytest.fixture
def tokens(alice: User, chat: Member, northbank: Institution) -> Tokens:
    accounts = cast.linked_accounts(alice, northbank, ("everyday",))
    return cast.tokens(alice, chat, (Scope.ACCOUNTS, Scope.BALANCES), accounts=accounts)


def reads(tokens: Tokens) -> int:
    return Client().get("/v1/accounts", headers={"Authorization": tokens.authorization}).status_code


def test_closing_needs_a_fresh_proof(alice: User, tokens: Tokens) -> None:
    browser = factors.browser_of(alice)
    factors.age(browser, timedelta(minutes=6))

    asked, done = browser.get("/security/close/"), browser.post("/security/close/")

    assert asked["Location"] == done["Location"] == "/security/confirm/?next=%2Fsecurity%2Fclose%2F"
    assert reads(tokens) == 200


def test_page_tells_what_happens_and_changes_nothing(alice: User, tokens: Tokens) -> None:
    page = Page(factors.browser_of(alice).get("/security/close/"))

    assert page.says("cannot be undone") and page.says("Your links to banks end")
    assert page.form("/security/close/").has_csrf_token
    assert reads(tokens) == 200


def test_closed_account_shares_nothing_and_lets_nobody_in(alice: User, tokens: Tokens) -> None:
    factors.set_up_codes(alice)
    here, there = factors.proved(alice), factors.proved(alice)
    assert reads(tokens) == 200

    answer = here.post("/security/close/")

    assert (answer.status_code, answer["Location"]) == (303, "/sign-in/inactive/")
    assert Page(here.get(answer["Location"])).says("This account is closed")
    assert reads(tokens) == 401
    assert not AccessToken.objects.filter(consent=tokens.consent).exists()
    assert Consent.objects.get(id=tokens.consent.id).status == "REVOKED"
    assert [browser.get("/").status_code for browser in (here, there)] == [302, 302]
    assert not UserSession.objects.filter(ended_at=None).exists()
    again = Client()
    again.post("/sign-in/", {"login": "alice", "password": cast.PASSWORD})
    assert again.get("/").status_code == 302


def test_closing_leaves_no_factor_history_or_address_but_the_name_and_the_pseudonym(alice: User) -> None:
    User.objects.update(email="alice@example.test")
    browser = factors.proved(alice)

    browser.post("/security/close/")

    kept = User.objects.get()
    assert (kept.email, kept.username, kept.pseudonym) == ("", "alice", alice.pseudonym)
    assert not Authenticator.objects.exists() and not SecurityRecord.objects.exists()


def test_closing_is_recorded_and_asks_for_deletion_at_once(alice: User, tokens: Tokens) -> None:
    factors.browser_of(alice).post("/security/close/")

    entry = AuditEntry.objects.get(action="user.deactivated")
    assert (entry.initiator, entry.user_pseudonym, entry.reason_code) == ("USER", alice.pseudonym, "profile_closed")
    revocation = Revocation.objects.get(consent=tokens.consent)
    assert (revocation.reason, revocation.deletes_at_once) == ("profile_closed", True)


def test_closing_is_whole_or_not_at_all(alice: User, tokens: Tokens, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: object, **words: object) -> None:
        raise IntegrityError

    monkeypatch.setattr("gateway.identity.closing.audit.record", fail)
    with pytest.raises(IntegrityError):
        closing.close_profile(user=alice, actor=cast.BY_USER, now=clock.now())

    assert User.objects.get().is_active
    assert reads(tokens) == 200


def test_operator_deactivates_a_user_and_keeps_what_is_stored_for_its_24_hours(alice: User, tokens: Tokens) -> None:
    browser = factors.browser_of(alice)

    ended = closing.deactivate(user_id=alice.id, reason="court_order", actor=cast.BY_OPERATOR, now=clock.now())

    assert ended == [tokens.consent.id]
    assert reads(tokens) == 401
    assert browser.get("/").status_code == 302
    revocation = Revocation.objects.get(consent=tokens.consent)
    assert (revocation.initiator, revocation.deletes_at_once) == ("OPERATOR", False)
    assert AuditEntry.objects.get(action="user.deactivated").reason_code == "court_order"


def test_nobody_else_is_touched(alice: User, bob: User, chat: Member, northbank: Institution, tokens: Tokens) -> None:
    accounts = cast.linked_accounts(bob, northbank, ("his",))
    bobs = cast.tokens(bob, chat, (Scope.ACCOUNTS,), accounts=accounts)
    browser = factors.browser_of(bob)

    closing.close_profile(user=alice, actor=cast.BY_USER, now=clock.now())

    assert reads(bobs) == 200
    assert browser.get("/").status_code == 200


def test_active_again_brings_no_consent_back(alice: User, tokens: Tokens) -> None:
    closing.deactivate(user_id=alice.id, reason="test", actor=cast.BY_OPERATOR, now=clock.now())

    User.objects.update(is_active=True)

    assert reads(tokens) == 401
    assert Consent.objects.get(id=tokens.consent.id).status == "REVOKED"
