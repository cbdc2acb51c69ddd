"""One-time codes and recovery codes: set up, used, taken away; and what is kept of them."""

import re
from datetime import timedelta

import pytest
from allauth.mfa.models import Authenticator
from django.contrib.sessions.models import Session
from django.core.cache import caches
from django.core.cache.backends.db import DatabaseCache
from django.test import Client

from banks.vault import Unsealable
from gateway.identity.models import User
from tests.gateway.portal.html import Page
from tests.support import cast, factors


def at_the_second_step() -> Client:
    browser = Client()
    browser.post("/sign-in/", {"login": "alice", "password": cast.PASSWORD, "next": "/links/"})
    return browser


def is_in(browser: Client) -> bool:
    return "_auth_user_id" in browser.session


def test_codes_are_set_up_without_a_script_and_recovery_codes_follow(alice: User) -> None:
    browser = factors.browser_of(alice)
    page = Page(browser.get("/security/codes/"))
    secret = re.search(r"Key ((?:[A-Z2-7]{4} ?){8})", page.words)[1].replace(" ", "")  # type: ignore[index]

    answer = browser.post("/security/codes/", {"code": factors.code_of(secret)})

    assert ("img", "src") in page.attributes and ("script", "src") not in page.attributes
    assert answer["Location"] == "/security/recovery-codes/"
    shown = Page(browser.get("/security/recovery-codes/"))
    assert len(re.findall(r"\b\d{8}\b", shown.words)) == 10
    download = browser.get("/security/recovery-codes/download/")
    assert download["Content-Type"].startswith("text/plain")
    assert set(re.findall(r"\b\d{8}\b", download.content.decode())) == set(re.findall(r"\b\d{8}\b", shown.words))
    assert "no-store" in download["Cache-Control"]


def test_wrong_code_sets_nothing_up_and_is_told(alice: User) -> None:
    browser = factors.browser_of(alice)
    browser.get("/security/codes/")

    page = Page(browser.post("/security/codes/", {"code": "000000"}))

    assert page.title.startswith("Error: ") and page.says("There is a problem")
    assert not Authenticator.objects.exists()


def test_password_alone_no_longer_signs_in_and_next_survives_the_second_step(alice: User) -> None:
    secret = factors.set_up_codes(alice)
    browser = at_the_second_step()
    assert not is_in(browser)
    assert Page(browser.get("/sign-in/second-factor/")).says("Confirm that it is you")

    answer = browser.post("/sign-in/second-factor/", {"code": factors.code_of(secret)})

    assert answer["Location"] == "/links/"
    assert is_in(browser)


@pytest.mark.parametrize("code", ["000000", "", "12", "１２３４５６", "x" * 200])
def test_wrong_code_signs_nobody_in(alice: User, code: str) -> None:
    factors.set_up_codes(alice)
    browser = at_the_second_step()

    answer = browser.post("/sign-in/second-factor/", {"code": code})

    assert Page(answer).title.startswith("Error: ")
    assert not is_in(browser)


def test_code_of_half_a_minute_ago_works_and_one_of_two_minutes_does_not(alice: User) -> None:
    secret = factors.set_up_codes(alice)
    browser = at_the_second_step()

    browser.post("/sign-in/second-factor/", {"code": factors.code_of(secret, periods_ago=4)})
    assert not is_in(browser)
    browser.post("/sign-in/second-factor/", {"code": factors.code_of(secret, periods_ago=1)})
    assert is_in(browser)


def test_code_that_was_used_is_used_up(alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    """For as long as it would be right: allauth alone forgets it after half a minute."""
    secret = factors.set_up_codes(alice)
    code = factors.code_of(secret)
    at_the_second_step().post("/sign-in/second-factor/", {"code": code})
    monkeypatch.setattr("allauth.mfa.totp.internal.auth.TOTP._mark_code_used", lambda *_: True)
    again = at_the_second_step()

    again.post("/sign-in/second-factor/", {"code": code})

    assert not is_in(again)


def test_t17_code_that_was_used_and_a_failure_are_remembered_among_thousands_of_other_things() -> None:
    """A database cache throws a third of what it holds away, good or not, when it holds more than it may; every job
    has an entry there for a day."""
    cache = caches["default"]

    assert not isinstance(cache, DatabaseCache) or cache._max_entries >= 20_000


def test_t17_codes_cannot_be_guessed(alice: User) -> None:
    secret = factors.set_up_codes(alice)
    browser = at_the_second_step()
    for n in range(12):
        answer = browser.post("/sign-in/second-factor/", {"code": f"00000{n % 10}"})

    assert Page(answer).says("Too many")
    browser.post("/sign-in/second-factor/", {"code": factors.code_of(secret)})
    assert not is_in(browser)


def test_recovery_code_works_once(alice: User) -> None:
    from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes

    factors.set_up_codes(alice)
    code = RecoveryCodes.activate(alice).generate_codes()[0]
    first, second = at_the_second_step(), at_the_second_step()

    first.post("/sign-in/second-factor/", {"code": code})
    second.post("/sign-in/second-factor/", {"code": code})

    assert (is_in(first), is_in(second)) == (True, False)


def test_codes_are_taken_away_with_their_recovery_codes(alice: User) -> None:
    browser = factors.proved(alice)

    answer = browser.post("/security/codes/remove/")

    assert answer["Location"] == "/security/"
    assert not Authenticator.objects.exists()
    assert Page(browser.get("/security/")).says("Set up one-time codes")


FACTOR_PAGES = [
    "/security/codes/",
    "/security/codes/remove/",
    "/security/recovery-codes/",
    "/security/recovery-codes/new/",
    "/security/recovery-codes/download/",
    "/security/password/",
    "/security/email/",
    "/security/close/",
]


@pytest.mark.parametrize("address", FACTOR_PAGES)
def test_t15_what_changes_a_factor_needs_the_factor_and_not_only_the_password(alice: User, address: str) -> None:
    factors.set_up_codes(alice)
    browser = factors.browser_of(alice)
    before = list(Authenticator.objects.values())

    shown, done = browser.get(address), browser.post(address, {"password": "x"})

    assert shown.status_code == done.status_code == 303
    assert shown["Location"].startswith("/security/confirm/code/")
    browser.post("/security/confirm/", {"password": cast.PASSWORD, "next": address})
    assert browser.get(address).status_code == 303
    assert list(Authenticator.objects.values()) == before


@pytest.mark.parametrize("address", FACTOR_PAGES)
def test_t15_proof_older_than_five_minutes_is_asked_for_again(alice: User, address: str) -> None:
    browser = factors.proved(alice)
    factors.age(browser, timedelta(minutes=6))

    assert browser.post(address).status_code == 303


def test_late_post_is_not_kept_with_its_passwords_and_cookie(alice: User) -> None:
    browser = factors.proved(alice)
    factors.age(browser, timedelta(minutes=6))

    browser.post("/security/password/", {"oldpassword": "old-canary", "password1": "new-canary", "password2": "x"})

    kept = str([row.get_decoded() for row in Session.objects.all()])
    assert "canary" not in kept and "HTTP_COOKIE" not in kept


def test_confirming_by_code_leads_back(alice: User) -> None:
    secret = factors.set_up_codes(alice)
    browser = factors.browser_of(alice)
    asked = browser.get("/security/codes/remove/")

    page = Page(browser.get(asked["Location"]))
    answer = browser.post(
        "/security/confirm/code/", {"code": factors.code_of(secret), **page.form("/confirm/code/").hidden}
    )

    assert answer["Location"] == "/security/codes/remove/"
    assert browser.get(answer["Location"]).status_code == 200


@pytest.mark.parametrize("elsewhere", ["https://evil.example/", "//evil.example/", "javascript:alert(1)"])
def test_t5_confirming_leads_nowhere_but_here(alice: User, elsewhere: str) -> None:
    answer = factors.browser_of(alice).post("/security/confirm/", {"password": cast.PASSWORD, "next": elsewhere})

    assert answer["Location"] == "/"


def test_t13_no_secret_of_a_factor_is_in_its_row(alice: User) -> None:
    from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes

    secret = factors.set_up_codes(alice)
    codes = RecoveryCodes.activate(alice)
    plain = [secret, *codes.generate_codes()]
    RecoveryCodes.activate(alice).validate_code(plain[1])  # saved once more

    rows = str(list(Authenticator.objects.values()))
    assert not [one for one in plain if one in rows]
    assert Authenticator.objects.get(type="totp").wrap().validate_code(factors.code_of(secret))
    assert plain[2] in Authenticator.objects.get(type="recovery_codes").wrap().get_unused_codes()


def test_t13_secret_moved_into_another_persons_row_opens_nothing(alice: User, bob: User) -> None:
    factors.set_up_codes(alice)
    factors.set_up_codes(bob)
    stolen = Authenticator.objects.get(user=alice).data

    Authenticator.objects.filter(user=bob).update(data=stolen)

    with pytest.raises(Unsealable):
        Authenticator.objects.get(user=bob)


def test_t13_owners_name_in_a_ciphertext_cannot_be_rewritten(alice: User, bob: User) -> None:
    factors.set_up_codes(alice)
    factors.set_up_codes(bob)
    kept = Authenticator.objects.get(user=alice).data["secret"]
    Authenticator.objects.filter(user=bob).update(data={"secret": f"{bob.id}.{kept.partition('.')[2]}"})

    with pytest.raises(Unsealable):
        Authenticator.objects.get(user=bob).wrap().validate_code("000000")


@pytest.mark.parametrize("kept", ["JBSWY3DPEHPK3PXP", "", "x.y", "not-a-uuid.AAAA"])
def test_t13_plain_secret_in_a_row_is_not_taken(alice: User, kept: str) -> None:
    factors.set_up_codes(alice)
    browser = at_the_second_step()
    row = Authenticator(user=alice, type="totp", data={})

    from gateway.identity import factors as sealed

    with pytest.raises(Unsealable):
        sealed.opened(kept)
    assert row.data == {} and not is_in(browser)
