"""The card issuer's answers against the official document of 3.1.11, and in the words of that version."""

import re
from collections.abc import Callable
from typing import Any

import pytest
import requests

from banks.sandbox.ledger import Kind
from banks.sandbox.people import SCENARIOS
from banks.sandbox.standard import STANDARDS, Standard
from banks.sandbox.statement import _CODES
from tests.banks.sandbox.conftest import Customers, client_of
from tests.support.bank_client import BankClient, Pkce
from tests.support.obie_document import Document
from tests.support.sandbox_bank import KINDS, ROOT, SandboxBank

AISP = "/open-banking/v3.1/aisp"
USERS = ("cardholder", "twocards", "overlimit", "unused")
LISTS = ("/accounts", "/balances", "/transactions")
CONSENT_STATUSES = {"AWAU", "AUTH", "RJCT", "CANC", "EXPD"}


def rows(answer: requests.Response) -> list[dict[str, Any]]:
    ((_, listed),) = answer.json()["Data"].items()
    found: list[dict[str, Any]] = listed
    return found


# -- every answer ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("user", USERS)
def test_every_list_of_every_customer_conforms(card_connected: Customers, card_document: Document, user: str) -> None:
    for path in LISTS:
        answer = card_connected(user).api("GET", path)

        assert answer.status_code == 200
        assert card_document.problems(answer) == []


@pytest.mark.parametrize("user", ["cardholder", "twocards"])
def test_every_page_of_a_whole_life_conforms(card_bank: SandboxBank, card_document: Document, user: str) -> None:
    pages = list(client_of(card_bank, None).connect(user).pages("/transactions"))

    assert len(pages) > 1
    assert [card_document.problems(page) for page in pages] == [[]] * len(pages)


def test_basic_and_detail_rows_are_the_documents_own(card_connected: Customers, card_document: Document) -> None:
    sides = ("ReadTransactionsCredits", "ReadTransactionsDebits")
    basic = card_connected("cardholder", "ReadAccountsBasic", "ReadTransactionsBasic", *sides)

    for row in rows(basic.api("GET", "/transactions")):
        assert card_document.schema_problems("OBTransaction6Basic", row) == []
    for account in rows(basic.api("GET", "/accounts")):
        assert card_document.schema_problems("OBAccount6Basic", account) == []
    for account in rows(card_connected("cardholder").api("GET", "/accounts")):
        assert card_document.schema_problems("OBAccount6Detail", account) == []
        # The document lets a Servicer have further members; it names two.
        assert set(account["Servicer"]) == {"SchemeName", "Identification"}


def test_refused_requests_conform_and_speak_in_obie_codes(card_connected: Customers, card_client: BankClient) -> None:
    customer = card_connected("cardholder")
    own = card_client.own_token()
    consents = "/account-access-consents"
    refused = {
        "UK.OBIE.Resource.ConsentMismatch": customer.api("GET", "/accounts/nobody"),
        "UK.OBIE.Field.InvalidDate": customer.api("GET", "/transactions", params={"fromBookingDateTime": "soon"}),
        "UK.OBIE.Field.Invalid": customer.api("GET", "/transactions", params={"page": "2"}),
        "UK.OBIE.Header.Invalid": customer.api("GET", "/accounts", headers={"x-fapi-interaction-id": "1"}),
        "UK.OBIE.Field.Missing": card_client.api("POST", consents, token=own, json={"Data": {}, "Risk": {}}),
        "UK.OBIE.Resource.NotFound": card_client.api("GET", f"{consents}/nothing", token=own),
        "UK.OBIE.Resource.InvalidFormat": card_client.api("POST", consents, token=own, data="{}"),
    }

    for code, answer in refused.items():
        assert answer.status_code >= 400
        assert [reason["ErrorCode"] for reason in answer.json()["Errors"]] == [code]


def test_a_path_of_the_other_version_is_none_here(card_connected: Customers) -> None:
    client = card_connected("cardholder")

    answer = client.api("GET", f"{client.issuer}/open-banking/v4.0/aisp/accounts")

    assert answer.status_code == 404


# -- words of 3.1.11 ------------------------------------------------------------------------------------------------


def test_accounts_are_personal_credit_cards_with_a_masked_number(card_connected: Customers) -> None:
    for account in rows(card_connected("twocards").api("GET", "/accounts")):
        assert (account["AccountType"], account["AccountSubType"]) == ("Personal", "CreditCard")
        assert not account.keys() & {"AccountCategory", "AccountTypeCode"}
        (number,) = account["Account"]
        assert number["SchemeName"] == "UK.OBIE.PAN"
        assert re.fullmatch(r"\*{12}\d{4}", number["Identification"])


def test_transactions_and_balances_use_the_code_lists_of_this_version(card_connected: Customers) -> None:
    client = card_connected("cardholder")
    transactions = [row for page in client.pages("/transactions") for row in rows(page)]

    assert {row["Status"] for row in transactions} == {"Booked", "Pending"}
    assert {row["Balance"]["Type"] for row in transactions if "Balance" in row} == {"InterimBooked"}
    assert {row["Type"] for row in rows(client.api("GET", "/balances"))} == {"InterimBooked", "InterimAvailable"}
    codes = {row["BankTransactionCode"]["Code"] for row in transactions}
    assert codes >= {"CustomerCardTransactions", "MiscellaneousDebitOperations"}
    assert not [code for code in codes if len(code) == 4]


def test_consent_goes_through_the_statuses_of_this_version(card_client: BankClient, card_bank: SandboxBank) -> None:
    def status() -> str:
        answer = card_client.api("GET", f"/account-access-consents/{consent_id}", token=card_client.own_token())
        assert "StatusReason" not in answer.json()["Data"]
        told: str = answer.json()["Data"]["Status"]
        return told

    consent_id = card_client.create_consent().json()["Data"]["ConsentId"]
    assert status() == "AwaitingAuthorisation"
    pkce = Pkce()
    back = card_client.decide(card_client.request_object(consent_id, pkce), "cardholder")
    card_client.tokens = card_client.exchange(back["code"], pkce).json()
    assert status() == "Authorised"

    card_bank.control("POST", f"/control/consents/{consent_id}/cancel")

    assert status() == "Revoked"
    answer = card_client.api("GET", "/accounts")
    assert answer.status_code == 403
    assert answer.json()["Errors"][0]["ErrorCode"] == "UK.OBIE.Resource.InvalidConsentStatus"


def test_revoked_consent_is_not_authorised_again(card_bank: SandboxBank, card_document: Document) -> None:
    client = client_of(card_bank, card_document).connect("cardholder")
    card_bank.control("POST", f"/control/consents/{client.consent_id}/cancel")

    url = client.authorization_url(client.request_object(client.consent_id, Pkce()))
    answer = requests.get(url, allow_redirects=False, timeout=10)

    assert answer.status_code == 303
    assert "error=invalid_request" in answer.headers["Location"]


def test_refused_consent_is_rejected(card_client: BankClient) -> None:
    consent_id = card_client.create_consent().json()["Data"]["ConsentId"]

    card_client.decide(card_client.request_object(consent_id, Pkce()), "cardholder", decision="refuse")

    answer = card_client.api("GET", f"/account-access-consents/{consent_id}", token=card_client.own_token())
    assert answer.json()["Data"]["Status"] == "Rejected"


# -- the tables -----------------------------------------------------------------------------------------------------

each_standard = pytest.mark.parametrize("standard", STANDARDS.values(), ids=STANDARDS.keys())


@each_standard
def test_each_standard_has_a_word_for_all_that_the_banks_say(standard: Standard) -> None:
    # Read, not imported: outside a bank's own process its settings are not there.
    codes = set(re.findall(r'^[A-Z_]+ = "(\w{4})"', (ROOT / "banks/sandbox/answers.py").read_text(), re.MULTILINE))
    refused = {code for refusal in standard.refusals.values() for code, _ in refusal.reasons}
    families = {code for family, sub_family, _ in _CODES.values() for code in (family, sub_family)}

    assert {"U000", "U011"} <= codes
    assert codes | refused <= standard.reasons.keys()
    assert families | {"POSC"} <= standard.transaction_codes.keys()
    assert set(_CODES) == set(Kind)
    assert {account.type_code for person in SCENARIOS.values() for account in person.accounts} <= set(
        standard.account_types
    )
    assert {*standard.consent_statuses, "EXPD"} == {*standard.refusals, "AUTH"} == CONSENT_STATUSES


def test_tests_and_banks_agree_on_versions_and_paths() -> None:
    assert {(standard.version, standard.resource_path) for standard in STANDARDS.values()} == set(KINDS.values())


# -- the checker, for this version ----------------------------------------------------------------------------------

Mutation = Callable[[Any], None]


def transaction_with(value: Any, *path: str) -> Mutation:
    def mutate(body: Any) -> None:
        target = body["Data"]["Transaction"][0]
        for name in path[:-1]:
            target = target.setdefault(name, {})
        target[path[-1]] = value

    return mutate


MUTANTS: dict[str, Mutation] = {
    "status of v4": transaction_with("BOOK", "Status"),
    "balance of a v4 type": transaction_with("ITBD", "Balance", "Type"),
    "member of v4": transaction_with("PEN", "CategoryPurposeCode"),
    "signed amount": transaction_with("-12.34", "Amount", "Amount"),
    "six decimals": transaction_with("12.345678", "Amount", "Amount"),
    "unknown card scheme": transaction_with("Maestro", "CardInstrument", "CardSchemeName"),
    "rate as text": transaction_with({"SourceCurrency": "JPY", "ExchangeRate": "191.2"}, "CurrencyExchange"),
}


@pytest.mark.parametrize("mutate", MUTANTS.values(), ids=MUTANTS.keys())
def test_checker_catches_a_broken_page_of_this_version(
    card_connected: Customers, card_document: Document, mutate: Mutation
) -> None:
    page = card_connected("cardholder").api("GET", "/transactions")
    body, headers = page.json(), dict(page.headers)
    body["Data"]["Transaction"] = body["Data"]["Transaction"][:3]
    assert card_document.answer_problems("GET", f"{AISP}/transactions", 200, headers, body) == []

    mutate(body)

    assert card_document.answer_problems("GET", f"{AISP}/transactions", 200, headers, body) != []
