"""One customer, for a reason they read: found by their own numbers alone, at this bank alone, and only so often."""

import uuid
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from banks import accounts, customers
from banks.models import Account, Institution
from banks.types import AccountCategory, AccountData, AccountStatus, Identification
from consents import clock, lookups
from consents.models import AuditEntry, Consent, ConsentAccount, CustomerLookup, Proposal
from gateway.identity.models import User
from tests.gateway.backoffice.conftest import Clerk, Share, account
from tests.gateway.portal.html import Page
from tests.support import cast
from tests.support.cast import Member

pytestmark = pytest.mark.django_db

IBAN = "GB33BUKB20201555555555"
NUMBERS = (
    Identification(scheme_name="IBAN", value=IBAN),
    Identification(scheme_name="SortCodeAccountNumber", value="20201555555555"),
)


def _numbered(row: Account, *numbers: Identification, account_type: str = "CACC") -> Account:
    """As the sync would have stored it."""
    told = AccountData(
        bank_account_id="x",
        category=AccountCategory.DEPOSIT,
        account_type=account_type,
        name=None,
        currency="GBP",
        status=AccountStatus.OPEN,
        identifications=numbers,
    )
    Account.objects.for_sync().filter(id=row.id).update(identification_digest=accounts.identification_digest(told))
    return row


@pytest.fixture
def numbered(alices: Account) -> Account:
    return _numbered(alices, *NUMBERS)


def _look_up(clerk: Clerk, **fields: str) -> Any:
    form = {"currency": "GBP", "reason": "COMPLAINT", **fields}
    return clerk.client.post(clerk.path("customers/"), form)


def _by_both(clerk: Clerk) -> Any:
    return _look_up(clerk, iban="gb33 bukb 2020 1555 5555 55", sort_code="20-20-15", account_number="55555555")


def test_a_customer_is_found_by_their_own_numbers_and_told(
    anne: Clerk, shared: Consent, numbered: Account, alice: User
) -> None:
    answer = _by_both(anne)

    assert answer.status_code == 303
    page = Page(anne.client.get(answer["Location"]))
    assert page.says("chat") and page.says("In use") and page.says("Accounts here 1") and page.says(str(shared.id))
    lookup = CustomerLookup.objects.get()
    assert (lookup.user_id, lookup.institution_id, lookup.reason_code) == (alice.id, anne.bank.id, "COMPLAINT")
    assert lookup.staff_pseudonym == anne.user.pseudonym
    entry = AuditEntry.objects.get(action="customer.looked_up")
    assert (entry.institution_id, entry.user_pseudonym) == (anne.bank.id, alice.pseudonym)
    assert (entry.actor_pseudonym, entry.reason_code) == (anne.user.pseudonym, "COMPLAINT")


@pytest.mark.parametrize(
    ("stored", "typed", "finds"),
    [
        (NUMBERS, {"iban": IBAN, "sort_code": "202015", "account_number": "55555555"}, True),
        (NUMBERS[:1], {"iban": IBAN}, True),
        (NUMBERS[:1], {"iban": IBAN, "sort_code": "202015", "account_number": "55555555"}, True),
        (NUMBERS[1:], {"sort_code": "202015", "account_number": "55555555"}, True),
        (NUMBERS[:1], {"iban": IBAN[:-1] + "4"}, False),
        (NUMBERS[:1], {"iban": IBAN, "currency": "EUR"}, False),
        (NUMBERS[:1], {"iban": IBAN[:-1]}, False),
    ],
)
def test_only_the_exact_numbers_find_anybody(
    anne: Clerk,
    shared: Consent,
    alices: Account,
    stored: tuple[Identification, ...],
    typed: dict[str, str],
    finds: bool,
) -> None:
    _numbered(alices, *stored)

    assert (_look_up(anne, **typed).status_code == 303) == finds
    assert CustomerLookup.objects.exists() == finds


@pytest.mark.parametrize("account_type", ["SVGS", "LOAN", "OTHER"])
def test_every_kind_of_account_is_found(anne: Clerk, alices: Account, account_type: str) -> None:
    _numbered(alices, *NUMBERS, account_type=account_type)

    assert _by_both(anne).status_code == 303


def test_t16_a_number_at_another_bank_finds_nobody(anne: Clerk, alice: User, southbank: Institution) -> None:
    _numbered(account(alice, southbank), *NUMBERS)

    assert _by_both(anne).status_code == 404

    assert not CustomerLookup.objects.exists()


def test_a_look_up_that_finds_nobody_is_recorded_without_the_number(anne: Clerk) -> None:
    answer = _by_both(anne)

    assert answer.status_code == 404
    assert Page(answer).says("Nobody who uses Sluice has this number")
    kept = [one.value for one in Page(answer).form("customers/").named("reason") if one.is_ticked]
    assert kept == ["COMPLAINT"]  # or whoever mistyped a number chooses it again
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.institution_id, entry.reason_code) == ("customer.not_found", anne.bank.id, "COMPLAINT")
    assert "5555" not in str(list(AuditEntry.objects.values()))


def test_a_consents_reference_finds_its_customer_at_its_banks_alone(anne: Clerk, sue: Clerk, shared: Consent) -> None:
    assert _look_up(sue, reference=str(shared.id)).status_code == 404
    assert _look_up(anne, reference=str(uuid.uuid4())).status_code == 404
    assert _look_up(anne, reference=str(shared.id)).status_code == 303


def test_without_a_reason_nobody_is_looked_up(anne: Clerk, shared: Consent, numbered: Account) -> None:
    for reason in ("", "CURIOSITY"):
        answer = _look_up(anne, iban=IBAN, reason=reason)

        assert answer.status_code == 422
        assert Page(answer).says("Choose a reason")
    assert not CustomerLookup.objects.exists()
    assert not AuditEntry.objects.filter(action__startswith="customer.").exists()


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ({}, "Type an account’s number, or a consent’s reference"),
        ({"iban": "GB33"}, "Type the whole IBAN"),
        ({"iban": IBAN, "currency": ""}, "Type the currency"),
        ({"sort_code": "202015"}, "both"),
        ({"account_number": "5555"}, "8 digits"),
        ({"reference": "con_123"}, "as the customer sees it"),
    ],
)
def test_half_a_number_is_told_and_looks_up_nobody(anne: Clerk, typed: dict[str, str], told: str) -> None:
    answer = _look_up(anne, **typed)

    assert answer.status_code == 422
    assert Page(answer).says(told)
    assert not AuditEntry.objects.filter(action__startswith="customer.").exists()


def test_t17_one_person_may_look_up_only_so_often(
    anne: Clerk, brian: Clerk, numbered: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lookups, "LOOKUPS_MAX", 3)
    assert [_look_up(anne, iban=IBAN[:-1] + str(digit)).status_code for digit in range(3)] == [404] * 3

    answer = _by_both(anne)

    assert answer.status_code == 429
    assert Page(answer).says("as many customers as one person may in an hour")
    assert not CustomerLookup.objects.exists()
    assert _by_both(brian).status_code == 303
    AuditEntry.objects.filter(actor_pseudonym=anne.user.pseudonym).update(occurred_at=clock.now() - timedelta(hours=1))
    assert _by_both(anne).status_code == 303


def test_t17_nor_oftener_in_two_windows_at_once(
    anne: Clerk, numbered: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lookups, "LOOKUPS_MAX", 1)
    found, others = customers.holders, [True]

    def looked_up_beside(*number: Any) -> list[uuid.UUID]:
        if others:
            others.pop()
            assert _by_both(anne).status_code == 303
        return found(*number)

    monkeypatch.setattr(customers, "holders", looked_up_beside)

    assert _by_both(anne).status_code == 429
    assert CustomerLookup.objects.count() == 1


def test_the_result_is_open_to_who_looked_up_and_not_for_long(
    anne: Clerk, brian: Clerk, shared: Consent, numbered: Account
) -> None:
    address = _by_both(anne)["Location"]
    assert anne.client.get(address).status_code == 200
    assert brian.client.get(address).status_code == 404

    CustomerLookup.objects.update(looked_up_at=clock.now() - timedelta(minutes=31))

    assert anne.client.get(address).status_code == 404


def test_both_holders_of_one_account_are_told(
    anne: Clerk, alice: User, bob: User, numbered: Account, northbank: Institution
) -> None:
    _numbered(account(bob, northbank), *NUMBERS)

    page = Page(anne.client.get(_by_both(anne)["Location"]))

    assert page.says("Holder 2 of 2")
    assert {row.user_id for row in CustomerLookup.objects.all()} == {alice.id, bob.id}


@pytest.fixture
def at(anne: Clerk, shared: Consent, numbered: Account) -> Iterator[str]:
    """Of the page about Alice's consent, below the console's address."""
    lookup_id = _by_both(anne)["Location"].rstrip("/").rsplit("/", 1)[1]
    yield f"customers/{lookup_id}/consents/{shared.id}/"


def _here(consent: Consent) -> list[str]:
    return list(ConsentAccount.objects.filter(consent=consent).values_list("status", flat=True))


def test_one_customers_consent_is_suspended_by_one_and_lifted_by_two(
    anne: Clerk, brian: Clerk, shared: Consent, at: str
) -> None:
    assert anne.post(f"{at}suspend/", reason="SUSPECTED_FRAUD").status_code == 303
    assert _here(shared) == ["SUSPENDED"]
    assert anne.page(at.partition("consents/")[0]).says("Suspended by the bank")

    assert anne.post(f"{at}lift/", reason="CAUSE_RESOLVED").status_code == 303
    assert _here(shared) == ["SUSPENDED"]
    (proposal,) = Proposal.objects.all()
    anne.post(f"proposals/{proposal.id}/", decision="approve")
    assert _here(shared) == ["SUSPENDED"]
    brian.post(f"proposals/{proposal.id}/", decision="approve")

    assert _here(shared) == ["ACTIVE"]


def test_the_banks_part_ends_and_the_rest_of_the_consent_goes_on(
    anne: Clerk, alice: User, share: Share, chat: Member, southbank: Institution, numbered: Account
) -> None:
    both = share(alice, chat.platform, [numbered, account(alice, southbank)])
    lookup_id = _by_both(anne)["Location"].rstrip("/").rsplit("/", 1)[1]

    assert anne.post(f"customers/{lookup_id}/consents/{both.id}/end/", reason="COMPLAINTS").status_code == 303

    both.refresh_from_db()
    assert both.status == "AUTHORISED"
    left = dict(ConsentAccount.objects.filter(consent=both).values_list("institution_id", "status"))
    assert left == {anne.bank.id: "REVOKED", southbank.id: "ACTIVE"}


def test_an_action_needs_a_reason_too(anne: Clerk, shared: Consent, at: str) -> None:
    for action in ("suspend/", "end/", "lift/"):
        assert anne.post(at + action).status_code == 422
    assert _here(shared) == ["ACTIVE"]
    assert not Proposal.objects.exists()


def test_what_ended_meanwhile_is_told_and_changed_no_more(anne: Clerk, shared: Consent, at: str) -> None:
    cast.revoke(shared)

    answer = anne.post(f"{at}suspend/", reason="COMPLAINTS")

    assert Page(anne.client.get(answer["Location"])).says("It had changed already")
    assert _here(shared) == ["ACTIVE"]
