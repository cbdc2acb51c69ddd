"""The steps of the flow, in order and out of it, up to the platform's answer."""

from collections.abc import Callable
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import pytest
from django.test import Client

from banks import connections
from banks.errors import BankMisconfigured, BankTimeout
from banks.models import Connection, Institution, LinkAttempt, SyncJob
from consents import clock
from consents.lifecycle import Narrower
from consents.models import AuditEntry, BankPolicy, Consent, ConsentAccount
from consents.scopes import Scope
from consents.states import AUTHORISATION_WINDOW, ConsentStatus
from gateway import words
from gateway.identity.models import User
from gateway.portal import disclosure
from gateway.portal.connect import bank as bank_step
from tests.gateway.portal.conftest import VERIFIER, show_accounts, signed_in, status_of
from tests.gateway.portal.html import Page
from tests.support import cast
from tests.support.cast import Member

Traces = Callable[[], object]


def allow(browser: Client, consent: Consent) -> str:
    """Press "Allow" on the page of the last step; the address it leads to."""
    form = Page(browser.get(f"/connect/{consent.id}/confirm/")).form("/confirm/")
    answer = browser.post(form.action, form.hidden)
    assert answer.status_code == 303
    return str(answer["Location"])


class TestAsk:
    def test_says_who_asks_and_what_for(self, browser: Client, asked: Consent, chat: Member) -> None:
        page = Page(browser.get(f"/connect/{asked.id}/"))

        since = chat.platform.created
        for told in (
            "chat asks to see some of your bank data",
            "chat wants to show you all your accounts in one place.",
            f"Yes, here since {since.day} {since:%B %Y}",
            "Registered here for",
            "Sends you back to chat.example",
            "You never give your bank password to chat, nor to us.",
            "What comes next",
        ):
            assert page.says(told), told

    def test_a_platform_one_never_shared_with_is_called_so(
        self, browser: Client, alice: User, asked: Consent, chat: Member
    ) -> None:
        before = Page(browser.get(f"/connect/{asked.id}/"))
        cast.revoke(cast.authorised_consent(alice, chat.platform))

        assert before.says("You have never shared anything with chat")
        assert Page(browser.get(f"/connect/{asked.id}/")).says("You have shared with chat before")

    def test_going_on_and_saying_no_weigh_the_same(self, browser: Client, asked: Consent) -> None:
        page = Page(browser.get(f"/connect/{asked.id}/"))

        onward, no = page.form("/bank/").button, page.form("/refuse/").button
        assert (onward.words, no.words) == ("Continue", "Do not allow")
        assert onward.look == no.look


class TestBank:
    def test_nothing_is_chosen_for_the_user(self, browser: Client, asked: Consent, northbank: Institution) -> None:
        cast.institution("southbank")

        radios = Page(browser.get(f"/connect/{asked.id}/bank/")).form("/bank/").named("institution")

        assert [radio.value for radio in radios] == ["northbank", "southbank"]
        assert not any(radio.is_ticked for radio in radios)

    def test_the_only_bank_is_chosen(self, browser: Client, asked: Consent, northbank: Institution) -> None:
        (radio,) = Page(browser.get(f"/connect/{asked.id}/bank/")).form("/bank/").named("institution")

        assert radio.is_ticked

    def test_health_is_a_word(self, browser: Client, asked: Consent, northbank: Institution) -> None:
        Institution.objects.update(status="MAINTENANCE")

        assert Page(browser.get(f"/connect/{asked.id}/bank/")).says("United Kingdom · Down for planned work")

    @pytest.mark.parametrize(
        ("step", "onward"),
        [
            ("bank/", "/bank/"),
            ("scopes/", "/scopes/"),
            ("duration/", "/duration/"),
            ("bank/northbank/", "/northbank/"),
            ("accounts/", "/accounts/"),
        ],
    )
    def test_going_on_and_saying_no_weigh_the_same_on_each_step(
        self, browser: Client, asked: Consent, shown: list[UUID], step: str, onward: str
    ) -> None:
        page = Page(browser.get(f"/connect/{asked.id}/{step}"))

        assert page.form(onward).button.look == page.form("/refuse/").button.look

    def test_long_list_can_be_searched(self, browser: Client, asked: Consent) -> None:
        for number in range(bank_step.SEARCH_FROM):
            cast.institution(f"bank-{number}")
        here = f"/connect/{asked.id}/bank/"

        found, nothing = (Page(browser.get(here, query)) for query in ({"q": "BANK-3"}, {"q": "none"}))

        assert [one.value for form in found.forms for one in form.named("institution")] == ["bank-3"]
        assert nothing.says("No bank here has “none” in its name")
        assert nothing.says("My bank is not here")

    def test_short_list_has_no_search(self, browser: Client, asked: Consent, northbank: Institution) -> None:
        page = Page(browser.get(f"/connect/{asked.id}/bank/"))

        assert not any(form.named("q") for form in page.forms)

    def test_choice_leads_to_what_is_shared_and_once_that_is_chosen_to_the_announced_redirect(
        self, browser: Client, asked: Consent, northbank: Institution, traces: Traces
    ) -> None:
        before = traces()

        first = browser.post(f"/connect/{asked.id}/bank/", {"institution": "northbank"})
        second = browser.post(first["Location"])
        third = browser.post(second["Location"], {"duration": "30"})
        again = browser.post(f"/connect/{asked.id}/bank/", {"institution": "northbank"})

        assert first.status_code == second.status_code == third.status_code == 303
        assert (first["Location"], second["Location"]) == (
            f"/connect/{asked.id}/scopes/",
            f"/connect/{asked.id}/duration/",
        )
        assert third["Location"] == again["Location"] == f"/connect/{asked.id}/bank/northbank/"
        assert traces() == before

    def test_what_a_bank_does_not_share_is_said_beside_it(
        self, browser: Client, asked: Consent, northbank: Institution
    ) -> None:
        BankPolicy.objects.update(scopes=["accounts"])

        assert Page(browser.get(f"/connect/{asked.id}/bank/")).says("This bank does not share: Account balance.")

    def test_bank_that_does_not_accept_the_platform_says_so_and_leads_nowhere(
        self, browser: Client, asked: Consent, northbank: Institution
    ) -> None:
        BankPolicy.objects.update(status="BLOCK")

        page = Page(browser.get(f"/connect/{asked.id}/bank/"))
        answer = browser.post(f"/connect/{asked.id}/bank/", {"institution": "northbank"})

        assert page.says("This bank does not accept chat.")
        assert answer.status_code == 403
        assert Page(answer).says("Nothing was shared: chat got no data")

    def test_the_bank_used_last_comes_first_and_is_not_chosen(
        self, browser: Client, alice: User, asked: Consent, northbank: Institution
    ) -> None:
        cast.connection(alice, cast.institution("southbank"))

        page = Page(browser.get(f"/connect/{asked.id}/bank/"))

        radios = page.form("/bank/").named("institution")
        assert [radio.value for radio in radios] == ["southbank", "northbank"]
        assert not any(radio.is_ticked for radio in radios)
        assert page.says("Southbank You used it last")

    @pytest.mark.parametrize("fields", [{}, {"institution": "no-such-bank"}])
    def test_no_choice_is_an_error_one_can_find(
        self, browser: Client, asked: Consent, northbank: Institution, fields: dict[str, str]
    ) -> None:
        answer = browser.post(f"/connect/{asked.id}/bank/", fields)

        page = Page(answer)
        assert answer.status_code == 422
        assert page.title.startswith("Error: ")
        assert page.says("There is a problem")
        assert ("div", "autofocus") in page.attributes
        assert "#bank-1" in [link.attributes["href"] for link in page.links]


class TestRedirect:
    def test_names_the_bank_and_its_address(self, browser: Client, asked: Consent, northbank: Institution) -> None:
        answer = browser.get(f"/connect/{asked.id}/bank/northbank/")

        page = Page(answer)
        assert page.says("You are going to Northbank")
        assert page.says("northbank.example")
        assert page.form("/northbank/").button.words == "Continue to Northbank"
        assert "form-action 'self' northbank.example;" in answer["Content-Security-Policy"] + ";"

    def test_goes_to_the_bank_with_this_session(
        self, browser: Client, alice: User, asked: Consent, northbank: Institution, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        given: list[object] = []

        def start_link(**arguments: object) -> str:
            given.append(arguments)
            return f"https://northbank.example/authorize?request={'x' * 4000}"

        monkeypatch.setattr(connections, "start_link", start_link)

        answer = browser.post(f"/connect/{asked.id}/bank/northbank/")

        assert answer.status_code == 303
        assert answer["Location"].startswith("https://northbank.example/authorize?request=xxx")
        ((arguments,)) = given
        assert arguments.pop("now") <= clock.now()  # type: ignore[attr-defined]
        assert arguments == {
            "user_id": alice.id,
            "consent_id": asked.id,
            "slug": "northbank",
            "session_key": browser.session.session_key,
            "scopes": {Scope.ACCOUNTS, Scope.BALANCES},
            "narrower": Narrower(duration_days=30),
        }

    @pytest.mark.parametrize(
        ("cause", "told"),
        [(BankTimeout(), "Your bank does not answer"), (BankMisconfigured(), "could not be connected")],
    )
    def test_bank_in_trouble_is_told_plainly(
        self,
        browser: Client,
        asked: Consent,
        northbank: Institution,
        monkeypatch: pytest.MonkeyPatch,
        cause: Exception,
        told: str,
    ) -> None:
        def fail(**_: object) -> str:
            raise cause

        monkeypatch.setattr(connections, "start_link", fail)

        answer = browser.post(f"/connect/{asked.id}/bank/northbank/", headers={"X-Request-Id": "req_of_alice"})

        page = Page(answer)
        assert answer.status_code == 502
        assert page.says(told)
        assert page.says("Nothing was shared: chat got no data")
        assert page.says("req_of_alice")
        assert page.form("/bank/").button.words == "Try again"
        assert status_of(asked) == ConsentStatus.AWAITING_AUTHORISATION

    def test_unknown_bank_is_not_there(self, browser: Client, asked: Consent) -> None:
        assert browser.get(f"/connect/{asked.id}/bank/no-such-bank/").status_code == 404
        assert browser.post(f"/connect/{asked.id}/bank/no-such-bank/").status_code == 404


class TestAccounts:
    def test_nothing_is_ticked(self, browser: Client, asked: Consent, shown: list[UUID]) -> None:
        page = Page(browser.get(f"/connect/{asked.id}/accounts/"))

        boxes = page.form("/accounts/").named("account")
        assert {box.value for box in boxes} == {str(one) for one in shown}
        assert not any(box.is_ticked for box in boxes)
        assert page.says("Everyday Current account · ending in 1234 · GBP")

    def test_bank_comes_first(self, browser: Client, asked: Consent) -> None:
        assert browser.get(f"/connect/{asked.id}/accounts/")["Location"] == f"/connect/{asked.id}/bank/"

    def test_at_least_one_is_needed(self, browser: Client, asked: Consent, shown: list[UUID]) -> None:
        answer = browser.post(f"/connect/{asked.id}/accounts/")

        page = Page(answer)
        assert answer.status_code == 422
        assert page.title.startswith("Error: ")
        assert ("div", "autofocus") in page.attributes
        assert page.says("Choose at least one account")

    def test_choice_leads_on_and_decides_nothing(
        self, browser: Client, asked: Consent, shown: list[UUID], traces: Traces
    ) -> None:
        before = traces()

        answer = browser.post(f"/connect/{asked.id}/accounts/", {"account": [str(shown[0])]})

        assert (answer.status_code, answer["Location"]) == (303, f"/connect/{asked.id}/confirm/")
        assert traces() == before

    def test_own_choice_is_kept_when_coming_back(
        self, browser: Client, asked: Consent, shown: list[UUID], chosen: UUID
    ) -> None:
        boxes = Page(browser.get(f"/connect/{asked.id}/accounts/")).form("/accounts/").named("account")

        assert [box.value for box in boxes if box.is_ticked] == [str(chosen)]

    def test_accounts_that_the_bank_did_not_show_do_not_exist(
        self, browser: Client, alice: User, asked: Consent, shown: list[UUID], northbank: Institution
    ) -> None:
        other = cast.account(cast.connection(alice, northbank), "hidden").id

        assert browser.post(f"/connect/{asked.id}/accounts/", {"account": [str(other)]}).status_code == 422
        assert browser.post(f"/connect/{asked.id}/accounts/", {"account": ["' OR 1=1"]}).status_code == 422


class TestConfirm:
    def test_sums_up_everything(self, browser: Client, asked: Consent, chosen: UUID) -> None:
        page = Page(browser.get(f"/connect/{asked.id}/confirm/"))

        until = clock.now() + timedelta(days=30)
        for told in (
            "May chat see this?",
            "Northbank",
            "Everyday, Current account, ending in 1234, GBP",
            "Account name and type (name of the account;",
            "Account balance (how much is in the account;",
            "Sluice. We read it at your bank",
            f"{until.day} {until:%B %Y}, 30 days from today",
            "How to stop",
        ):
            assert page.says(told), told
        assert not page.says("Savings")

    def test_whatever_was_chosen_can_be_changed(self, browser: Client, asked: Consent, chosen: UUID) -> None:
        page = Page(browser.get(f"/connect/{asked.id}/confirm/"))

        changes = [link.attributes["href"] for link in page.links if link.words.startswith("Change")]
        steps = ("bank", "accounts", "scopes", "duration")
        assert changes == [f"/connect/{asked.id}/{step}/" for step in steps]

    def test_yes_and_no_weigh_the_same(self, browser: Client, asked: Consent, chosen: UUID) -> None:
        page = Page(browser.get(f"/connect/{asked.id}/confirm/"))

        yes, no = page.form("/confirm/").button, page.form("/refuse/").button
        assert (yes.words, no.words) == ("Allow", "Do not allow")
        assert yes.look == no.look

    def test_needs_accounts(self, browser: Client, asked: Consent, shown: list[UUID]) -> None:
        answer = browser.get(f"/connect/{asked.id}/confirm/")

        assert (answer.status_code, answer["Location"]) == (303, f"/connect/{asked.id}/accounts/")

    def test_needs_the_bank(self, browser: Client, asked: Consent) -> None:
        assert browser.post(f"/connect/{asked.id}/confirm/")["Location"] == f"/connect/{asked.id}/accounts/"

    def test_yes_shares_what_was_ticked_and_fetches_it(
        self, browser: Client, asked: Consent, shown: list[UUID], chosen: UUID
    ) -> None:
        assert allow(browser, asked) == f"/connect/{asked.id}/done/"

        consent = Consent.objects.get(id=asked.id)
        assert consent.status == ConsentStatus.AUTHORISED
        assert list(ConsentAccount.objects.values_list("account_id", flat=True)) == [chosen]
        assert consent.scopes == ["accounts", "balances"]
        assert SyncJob.objects.count() == 1

    def test_hash_is_that_of_the_words_on_the_page(
        self, browser: Client, asked: Consent, chosen: UUID, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        texts: list[disclosure.DisclosureText] = []
        real = disclosure.disclosure

        def noted(*arguments: object, **named: object) -> disclosure.DisclosureText:
            texts.append(real(*arguments, **named))  # type: ignore[arg-type]
            return texts[-1]

        monkeypatch.setattr("gateway.portal.connect.confirm.disclosure", noted)

        page = Page(browser.get(f"/connect/{asked.id}/confirm/"))
        browser.post(f"/connect/{asked.id}/confirm/", page.form("/confirm/").hidden)

        shown = page.words
        for entry in texts[0].entries:
            shown = shown.replace(f" Change {entry.term} ", " ") if entry.change else shown
        assert texts[0].text.replace("\n", " ") in shown
        consent = Consent.objects.get(id=asked.id)
        assert (consent.disclosure_version, consent.disclosure_locale) == (words.DISCLOSURE_VERSION, words.LOCALE)
        assert consent.disclosure_sha256 == texts[0].sha256

    @pytest.mark.parametrize("given", ["", "0" * 64])
    def test_yes_to_another_text_is_no_yes(
        self, browser: Client, asked: Consent, chosen: UUID, traces: Traces, given: str
    ) -> None:
        before = traces()

        answer = browser.post(f"/connect/{asked.id}/confirm/", {"disclosure": given})

        assert answer.status_code == 409
        assert Page(answer).says("Something changed meanwhile")
        assert traces() == before

    def test_account_name_that_changed_meanwhile_is_shown_again(
        self, browser: Client, asked: Consent, chosen: UUID, northbank: Institution
    ) -> None:
        form = Page(browser.get(f"/connect/{asked.id}/confirm/")).form("/confirm/")
        Institution.objects.update(name="Renamed Bank")

        answer = browser.post(form.action, form.hidden)

        assert answer.status_code == 409
        assert Page(answer).says("Renamed Bank")
        assert status_of(asked) == ConsentStatus.AWAITING_AUTHORISATION

    def test_another_bank_joins_the_first_and_nothing_of_it_is_ticked(
        self, browser: Client, asked: Consent, chosen: UUID, northbank: Institution
    ) -> None:
        LinkAttempt.objects.update(created_at=clock.now() - timedelta(minutes=1))
        show_accounts(browser, asked, cast.institution("southbank"), "other")

        page = Page(browser.get(f"/connect/{asked.id}/accounts/"))

        boxes = page.form("/accounts/").named("account")
        assert [box.value for box in boxes if box.is_ticked] == [str(chosen)]
        assert page.says("Accounts at Northbank") and page.says("Accounts at Southbank")
        assert len(boxes) == 3

    def test_accounts_of_two_banks_are_told_apart_and_shared_together(
        self, browser: Client, asked: Consent, shown: list[UUID], northbank: Institution
    ) -> None:
        LinkAttempt.objects.update(created_at=clock.now() - timedelta(minutes=1))
        (other, *_) = show_accounts(browser, asked, cast.institution("southbank"), "other")
        browser.post(f"/connect/{asked.id}/accounts/", {"account": [str(shown[0]), str(other)]})

        page = Page(browser.get(f"/connect/{asked.id}/confirm/"))
        allow(browser, asked)

        assert page.says("GBP, Northbank") and page.says("GBP, Southbank")
        rows = ConsentAccount.objects.filter(consent_id=asked.id)
        assert set(rows.values_list("account_id", flat=True)) == {shown[0], other}
        assert len(set(rows.values_list("institution_id", flat=True))) == 2
        assert SyncJob.objects.count() == 2

    def test_a_second_login_at_one_bank_takes_the_place_of_the_first(
        self, browser: Client, asked: Consent, chosen: UUID, northbank: Institution
    ) -> None:
        LinkAttempt.objects.update(created_at=clock.now() - timedelta(minutes=1))
        show_accounts(browser, asked, northbank, "other")

        answer = browser.get(f"/connect/{asked.id}/confirm/")

        assert answer["Location"] == f"/connect/{asked.id}/accounts/"

    def test_a_login_that_is_too_old_is_named_when_another_bank_is_there(
        self, browser: Client, asked: Consent, chosen: UUID, northbank: Institution
    ) -> None:
        now = clock.now()
        LinkAttempt.objects.update(created_at=now - timedelta(minutes=7), used_at=now - timedelta(minutes=6))
        Connection.objects.update(created_at=now - timedelta(days=1))
        show_accounts(browser, asked, cast.institution("southbank"), "other")

        page = Page(browser.get(f"/connect/{asked.id}/accounts/"))

        assert page.says("You signed in at Northbank more than 5 minutes ago")
        assert not page.says("Accounts at Northbank")

    def test_ticks_of_one_session_are_not_those_of_another(
        self, browser: Client, alice: User, asked: Consent, chosen: UUID
    ) -> None:
        elsewhere = signed_in(alice).get(f"/connect/{asked.id}/confirm/")

        assert elsewhere["Location"] == f"/connect/{asked.id}/accounts/"

    def test_pressing_twice_grants_once(self, browser: Client, asked: Consent, chosen: UUID) -> None:
        form = Page(browser.get(f"/connect/{asked.id}/confirm/")).form("/confirm/")

        first, second = (browser.post(form.action, form.hidden) for _ in range(2))

        assert first["Location"] == second["Location"] == f"/connect/{asked.id}/done/"
        assert AuditEntry.objects.filter(action="consent.authorised").count() == 1


class TestDone:
    def test_receipt_says_what_is_shared_and_what_is_not(self, browser: Client, asked: Consent, chosen: UUID) -> None:
        page = Page(browser.get(allow(browser, asked)))

        for told in (
            "chat may now see what you chose",
            "Everyday, Current account, ending in 1234, GBP",
            str(asked.id),
            "Not shared",
            "Transaction details",
            "Your bank password",
            "Return to chat",
        ):
            assert page.says(told), told
        assert "/" in [link.attributes["href"] for link in page.links]

    def test_return_brings_the_platform_a_code_that_works(
        self, browser: Client, asked: Consent, chosen: UUID, chat: Member
    ) -> None:
        done = browser.get(allow(browser, asked))

        answer = browser.post(Page(done).form("/return/").action)

        assert "form-action 'self' https://chat.example" in done["Content-Security-Policy"]
        assert answer.status_code == 303
        assert answer["Location"].startswith("https://chat.example/callback?")
        assert cast.exchange(chat, cast.code_of(answer["Location"]), VERIFIER).status_code == 200

    def test_second_return_says_that_it_was_answered(self, browser: Client, asked: Consent, chosen: UUID) -> None:
        here = allow(browser, asked)
        browser.post(f"/connect/{asked.id}/return/")

        again = browser.post(f"/connect/{asked.id}/return/")

        assert (again.status_code, again["Location"]) == (303, here)
        page = Page(browser.get(here))
        assert page.says("chat has had its answer")
        assert not any(form.action.endswith("/return/") for form in page.forms)

    def test_consent_nobody_waits_for_has_no_way_back(self, browser: Client, alice: User, chat: Member) -> None:
        consent = cast.authorised_consent(alice, chat.platform)

        assert Page(browser.get(f"/connect/{consent.id}/done/")).says("has had its answer")
        assert browser.post(f"/connect/{consent.id}/return/")["Location"] == f"/connect/{consent.id}/done/"

    def test_open_request_is_not_done(self, browser: Client, asked: Consent) -> None:
        assert browser.get(f"/connect/{asked.id}/done/")["Location"] == f"/connect/{asked.id}/"
        assert browser.post(f"/connect/{asked.id}/return/")["Location"] == f"/connect/{asked.id}/done/"


class TestRefuse:
    def test_nothing_is_shared_and_the_platform_is_told_so(self, browser: Client, asked: Consent) -> None:
        answer = browser.post(f"/connect/{asked.id}/refuse/")

        page = Page(browser.get(answer["Location"]))
        back = browser.post(page.form("/return/").action)
        assert answer.status_code == 303
        assert status_of(asked) == ConsentStatus.REJECTED
        assert page.says("Nothing was shared")
        parameters = parse_qs(urlsplit(back["Location"]).query)
        assert (back.status_code, parameters["error"]) == (303, ["access_denied"])
        assert "code" not in parameters

    def test_no_after_yes_changes_nothing(self, browser: Client, asked: Consent, chosen: UUID) -> None:
        here = allow(browser, asked)

        answer = browser.post(f"/connect/{asked.id}/refuse/")

        assert answer["Location"] == here
        assert status_of(asked) == ConsentStatus.AUTHORISED

    def test_yes_after_no_changes_nothing(self, browser: Client, asked: Consent, chosen: UUID) -> None:
        form = Page(browser.get(f"/connect/{asked.id}/confirm/")).form("/confirm/")
        browser.post(f"/connect/{asked.id}/refuse/")

        answer = browser.post(form.action, form.hidden)

        assert answer["Location"] == f"/connect/{asked.id}/done/"
        assert status_of(asked) == ConsentStatus.REJECTED

    def test_refusing_ends_the_ticks(self, browser: Client, asked: Consent, chosen: UUID) -> None:
        browser.post(f"/connect/{asked.id}/refuse/")

        assert browser.session.get("choices") == {}


STEPS = ("", "bank/", "scopes/", "duration/", "bank/northbank/", "accounts/", "confirm/", "refuse/")


@pytest.mark.parametrize("method", ["get", "post"])
@pytest.mark.parametrize("step", STEPS[1:])
def test_request_that_ran_out_says_so_and_changes_nothing(
    browser: Client, asked: Consent, chosen: UUID, traces: Traces, step: str, method: str
) -> None:
    Consent.objects.update(expires_at=clock.now() - AUTHORISATION_WINDOW)
    before = traces()

    answer = getattr(browser, method)(f"/connect/{asked.id}/{step}")

    assert (answer.status_code, answer["Location"]) == (303, f"/connect/{asked.id}/done/")
    assert traces() == before
    page = Page(browser.get(answer["Location"]))
    assert page.says("It was not answered in time")
    assert page.form("/return/").button.words == "Return to chat"


def test_request_that_ran_out_is_a_refusal_to_the_platform(browser: Client, asked: Consent) -> None:
    Consent.objects.update(expires_at=clock.now())

    answer = browser.post(f"/connect/{asked.id}/return/")

    assert "error=access_denied" in answer["Location"]


@pytest.mark.parametrize("method", ["get", "post"])
@pytest.mark.parametrize("step", [*STEPS[1:], "done/", "return/"])
def test_somebody_elses_request_is_not_there(
    bob: User, asked: Consent, chosen: UUID, traces: Traces, step: str, method: str
) -> None:
    if (step, method) == ("done/", "post"):
        return  # refused before anything is looked up
    before = traces()
    browser = signed_in(bob)

    theirs, nobodys = (getattr(browser, method)(f"/connect/{one}/{step}") for one in (asked.id, cast.stranger()))

    assert theirs.status_code == nobodys.status_code == 404
    assert traces() == before


@pytest.mark.parametrize("step", STEPS)
def test_whoever_is_not_signed_in_does_that_first(asked: Consent, step: str) -> None:
    answer = Client().get(f"/connect/{asked.id}/{step}")

    assert answer.status_code == 302
    assert answer["Location"] == f"/sign-in/?next=/connect/{asked.id}/{step}"
