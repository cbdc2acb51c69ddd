"""A link that is there already: shared further only after a login at its bank, or the proof that its bank accepts."""

from datetime import timedelta
from typing import Any

import pytest
from allauth.account.authentication import AUTHENTICATION_METHODS_SESSION_KEY
from allauth.account.internal.flows.login import record_authentication
from allauth.mfa.models import Authenticator
from django.http import HttpRequest
from django.test import Client
from django.urls import reverse

from banks.models import Account, Connection, Institution
from consents import clock
from consents.models import BankPolicy, Consent, ConsentAccount
from consents.policy_terms import StepUp
from consents.scopes import Scope
from consents.states import ConsentStatus
from gateway.identity.models import User
from tests.gateway.portal.conftest import signed_in, status_of
from tests.gateway.portal.html import Page
from tests.support import cast, factors


@pytest.fixture
def link(alice: User, northbank: Institution) -> Connection:
    """Alice's link of last week; its bank leaves the proof to us."""
    BankPolicy.objects.update(step_up=StepUp.PASSKEY)
    made = cast.connection(alice, northbank, now=clock.now() - timedelta(days=7))
    cast.account(made, "everyday")
    return made


def proved(browser: Client, user: User, *, method: str = "mfa", ago: timedelta = timedelta(0), **details: str) -> None:
    """As allauth records it: this browser has seen a proof of `user`, by default a one-time code."""
    request = HttpRequest()
    request.session, request.user = browser.session, user
    request.session.pop(AUTHENTICATION_METHODS_SESSION_KEY, None)
    record_authentication(request, user, method, **(details or {"type": "totp"}))
    request.session[AUTHENTICATION_METHODS_SESSION_KEY][-1]["at"] -= ago.total_seconds()
    request.session.save()


def shares(browser: Client, consent: Consent, account: Account) -> None:
    browser.post(f"/connect/{consent.id}/accounts/", {"account": [str(account.id)]})
    form = Page(browser.get(f"/connect/{consent.id}/confirm/")).form("/confirm/")
    browser.post(form.action, form.hidden)


def offers(browser: Client, consent: Consent) -> bool:
    """Whether the account can be ticked."""
    answer = browser.get(f"/connect/{consent.id}/accounts/")
    return answer.status_code == 200 and any(form.named("account") for form in Page(answer).forms)


@pytest.mark.parametrize("kind", ["totp", "webauthn"])
def test_a_fresh_proof_shares_the_link_without_a_visit(
    browser: Client, alice: User, asked: Consent, link: Connection, kind: str
) -> None:
    account = Account.objects.for_sync().get()
    proved(browser, alice, type=kind)

    assert Page(browser.get(f"/connect/{asked.id}/bank/northbank/")).says("Use the link I have")
    shares(browser, asked, account)

    assert status_of(asked) == ConsentStatus.AUTHORISED
    assert ConsentAccount.objects.get().connection_id == link.id


def test_the_page_for_the_code_leads_back_to_the_accounts(
    browser: Client, alice: User, asked: Consent, link: Connection
) -> None:
    secret = factors.set_up_codes(alice)
    address = f"/connect/{asked.id}/accounts/"
    (prove_at,) = Page(browser.get(f"/connect/{asked.id}/bank/northbank/")).links_to(reverse("mfa_reauthenticate"))
    form = Page(browser.get(prove_at)).form(reverse("mfa_reauthenticate"))

    wrong = browser.post(form.action, {**form.hidden, "code": "000000"})
    assert wrong.status_code == 200 and not offers(browser, asked)
    answer = browser.post(form.action, {**form.hidden, "code": factors.code_of(secret)})

    assert (answer.status_code, answer["Location"]) == (302, address)
    assert offers(browser, asked)


@pytest.mark.parametrize("ago", [timedelta(minutes=5, seconds=5), timedelta(hours=1)])
def test_a_proof_that_is_too_old_opens_nothing(
    browser: Client, alice: User, asked: Consent, link: Connection, ago: timedelta
) -> None:
    proved(browser, alice, ago=ago)

    assert not offers(browser, asked)


def test_a_password_alone_is_no_proof(browser: Client, alice: User, asked: Consent, link: Connection) -> None:
    proved(browser, alice, method="password", username="alice")

    assert not offers(browser, asked)


def test_a_proof_in_another_session_opens_nothing_here(
    browser: Client, alice: User, asked: Consent, link: Connection
) -> None:
    elsewhere = signed_in(alice)
    proved(elsewhere, alice)

    assert offers(elsewhere, asked)
    assert not offers(browser, asked)


def test_another_users_proof_opens_nothing(bob: User, asked: Consent, link: Connection) -> None:
    browser = signed_in(bob)
    proved(browser, bob)

    assert browser.get(f"/connect/{asked.id}/accounts/").status_code == 404


def test_another_users_proof_that_this_browser_saw_before_opens_nothing(
    browser: Client, bob: User, asked: Consent, link: Connection
) -> None:
    proved(browser, bob)

    assert not offers(browser, asked)


def test_another_users_link_is_never_offered(
    browser: Client, alice: User, bob: User, asked: Consent, link: Connection
) -> None:
    Connection.objects.update(user=bob)
    Account.objects.for_sync().update(user=bob)
    proved(browser, alice)

    assert not offers(browser, asked)


@pytest.mark.parametrize(
    "columns",
    [
        {"resources": ["accounts", "masked_numbers"]},
        {"status": "REAUTH_REQUIRED"},
        {"status": "SUSPENDED"},
        {"status": "REVOKED"},
        {"consent_expires_at": "yesterday"},
        {"unneeded_at": "yesterday"},
    ],
    ids=["too narrow", "login ran out", "on hold", "ended at the bank", "ran out", "not needed any more"],
)
def test_a_link_that_would_not_serve_it_needs_the_bank(
    browser: Client, alice: User, asked: Consent, link: Connection, columns: dict[str, Any]
) -> None:
    yesterday = clock.now() - timedelta(days=1)
    changes = {name: yesterday if value == "yesterday" else value for name, value in columns.items()}
    Connection.objects.update(**changes)
    proved(browser, alice)

    assert not offers(browser, asked)
    assert Page(browser.get(f"/connect/{asked.id}/bank/northbank/")).says("You are going to Northbank")


def test_a_link_that_does_not_reach_back_far_enough_needs_the_bank(
    browser: Client, alice: User, chat: cast.Member, link: Connection
) -> None:
    consent = cast.requested_consent(alice, chat.platform, [Scope.TRANSACTIONS], history_days=90)
    today = clock.now().date()
    proved(browser, alice)

    Connection.objects.update(history_from=today - timedelta(days=91))
    reaching = offers(browser, consent)
    Connection.objects.update(history_from=today - timedelta(days=30))

    assert reaching
    assert not offers(browser, consent)


def test_where_the_bank_wants_to_see_them_itself_no_proof_of_ours_will_do(
    browser: Client, alice: User, asked: Consent, link: Connection
) -> None:
    BankPolicy.objects.update(step_up=StepUp.BANK)
    proved(browser, alice)

    assert not offers(browser, asked)
    assert not Page(browser.get(f"/connect/{asked.id}/bank/northbank/")).says("linked already")


def test_the_platforms_own_policy_decides_before_the_general_one(
    browser: Client, alice: User, asked: Consent, link: Connection, northbank: Institution, chat: cast.Member
) -> None:
    own = cast.permissive_policy(northbank, chat.platform)
    BankPolicy.objects.filter(id=own.id).update(step_up=StepUp.BANK)
    proved(browser, alice)

    assert not offers(browser, asked)


def test_a_bank_that_does_not_accept_the_platform_is_not_offered(
    browser: Client, alice: User, asked: Consent, link: Connection
) -> None:
    BankPolicy.objects.update(status="SUSPEND")
    proved(browser, alice)

    assert not offers(browser, asked)


def test_an_account_that_the_banks_consent_does_not_reach_is_not_offered(
    browser: Client, alice: User, asked: Consent, link: Connection
) -> None:
    Account.objects.for_sync().update(is_covered=False)
    proved(browser, alice)

    assert not offers(browser, asked)


def test_a_proof_that_ran_out_before_the_yes_shares_nothing(
    browser: Client, alice: User, asked: Consent, link: Connection
) -> None:
    account = Account.objects.for_sync().get()
    proved(browser, alice)
    browser.post(f"/connect/{asked.id}/accounts/", {"account": [str(account.id)]})
    form = Page(browser.get(f"/connect/{asked.id}/confirm/")).form("/confirm/")
    proved(browser, alice, ago=timedelta(minutes=6))

    answer = browser.post(form.action, form.hidden)

    assert answer["Location"] == f"/connect/{asked.id}/accounts/"
    assert status_of(asked) == ConsentStatus.AWAITING_AUTHORISATION


@pytest.mark.parametrize(
    ("kind", "page"),
    [
        (Authenticator.Type.TOTP, "mfa_reauthenticate"),
        (Authenticator.Type.WEBAUTHN, "mfa_reauthenticate_webauthn"),
    ],
)
def test_whoever_has_a_second_factor_is_sent_to_prove_it_and_back(
    browser: Client, alice: User, asked: Consent, link: Connection, kind: str, page: str
) -> None:
    Authenticator.objects.create(user=alice, type=kind, data={})

    shown = Page(browser.get(f"/connect/{asked.id}/bank/northbank/"))

    (there,) = [one.attributes["href"] for one in shown.links if one.words == "Show that it is me"]
    assert there == f"{reverse(page)}?next=%2Fconnect%2F{asked.id}%2Faccounts%2F"
    assert shown.form("/northbank/").button.words == "Continue to Northbank"


def test_whoever_has_none_is_told_that_the_bank_is_the_way(browser: Client, asked: Consent, link: Connection) -> None:
    shown = Page(browser.get(f"/connect/{asked.id}/bank/northbank/"))

    assert shown.says("You have set up neither, so please sign in at your bank.")
    assert not any(one.words == "Show that it is me" for one in shown.links)
    assert shown.form("/northbank/").button.words == "Continue to Northbank"
