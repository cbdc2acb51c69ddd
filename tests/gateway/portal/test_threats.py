"""What is tried against the page where people say yes; each by its number in the list of threats."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from banks.models import Institution
from consents import clock, platforms
from consents.models import Consent, Grant
from consents.states import ConsentStatus, PlatformStatus
from gateway.identity.models import User
from tests.gateway.portal.conftest import VERIFIER, show_accounts, status_of
from tests.gateway.portal.html import Page
from tests.support import cast
from tests.support.cast import Member

Traces = Callable[[], object]

PAGES = ("", "bank/", "scopes/", "duration/", "bank/northbank/", "accounts/", "confirm/")


@pytest.fixture
def ticked(browser: Client, asked: Consent, northbank: Institution) -> None:
    (account,) = show_accounts(browser, asked, northbank, "everyday")
    browser.post(f"/connect/{asked.id}/accounts/", {"account": [str(account)]})


@pytest.mark.parametrize(
    "extra",
    [
        {"approval_prompt": "auto"},
        {"prompt": "consent"},
        {"prompt": "login"},
        {"skip_authorization": "true"},
        {"allow": "Authorize"},
        {"max_age": "999999"},
        {"login_hint": "alice"},
    ],
    ids=lambda extra: "=".join(*extra.items()),
)
def test_t3_no_parameter_skips_the_page_whatever_was_allowed_before(
    browser: Client, alice: User, chat: Member, northbank: Institution, extra: dict[str, str]
) -> None:
    members = {"scopes": ["accounts"], "purposes": ["account_overview"]}
    earlier = cast.authorised_consent(alice, chat.platform, accounts=cast.linked_accounts(alice, northbank))

    answer = browser.get("/oauth/authorize", cast.authorization_query(chat, VERIFIER, **members) | extra)

    new = Consent.objects.exclude(id=earlier.id).get()
    assert (answer.status_code, answer["Location"]) == (303, f"/connect/{new.id}/")
    assert new.status == ConsentStatus.AWAITING_AUTHORISATION
    assert Page(browser.get(answer["Location"])).says("chat asks to see some of your bank data")
    assert not Grant.objects.exists()


def test_t3_a_question_that_asks_for_silence_gets_no_yes(browser: Client, chat: Member) -> None:
    members = {"scopes": ["accounts"], "purposes": ["account_overview"]}

    answer = browser.get("/oauth/authorize", cast.authorization_query(chat, VERIFIER, **members) | {"prompt": "none"})

    assert "error=consent_required" in answer["Location"]
    assert not Consent.objects.exists()


@pytest.mark.parametrize(
    "status", [PlatformStatus.PENDING, PlatformStatus.SUSPENDED, PlatformStatus.REVOKED], ids=lambda one: one.value
)
def test_t4_a_platform_that_is_not_active_cannot_ask(browser: Client, status: PlatformStatus) -> None:
    member = cast.platform("look-alike", status=status)
    members = {"scopes": ["accounts"], "purposes": ["account_overview"]}

    answer = browser.get("/oauth/authorize", cast.authorization_query(member, VERIFIER, **members))

    assert answer.status_code == 400
    assert not Consent.objects.exists()


@pytest.mark.parametrize("method", ["get", "post"])
@pytest.mark.parametrize("step", PAGES)
def test_t4_a_question_of_a_platform_that_was_stopped_meanwhile_is_shown_no_more(
    browser: Client, asked: Consent, ticked: None, chat: Member, traces: Traces, step: str, method: str
) -> None:
    if (step, method) == ("", "post"):
        return  # refused before anything is looked up
    platforms.change_status(
        chat.platform, PlatformStatus.SUSPENDED, reason="test", actor=cast.BY_OPERATOR, now=clock.now()
    )
    before = traces()

    answer = getattr(browser, method)(f"/connect/{asked.id}/{step}")

    page = Page(answer)
    assert answer.status_code == 403
    assert page.says("chat may not ask right now")
    assert page.says("Nothing was shared: chat got no data")
    assert not any(form.action.startswith("/connect/") for form in page.forms)
    assert traces() == before


def test_t4_an_uncertain_name_is_shown_with_company_site_and_since_when(
    browser: Client, asked: Consent, chat: Member
) -> None:
    chat.platform.legal_name = "Chat Holdings Ltd"
    chat.platform.save()

    page = Page(browser.get(f"/connect/{asked.id}/"))

    for told in ("Chat Holdings Ltd", "Sends you back to chat.example", "Yes, here since", "It signed so on"):
        assert page.says(told), told


@pytest.mark.parametrize("step", PAGES)
def test_t5_pages_of_the_flow_are_framed_and_kept_by_nobody(
    browser: Client, asked: Consent, ticked: None, step: str
) -> None:
    answer = browser.get(f"/connect/{asked.id}/{step}")

    assert answer.status_code == 200
    assert answer["X-Frame-Options"] == "DENY"
    assert "frame-ancestors 'none'" in answer["Content-Security-Policy"]
    assert "no-store" in answer["Cache-Control"]
    assert answer["Referrer-Policy"] == "same-origin"


@pytest.mark.parametrize("step", [*PAGES[1:], "refuse/", "return/"])
def test_t5_a_post_without_our_own_token_changes_nothing(
    alice: User, asked: Consent, northbank: Institution, traces: Traces, step: str
) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(alice, backend="django.contrib.auth.backends.ModelBackend")
    before = traces()

    answer = strict.post(f"/connect/{asked.id}/{step}")

    assert answer.status_code == 403
    assert Page(answer).says("Nothing was changed")
    assert traces() == before


def test_allow_and_refuse_differ_in_their_words_and_where_they_go_alone(
    browser: Client, asked: Consent, ticked: None
) -> None:
    page = Page(browser.get(f"/connect/{asked.id}/confirm/"))

    yes, no = page.form("/confirm/"), page.form("/refuse/")

    assert (yes.button.words, no.button.words) == ("Allow", "Do not allow")
    assert yes.button.attributes == no.button.attributes
    assert yes.method == no.method == "post"
    assert yes.has_csrf_token and no.has_csrf_token
    assert list(no.hidden) == [] and list(yes.hidden) == ["disclosure"]


def test_errors_of_the_flow_say_what_was_not_shared_and_how_to_go_on(browser: Client, asked: Consent) -> None:
    """Never the raw word of a protocol."""
    cast.institution("northbank")  # without a policy: the bank does not accept anyone

    answer: Any = browser.post(f"/connect/{asked.id}/bank/northbank/")

    page = Page(answer)
    assert answer.status_code == 403
    assert page.says("This bank does not accept chat")
    assert page.says("Nothing was shared")
    assert page.form("/bank/").button.words == "Try again"
    assert page.says("name this reference")
    assert "policy_absent" not in page.words
    assert status_of(asked) == ConsentStatus.AWAITING_AUTHORISATION
