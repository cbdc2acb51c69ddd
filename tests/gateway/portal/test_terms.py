"""What is shared and for how long: what the pages propose, what they take, and what they never take."""

from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

import pytest
from django.test import Client

from banks.models import Account, Connection, Institution
from consents import clock
from consents.models import BankPolicy, Consent
from gateway.identity.models import User
from tests.gateway.portal.conftest import VERIFIER, show_accounts
from tests.gateway.portal.html import Page
from tests.support import cast
from tests.support.cast import Member

Traces = Callable[[], object]


@pytest.fixture
def wide(alice: User, chat: Member) -> Consent:
    """Two scopes are needed, the others one may add; places as closely as they can be told."""
    return lodged(alice, chat)


def lodged(user: User, member: Member, **members: object) -> Consent:
    asked: dict[str, object] = {
        "scopes": ["accounts", "transactions", "merchants", "locations", "balances"],
        "optional_scopes": ["merchants", "locations", "balances"],
        "purposes": ["account_overview", "fraud_alerts"],
        "duration_days": 180,
        "history_days": 60,
        "location_precision": "store",
    }
    said = {name: value for name, value in (asked | members).items() if value is not None}
    return Consent.objects.get(id=cast.ask(user, member, VERIFIER, **said))


def scopes_page(browser: Client, consent: Consent) -> Page:
    return Page(browser.get(f"/connect/{consent.id}/scopes/"))


def allowed(browser: Client, consent: Consent, bank: Institution) -> Consent:
    """The bank shows an account, it is ticked, and "Allow" is pressed; the row as it then is."""
    (account,) = show_accounts(browser, consent, bank, "everyday")
    browser.post(f"/connect/{consent.id}/accounts/", {"account": [str(account)]})
    form = Page(browser.get(f"/connect/{consent.id}/confirm/")).form("/confirm/")
    browser.post(form.action, form.hidden)
    return Consent.objects.get(id=consent.id)


class TestScopes:
    def test_says_for_each_purpose_what_it_needs_and_why(self, browser: Client, wide: Consent) -> None:
        page = scopes_page(browser, wide)

        for told in (
            "chat wants to show you all your accounts in one place.",
            "chat wants to warn you of payments that do not look like yours.",
            "For this it needs all of these",
            "Needed. So that it can see what came in and what went out.",
            "the last 60 days",
            "Who else sees it Nobody.",
            "Use your data for adverts",
            "Move your money or make a payment",
        ):
            assert page.says(told), told

    def test_nothing_optional_is_ticked_and_what_is_needed_has_no_box(self, browser: Client, wide: Consent) -> None:
        boxes = scopes_page(browser, wide).form("/scopes/").named("scope")

        assert [box.value for box in boxes] == ["balances", "merchants", "locations"]
        assert not any(box.is_ticked for box in boxes)

    def test_the_least_precision_is_proposed_and_none_beyond_what_was_asked_is_there(
        self, browser: Client, alice: User, chat: Member
    ) -> None:
        radios = scopes_page(browser, lodged(alice, chat, location_precision="city")).form("/scopes/")

        assert [(one.value, one.is_ticked) for one in radios.named("location_precision")] == [
            ("country", True),
            ("city", False),
        ]

    def test_limits_that_were_asked_are_told_and_cannot_be_taken_away(
        self, browser: Client, alice: User, chat: Member
    ) -> None:
        page = scopes_page(browser, lodged(alice, chat, on_platform_only=True, hidden_groups=["HEALTH"]))

        assert page.says("Only payments you made to chat itself.")
        assert page.says("Payments to do with health stay hidden.")
        assert not page.form("/scopes/").named("on_platform_only")
        assert "HEALTH" not in [one.value for one in page.form("/scopes/").named("hidden_group")]

    def test_what_the_chosen_bank_does_not_share_has_no_box_and_is_named(
        self, browser: Client, wide: Consent, northbank: Institution
    ) -> None:
        BankPolicy.objects.update(
            scopes=["accounts", "transactions", "balances", "locations"], location_precision="country"
        )
        browser.post(f"/connect/{wide.id}/bank/", {"institution": "northbank"})

        page = scopes_page(browser, wide)

        assert [box.value for box in page.form("/scopes/").named("scope")] == ["balances", "locations"]
        assert page.says("Northbank does not share: Where your money went")
        assert [one.value for one in page.form("/scopes/").named("location_precision")] == ["country"]

    def test_choices_are_kept_and_nothing_is_decided(self, browser: Client, wide: Consent, traces: Traces) -> None:
        before = traces()
        posted = {
            "scope": ["locations"],
            "location_precision": "city",
            "on_platform_only": "yes",
            "hidden_group": ["GAMBLING"],
        }

        answer = browser.post(f"/connect/{wide.id}/scopes/", posted)

        assert (answer.status_code, answer["Location"]) == (303, f"/connect/{wide.id}/duration/")
        controls = scopes_page(browser, wide).form("/scopes/").controls
        assert [one.value for one in controls if one.is_ticked] == ["locations", "city", "yes", "GAMBLING"]
        assert traces() == before

    def test_what_was_chosen_is_what_is_granted(self, browser: Client, wide: Consent, northbank: Institution) -> None:
        posted = {"scope": ["locations"], "location_precision": "city", "hidden_group": ["GAMBLING", "HEALTH"]}
        browser.post(f"/connect/{wide.id}/scopes/", posted)

        granted = allowed(browser, wide, northbank)

        assert granted.status == "AUTHORISED"
        assert granted.scopes == ["accounts", "locations", "transactions"]
        assert (granted.location_precision, granted.hidden_groups) == ("city", ["GAMBLING", "HEALTH"])
        assert not granted.on_platform_only

    def test_choosing_nothing_grants_the_least(self, browser: Client, wide: Consent, northbank: Institution) -> None:
        granted = allowed(browser, wide, northbank)

        assert (granted.scopes, granted.optional_scopes) == (["accounts", "transactions"], [])
        assert granted.location_precision is None
        assert granted.duration_days == 90

    def test_a_scope_that_was_not_asked_does_not_exist(
        self, browser: Client, wide: Consent, northbank: Institution
    ) -> None:
        browser.post(f"/connect/{wide.id}/scopes/", {"scope": ["account_numbers", "counterparties", "' OR 1=1"]})

        assert allowed(browser, wide, northbank).scopes == ["accounts", "transactions"]

    @pytest.mark.parametrize("precision", ["store", "planet", ""])
    def test_a_precision_beyond_what_was_asked_does_not_exist(
        self, browser: Client, alice: User, chat: Member, northbank: Institution, precision: str
    ) -> None:
        consent = lodged(alice, chat, location_precision="city")
        browser.post(f"/connect/{consent.id}/scopes/", {"scope": ["locations"], "location_precision": precision})

        assert allowed(browser, consent, northbank).location_precision == "country"

    def test_a_detail_without_what_it_describes_is_an_error_one_can_find(
        self, browser: Client, alice: User, chat: Member
    ) -> None:
        consent = lodged(
            alice,
            chat,
            scopes=["accounts", "transactions", "merchants"],
            optional_scopes=["transactions", "merchants"],
            location_precision=None,
        )

        answer = browser.post(f"/connect/{consent.id}/scopes/", {"scope": ["merchants"]})

        page = Page(answer)
        assert answer.status_code == 422
        assert page.title.startswith("Error: ")
        assert page.says("needs “Transaction details”. Tick both, or neither")
        assert "#scope-1" in [link.attributes["href"] for link in page.links]
        assert [box.value for box in page.form("/scopes/").named("scope") if box.is_ticked] == ["merchants"]


class TestDuration:
    def options(self, browser: Client, consent: Consent) -> list[tuple[str, bool]]:
        form = Page(browser.get(f"/connect/{consent.id}/duration/")).form("/duration/")
        return [(one.value, one.is_ticked) for one in form.named("duration")]

    def test_the_shortest_that_serves_is_proposed_with_the_day_it_ends(self, browser: Client, asked: Consent) -> None:
        page = Page(browser.get(f"/connect/{asked.id}/duration/"))

        until = clock.now() + timedelta(days=30)
        assert self.options(browser, asked) == [("one_time", False), ("30", True), ("90", False)]
        assert page.says(f"30 days: until {until.day} {until:%B %Y}")
        assert page.says("Then it ends by itself. We remind you 7 days before.")

    def test_a_purpose_that_needs_months_is_proposed_months(self, browser: Client, wide: Consent) -> None:
        assert self.options(browser, wide) == [
            ("one_time", False),
            ("30", False),
            ("90", True),
            ("180", False),
        ]

    def test_never_longer_than_was_asked(self, browser: Client, alice: User, chat: Member) -> None:
        assert self.options(browser, lodged(alice, chat, duration_days=7)) == [("one_time", False), ("7", True)]

    def test_never_longer_than_the_chosen_bank_goes_along(
        self, browser: Client, wide: Consent, northbank: Institution
    ) -> None:
        BankPolicy.objects.update(duration_days_max=60)
        browser.post(f"/connect/{wide.id}/bank/", {"institution": "northbank"})

        assert self.options(browser, wide) == [("one_time", False), ("30", False), ("60", True)]
        assert Page(browser.get(f"/connect/{wide.id}/duration/")).says("Your bank allows less.")

    @pytest.mark.parametrize("given", ["", "181", "31", "-1", "0", "ninety"])
    def test_what_is_not_on_the_page_is_an_error_one_can_find(self, browser: Client, wide: Consent, given: str) -> None:
        answer = browser.post(f"/connect/{wide.id}/duration/", {"duration": given})

        page = Page(answer)
        assert answer.status_code == 422
        assert page.says("Choose how long")
        assert "#duration-1" in [link.attributes["href"] for link in page.links]

    def test_days_that_were_chosen_are_granted(self, browser: Client, wide: Consent, northbank: Institution) -> None:
        browser.post(f"/connect/{wide.id}/duration/", {"duration": "180"})

        granted = allowed(browser, wide, northbank)

        assert granted.duration_days == 180
        assert granted.authorised_at is not None
        assert granted.expires_at == granted.authorised_at + timedelta(days=180)

    def test_one_time_ends_within_a_day(self, browser: Client, wide: Consent, northbank: Institution) -> None:
        browser.post(f"/connect/{wide.id}/duration/", {"duration": "one_time"})

        granted = allowed(browser, wide, northbank)

        assert (granted.duration_type, granted.duration_days) == ("ONE_TIME", None)
        assert granted.expires_at - clock.now() <= timedelta(hours=24)
        assert Page(browser.get(f"/connect/{wide.id}/done/")).says("Sharing one time, by")


class TestAccountsFurther:
    def test_all_and_none_are_ticked_by_a_button(self, browser: Client, asked: Consent, northbank: Institution) -> None:
        shown = show_accounts(browser, asked, northbank, "everyday", "savings")
        here = f"/connect/{asked.id}/accounts/"

        def ticked() -> list[str]:
            boxes = Page(browser.get(here)).form("/accounts/").named("account")
            return sorted(box.value for box in boxes if box.is_ticked)

        everything = browser.post(f"{here}?select=all")
        after_all = ticked()
        browser.post(f"{here}?select=none")

        assert (everything.status_code, everything["Location"]) == (303, here)
        assert after_all == sorted(str(one) for one in shown)
        assert ticked() == []

    def test_ticks_are_kept_while_another_bank_is_added(
        self, browser: Client, asked: Consent, northbank: Institution
    ) -> None:
        cast.institution("southbank")
        shown = show_accounts(browser, asked, northbank, "everyday", "savings")
        here = f"/connect/{asked.id}/accounts/"

        answer = browser.post(here, {"account": [str(shown[1])], "then": "bank"})

        assert (answer.status_code, answer["Location"]) == (303, f"/connect/{asked.id}/bank/")
        boxes = Page(browser.get(here)).form("/accounts/").named("account")
        assert [box.value for box in boxes if box.is_ticked] == [str(shown[1])]

    def test_accounts_left_out_at_the_bank_are_listed_with_the_reason(
        self, browser: Client, alice: User, asked: Consent, northbank: Institution
    ) -> None:

        (shown,) = show_accounts(browser, asked, northbank, "everyday")
        link = Account.objects.for_sync().get(id=shown).connection
        other = cast.account(link, "holiday")
        Account.objects.for_sync().filter(id=other.id).update(is_covered=False)

        page = Page(browser.get(f"/connect/{asked.id}/accounts/"))

        assert page.says("You did not choose these at your bank, so we cannot read them.")
        assert page.says("Holiday, Current account, ending in 1234, GBP (Northbank)")
        assert str(other.id) not in [box.value for box in page.form("/accounts/").named("account")]

    def test_a_wider_choice_than_the_bank_was_asked_for_needs_the_bank_again(
        self, browser: Client, wide: Consent, northbank: Institution
    ) -> None:

        (shown,) = show_accounts(browser, wide, northbank, "everyday")
        Connection.objects.update(resources=["accounts", "masked_numbers", "transactions"])
        browser.post(f"/connect/{wide.id}/accounts/", {"account": [str(shown)]})

        answer = browser.post(f"/connect/{wide.id}/scopes/", {"scope": ["balances"]})

        page = Page(browser.get(f"/connect/{wide.id}/accounts/"))
        assert answer["Location"] == f"/connect/{wide.id}/duration/"
        assert browser.get(f"/connect/{wide.id}/confirm/")["Location"] == f"/connect/{wide.id}/accounts/"
        assert page.says("You now allow more than Northbank let us read.")
        assert not any(form.named("account") for form in page.forms)


class TestCheckFurther:
    @pytest.fixture
    def ticked(self, browser: Client, wide: Consent, northbank: Institution) -> UUID:
        (account,) = show_accounts(browser, wide, northbank, "everyday")
        browser.post(f"/connect/{wide.id}/accounts/", {"account": [str(account)]})
        return account

    def test_a_change_leads_back_to_the_summary_and_is_in_it(
        self, browser: Client, wide: Consent, ticked: UUID
    ) -> None:
        back = browser.post(f"/connect/{wide.id}/duration/", {"duration": "30"})
        again = browser.post(f"/connect/{wide.id}/scopes/", {"scope": ["locations"], "location_precision": "city"})

        page = Page(browser.get(f"/connect/{wide.id}/confirm/"))
        assert back["Location"] == again["Location"] == f"/connect/{wide.id}/confirm/"
        for told in (
            "30 days from today",
            "Where you paid The town, and nothing closer.",
            "Asked for, and left out by you Account balance",
            "All payments in these accounts.",
            "Change What is shared",
        ):
            assert page.says(told), told

    def test_that_running_balances_go_with_what_is_hidden_is_said(
        self, browser: Client, wide: Consent, ticked: UUID
    ) -> None:
        told = "What was left after each payment stays hidden too"
        browser.post(f"/connect/{wide.id}/scopes/", {"scope": ["balances"]})
        before = Page(browser.get(f"/connect/{wide.id}/confirm/"))
        browser.post(f"/connect/{wide.id}/scopes/", {"scope": ["balances"], "hidden_group": ["HEALTH"]})

        assert not before.says(told)
        assert Page(browser.get(f"/connect/{wide.id}/confirm/")).says(told)

    def test_what_the_bank_keeps_back_is_said(self, browser: Client, wide: Consent, ticked: UUID) -> None:
        browser.post(f"/connect/{wide.id}/scopes/", {"scope": ["locations"], "location_precision": "city"})
        until = clock.now() + timedelta(days=20)
        BankPolicy.objects.update(
            location_precision="country", duration_days_max=20, history_days_max=10, hidden_groups=["HEALTH"]
        )

        page = Page(browser.get(f"/connect/{wide.id}/confirm/"))

        for told in (
            "Northbank tells places less closely: the country, and nothing closer.",
            f"Northbank stops sharing on {until.day} {until:%B %Y}.",
            "Northbank goes back to",
            "Northbank: payments to do with health stay hidden.",
        ):
            assert page.says(told), told

    def test_a_yes_to_terms_that_were_changed_in_another_window_is_no_yes(
        self, browser: Client, wide: Consent, ticked: UUID
    ) -> None:
        form = Page(browser.get(f"/connect/{wide.id}/confirm/")).form("/confirm/")
        browser.post(f"/connect/{wide.id}/scopes/", {"scope": ["balances"]})

        answer = browser.post(form.action, form.hidden)

        assert answer.status_code == 409
        assert Page(answer).says("Something changed meanwhile")
