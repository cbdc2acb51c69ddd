"""The bank's answers against the official document; and the checker itself, which must catch every mutant."""

from collections.abc import Callable
from typing import Any

import pytest
import requests

from tests.banks.sandbox.conftest import Customers, client_of
from tests.support.obie_document import Document
from tests.support.sandbox_bank import SandboxBank

AISP = "/open-banking/v4.0/aisp"
USERS = ("happy", "happy2", "overdrawn", "empty", "many")
LISTS = ("/accounts", "/balances", "/transactions")

Headers = dict[str, str]
Mutation = Callable[[Any, Headers], None]


@pytest.mark.parametrize("path", LISTS)
@pytest.mark.parametrize("user", USERS)
def test_every_list_of_every_customer_conforms(connected: Customers, document: Document, user: str, path: str) -> None:
    answer = connected(user).api("GET", path)

    assert answer.status_code == 200
    assert document.problems(answer) == []


@pytest.mark.parametrize("user", ["happy", "happy2"])
def test_every_page_of_a_whole_life_conforms(bank: SandboxBank, document: Document, user: str) -> None:
    pages = list(client_of(bank, None).connect(user).pages("/transactions"))

    assert [document.problems(page) for page in pages] == [[]] * len(pages)


def test_basic_and_detail_rows_are_the_documents_own_basic_and_detail(connected: Customers, document: Document) -> None:
    sides = ("ReadTransactionsCredits", "ReadTransactionsDebits")
    basic = connected("happy", "ReadAccountsBasic", "ReadTransactionsBasic", *sides)

    for page in basic.pages("/transactions"):
        for row in page.json()["Data"]["Transaction"]:
            assert document.schema_problems("OBTransaction6Basic", row) == []
    for account in basic.api("GET", "/accounts").json()["Data"]["Account"]:
        assert document.schema_problems("OBAccount6Basic", account) == []
    for account in connected("happy").api("GET", "/accounts").json()["Data"]["Account"]:
        assert document.schema_problems("OBAccount6Detail", account) == []


def test_closed_bank_answers_503_in_the_error_form(connected: Customers, document: Document) -> None:
    client = connected("down")

    for path in (*LISTS, "/accounts/any", "/accounts/any/transactions"):
        answer = client.api("GET", path)
        assert (answer.status_code, document.problems(answer)) == (503, [])
        assert int(answer.headers["Retry-After"]) > 0


def test_garbage_customer_breaks_the_document_in_two_known_ways(
    bank: SandboxBank, document: Document, connected: Customers
) -> None:
    client = client_of(bank, None).connect("garbage")
    current, savings = (row["AccountId"] for row in client.api("GET", "/accounts").json()["Data"]["Account"])

    assert document.problems(client.api("GET", f"/accounts/{savings}/balances")) == ["the body is not JSON"]
    assert document.problems(client.api("GET", f"/accounts/{current}/balances")) == []
    rows = client.api("GET", f"/accounts/{current}/transactions").json()["Data"]["Transaction"]
    decimals = [len(row["Amount"]["Amount"].partition(".")[2]) for row in rows]
    assert (decimals.count(5), decimals.count(2)) == (1, len(rows) - 1)


# -- the checker ----------------------------------------------------------------------------------------------------


def row_without(*path: str) -> Mutation:
    def mutate(body: Any, _: Headers) -> None:
        target = body["Data"]["Transaction"][0]
        for name in path[:-1]:
            target = target[name]
        del target[path[-1]]

    return mutate


def row_with(value: Any, *path: str) -> Mutation:
    def mutate(body: Any, _: Headers) -> None:
        target = body["Data"]["Transaction"][0]
        for name in path[:-1]:
            target = target.setdefault(name, {})
        target[path[-1]] = value

    return mutate


def body_with(value: Any, *path: str) -> Mutation:
    def mutate(body: Any, _: Headers) -> None:
        target = body
        for name in path[:-1]:
            target = target[name]
        target[path[-1]] = value

    return mutate


def body_without(*path: str) -> Mutation:
    def mutate(body: Any, _: Headers) -> None:
        target = body
        for name in path[:-1]:
            target = target[name]
        del target[path[-1]]

    return mutate


def header(name: str, value: str | None) -> Mutation:
    def mutate(_: Any, headers: Headers) -> None:
        headers.pop(name)
        if value is not None:
            headers[name] = value

    return mutate


TRANSACTION_MUTANTS: dict[str, Mutation] = {
    "no AccountId": row_without("AccountId"),
    "no CreditDebitIndicator": row_without("CreditDebitIndicator"),
    "no Status": row_without("Status"),
    "no BookingDateTime": row_without("BookingDateTime"),
    "no Amount": row_without("Amount"),
    "no Currency": row_without("Amount", "Currency"),
    "status of v3": row_with("Booked", "Status"),
    "lower-case indicator": row_with("debit", "CreditDebitIndicator"),
    "amount as a number": row_with(12.34, "Amount", "Amount"),
    "six decimals": row_with("12.345678", "Amount", "Amount"),
    "signed amount": row_with("-12.34", "Amount", "Amount"),
    "amount with a comma": row_with("12,34", "Amount", "Amount"),
    "fourteen digits": row_with("12345678901234", "Amount", "Amount"),
    "currency in lower case": row_with("gbp", "Amount", "Currency"),
    "date without offset": row_with("2026-11-20T00:00:00", "BookingDateTime"),
    "date without time": row_with("2026-11-20", "ValueDateTime"),
    "no such date": row_with("2026-02-30T00:00:00+00:00", "BookingDateTime"),
    "mutability as a truth value": row_with(True, "TransactionMutability"),
    "five-digit category code": row_with("54110", "MerchantDetails", "MerchantCategoryCode"),
    "category code as a number": row_with(5411, "MerchantDetails", "MerchantCategoryCode"),
    "empty text": row_with("", "TransactionInformation"),
    "address line too long": row_with("x" * 71, "AddressLine"),
    "unknown member": row_with("x", "MerchantName"),
    "rate as text": row_with({"SourceCurrency": "EUR", "ExchangeRate": "1.17"}, "CurrencyExchange"),
    "unknown card scheme": row_with({"CardSchemeName": "Maestro"}, "CardInstrument"),
    "balance of a v3 type": row_with("InterimBooked", "Balance", "Type"),
    "transactions not a list": body_with({}, "Data", "Transaction"),
    "no Data": body_without("Data"),
    "no Self link": body_without("Links", "Self"),
    "pages as text": body_with("12", "Meta", "TotalPages"),
    "unknown top member": body_with({}, "Extra"),
    "other content type": header("content-type", "text/html"),
    "no interaction id": header("x-fapi-interaction-id", None),
}


@pytest.fixture(scope="module")
def page(connected: Customers) -> requests.Response:
    return connected("happy").api("GET", "/transactions")


@pytest.mark.parametrize("mutate", TRANSACTION_MUTANTS.values(), ids=TRANSACTION_MUTANTS.keys())
def test_checker_catches_a_broken_transaction_page(
    page: requests.Response, document: Document, mutate: Mutation
) -> None:
    body, headers = page.json(), {name.lower(): value for name, value in page.headers.items()}
    body["Data"]["Transaction"] = body["Data"]["Transaction"][:3]
    assert document.answer_problems("GET", f"{AISP}/transactions", 200, headers, body) == []

    mutate(body, headers)

    assert document.answer_problems("GET", f"{AISP}/transactions", 200, headers, body) != []


OTHER_MUTANTS: dict[str, tuple[str, str, int, Any]] = {
    "undocumented status": ("GET", "/accounts", 418, None),
    "created instead of ok": ("GET", "/accounts", 201, {"Data": {"Account": []}}),
    "success without a body": ("GET", "/accounts", 200, None),
    "account without an id": ("GET", "/accounts", 200, {"Data": {"Account": [{"Currency": "GBP"}]}}),
    "account type of v3": (
        "GET",
        "/accounts",
        200,
        {"Data": {"Account": [{"AccountId": "1", "AccountTypeCode": "CurrentAccount"}]}},
    ),
    "no balances at all": ("GET", "/balances", 200, {"Data": {"Balance": []}}),
    "balance without a type": (
        "GET",
        "/accounts/1/balances",
        200,
        {"Data": {"Balance": [{"AccountId": "1", "CreditDebitIndicator": "Credit", "DateTime": "2026-01-01T00:00Z"}]}},
    ),
    "error without reasons": ("GET", "/accounts", 400, {"Code": "400 BadRequest", "Errors": []}),
    "error code of v3": ("GET", "/accounts", 400, {"Errors": [{"ErrorCode": "UK.OBIE.Field.Invalid"}]}),
    "error in another form": ("GET", "/accounts", 503, {"error": "unavailable"}),
    "html for an error": ("GET", "/accounts", 500, {"title": "Server Error"}),
    "body with a deletion": ("DELETE", "/account-access-consents/1", 204, {"Data": {}}),
    "consent in a status of v3": (
        "GET",
        "/account-access-consents/1",
        200,
        {
            "Data": {
                "ConsentId": "1",
                "CreationDateTime": "2026-01-01T00:00:00Z",
                "Status": "Authorised",
                "StatusUpdateDateTime": "2026-01-01T00:00:00Z",
                "Permissions": ["ReadAccountsBasic"],
            },
            "Risk": {},
        },
    ),
    "path outside the document": ("GET", "/pots", 200, {"Data": {}}),
}


@pytest.mark.parametrize(("method", "path", "status", "body"), OTHER_MUTANTS.values(), ids=OTHER_MUTANTS.keys())
def test_checker_catches_other_broken_answers(
    document: Document, method: str, path: str, status: int, body: Any
) -> None:
    headers = {"content-type": "application/json; charset=utf-8", "x-fapi-interaction-id": "1"}

    assert document.answer_problems(method, AISP + path, status, headers, body) != []
