"""What holds for each page: not kept by caches, framed by nobody, no script, no style, changed by no GET."""

from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

import pytest
from django.test import Client

from banks.models import Connection, Institution
from consents import clock
from consents.models import Consent, ConsentAccount
from gateway.identity import assurance
from gateway.identity.models import User
from gateway.notify.tasks import collect
from tests.gateway.portal.conftest import read_by_platform, signed_in
from tests.gateway.portal.html import Page
from tests.support import cast
from tests.support.cast import Member


@pytest.fixture
def addresses(
    alice: User,
    chat: Member,
    asked: Consent,
    chosen: UUID,
    northbank: Institution,
    monkeypatch: pytest.MonkeyPatch,
) -> dict[str, str]:
    """Every page a signed-in user can see, in a state in which it shows itself."""
    live = cast.authorised_consent(alice, chat.platform, accounts=cast.linked_accounts(alice, northbank, ("joint",)))
    ended = cast.revoke(cast.authorised_consent(alice, chat.platform))
    flow, consents = f"/connect/{asked.id}", "/consents"
    collect()
    link = ConsentAccount.objects.filter(consent=live).values_list("connection_id", flat=True).get()
    Connection.objects.filter(id=link).update(status="REAUTH_REQUIRED")
    Consent.objects.filter(id=live.id).update(expires_at=clock.now() + timedelta(days=20))
    monkeypatch.setattr(assurance, "is_fresh", lambda *_args, **_words: True)
    read_by_platform(live)
    return {
        "list": "/",
        "live": f"{consents}/{live.id}/",
        "ended": f"{consents}/{ended.id}/",
        "waiting": f"{consents}/{asked.id}/",
        "stop": f"{consents}/{live.id}/stop/",
        "narrow": f"{consents}/{live.id}/narrow/",
        "report": f"{consents}/{live.id}/report/",
        "renew consent": f"{consents}/{live.id}/renew/",
        "stop everything": "/stop-everything/",
        "reads": "/reads/",
        "disconnect": f"/links/{link}/disconnect/",
        "links": "/links/",
        "renew": f"/links/{link}/renew/",
        "ask": f"{flow}/",
        "bank": f"{flow}/bank/",
        "scopes": f"{flow}/scopes/",
        "duration": f"{flow}/duration/",
        "redirect": f"{flow}/bank/northbank/",
        "accounts": f"{flow}/accounts/",
        "confirm": f"{flow}/confirm/",
        "done": f"/connect/{live.id}/done/",
        "over": f"/connect/{ended.id}/done/",
        "nothing linked": "/banks/northbank/callback",
        "notices": "/notices/",
        "download": "/download/",
        "sign out": "/sign-out/",
    }


def test_t5_pages_are_kept_by_nobody_and_framed_by_nobody(browser: Client, addresses: dict[str, str]) -> None:
    for name, address in addresses.items():
        answer = browser.get(address)

        policy = answer["Content-Security-Policy"]
        assert answer.status_code == (400 if name == "nothing linked" else 200), name
        assert "no-store" in answer["Cache-Control"], name
        assert "frame-ancestors 'none'" in policy, name
        assert "default-src 'none'" in policy, name
        assert "form-action 'self'" in policy, name
        assert answer["X-Frame-Options"] == "DENY", name
        assert answer["Referrer-Policy"] == "same-origin", name


def test_forms_lead_out_only_from_the_pages_that_redirect(browser: Client, addresses: dict[str, str]) -> None:
    widened = {
        name
        for name, address in addresses.items()
        if "form-action 'self';" not in browser.get(address)["Content-Security-Policy"] + ";"
    }

    assert widened == {"redirect", "renew"}


def test_looking_changes_nothing(browser: Client, addresses: dict[str, str], traces: Callable[[], object]) -> None:
    before = traces()

    for address in addresses.values():
        browser.get(address)
        browser.head(address)

    assert traces() == before


_CHANGING = tuple(
    f"/{act}/"
    for act in (
        *("refuse", "stop", "return", "confirm", "renew", "narrow", "pause", "resume", "report", "withdraw"),
        *("stop-everything", "disconnect"),
    )
)


def test_each_form_that_changes_something_is_a_post_with_a_token(browser: Client, addresses: dict[str, str]) -> None:
    pages_one_may_ask_for = ("/bank/", "/", "/consents/", "/links/", "/reads/")
    for name, address in addresses.items():
        for form in Page(browser.get(address)).forms:
            if form.method == "post":
                assert form.has_csrf_token, name
            else:
                assert form.action.endswith(pages_one_may_ask_for), name
                assert not form.action.endswith(_CHANGING), name


def test_t5_post_without_a_token_is_refused_with_our_own_page(alice: User, asked: Consent) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(alice, backend="django.contrib.auth.backends.ModelBackend")

    for step in ("refuse/", "bank/", "accounts/", "confirm/", "return/"):
        answer = strict.post(f"/connect/{asked.id}/{step}")

        assert answer.status_code == 403
        assert Page(answer).says("Nothing was changed")
        assert "no-store" in answer["Cache-Control"]


def test_nothing_is_inline_and_nothing_is_foreign(browser: Client, addresses: dict[str, str]) -> None:
    for name, address in addresses.items():
        answer = browser.get(address)
        page, text = Page(answer), answer.content.decode()

        assert "<script" not in text, name
        assert "<style" not in text, name
        assert not any(attribute == "style" or attribute.startswith("on") for _, attribute in page.attributes), name
        assert "//" not in text.replace("<!doctype html>", ""), name


def test_each_page_has_a_name_of_its_own_and_landmarks(browser: Client, addresses: dict[str, str]) -> None:
    pages = {name: Page(browser.get(address)) for name, address in addresses.items()}

    assert len({page.title for page in pages.values()}) == len(pages)
    for name, page in pages.items():
        assert {"header", "main", "footer"} <= set(page.landmarks), name
        assert page.links[0].attributes == {"class": "skip", "href": "#main"}, name
        assert '<html lang="en" dir="ltr">' in browser.get(addresses[name]).content.decode()


def test_other_methods_are_not_understood(browser: Client, addresses: dict[str, str]) -> None:
    for name in ("list", "live", "links", "reads", "ask", "done", "nothing linked"):
        assert browser.post(addresses[name]).status_code == 405, name
    for name in set(addresses) - {"sign out"}:
        assert browser.put(addresses[name]).status_code == 405, name
        assert browser.delete(addresses[name]).status_code == 405, name


def test_names_are_text_and_nothing_else(browser: Client, asked: Consent, chat: Member) -> None:
    chat.platform.name = '<img src=x onerror="alert(1)">'
    chat.platform.save()

    text = browser.get(f"/connect/{asked.id}/").content.decode()

    assert "<img" not in text
    assert "&lt;img src=x" in text


def test_signed_in_stranger_sees_the_start_page(charlie: User) -> None:
    assert signed_in(charlie).get("/").status_code == 200
