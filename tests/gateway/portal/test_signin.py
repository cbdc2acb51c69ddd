"""Signing in, up and out, on our own pages."""

import pytest
from django.contrib.auth.hashers import make_password
from django.test import Client
from django.urls import NoReverseMatch, reverse
from pytest_django import Settings

from gateway.identity.models import User
from tests.gateway.portal.html import Page
from tests.support import cast


def credentials(**changed: str) -> dict[str, str]:
    return {"login": "alice", "password": cast.PASSWORD} | changed


def test_sign_in_page_is_ours(db: None) -> None:
    answer = Client().get("/sign-in/")

    page = Page(answer)
    form = page.form("/sign-in/")
    assert page.title == "Sign in – Sluice"
    assert page.says("never type your bank password here")
    assert page.says("Forgotten your password? Nobody can mail you a new one")
    assert "no-store" in answer["Cache-Control"]
    assert {one.name for one in form.controls} >= {"login", "password"}
    assert form.named("password")[0].attributes["autocomplete"] == "current-password"
    assert form.named("login")[0].attributes["autocomplete"] == "username"


def test_next_survives_the_form_and_the_way_to_a_new_account(alice: User) -> None:
    wanted = "/oauth/authorize?client_id=chat&state=a%26b"
    browser = Client()

    page = Page(browser.get("/sign-in/", {"next": wanted}))
    answer = browser.post("/sign-in/", credentials() | page.form("/sign-in/").hidden)

    assert page.form("/sign-in/").hidden == {"next": wanted}
    assert answer["Location"] == wanted
    assert any("next=" in link.attributes["href"] for link in page.links if "/sign-up/" in link.attributes["href"])


@pytest.mark.parametrize(
    "elsewhere",
    ["https://evil.example/", "//evil.example/", "/\\evil.example", "javascript:alert(1)", "http:evil.example"],
)
def test_next_leads_nowhere_but_here(alice: User, elsewhere: str) -> None:
    answer = Client().post("/sign-in/", credentials(next=elsewhere))

    assert (answer.status_code, answer["Location"]) == (302, "/")


def test_session_is_a_new_one_after_signing_in(alice: User) -> None:
    browser = Client()
    session = browser.session
    session["before"] = "somebody else may know this session"
    session.save()
    before = session.session_key

    browser.post("/sign-in/", credentials())

    assert browser.session.session_key not in (None, before)


def test_wrong_password_is_told_and_focused_and_typed_again(alice: User) -> None:
    answer = Client().post("/sign-in/", credentials(password="wrong"))

    page = Page(answer)
    assert page.title.startswith("Error: ")
    assert page.says("There is a problem")
    assert ("div", "autofocus") in page.attributes
    assert "wrong" not in answer.content.decode()


def test_unknown_name_and_wrong_password_are_one_answer(alice: User) -> None:
    wrong, unknown = (
        Page(Client().post("/sign-in/", credentials(**changed))) for changed in ({"password": "x"}, {"login": "nobody"})
    )

    assert wrong.words == unknown.words


@pytest.fixture
def quick_hashes(alice: User, settings: Settings) -> None:
    """For tests that try many passwords."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    User.objects.update(password=make_password(cast.PASSWORD))


def test_t17_many_wrong_passwords_have_to_wait(quick_hashes: None) -> None:
    for _ in range(12):
        answer = Client().post("/sign-in/", credentials(password="wrong"))

    right = Client().post("/sign-in/", credentials())

    assert right.status_code in (200, 429)
    assert "_auth_user_id" not in right.client.session
    assert Page(answer).says("Too many")


def test_t17_a_strangers_wrong_passwords_do_not_lock_the_owner_out(quick_hashes: None) -> None:
    for _ in range(9):
        Client(REMOTE_ADDR="203.0.113.66").post("/sign-in/", credentials(password="wrong"))

    answer = Client(REMOTE_ADDR="198.51.100.7").post("/sign-in/", credentials())

    assert (answer.status_code, answer["Location"]) == (302, "/")


def test_t17_guessing_from_many_addresses_ends_for_the_hour(quick_hashes: None) -> None:
    for n in range(61):
        answer = Client(REMOTE_ADDR=f"203.0.113.{n}").post("/sign-in/", credentials(password="wrong"))

    assert Page(answer).says("Too many")


def test_t17_behind_a_proxy_each_address_has_its_own_attempts(quick_hashes: None, settings: Settings) -> None:
    settings.ALLAUTH_TRUSTED_PROXY_COUNT = 1
    for n in range(31):
        stranger = Client(headers={"X-Forwarded-For": f"10.0.0.{n}, 203.0.113.66"})
        flooded = stranger.post("/sign-in/", {"login": f"nobody{n}", "password": "wrong"})

    answer = Client(headers={"X-Forwarded-For": "198.51.100.7"}).post("/sign-in/", credentials())

    assert flooded.status_code == 429
    assert answer.status_code == 302


def test_t17_flood_gets_our_own_page(db: None) -> None:
    for _ in range(40):
        answer = Client().post("/sign-in/", {"login": "x", "password": "y"})

    assert answer.status_code == 429
    assert Page(answer).says("To protect accounts we wait a little")
    assert "no-store" in answer["Cache-Control"]


def test_new_account_is_made_and_signed_in(db: None) -> None:
    browser = Client()
    fields = {"username": "dora", "password1": cast.PASSWORD, "password2": cast.PASSWORD, "next": "/connect/x"}

    page = Page(browser.get("/sign-up/"))
    answer = browser.post("/sign-up/", fields)

    assert {one.name for one in page.form("/sign-up/").controls} >= {"username", "password1", "password2"}
    assert answer["Location"] == "/connect/x"
    assert User.objects.get(username="dora").check_password(cast.PASSWORD)
    assert browser.get("/").status_code == 200


@pytest.mark.parametrize("password", ["short", "password1234", "dora-dora-dora"])
def test_weak_password_makes_no_account(db: None, password: str) -> None:
    answer = Client().post("/sign-up/", {"username": "dora-dora", "password1": password, "password2": password})

    assert Page(answer).title.startswith("Error: ")
    assert not User.objects.exists()


def test_signing_out_needs_a_button(alice: User) -> None:
    browser = Client()
    browser.post("/sign-in/", credentials())

    asked = browser.get("/sign-out/")
    still = browser.get("/")
    answer = browser.post("/sign-out/")

    assert Page(asked).says("Sign out?")
    assert still.status_code == 200
    assert answer["Location"] == "/sign-in/"
    assert browser.get("/").status_code == 302


def test_closed_account_cannot_sign_in(alice: User) -> None:
    User.objects.update(is_active=False)
    browser = Client()

    answer = browser.post("/sign-in/", credentials(), follow=True)

    assert "no-store" in answer["Cache-Control"]
    assert Page(answer).title.endswith("– Sluice")
    assert "_auth_user_id" not in browser.session


@pytest.mark.parametrize("name", ["account_email", "account_reset_password", "account_set_password", "mfa_trust"])
def test_pages_we_do_not_offer_do_not_exist(name: str) -> None:
    with pytest.raises(NoReverseMatch):
        reverse(name)


@pytest.mark.parametrize("path", ["/accounts/login/", "/accounts/", "/login/", "/admin/", "/sign-in/code/"])
def test_stock_addresses_are_not_there(db: None, path: str) -> None:
    assert Client().get(path).status_code == 404
