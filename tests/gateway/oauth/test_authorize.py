"""GET /oauth/authorize: what may reach the portal, what goes back to the platform, and what goes nowhere."""

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import pytest
from django.conf import settings
from django.test import Client

from consents import platforms
from consents.models import Consent, Platform
from consents.models.platform import PlatformProfile
from consents.scopes import Purpose
from consents.states import ConsentStatus, PlatformStatus
from gateway.identity.models import User
from gateway.oauth.models import AuthorizationRequest
from tests.gateway.oauth.conftest import VERIFIER
from tests.support import cast
from tests.support.cast import Member

Rows = Callable[[], dict[str, int]]


def good(member: Member, **overrides: str | None) -> dict[str, str]:
    """A good request with parameters replaced, or left out where the value is None."""
    query = cast.authorization_query(
        member, VERIFIER, scopes=["accounts", "balances"], purposes=["account_overview"], duration_days=30
    )
    return {name: value for name, value in {**query, **overrides}.items() if value is not None}


def details(**members: object) -> str:
    plain = {"type": "account_information", "scopes": ["balances"], "purposes": ["balance_check"]}
    return json.dumps([{**plain, **members}])


@pytest.fixture
def browser(alice: User) -> Client:
    """Alice's browser, signed in."""
    client = Client(raise_request_exception=False)
    client.force_login(alice, backend="django.contrib.auth.backends.ModelBackend")
    return client


def outcome(answer: Any) -> dict[str, str]:
    """The parameters that came back to the platform; each at most once."""
    pairs = parse_qsl(urlsplit(answer["Location"]).query, keep_blank_values=True)
    assert len(dict(pairs)) == len(pairs), pairs
    return dict(pairs)


# -- the way in --------------------------------------------------------------------------------------------------------


def test_good_request_is_kept_and_shown_in_the_portal(browser: Client, alice: User, chat: Member) -> None:
    answer = browser.get("/oauth/authorize", good(chat))

    consent = Consent.objects.get()
    request = AuthorizationRequest.objects.get()
    assert answer.status_code == 303
    assert answer["Location"] == f"/connect/{consent.id}/"
    assert "no-store" in answer["Cache-Control"]
    assert (consent.user_id, consent.platform_id) == (alice.id, chat.platform.id)
    assert consent.status == ConsentStatus.AWAITING_AUTHORISATION
    assert (consent.scopes, consent.purposes, consent.duration_days) == (
        ["accounts", "balances"],
        ["account_overview"],
        30,
    )
    assert (request.consent_id, request.redirect_uri, request.answered_at) == (consent.id, chat.redirect_uri, None)
    assert request.state == "state-of-the-platform"
    assert request.code_challenge == cast.challenge(VERIFIER)
    assert request.resource == [f"{settings.ISSUER}/v1"]


def test_stranger_is_sent_to_sign_in_and_comes_back_to_the_same_request(chat: Member, rows: Rows) -> None:
    before = rows()

    answer = Client().get("/oauth/authorize", good(chat))

    target = urlsplit(answer["Location"])
    assert answer.status_code == 303
    assert target.netloc == ""
    back = urlsplit(parse_qs(target.query)["next"][0])
    assert (back.netloc, back.path) == ("", "/oauth/authorize")
    assert dict(parse_qsl(back.query)) == good(chat)
    assert rows() == before


def test_signed_in_but_inactive_user_is_a_stranger(browser: Client, alice: User, chat: Member, rows: Rows) -> None:
    alice.is_active = False
    alice.save()
    before = rows()

    answer = browser.get("/oauth/authorize", good(chat))

    assert "next=" in answer["Location"]
    assert rows() == before


ALLOWED_EXTRAS: dict[str, dict[str, str]] = {
    "unknown parameter": {"utm_source": "mail"},
    "empty parameter": {"nonce": ""},
    "scope that repeats the details": {"scope": "balances accounts"},
    "the one resource": {"resource": f"{settings.ISSUER}/v1"},
    "response_mode query": {"response_mode": "query"},
    "approval_prompt changes nothing": {"approval_prompt": "auto"},
    "prompt consent": {"prompt": "consent"},
}


@pytest.mark.parametrize("extra", ALLOWED_EXTRAS.values(), ids=ALLOWED_EXTRAS.keys())
def test_harmless_parameters_still_lead_to_the_portal(browser: Client, chat: Member, extra: dict[str, str]) -> None:
    answer = browser.get("/oauth/authorize", {**good(chat), **extra})

    assert answer["Location"].startswith("/connect/")


def test_scope_may_leave_out_what_the_details_imply(browser: Client, chat: Member) -> None:
    asked = details(scopes=["merchants"], purposes=["account_overview"])

    answer = browser.get("/oauth/authorize", good(chat, authorization_details=asked, scope="merchants"))

    assert answer["Location"].startswith("/connect/")


def test_t3_approval_prompt_never_skips_the_decision(browser: Client, alice: User, chat: Member) -> None:
    cast.tokens(alice, chat)  # a live grant for exactly the same

    answer = browser.get("/oauth/authorize", {**good(chat), "approval_prompt": "auto"})

    assert answer["Location"].startswith("/connect/")
    assert Consent.objects.filter(status=ConsentStatus.AWAITING_AUTHORISATION).count() == 1


# -- back to the platform ----------------------------------------------------------------------------------------------

REDIRECTED: dict[str, tuple[str, dict[str, str | None]]] = {
    "no response_type": ("invalid_request", {"response_type": None}),
    "implicit": ("unsupported_response_type", {"response_type": "token"}),
    "hybrid": ("unsupported_response_type", {"response_type": "code id_token"}),
    "response_type none": ("unsupported_response_type", {"response_type": "none"}),
    "no state": ("invalid_request", {"state": None}),
    "empty state": ("invalid_request", {"state": ""}),
    "state not printable": ("invalid_request", {"state": "a\nb"}),
    "state not ASCII": ("invalid_request", {"state": "zustand-ä"}),
    "state too long": ("invalid_request", {"state": "s" * 1025}),
    "no challenge": ("invalid_request", {"code_challenge": None}),
    "no method, which means plain": ("invalid_request", {"code_challenge_method": None}),
    "plain": ("invalid_request", {"code_challenge_method": "plain"}),
    "method in lower case": ("invalid_request", {"code_challenge_method": "s256"}),
    "challenge too short": ("invalid_request", {"code_challenge": "abc"}),
    "challenge padded": ("invalid_request", {"code_challenge": "A" * 43 + "="}),
    "challenge with a newline": ("invalid_request", {"code_challenge": "A" * 43 + "\n"}),
    "challenge too long": ("invalid_request", {"code_challenge": "A" * 44}),
    "no details": ("invalid_request", {"authorization_details": None}),
    "empty details never mean everything": ("invalid_request", {"authorization_details": ""}),
    "scope alone": ("invalid_request", {"authorization_details": None, "scope": "accounts balances"}),
    "details not JSON": ("invalid_authorization_details", {"authorization_details": "{"}),
    "details without scope": ("invalid_authorization_details", {"authorization_details": details(scopes=[])}),
    "details beyond the purpose": (
        "invalid_authorization_details",
        {"authorization_details": details(scopes=["transactions"])},
    ),
    "two details": (
        "invalid_authorization_details",
        {"authorization_details": json.dumps(json.loads(details()) * 2)},
    ),
    "details too long": ("invalid_authorization_details", {"authorization_details": details() + " " * 5000}),
    "wider scope": ("invalid_scope", {"scope": "accounts balances transactions"}),
    "narrower scope": ("invalid_scope", {"scope": "accounts"}),
    "unknown scope": ("invalid_scope", {"scope": "openid"}),
    "scope named twice": ("invalid_scope", {"scope": "accounts accounts balances"}),
    "another resource": ("invalid_target", {"resource": "https://elsewhere.example/v1"}),
    "resource above ours": ("invalid_target", {"resource": settings.ISSUER}),
    "resource below ours": ("invalid_target", {"resource": f"{settings.ISSUER}/v1/accounts"}),
    "request object": ("request_not_supported", {"request": "eyJhbGciOiJub25lIn0.e30."}),
    "request_uri": ("request_uri_not_supported", {"request_uri": "urn:ietf:params:oauth:request_uri:x"}),
    "fragment": ("invalid_request", {"response_mode": "fragment"}),
    "form_post": ("invalid_request", {"response_mode": "form_post"}),
    "prompt none": ("consent_required", {"prompt": "none"}),
    "prompt none among others": ("consent_required", {"prompt": "login none"}),
}


@pytest.mark.parametrize(("error", "overrides"), REDIRECTED.values(), ids=REDIRECTED.keys())
def test_error_goes_back_with_303_state_and_iss(
    browser: Client, chat: Member, rows: Rows, error: str, overrides: dict[str, str | None]
) -> None:
    before = rows()

    answer = browser.get("/oauth/authorize", good(chat, **overrides))

    back = outcome(answer)
    assert answer.status_code == 303
    assert answer["Location"].startswith(f"{chat.redirect_uri}?")
    assert back["error"] == error
    assert back["error_description"]
    assert back["iss"] == settings.ISSUER
    assert back.get("state") == (None if "state" in overrides else "state-of-the-platform")
    assert "code" not in back
    assert rows() == before


@pytest.mark.parametrize("name", ["state", "scope", "code_challenge", "authorization_details", "anything"])
def test_repeated_parameter_goes_back_as_an_error(browser: Client, chat: Member, rows: Rows, name: str) -> None:
    before = rows()
    query = urlencode([*good(chat).items(), (name, "x"), (name, "y")])

    back = outcome(browser.get(f"/oauth/authorize?{query}"))

    assert (back["error"], back["iss"]) == ("invalid_request", settings.ISSUER)
    assert ("state" in back) == (name != "state")
    assert rows() == before


def test_prompt_none_without_a_session_is_login_required(chat: Member) -> None:
    back = outcome(Client().get("/oauth/authorize", good(chat, prompt="none")))

    assert (back["error"], back["iss"]) == ("login_required", settings.ISSUER)


def test_platform_of_the_other_profile_cannot_ask_here(browser: Client, chat: Member) -> None:
    Platform.objects.filter(id=chat.platform.id).update(profile=PlatformProfile.FAPI2)

    assert outcome(browser.get("/oauth/authorize", good(chat)))["error"] == "unauthorized_client"


def test_purpose_the_platform_did_not_register_goes_back(browser: Client) -> None:
    member = cast.platform("modest", purposes=[Purpose.BALANCE_CHECK])

    assert outcome(browser.get("/oauth/authorize", good(member)))["error"] == "invalid_authorization_details"


def test_registered_query_is_retained_and_cannot_forge_ours(browser: Client) -> None:
    member = cast.platform("query", redirect_uri="https://query.example/cb?tenant=a%20b&iss=https%3A%2F%2Fevil&code=x")

    back = outcome(browser.get("/oauth/authorize", good(member, response_type="token")))

    assert back["tenant"] == "a b"
    assert back["iss"] == settings.ISSUER
    assert "code" not in back


# -- nowhere -----------------------------------------------------------------------------------------------------------

NOWHERE: dict[str, dict[str, str | None]] = {
    "no client": {"client_id": None},
    "unknown client": {"client_id": "nobody"},
    "client with NUL": {"client_id": "a\x00b"},
    "client of ten kilobytes": {"client_id": "a" * 10_000},
    "no redirect_uri": {"redirect_uri": None},
    "another host": {"redirect_uri": "https://evil.example/callback"},
    "longer path": {"redirect_uri": "https://chat.example/callback/more"},
    "trailing slash": {"redirect_uri": "https://chat.example/callback/"},
    "other case": {"redirect_uri": "https://CHAT.example/callback"},
    "explicit port": {"redirect_uri": "https://chat.example:443/callback"},
    "added query": {"redirect_uri": "https://chat.example/callback?x=1"},
    "userinfo": {"redirect_uri": "https://chat.example@evil.example/callback"},
    "http": {"redirect_uri": "http://chat.example/callback"},
    "script": {"redirect_uri": "javascript:alert(1)"},
    "dots": {"redirect_uri": "https://chat.example/x/../callback"},
    "blank around": {"redirect_uri": " https://chat.example/callback"},
    "NUL": {"redirect_uri": "https://chat.example/callback\x00"},
    "ten kilobytes of state": {"state": "s" * 10_000},
}


@pytest.mark.parametrize("overrides", NOWHERE.values(), ids=NOWHERE.keys())
def test_without_a_safe_way_back_there_is_a_page_and_no_redirect(
    browser: Client, chat: Member, rows: Rows, overrides: dict[str, str | None]
) -> None:
    before = rows()

    answer = browser.get("/oauth/authorize", good(chat, **overrides))

    assert answer.status_code == 400
    assert "Location" not in answer
    assert b"cannot be followed" in answer.content
    assert b"evil.example" not in answer.content
    assert rows() == before


@pytest.mark.parametrize("name", ["client_id", "redirect_uri"])
def test_ambiguous_client_or_way_back_is_a_page(browser: Client, chat: Member, name: str) -> None:
    query = urlencode([*good(chat).items(), (name, good(chat)[name])])

    answer = browser.get(f"/oauth/authorize?{query}")

    assert answer.status_code == 400


@pytest.mark.parametrize("query", ["client_id=%ff%fe", "state=%c3%28", "client_id=\xff", "&".join(["a=b"] * 50)])
def test_damaged_query_is_a_page(browser: Client, query: str) -> None:
    assert browser.get("/oauth/authorize", QUERY_STRING=query).status_code == 400


@pytest.mark.parametrize(
    "status", [PlatformStatus.PENDING, PlatformStatus.INACTIVE, PlatformStatus.SUSPENDED, PlatformStatus.REVOKED]
)
def test_platform_that_is_not_active_is_unknown(browser: Client, status: PlatformStatus) -> None:
    member = cast.platform("idle", status=status)

    answer = browser.get("/oauth/authorize", good(member))

    assert answer.status_code == 400
    assert "Location" not in answer


@pytest.mark.parametrize("method", ["post", "head", "put", "delete", "options"])
def test_only_get_is_served_so_nothing_posted_can_be_wider_than_what_was_shown(
    browser: Client, chat: Member, rows: Rows, method: str
) -> None:
    before = rows()

    answer = getattr(browser, method)("/oauth/authorize", good(chat))

    assert answer.status_code == 405
    assert rows() == before


def test_host_header_does_not_reach_any_address(browser: Client, chat: Member) -> None:
    answer = browser.get("/oauth/authorize", good(chat, response_type="token"), headers={"Host": "127.0.0.1:9999"})

    assert outcome(answer)["iss"] == settings.ISSUER


def test_platform_suspended_after_the_request_gets_no_consent(browser: Client, chat: Member, alice: User) -> None:
    platforms.change_status(
        chat.platform, PlatformStatus.SUSPENDED, reason="test", actor=cast.BY_OPERATOR, now=cast.NOW
    )

    assert browser.get("/oauth/authorize", good(chat)).status_code == 400
    assert not Consent.objects.exists()
