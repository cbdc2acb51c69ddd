"""From the button to the platform's next call: stopped by one at once, given back by two, exactly as it was."""

from typing import Any

import pytest

from banks.models import Account, Institution
from consents import clock, policies
from consents.models import AccessToken, AuditEntry, BankPolicy, Consent, ConsentAccount, Proposal, RefusedCount
from consents.scopes import Scope
from consents.states import PolicyStatus
from gateway.identity.models import Membership, User
from tests.gateway.api.world import Api
from tests.gateway.backoffice.conftest import Clerk, Share, account
from tests.gateway.portal.html import Page
from tests.support import cast
from tests.support.cast import Member

pytestmark = pytest.mark.django_db


@pytest.fixture
def api(alice: User, chat: Member, alices: Account) -> Api:
    """Chat, with a token for Alice's account."""
    scopes = (Scope.ACCOUNTS, Scope.BALANCES, Scope.TRANSACTIONS)
    return Api(cast.tokens(alice, chat, scopes, accounts=[cast.choice(alices)]))


def _state() -> object:
    """Everything a stop could have touched."""
    return [list(table.objects.order_by("pk").values()) for table in (Consent, ConsentAccount, AccessToken)]


def _approve(clerk: Clerk) -> Any:
    (proposal,) = Proposal.objects.filter(institution_id=clerk.bank.id, status="WAITING")
    return clerk.post(f"proposals/{proposal.id}/", decision="approve")


def test_a_suspension_is_in_force_at_once_and_lifted_by_two_everything_is_as_before(
    anne: Clerk, brian: Clerk, api: Api, chat: Member
) -> None:
    at = f"platforms/{chat.platform.id}/"
    before = _state()

    answer = anne.post(f"{at}suspend/", reason="SECURITY_INCIDENT")

    assert (answer.status_code, answer["Location"]) == (303, anne.path(at))
    refused = api.get("/v1/accounts")
    assert refused.status_code == 403
    assert (refused.json()["code"], refused.json()["owner"]) == ("policy_suspended", "BANK")
    page = anne.page(at)
    assert page.says("Suspended") and page.says("by anne") and page.says("1 call refused since then")

    assert anne.post(f"{at}lift/", reason="CAUSE_RESOLVED").status_code == 303
    assert api.get("/v1/accounts").status_code == 403
    assert _approve(anne)["Location"].endswith(f"/{Proposal.objects.get().id}/")  # her own: still waiting
    assert api.get("/v1/accounts").status_code == 403
    assert _approve(brian).status_code == 303

    assert api.get("/v1/accounts").status_code == 200
    assert _state() == before


def test_a_platform_that_nobody_shares_with_yet_is_found_and_suspended(anne: Clerk, chat: Member) -> None:
    first = anne.page()
    assert not first.links_to(anne.path("platforms/")) and "?all=1" in first.links_to("?")

    (address,) = anne.page("?all=1").links_to(anne.path("platforms/"))
    anne.client.post(f"{address}suspend/", {"reason": "LEGAL_ORDER"})

    held = policies.terms_that_hold(anne.bank.id, chat.platform.id)
    assert held is not None and held.status == PolicyStatus.SUSPEND


def test_the_whole_bank_stops_and_another_bank_goes_on(
    anne: Clerk, brian: Clerk, share: Share, bob: User, budget: Member, southbank: Institution, api: Api
) -> None:
    elsewhere = Api(cast.tokens(bob, budget, accounts=[cast.choice(account(bob, southbank))]))

    assert anne.post("suspend/", reason="PLANNED_WORK").status_code == 303

    assert api.get("/v1/accounts").json()["code"] == "policy_suspended"
    assert elsewhere.get("/v1/accounts").status_code == 200
    assert anne.page().says("Stopped since")
    assert anne.post("lift/", reason="CAUSE_RESOLVED").status_code == 303
    _approve(brian)
    assert api.get("/v1/accounts").status_code == 200


def test_a_stopped_scope_is_gone_and_the_rest_goes_on(anne: Clerk, api: Api, chat: Member, alices: Account) -> None:
    at = f"platforms/{chat.platform.id}/stop-scope/"
    assert Page(anne.client.get(anne.path(at))).says("Transaction details")
    page = Page(anne.client.get(anne.path(f"{at}?scope=transactions")))
    assert page.says("Lose a part 1 consent") and page.says("Lose everything 0 consents")

    answer = anne.post(f"{at}?scope=transactions", reason="MISUSE_OF_DATA")

    assert answer.status_code == 303
    assert api.get("/v1/accounts").status_code == 200
    account_id = api.get("/v1/accounts").json()["accounts"][0]["account_id"]
    assert api.get(f"/v1/accounts/{account_id}/transactions").json()["code"] == "scope_not_granted"


def test_a_withdrawal_takes_two_and_ends_tokens_with_the_second(
    anne: Clerk, brian: Clerk, api: Api, chat: Member
) -> None:
    at = f"platforms/{chat.platform.id}/withdraw/"
    page = anne.page(at)
    assert page.says("Lose everything 1 consent") and page.says("cannot be undone")

    assert anne.post(at, reason="CONTRACT_ENDED").status_code == 303
    assert api.get("/v1/accounts").status_code == 200

    assert _approve(brian).status_code == 303

    answer = api.get("/v1/accounts")
    assert (answer.status_code, answer.json()["code"]) == (401, "invalid_token")
    assert not AccessToken.objects.exists()


def test_who_is_affected_is_shown_before_and_a_look_changes_nothing(
    anne: Clerk, shared: Consent, share: Share, bob: User, chat: Member, northbank: Institution, southbank: Institution
) -> None:
    """Bob also shares an account of Southbank: he loses a part, where Alice loses everything."""
    share(bob, chat.platform, [account(bob, northbank), account(bob, southbank)])

    page = anne.page(f"platforms/{chat.platform.id}/suspend/")

    for words in ("Consents 2", "People 2", "Accounts here 2", "Lose everything 1 consent", "Lose a part 1 consent"):
        assert page.says(words), words
    assert BankPolicy.objects.filter(institution_id=northbank.id).count() == 1
    assert not AuditEntry.objects.filter(institution_id=northbank.id).exists()


@pytest.mark.parametrize("reason", ["", "because", "CAUSE_RESOLVED"])
def test_without_a_reason_of_the_list_nothing_is_done(
    anne: Clerk, chat: Member, northbank: Institution, reason: str
) -> None:
    answer = anne.post(f"platforms/{chat.platform.id}/suspend/", reason=reason)

    assert answer.status_code == 422
    assert Page(answer).says("Choose a reason")
    assert Page(answer).title.startswith("Error:")
    assert BankPolicy.objects.count() == 1


def test_a_second_press_of_the_button_says_that_it_was_stopped_already(anne: Clerk, chat: Member) -> None:
    at = f"platforms/{chat.platform.id}/suspend/"
    anne.post(at, reason="COMPLAINTS")

    again = anne.post(at, reason="COMPLAINTS")

    assert Page(anne.client.get(again["Location"])).says("It was stopped already.")
    assert policies.latest(anne.bank.id, chat.platform.id).version == 1  # type: ignore[union-attr]


def test_a_proposal_of_somebody_who_has_left_is_not_approved(anne: Clerk, brian: Clerk, chat: Member) -> None:
    anne.post(f"platforms/{chat.platform.id}/withdraw/", reason="CONTRACT_ENDED")
    Membership.objects.filter(user=anne.user).update(ended_at=clock.now())

    answer = _approve(brian)

    assert "proposals/" in answer["Location"]
    assert Proposal.objects.get().status == "WAITING"
    assert policies.latest(brian.bank.id, chat.platform.id) is None
    (proposal,) = Proposal.objects.all()
    assert brian.page(f"proposals/{proposal.id}/").says("has left")
    assert brian.post(f"proposals/{proposal.id}/", decision="refuse").status_code == 303
    assert Proposal.objects.get().status == "REFUSED"


def test_the_count_of_refused_calls_grows_with_each_load(anne: Clerk, api: Api, chat: Member) -> None:
    at = f"platforms/{chat.platform.id}/"
    anne.post(f"{at}suspend/", reason="SUSPECTED_FRAUD")

    for calls in (1, 2):
        api.get("/v1/accounts")
        assert anne.page(at).says(f"{calls} call{'s' if calls > 1 else ''} refused since then")
    assert RefusedCount.objects.get().code == "policy_suspended"


def test_a_withdrawn_platform_offers_no_way_back_but_new_terms(anne: Clerk, brian: Clerk, chat: Member) -> None:
    at = f"platforms/{chat.platform.id}/"
    anne.post(f"{at}withdraw/", reason="CONTRACT_ENDED")
    _approve(brian)

    page = anne.page(at)

    addresses = {link.attributes["href"] for link in page.links}
    assert page.says("Withdrawn")
    assert not {anne.path(f"{at}{end}") for end in ("suspend/", "lift/", "withdraw/")} & addresses
    assert policies.latest(anne.bank.id, chat.platform.id).status == PolicyStatus.BLOCK  # type: ignore[union-attr]


def test_what_is_stopped_for_everybody_stops_for_everybody_else_once_one_is_withdrawn(
    anne: Clerk, brian: Clerk, chat: Member
) -> None:
    anne.post(f"platforms/{chat.platform.id}/withdraw/", reason="CONTRACT_ENDED")
    _approve(brian)

    anne.post("stop-scope/?scope=transactions", reason="MISUSE_OF_DATA")

    assert Scope.TRANSACTIONS not in policies.latest(anne.bank.id, None).scopes  # type: ignore[union-attr]
    page = Page(anne.client.get(anne.path(f"platforms/{chat.platform.id}/stop-scope/")))
    assert not page.says("Account balance")
