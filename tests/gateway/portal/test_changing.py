"""Pause, resume, share less, and go on."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from banks.models import Institution
from consents import clock, lifecycle, platforms
from consents.lifecycle import Narrower
from consents.models import AuditEntry, BankPolicy, Consent, ConsentAccount
from consents.scopes import LocationPrecision, Scope, SensitiveGroup
from consents.states import ConsentAccountStatus, ConsentStatus, PlatformStatus
from gateway.identity import assurance
from gateway.identity.models import User
from tests.gateway.portal.conftest import read_by_platform, signed_in, status_of
from tests.gateway.portal.html import Page
from tests.support import cast
from tests.support.cast import Member

EVERYTHING = (Scope.ACCOUNTS, Scope.BALANCES, Scope.TRANSACTIONS, Scope.MERCHANTS, Scope.LOCATIONS)


class TestPause:
    def test_stops_and_goes_on_at_once(self, browser: Client, sharing: Consent) -> None:
        address = f"/consents/{sharing.id}/"

        paused = browser.post(f"{address}pause/")
        assert (paused.status_code, paused["Location"]) == (303, address)
        assert status_of(sharing) == ConsentStatus.PAUSED
        resume = Page(browser.get(address)).form("/resume/")
        assert (resume.method, resume.has_csrf_token) == ("post", True)

        browser.post(f"{address}resume/")
        assert status_of(sharing) == ConsentStatus.AUTHORISED

    def test_twice_is_once(self, browser: Client, sharing: Consent) -> None:
        for _ in range(2):
            assert browser.post(f"/consents/{sharing.id}/pause/").status_code == 303

        assert AuditEntry.objects.filter(action="consent.paused").count() == 1

    def test_looking_changes_nothing(self, browser: Client, sharing: Consent, traces: Callable[[], object]) -> None:
        before = traces()

        for act in ("pause", "resume", "report/withdraw"):
            assert browser.get(f"/consents/{sharing.id}/{act}/")["Location"] == f"/consents/{sharing.id}/"

        assert traces() == before

    def test_hold_of_others_is_not_resumed(self, browser: Client, sharing: Consent) -> None:
        lifecycle.suspend(consent_id=sharing.id, reason="test", actor=cast.BY_OPERATOR, now=clock.now())

        browser.post(f"/consents/{sharing.id}/resume/")

        assert status_of(sharing) == ConsentStatus.SUSPENDED

    @pytest.mark.parametrize("act", ["pause", "resume", "narrow", "renew", "report", "report/withdraw"])
    def test_somebody_elses_is_not_there(
        self, bob: User, sharing: Consent, act: str, traces: Callable[[], object]
    ) -> None:
        before, browser = traces(), signed_in(bob)

        for answer in (browser.post(f"/consents/{sharing.id}/{act}/"), browser.get(f"/consents/{sharing.id}/{act}/")):
            assert answer.status_code == 404

        assert traces() == before


@pytest.mark.parametrize(
    "address",
    [
        "consents/{}/pause/",
        "consents/{}/resume/",
        "consents/{}/narrow/",
        "consents/{}/renew/",
        "consents/{}/report/",
        "consents/{}/report/withdraw/",
        "consents/{}/stop/",
        "stop-everything/",
    ],
)
def test_post_without_a_token_changes_nothing(
    alice: User, sharing: Consent, address: str, traces: Callable[[], object]
) -> None:
    before = traces()
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(alice, backend="django.contrib.auth.backends.ModelBackend")

    assert strict.post("/" + address.format(sharing.id), {"code": "NOT_ME"}).status_code == 403

    assert traces() == before


class TestNarrow:
    @pytest.fixture
    def wide(self, alice: User, chat: Member, northbank: Institution) -> Consent:
        return cast.authorised_consent(
            alice,
            chat.platform,
            EVERYTHING,
            accounts=cast.linked_accounts(alice, northbank),
            location_precision=LocationPrecision.STORE,
            hidden_groups=[SensitiveGroup.HEALTH],
        )

    def as_it_is(self, browser: Client, consent: Consent) -> dict[str, Any]:
        """What a browser sends when nothing was touched."""
        form = Page(browser.get(f"/consents/{consent.id}/narrow/")).form("/narrow/")
        sent: dict[str, Any] = {}
        for control in form.controls:
            if control.is_ticked:
                sent.setdefault(control.name, []).append(control.value)
        return sent

    def test_all_that_is_there_is_ticked_and_nothing_else_offered(self, browser: Client, wide: Consent) -> None:
        sent = self.as_it_is(browser, wide)

        assert set(sent["scope"]) == set(EVERYTHING)
        assert len(sent["account"]) == 2
        assert (sent["precision"], sent["days"]) == (["store"], [""])
        page = Page(browser.get(f"/consents/{wide.id}/narrow/"))
        offered = {one.value for form in page.forms for one in form.controls}
        assert not {"counterparties", "HEALTH", "90"} & offered
        assert {"30", "GAMBLING"} <= offered

    def test_untouched_it_changes_nothing(self, browser: Client, wide: Consent, traces: Callable[[], object]) -> None:
        sent, before = self.as_it_is(browser, wide), traces()

        browser.post(f"/consents/{wide.id}/narrow/", sent)

        assert traces() == before
        assert Page(browser.get(f"/consents/{wide.id}/")).says("Nothing was changed")

    def test_takes_effect_on_the_post(self, browser: Client, wide: Consent) -> None:
        sent = self.as_it_is(browser, wide)
        kept = sent["account"][0]

        answer = browser.post(
            f"/consents/{wide.id}/narrow/",
            {
                **sent,
                "scope": ["accounts", "transactions", "locations"],
                "account": [kept],
                "precision": "country",
                "on_platform_only": "yes",
                "hide": ["GAMBLING"],
                "days": "7",
            },
        )

        assert (answer.status_code, answer["Location"]) == (303, f"/consents/{wide.id}/")
        wide.refresh_from_db()
        assert set(wide.scopes) == {"accounts", "transactions", "locations"}
        assert (wide.location_precision, wide.on_platform_only) == ("country", True)
        assert wide.hidden_groups == ["GAMBLING", "HEALTH"]
        assert timedelta(days=6) < wide.expires_at - clock.now() <= timedelta(days=7)
        active = ConsentAccount.objects.filter(consent=wide, status=ConsentAccountStatus.ACTIVE)
        assert [str(row.account_id) for row in active] == [kept]
        page = Page(browser.get(f"/consents/{wide.id}/"))
        assert page.says("No longer shared")
        for words in (
            "You made it smaller",
            "No longer: Account balance",
            "1 account fewer",
            "Places: The country, and nothing closer",
            "Only payments to chat itself",
            "Hidden: gambling",
            f"Ends on {wide.expires_at.day} {wide.expires_at:%B %Y}",
        ):
            assert page.says(words), words

    def test_twice_is_once(self, browser: Client, wide: Consent) -> None:
        sent = {**self.as_it_is(browser, wide), "scope": ["accounts"]}

        for _ in range(2):
            assert browser.post(f"/consents/{wide.id}/narrow/", sent).status_code == 303

        assert AuditEntry.objects.filter(action="consent.narrowed").count() == 1

    @pytest.mark.parametrize(
        ("sent", "words"),
        [
            ({"scope": []}, "Keep at least one kind of data"),
            ({"scope": ["merchants"]}, "Keep at least one kind of data"),
            ({"account": []}, "Keep at least one account"),
            ({"account": ["nonsense"]}, "Keep at least one account"),
        ],
    )
    def test_nothing_left_is_said_and_changes_nothing(
        self, browser: Client, wide: Consent, sent: dict[str, Any], words: str, traces: Callable[[], object]
    ) -> None:
        whole, before = self.as_it_is(browser, wide), traces()

        answer = browser.post(f"/consents/{wide.id}/narrow/", {**whole, **sent})

        assert answer.status_code == 422
        assert Page(answer).says(words)
        assert Page(answer).title.startswith("Error: ")
        assert traces() == before

    def test_nothing_can_be_added(self, browser: Client, wide: Consent, northbank: Institution, alice: User) -> None:
        sent = self.as_it_is(browser, wide)
        foreign = cast.linked_accounts(alice, northbank, ("joint",))[0].account_id
        browser.post(f"/consents/{wide.id}/narrow/", {**sent, "precision": "city", "scope": sent["scope"]})

        more = browser.post(
            f"/consents/{wide.id}/narrow/",
            {**sent, "scope": [*sent["scope"], "counterparties"], "precision": "store", "days": "365"},
        )
        other = browser.post(f"/consents/{wide.id}/narrow/", {**sent, "account": [*sent["account"], str(foreign)]})

        assert more.status_code == 303
        assert other.status_code == 422
        before = wide.expires_at
        wide.refresh_from_db()
        assert set(wide.scopes) == set(EVERYTHING)
        assert (wide.location_precision, wide.expires_at) == ("city", before)
        assert not ConsentAccount.objects.filter(consent=wide, account_id=foreign).exists()

    def test_what_has_ended_leads_to_its_page(self, browser: Client, wide: Consent) -> None:
        cast.revoke(wide)

        assert browser.get(f"/consents/{wide.id}/narrow/")["Location"] == f"/consents/{wide.id}/"
        assert browser.post(f"/consents/{wide.id}/narrow/")["Location"] == f"/consents/{wide.id}/"


class TestRenew:
    @pytest.fixture
    def ending(self, sharing: Consent) -> Consent:
        """Ends in 20 days; it was allowed for 90."""
        now = clock.now()
        Consent.objects.filter(id=sharing.id).update(
            expires_at=now + timedelta(days=20), authorised_at=now - timedelta(days=70)
        )
        sharing.refresh_from_db()
        return sharing

    @pytest.fixture
    def fresh(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Alice proved a moment ago that it is her."""
        monkeypatch.setattr(assurance, "is_fresh", lambda *_args, **_words: True)

    def test_is_offered_near_the_end_alone(self, browser: Client, sharing: Consent, fresh: None) -> None:
        address = f"/consents/{sharing.id}/renew/"
        assert not Page(browser.get("/")).links_to(address)
        assert browser.get(address)["Location"] == f"/consents/{sharing.id}/"

        Consent.objects.update(expires_at=clock.now() + timedelta(days=29))

        assert Page(browser.get("/")).links_to(address)
        assert browser.get(address).status_code == 200

    def test_one_given_for_a_month_is_not_said_to_end_soon_on_its_first_day(
        self, browser: Client, sharing: Consent, fresh: None
    ) -> None:
        now = clock.now()
        Consent.objects.update(duration_days=30, expires_at=now + timedelta(days=30))
        assert not Page(browser.get("/")).links_to(f"/consents/{sharing.id}/renew/")

        Consent.objects.update(expires_at=now + timedelta(days=14))
        assert Page(browser.get("/")).links_to(f"/consents/{sharing.id}/renew/")

    def test_page_says_how_it_was_used_since_the_last_yes(self, browser: Client, ending: Consent, fresh: None) -> None:
        for days_ago in (0.1, 3, 80):
            read_by_platform(ending, days_ago=days_ago)

        page = Page(browser.get(f"/consents/{ending.id}/renew/"))

        assert page.says("Read 2 times, last 2")
        yes, no = page.form("/renew/"), page.form(f"/consents/{ending.id}/")
        assert yes.button.look == no.button.look

    def test_yes_goes_on_with_the_text_that_was_shown(self, browser: Client, ending: Consent, fresh: None) -> None:
        form = Page(browser.get(f"/consents/{ending.id}/renew/")).form("/renew/")

        answer = browser.post(f"/consents/{ending.id}/renew/", form.hidden)

        assert answer.status_code == 303
        ending.refresh_from_db()
        assert ending.expires_at - clock.now() > timedelta(days=89)
        assert ending.disclosure_sha256 == form.hidden["disclosure"]
        page = Page(browser.get(f"/consents/{ending.id}/"))
        assert page.says("You renewed it")
        assert page.says("Renewed. It now ends on")

    def test_twice_is_once(self, browser: Client, ending: Consent, fresh: None) -> None:
        hidden = Page(browser.get(f"/consents/{ending.id}/renew/")).form("/renew/").hidden

        for _ in range(2):
            assert browser.post(f"/consents/{ending.id}/renew/", hidden).status_code == 303

        assert AuditEntry.objects.filter(action="consent.renewed").count() == 1

    def test_other_text_than_shown_changes_nothing(self, browser: Client, ending: Consent, fresh: None) -> None:
        hidden = Page(browser.get(f"/consents/{ending.id}/renew/")).form("/renew/").hidden
        Consent.objects.update(scopes=["accounts"])

        answer = browser.post(f"/consents/{ending.id}/renew/", hidden)

        assert answer.status_code == 409
        assert Page(answer).says("Nothing was renewed")
        before = ending.expires_at
        ending.refresh_from_db()
        assert ending.expires_at == before

    def test_what_was_made_less_in_another_window_a_moment_ago_is_asked_about_anew(
        self, browser: Client, ending: Consent, fresh: None, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Or the end that was chosen there would be gone."""
        hidden = Page(browser.get(f"/consents/{ending.id}/renew/")).form("/renew/").hidden
        renew = lifecycle.renew

        def after_another(**values: Any) -> Consent:
            lifecycle.narrow(
                consent_id=ending.id,
                user_id=ending.user_id,
                scopes=[Scope(scope) for scope in ending.scopes],
                account_ids=ConsentAccount.objects.filter(consent=ending).values_list("account_id", flat=True),  # type: ignore[arg-type]
                narrower=Narrower(duration_days=7),
                actor=cast.BY_USER,
                now=clock.now(),
            )
            return renew(**values)

        monkeypatch.setattr(lifecycle, "renew", after_another)

        answer = browser.post(f"/consents/{ending.id}/renew/", hidden)

        assert answer.status_code == 409
        assert Page(answer).says("Nothing was renewed")
        ending.refresh_from_db()
        assert ending.expires_at - clock.now() <= timedelta(days=7)

    def test_without_a_fresh_proof_one_proves_it_first(self, browser: Client, ending: Consent) -> None:
        address = f"/consents/{ending.id}/renew/"

        for answer in (browser.get(address), browser.post(address, {"disclosure": "0" * 64})):
            assert answer.status_code == 303
            assert answer["Location"] == f"/security/confirm/?next=%2Fconsents%2F{ending.id}%2Frenew%2F"

        before = ending.expires_at
        ending.refresh_from_db()
        assert ending.expires_at == before

    def test_the_password_typed_a_moment_ago_is_proof_until_it_is_old(
        self, browser: Client, ending: Consent, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        address = f"/consents/{ending.id}/renew/"

        back = browser.post("/security/confirm/", {"password": cast.PASSWORD, "next": address})

        assert back["Location"] == address
        assert browser.get(address).status_code == 200
        later = clock.now() + assurance.STEP_UP_WINDOW
        monkeypatch.setattr(clock, "now", lambda: later)
        assert browser.get(address)["Location"].startswith("/security/confirm/")

    def test_a_pause_stays_a_pause(self, browser: Client, alice: User, ending: Consent, fresh: None) -> None:
        lifecycle.pause(consent_id=ending.id, user_id=alice.id, actor=cast.BY_USER, now=clock.now())
        hidden = Page(browser.get(f"/consents/{ending.id}/renew/")).form("/renew/").hidden

        browser.post(f"/consents/{ending.id}/renew/", hidden)

        assert status_of(ending) == ConsentStatus.PAUSED

    def test_no_longer_than_the_bank_now_lets_it(self, browser: Client, ending: Consent, fresh: None) -> None:
        BankPolicy.objects.update(duration_days_max=30)

        assert Page(browser.get(f"/consents/{ending.id}/renew/")).says("30 days from today")

    def test_nothing_is_renewed_for_a_platform_that_was_stopped(
        self, browser: Client, chat: Member, ending: Consent, fresh: None
    ) -> None:
        hidden = Page(browser.get(f"/consents/{ending.id}/renew/")).form("/renew/").hidden
        platforms.change_status(
            chat.platform, PlatformStatus.SUSPENDED, reason="test", actor=cast.BY_OPERATOR, now=clock.now()
        )

        assert browser.post(f"/consents/{ending.id}/renew/", hidden)["Location"] == f"/consents/{ending.id}/"
        assert not AuditEntry.objects.filter(action="consent.renewed").exists()
