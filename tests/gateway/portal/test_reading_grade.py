"""Every page on which people decide can be read after eight years of school."""

import pytest
from django.test import Client

from banks.models import Account, Institution
from consents import clock, platforms
from consents.models import BankPolicy, Consent
from consents.policy_terms import StepUp
from consents.states import PlatformStatus
from gateway.identity.models import User
from gateway.portal import disclosure
from gateway.portal.connect import confirm, field_words, kept_back
from tests.gateway.portal.conftest import VERIFIER, show_accounts
from tests.support import cast, ledger
from tests.support.cast import Member
from tests.support.reading import grade, sentences

LIMIT = 8


@pytest.fixture
def wide(browser: Client, alice: User, chat: Member, northbank: Institution) -> Consent:
    """All that can be asked under one purpose, with all that a page can say about it."""
    found = cast.ask(
        alice,
        chat,
        VERIFIER,
        scopes=["account_numbers", "accounts", "balances", "counterparties", "locations", "merchants", "transactions"],
        optional_scopes=["counterparties", "locations"],
        purposes=["account_overview"],
        location_precision="store",
    )
    consent = Consent.objects.get(id=found)
    (shown,) = show_accounts(browser, consent, northbank, "everyday")
    ledger.transaction(Account.objects.for_sync().get(id=shown), listed_on=clock.now().date())
    browser.post(f"/connect/{found}/scopes/", {"scope": ["locations"], "hidden_group": ["HEALTH"]})
    browser.post(f"/connect/{found}/accounts/", {"account": [str(shown)]})
    BankPolicy.objects.update(history_days_max=10, duration_days_max=20, location_precision="country")
    return consent


@pytest.mark.parametrize("step", ["", "bank/", "scopes/", "duration/", "bank/northbank/", "accounts/", "confirm/"])
def test_a_page_of_the_flow(browser: Client, wide: Consent, step: str) -> None:
    read = sentences(browser.get(f"/connect/{wide.id}/{step}").content.decode())

    assert len(read) > 5
    assert grade(read) <= LIMIT, (grade(read), read)


def test_the_text_that_is_agreed_to(browser: Client, wide: Consent, monkeypatch: pytest.MonkeyPatch) -> None:
    texts: list[disclosure.DisclosureText] = []

    def noted(*arguments: object, **named: object) -> disclosure.DisclosureText:
        texts.append(disclosure.disclosure(*arguments, **named))  # type: ignore[arg-type]
        return texts[-1]

    monkeypatch.setattr(confirm, "disclosure", noted)
    browser.get(f"/connect/{wide.id}/confirm/")

    read = sentences(f"<main><p>{texts[0].text.replace(chr(10), '</p><p>')}</p></main>")
    assert grade(read) <= LIMIT, (grade(read), read)


def test_pages_that_say_how_it_ended(browser: Client, wide: Consent, chat: Member) -> None:
    BankPolicy.objects.update(step_up=StepUp.PASSKEY)
    pages = {"linked already": browser.get(f"/connect/{wide.id}/bank/northbank/")}
    pages["nothing linked"] = browser.get("/banks/northbank/callback")
    platforms.change_status(
        chat.platform, PlatformStatus.SUSPENDED, reason="test", actor=cast.BY_OPERATOR, now=clock.now()
    )
    pages["stopped"] = browser.get(f"/connect/{wide.id}/")

    for name, answer in pages.items():
        read = sentences(answer.content.decode())
        assert grade(read) <= LIMIT, (name, grade(read), read)


def test_words_for_what_goes_over_and_what_does_not() -> None:
    read = [
        *(label for named in field_words.FIELD_WORDS.values() for label in named.values()),
        *(kept_back.NOT_ASKED, kept_back.LEFT_OUT, kept_back.BY_BANK, kept_back.LESS_CLOSELY, kept_back.WOULD_TELL),
        *kept_back.rows("Chat", []),
    ]

    assert grade(read) <= LIMIT
