"""The way back from the bank: it links for the one who started, once, and for nobody else."""

from collections.abc import Callable

import pytest
from django.test import Client

from banks import attempts, connections
from banks.connections import Finished
from banks.errors import BankError, BankMisconfigured, BankRefused, BankUnavailable, LinkFailed
from banks.models import Institution, LinkAttempt
from consents import clock
from consents.models import Consent
from consents.states import ConsentStatus
from gateway.identity.models import User
from tests.gateway.portal.conftest import signed_in, status_of
from tests.gateway.portal.html import Page
from tests.support import cast

Traces = Callable[[], object]
HERE = "/banks/northbank/callback"


def raising(error: Exception) -> Callable[..., None]:
    def fail(**_: object) -> None:
        raise error

    return fail


@pytest.mark.parametrize("query", [{}, {"state": "made-up", "code": "x"}, {"state": "", "error": "access_denied"}])
def test_t7_state_nobody_made_links_nothing(
    browser: Client, asked: Consent, northbank: Institution, traces: Traces, query: dict[str, str]
) -> None:
    before = traces()

    answer = browser.get(HERE, query)

    assert answer.status_code == 400
    assert Page(answer).says("Nothing was linked")
    assert traces() == before


def test_unknown_bank_links_nothing(browser: Client, asked: Consent) -> None:
    assert browser.get("/banks/no-such-bank/callback", {"state": "x"}).status_code == 400


def test_t7_whoever_is_not_signed_in_did_not_start_it(asked: Consent, northbank: Institution, traces: Traces) -> None:
    before = traces()

    answer = Client().get(HERE, {"state": "stolen", "code": "stolen"})

    page = Page(answer)
    assert answer.status_code == 400
    assert page.says("Nothing was linked")
    # Signing in does not pick it up again: neither code nor state lives on in a `next`.
    assert not any("stolen" in link.attributes["href"] for link in page.links)
    assert traces() == before


def test_back_on_the_way_leads_to_the_accounts(
    browser: Client, alice: User, asked: Consent, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[dict[str, object]] = []

    def finish_link(**arguments: object) -> object:
        given.append(arguments)
        return Finished(consent_id=asked.id, connection_id=cast.stranger())

    monkeypatch.setattr(connections, "finish_link", finish_link)

    answer = browser.get(HERE, {"state": "s", "code": "c", "iss": "https://northbank.example"})

    assert (answer.status_code, answer["Location"]) == (303, f"/connect/{asked.id}/accounts/")
    (arguments,) = given
    assert arguments["user_id"] == alice.id
    assert arguments["slug"] == "northbank"
    assert arguments["session_key"] == browser.session.session_key
    assert arguments["parameters"] == {"state": "s", "code": "c", "iss": "https://northbank.example"}


@pytest.mark.parametrize(
    ("cause", "status", "told"),
    [
        (BankRefused("access_denied"), 200, "You did not go on at the bank"),
        (BankUnavailable("HTTP 503"), 502, "Your bank does not answer"),
        (BankMisconfigured("invalid_client"), 502, "The bank could not be connected"),
    ],
)
def test_failure_is_told_in_our_words(
    browser: Client, asked: Consent, monkeypatch: pytest.MonkeyPatch, cause: BankError, status: int, told: str
) -> None:
    monkeypatch.setattr(connections, "finish_link", raising(LinkFailed(asked.id, cause)))

    answer = browser.get(
        HERE,
        {"state": "s", "error": "access_denied", "error_description": "<b>raw</b>"},
        headers={"X-Request-Id": "req_of_alice"},
    )

    page = Page(answer)
    assert answer.status_code == status
    assert page.says(told)
    assert page.says("Nothing was shared: chat got no data")
    assert page.says("req_of_alice")
    assert page.form("/bank/").button.words == "Try again"
    assert page.form("/bank/").button.look == page.form("/refuse/").button.look
    for raw in ("access_denied", "raw", "503", "invalid_client"):
        assert raw not in page.words
    assert status_of(asked) == ConsentStatus.AWAITING_AUTHORISATION


class TestWithARealAttempt:
    """finish_link itself, with an attempt that some other browser started."""

    @pytest.fixture
    def attempt(self, alice: User, asked: Consent, northbank: Institution) -> LinkAttempt:
        now = clock.now()
        return LinkAttempt.objects.create(
            state_digest=attempts.digest("the-state"),
            session_digest=attempts.digest("the session that started it"),
            user=alice,
            institution=northbank,
            consent_id=asked.id,
            bank_consent_id="at-the-bank",
            sealed_secrets=b"",
            created_at=now,
            expires_at=now + attempts.ATTEMPT_WINDOW,
        )

    def test_t7_other_browser_of_the_same_user_links_nothing(
        self, alice: User, attempt: LinkAttempt, traces: Traces
    ) -> None:
        before = traces()

        answer = signed_in(alice).get(HERE, {"state": "the-state", "code": "c"})

        assert answer.status_code == 400
        assert traces() == before
        attempt.refresh_from_db()
        assert attempt.used_at is None

    def test_t7_other_user_links_nothing(self, bob: User, attempt: LinkAttempt, traces: Traces) -> None:
        before = traces()

        answer = signed_in(bob).get(HERE, {"state": "the-state", "code": "c"})

        assert answer.status_code == 400
        assert not Page(answer).says("chat")
        assert traces() == before
