"""The head of every page, where one lands after signing in, and where passkeys are not offered."""

import pytest
from django.test import Client
from pytest_django import Settings

from banks.models import Institution
from gateway.identity.models import User
from tests.gateway.portal.html import Page
from tests.support import cast, factors


def entries(page: Page) -> list[tuple[str, str]]:
    """(label, address) of the links in the navigation."""
    head = [link for link in page.links if link.attributes.get("class") not in ("skip", "wordmark")]
    return [(link.words, link.attributes["href"]) for link in head[: len(head)]]


def current(browser: Client, address: str) -> list[str]:
    return [link.words for link in Page(browser.get(address)).links if "aria-current" in link.attributes]


def test_navigation_says_where_one_is(alice: User) -> None:
    browser = factors.browser_of(alice)

    assert current(browser, "/") == ["Your sharing"]
    assert current(browser, "/links/") == ["Your bank links"]
    assert current(browser, "/security/") == current(browser, "/security/history/") == ["Security"]
    assert current(browser, "/reads/") == current(browser, "/download/") == ["Your sharing"]


@pytest.mark.parametrize("address", ["/nope", "/problems/", "/sign-out/"])
def test_navigation_marks_nothing_on_an_address_of_no_entry(alice: User, address: str) -> None:
    assert current(factors.browser_of(alice), address) == []


def test_people_see_no_console_and_visitors_only_the_way_in(alice: User) -> None:
    labels = [label for label, _ in entries(Page(factors.browser_of(alice).get("/")))]

    assert labels[:4] == ["Your sharing", "Your bank links", "Notices", "Security"]
    assert "Bank console" not in labels and "Operator" not in labels
    assert ("Sign in", "/sign-in/") in entries(Page(Client().get("/sign-up/")))


def test_staff_see_their_console_by_name_once_there_are_two(northbank: Institution) -> None:
    clerk = factors.clerk(northbank)
    assert ("Bank console", "/backoffice/northbank/") in entries(Page(factors.browser_of(clerk).get("/")))

    from gateway.identity.models import Membership, MembershipRole

    Membership.objects.create(user=clerk, role=MembershipRole.BANK_ADMIN, institution=cast.institution("southbank"))
    found = entries(Page(factors.browser_of(clerk).get("/")))
    assert ("Console of Northbank", "/backoffice/northbank/") in found
    assert ("Console of Southbank", "/backoffice/southbank/") in found


def test_operator_sees_their_pages(db: None) -> None:
    assert ("Operator", "/operator/") in entries(Page(factors.browser_of(factors.operator()).get("/")))


@pytest.mark.parametrize(("next_page", "lands"), [("", "/backoffice/northbank/"), ("/links/", "/links/")])
def test_staff_land_in_their_console_unless_they_were_on_their_way(
    northbank: Institution, next_page: str, lands: str
) -> None:
    secret = factors.set_up_codes(factors.clerk(northbank))
    browser = Client()
    browser.post("/sign-in/", {"login": "clerk", "password": cast.PASSWORD, "next": next_page})

    answer = browser.post("/sign-in/second-factor/", {"code": factors.code_of(secret)})

    assert answer["Location"] == lands


@pytest.mark.parametrize("issuer", ["http://127.0.0.1:8000", "https://[2001:db8::1]", "https://203.0.113.7"])
def test_where_the_issuer_is_a_number_the_pages_say_why_there_are_no_passkeys(
    alice: User, settings: Settings, issuer: str
) -> None:
    settings.ISSUER = issuer
    browser = factors.browser_of(alice)

    page, add = Page(browser.get("/security/")), browser.get("/security/passkeys/add/")

    assert page.says("This site has no name, only the number") and not page.says("Add a passkey")
    assert add.status_code == 404 and Page(add).says("One-time codes work here")
    assert not Page(Client().get("/sign-in/")).says("Use a passkey")


def test_at_another_address_than_the_issuers_there_are_none_either(alice: User, settings: Settings) -> None:
    settings.ISSUER = "https://sluice.example"

    page = Page(factors.browser_of(alice).get("/security/"))

    assert page.says("Yours work at https://sluice.example")


def test_passkeys_are_offered_at_the_issuers_own_name(alice: User, settings: Settings) -> None:
    settings.ISSUER = "https://testserver"
    browser = factors.browser_of(alice)

    assert Page(browser.get("/security/")).says("Add a passkey")
    assert Page(Client().get("/sign-in/")).says("Use a passkey")
    assert browser.get("/security/passkeys/add/").status_code == 200
    options = Client().get("/sign-in/passkey/", headers={"Accept": "application/json"}).json()
    assert options["request_options"]["publicKey"]["rpId"] == "testserver"


def test_email_is_kept_and_names_nobody(alice: User) -> None:
    browser = factors.browser_of(alice)

    wrong = browser.post("/security/email/", {"email": "no address"})
    right = browser.post("/security/email/", {"email": "alice@example.test"})

    assert wrong.status_code == 422 and Page(wrong).title.startswith("Error: ")
    assert right.status_code == 303
    assert User.objects.get().email == "alice@example.test"
    stranger = Client()
    stranger.post("/sign-in/", {"login": "alice@example.test", "password": cast.PASSWORD})
    assert "_auth_user_id" not in stranger.session
    browser.post("/security/email/", {"email": ""})
    assert User.objects.get().email == ""


def test_no_page_of_allauths_own_is_shown(alice: User) -> None:
    """Theirs have neither our title nor our navigation."""
    browser = factors.proved(alice)
    for address in (
        "",
        "history/",
        "confirm/code/",
        "email/",
        "password/",
        "codes/remove/",
        "passkeys/",
        "recovery-codes/new/",
        "close/",
    ):
        page = Page(browser.get(f"/security/{address}"))
        assert page.title.endswith("– Sluice"), address
        assert page.says("Signed in as alice"), address
