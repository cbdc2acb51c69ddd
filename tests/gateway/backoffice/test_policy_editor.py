"""The policy's simple form: what it sends, what it would do, and who may sign it."""

from typing import Any
from urllib.parse import urlencode

import pytest

from banks.models import Institution
from consents import policies, stops
from consents.models import BankPolicy, Consent, Proposal
from consents.policy_terms import PolicyTerms, StepUp
from consents.scopes import LocationPrecision, Purpose, Scope, SensitiveGroup
from tests.gateway.backoffice.conftest import Clerk
from tests.gateway.portal.html import Page
from tests.support.cast import Member

pytestmark = pytest.mark.django_db

FIELDS: dict[str, Any] = {
    "scopes": ["accounts", "balances"],
    "purposes": ["account_overview"],
    "history_days_max": "30",
    "duration_days_max": "90",
    "location_precision": "none",
    "hidden_groups": ["HEALTH"],
    "on_platform_only": "on",
    "step_up": "bank",
    "profile": "fapi2",
    "base_version": "1",
}
TERMS = PolicyTerms(
    scopes=frozenset({Scope.ACCOUNTS, Scope.BALANCES}),
    purposes=frozenset({Purpose.ACCOUNT_OVERVIEW}),
    history_days_max=30,
    duration_days_max=90,
    location_precision=None,
    hidden_groups=frozenset({SensitiveGroup.HEALTH}),
    on_platform_only=True,
)


def _review(clerk: Clerk, **changes: Any) -> str:
    return f"policy/review/?{urlencode({**FIELDS, **changes}, doseq=True)}"


def _held(bank: Institution) -> PolicyTerms | None:
    return policies.terms_that_hold(bank.id, None)


def test_the_form_shows_what_holds_and_sends_it_back_unchanged(anne: Clerk, northbank: Institution) -> None:
    form = anne.page("policy/").form("/policy/review/")
    sent: dict[str, list[str]] = {}
    for one in form.controls:
        kind = one.attributes.get("type")
        if one.tag == "input" and (kind in ("hidden", "text") or one.is_ticked):
            sent.setdefault(one.name, []).append(one.value or "on")
    sent["history_days_max"] = sent["duration_days_max"] = [""]

    answer = anne.get(f"policy/review/?{urlencode(sent, doseq=True)}")

    assert form.method == "get"
    assert answer.status_code == 303
    assert Page(anne.client.get(answer["Location"])).says("Nothing was changed.")


def test_narrower_terms_are_signed_by_one_person_after_seeing_whom_they_touch(
    anne: Clerk, northbank: Institution, shared: Consent
) -> None:
    page = anne.page(_review(anne))
    assert page.says("Nothing in it is wider")
    assert page.says("Lose everything 1 consent")  # they demand a profile that Chat does not have
    assert page.says("Platforms that lose chat")
    assert BankPolicy.objects.count() == 1

    answer = anne.post(_review(anne), reason="LEGAL_ORDER")

    assert answer.status_code == 303
    assert _held(northbank) == TERMS
    policy = policies.latest(northbank.id, None)
    assert policy is not None
    assert (policy.version, policy.reason_code, policy.approved_by) == (2, "LEGAL_ORDER", [str(anne.user.id)])


def test_t15_wider_terms_wait_for_a_second_person(anne: Clerk, brian: Clerk, northbank: Institution) -> None:
    anne.post(_review(anne), reason="LEGAL_ORDER")
    wider = _review(anne, base_version=2, history_days_max="31")
    assert anne.page(wider).says("Something in it is wider")

    assert anne.post(wider, reason="RISK_REVIEWED").status_code == 303

    assert _held(northbank) == TERMS
    (proposal,) = Proposal.objects.all()
    assert anne.post(f"proposals/{proposal.id}/", decision="approve").status_code == 303
    assert _held(northbank) == TERMS
    page = brian.page(f"proposals/{proposal.id}/")
    assert page.says("How far back Wider Before: 30 days After: 31 days")
    brian.post(f"proposals/{proposal.id}/", decision="approve")
    held = _held(northbank)
    assert held is not None
    assert held.history_days_max == 31


def test_of_a_list_the_review_names_what_leaves_and_what_joins_and_nothing_that_stays(
    anne: Clerk, northbank: Institution
) -> None:
    anne.post(_review(anne), reason="LEGAL_ORDER")

    page = anne.page(_review(anne, base_version=2, scopes=["accounts", "account_numbers"]))

    assert page.says("Data that may be shared Wider Taken out: Account balance Added: Account numbers Who is affected")
    assert "Account name and type" not in page.words.partition("Who is affected")[0]
    narrower = anne.page(_review(anne, base_version=2, scopes=["accounts"]))
    assert narrower.says("Taken out: Account balance") and not narrower.says("Added:")


def test_terms_made_from_a_version_that_is_gone_are_shown_anew(
    anne: Clerk, brian: Clerk, northbank: Institution
) -> None:
    anne.post(_review(anne), reason="LEGAL_ORDER")

    answer = brian.post(_review(brian, history_days_max="10"), reason="LEGAL_ORDER")

    assert (answer.status_code, answer["Location"]) == (303, brian.path("policy/"))
    assert Page(brian.client.get(answer["Location"])).says("Somebody signed another version meanwhile")
    assert _held(northbank) == TERMS


@pytest.mark.parametrize(
    ("changes", "told", "target"),
    [
        ({"scopes": []}, "Choose what may be shared", "scopes-1"),
        ({"purposes": []}, "Choose what for", "purposes-1"),
        ({"scopes": ["accounts", "merchants"]}, "need transaction details", "scopes-1"),
        ({"scopes": ["everything"]}, "Data that may be shared: choose", "scopes-1"),
        ({"history_days_max": "0"}, "from 1 to 730", "history_days_max"),
        ({"history_days_max": "731"}, "from 1 to 730", "history_days_max"),
        ({"duration_days_max": "a year"}, "from 1 to 365", "duration_days_max"),
        ({"location_precision": "house"}, "How closely a place is told: choose", "location_precision-1"),
        ({"step_up": ""}, "How the customer proves it is them: choose", "step_up-1"),
    ],
)
def test_what_is_no_policy_is_told_at_its_control_and_nothing_is_signed(
    anne: Clerk, changes: dict[str, Any], told: str, target: str
) -> None:
    answer = anne.post(_review(anne, **changes), reason="LEGAL_ORDER")

    page = Page(answer)
    assert answer.status_code == 422
    assert page.says("There is a problem") and page.says(told)
    assert any(link.attributes.get("href") == f"#{target}" for link in page.links)
    assert any(one == ("input", "id") for one in page.attributes)
    assert f'id="{target}"'.encode() in answer.content
    assert BankPolicy.objects.count() == 1


def test_an_address_without_terms_names_each_that_is_missing(anne: Clerk) -> None:
    answer = anne.get("policy/review/")

    problems = [link.words for link in Page(answer).links if link.attributes["href"].startswith("#")]
    assert answer.status_code == 422
    assert len(set(problems)) == len(problems) > 5
    assert not Page(answer).says("This field is required")


def test_a_platforms_first_own_terms_start_from_the_general_ones(
    anne: Clerk, chat: Member, northbank: Institution
) -> None:
    at = f"platforms/{chat.platform.id}/policy/"
    assert anne.page(at).says("follows the general policy so far")
    query = urlencode({**FIELDS, "base_version": 0}, doseq=True)

    assert anne.post(f"{at}review/?{query}", reason="LEGAL_ORDER").status_code == 303

    assert policies.terms_that_hold(northbank.id, chat.platform.id) == TERMS
    assert _held(northbank) != TERMS
    assert anne.page("policy/").says("not changed here: chat")


def test_an_edit_does_not_lift_a_stop(anne: Clerk, northbank: Institution) -> None:
    anne.post("suspend/", reason="PLANNED_WORK")

    anne.post(_review(anne, base_version=2), reason="LEGAL_ORDER")

    held = _held(northbank)
    assert held is not None
    assert (held.status, held.history_days_max) == ("SUSPEND", 30)


def test_every_term_can_be_set_by_the_form(anne: Clerk, brian: Clerk, northbank: Institution) -> None:
    changes = {
        "scopes": [scope.value for scope in Scope],
        "purposes": [purpose.value for purpose in Purpose],
        "history_days_max": "",
        "duration_days_max": "",
        "location_precision": "store",
        "hidden_groups": [],
        "on_platform_only": [],
        "requires_attended": "on",
        "accepts_attestation": "on",
        "step_up": "passkey",
        "profile": "standard",
    }

    anne.post(_review(anne, **changes), reason="CONTRACT_CHANGED")
    (proposal,) = Proposal.objects.all()
    brian.post(f"proposals/{proposal.id}/", decision="approve")

    assert _held(northbank) == PolicyTerms(
        scopes=frozenset(Scope),
        purposes=frozenset(Purpose),
        history_days_max=None,
        duration_days_max=None,
        location_precision=LocationPrecision.STORE,
        requires_attended=True,
        accepts_attestation=True,
        step_up=StepUp.PASSKEY,
        requires_fapi2=False,
    )


def test_a_bank_without_a_policy_takes_two_people_for_its_first(
    anne: Clerk, brian: Clerk, northbank: Institution
) -> None:
    BankPolicy.objects.all().delete()

    anne.post(_review(anne, base_version=0), reason="CONTRACT_CHANGED")

    assert _held(northbank) is None
    (proposal,) = Proposal.objects.all()
    page = brian.page(f"proposals/{proposal.id}/")
    assert page.says("Nothing was accepted")
    brian.post(f"proposals/{proposal.id}/", decision="approve")
    assert _held(northbank) == TERMS


def test_two_people_who_sign_at_once_do_not_overwrite_each_other(
    anne: Clerk, northbank: Institution, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second finds that the version it looked at is not the newest any more."""
    narrowed = stops.narrow

    def another_first(**values: Any) -> BankPolicy:
        narrowed(**values)
        return narrowed(**values)

    monkeypatch.setattr(stops, "narrow", another_first)

    answer = anne.post(_review(anne), reason="LEGAL_ORDER")

    assert answer["Location"] == anne.path("policy/")
    assert policies.latest(northbank.id, None).version == 2  # type: ignore[union-attr]
    assert not Proposal.objects.exists()
