"""What a token opens: permissions, accounts, windows, pages. Every answer here is checked against the document too."""

import uuid
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from tests.banks.sandbox.conftest import Customers, client_of
from tests.support.bank_client import ALL_PERMISSIONS, BankClient
from tests.support.sandbox_bank import SandboxBank

ACCOUNTS = "ReadAccountsBasic"
CREDITS, DEBITS = "ReadTransactionsCredits", "ReadTransactionsDebits"
BASIC, DETAIL = "ReadTransactionsBasic", "ReadTransactionsDetail"

Rows = list[dict[str, Any]]


def transactions(client: BankClient, path: str = "/transactions", **query: str) -> Rows:
    return [row for page in client.pages(path, **query) for row in page.json()["Data"]["Transaction"]]


def signed(thing: dict[str, Any]) -> Decimal:
    amount = Decimal(thing["Amount"]["Amount"])
    return amount if thing["CreditDebitIndicator"] == "Credit" else -amount


def account_ids(client: BankClient) -> list[str]:
    return [row["AccountId"] for row in client.api("GET", "/accounts").json()["Data"]["Account"]]


# -- sums -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("user", ["happy", "happy2", "overdrawn"])
def test_balances_agree_with_the_rows(connected: Customers, user: str) -> None:
    client = connected(user)
    for account_id in account_ids(client):
        booked, available = client.api("GET", f"/accounts/{account_id}/balances").json()["Data"]["Balance"]
        rows = transactions(client, f"/accounts/{account_id}/transactions")
        latest = next(row for row in rows if row["Status"] == "BOOK")
        pending = sum(signed(row) for row in rows if row["Status"] == "PDNG")
        overdraft = sum(Decimal(line["Amount"]["Amount"]) for line in available.get("CreditLine", []))

        assert (booked["Type"], available["Type"]) == ("ITBD", "ITAV")
        assert signed(booked) == signed(latest["Balance"])
        assert signed(available) == signed(booked) + pending + overdraft


def test_overdrawn_balance_is_a_debit(connected: Customers) -> None:
    booked, available = connected("overdrawn").api("GET", "/balances").json()["Data"]["Balance"]

    assert booked["CreditDebitIndicator"] == "Debit"
    assert available["CreditLine"][0]["Included"] is True


# -- permissions ----------------------------------------------------------------------------------------------------

ROUTES = {
    "/accounts": {"ReadAccountsBasic", "ReadAccountsDetail"},
    "/balances": {"ReadBalances"},
    "/transactions": {BASIC, DETAIL},
}
SETS: list[tuple[str, ...]] = [
    (ACCOUNTS,),
    ("ReadAccountsDetail",),
    (ACCOUNTS, "ReadBalances"),
    (ACCOUNTS, BASIC, CREDITS),
    (ACCOUNTS, DETAIL, DEBITS),
    ("ReadAccountsDetail", "ReadBalances", BASIC, DETAIL, CREDITS, DEBITS),
]


@pytest.mark.parametrize("permissions", SETS, ids=["+".join(one) for one in SETS])
def test_each_resource_needs_its_permission(connected: Customers, permissions: tuple[str, ...]) -> None:
    client = connected("happy", *permissions)
    first = account_ids(client)[0]

    for path, any_of in ROUTES.items():
        expected = 200 if any_of & set(permissions) else 403
        one = f"/accounts/{first}" + ("" if path == "/accounts" else path)
        assert client.api("GET", path).status_code == expected
        assert client.api("GET", one).status_code == expected


def test_accounts_detail_opens_numbers_and_basic_does_not(connected: Customers) -> None:
    basic = connected("happy", ACCOUNTS).api("GET", "/accounts").json()["Data"]["Account"]
    detail = connected("happy", "ReadAccountsDetail").api("GET", "/accounts").json()["Data"]["Account"]

    assert all({"Account", "Servicer"}.isdisjoint(row) for row in basic)
    schemes = [number["SchemeName"] for number in detail[0]["Account"]]
    assert schemes == ["UK.OBIE.SortCodeAccountNumber", "UK.OBIE.IBAN"]


def test_basic_rows_name_neither_shop_nor_person(connected: Customers) -> None:
    rows = transactions(connected("happy", ACCOUNTS, BASIC, CREDITS, DEBITS))

    assert rows
    hidden = {"TransactionInformation", "Balance", "MerchantDetails", "CreditorAccount", "DebtorAccount"}
    hidden.add("SupplementaryData")
    assert all(hidden.isdisjoint(row) for row in rows)


def test_detail_rows_show_shop_place_person_and_exchange(connected: Customers) -> None:
    rows = transactions(connected("happy"))

    shop = next(row for row in rows if row.get("MerchantDetails", {}).get("MerchantName") == "Bean & Barrel Coffee")
    assert shop["MerchantDetails"]["MerchantCategoryCode"] == "5814"
    assert shop["AddressLine"] == "8 Rivington Street, London EC2A 3AY"
    assert shop["SupplementaryData"]["Place"] == {
        "Country": "GB",
        "Town": "London",
        "PostCode": "EC2A 3AY",
        "AddressLine": "8 Rivington Street",
        "StoreNumber": "017",
    }
    online = next(row for row in rows if row.get("MerchantDetails", {}).get("MerchantName") == "Streamly")
    assert online["SupplementaryData"]["Place"] == {"Country": "GB"}
    assert "AddressLine" not in online
    rent = next(row for row in rows if row["BankTransactionCode"] == {"Code": "ICDT", "SubCode": "STDO"})
    assert rent["CreditorAccount"]["Name"] == "Mrs P Adeyemi"
    salary = next(row for row in rows if row["BankTransactionCode"]["SubCode"] == "SALA")
    assert salary["DebtorAccount"]["Name"] == "Northwind Analytics Ltd"
    foreign = next(row for row in rows if "CurrencyExchange" in row)["CurrencyExchange"]
    assert foreign["TargetCurrency"] == "GBP" != foreign["SourceCurrency"] == foreign["InstructedAmount"]["Currency"]


@pytest.mark.parametrize(("side", "indicator"), [(CREDITS, "Credit"), (DEBITS, "Debit")])
def test_one_side_opens_only_that_side(connected: Customers, side: str, indicator: str) -> None:
    rows = transactions(connected("happy", ACCOUNTS, DETAIL, side))

    assert {row["CreditDebitIndicator"] for row in rows} == {indicator}


def test_both_sides_together_are_everything(connected: Customers) -> None:
    def ids(*sides: str) -> set[str]:
        return {row["TransactionId"] for row in transactions(connected("happy", ACCOUNTS, DETAIL, *sides))}

    assert ids(CREDITS) | ids(DEBITS) == ids(CREDITS, DEBITS)


# -- accounts the customer ticked -----------------------------------------------------------------------------------


def test_only_ticked_accounts_exist(connected: Customers) -> None:
    everything = connected("happy")
    ticked, other = account_ids(everything)
    client = connected("happy", accounts=[ticked])

    assert account_ids(client) == [ticked]
    assert {row["AccountId"] for row in client.api("GET", "/balances").json()["Data"]["Balance"]} == {ticked}
    assert {row["AccountId"] for row in transactions(client)} == {ticked}
    for suffix in ("", "/balances", "/transactions"):
        assert client.api("GET", f"/accounts/{other}{suffix}").status_code == 403


@pytest.mark.parametrize("suffix", ["", "/balances", "/transactions"])
def test_unknown_and_foreign_accounts_are_one_answer(connected: Customers, suffix: str) -> None:
    foreign = account_ids(connected("happy2"))[0]
    client = connected("happy")

    def answer(account_id: str) -> tuple[int, Any]:
        response = client.api("GET", f"/accounts/{account_id}{suffix}")
        return response.status_code, {**response.json(), "Id": ""}

    assert answer(foreign) == answer("0" * 20)
    assert answer(foreign)[0] == 403


# -- windows --------------------------------------------------------------------------------------------------------


def days(rows: Rows) -> set[str]:
    return {row["BookingDateTime"][:10] for row in rows}


@pytest.fixture(scope="module")
def all_days(connected: Customers) -> list[str]:
    """The days on which anything happened to happy, oldest first."""
    return sorted(days(transactions(connected("happy"))))


def test_filters_cut_by_booking_date_both_ends_included(connected: Customers, all_days: list[str]) -> None:
    client = connected("happy")
    first, last = all_days[40], all_days[60]

    rows = transactions(client, fromBookingDateTime=f"{first}T00:00:00", toBookingDateTime=f"{last}T23:59:59")

    assert days(rows) == {day for day in all_days if first <= day <= last}


@pytest.mark.parametrize(
    "text", ["{}", "{}T00:00:00", "{}T00:00:00Z", "{}T00:00:00.000+14:00", "{}T00:00:00-11:00", "{}T00:00:00 01:00"]
)
def test_filter_time_zones_are_accepted_and_ignored(connected: Customers, all_days: list[str], text: str) -> None:
    client, day = connected("happy"), all_days[50]

    rows = transactions(client, fromBookingDateTime=text.format(day), toBookingDateTime=text.format(day))

    assert days(rows) == {day}


@pytest.mark.parametrize("name", ["fromBookingDateTime", "toBookingDateTime"])
@pytest.mark.parametrize("text", ["yesterday", "", "2026-02-30", "2026-13-01T00:00:00", "99999-01-01", "\x00", "1;2"])
def test_bad_dates_are_400_with_code_and_path(connected: Customers, name: str, text: str) -> None:
    answer = connected("happy").api("GET", "/transactions", params={name: text})

    assert answer.status_code == 400
    assert [(error["ErrorCode"], error["Path"]) for error in answer.json()["Errors"]] == [("U003", name)]


@pytest.mark.parametrize(
    ("start", "end"), [("2001-01-01", "2001-12-31"), ("2030-01-01", "2020-01-01"), ("0001-01-01", "9999-12-31")]
)
def test_windows_outside_the_books_are_valid(connected: Customers, start: str, end: str) -> None:
    window = {"fromBookingDateTime": start, "toBookingDateTime": end}
    answer = connected("happy").api("GET", "/transactions", params=window)

    assert answer.status_code == 200
    assert bool(answer.json()["Data"]["Transaction"]) is (start < "2001" and end > "2027")


def test_consent_window_bounds_what_any_filter_opens(connected: Customers, all_days: list[str]) -> None:
    first, last = all_days[100], all_days[120]
    window = {"TransactionFromDateTime": f"{first}T00:00:00+00:00", "TransactionToDateTime": f"{last}T23:59:59+00:00"}
    client = connected("happy", **window)

    inside = {day for day in all_days if first <= day <= last}
    assert days(transactions(client)) == inside
    assert days(transactions(client, fromBookingDateTime="2000-01-01", toBookingDateTime="2099-01-01")) == inside
    assert days(transactions(client, toBookingDateTime=f"{all_days[110]}T00:00:00")) <= inside


# -- pages ----------------------------------------------------------------------------------------------------------


def test_ten_thousand_rows_come_once_each_in_a_hundred_pages(bank: SandboxBank) -> None:
    # Without the checker, which takes 6 s for so many; the customer's first pages are checked in other tests.
    pages = [page.json() for page in client_of(bank, None).connect("many").pages("/transactions")]

    ids = [row["TransactionId"] for page in pages for row in page["Data"]["Transaction"]]
    assert (len(pages), len(ids), len(set(ids))) == (100, 10_000, 10_000)
    assert {page["Meta"]["TotalPages"] for page in pages} == {100}
    dates = [row["BookingDateTime"] for page in pages for row in page["Data"]["Transaction"]]
    assert dates == sorted(dates, reverse=True)


def test_links_lead_forwards_and_backwards(connected: Customers) -> None:
    client = connected("many")
    query = {"fromBookingDateTime": "2000-01-01"}
    first = client.api("GET", "/transactions", params=query).json()
    second = client.api("GET", first["Links"]["Next"]).json()
    last = client.api("GET", first["Links"]["Last"]).json()

    assert "Prev" not in first["Links"] and "Next" not in last["Links"]
    assert client.api("GET", second["Links"]["Prev"]).json()["Data"] == first["Data"]
    assert client.api("GET", last["Links"]["First"]).json()["Data"] == first["Data"]
    assert client.api("GET", second["Links"]["Self"]).json() == second
    assert "fromBookingDateTime=2000-01-01" in second["Links"]["Self"]


def test_short_and_empty_lists_are_one_page(connected: Customers) -> None:
    answer = connected("empty").api("GET", "/transactions").json()

    assert answer["Data"] == {"Transaction": []}
    assert answer["Meta"]["TotalPages"] == 1
    assert {"Prev", "Next"}.isdisjoint(answer["Links"])


def test_coverage_says_from_when_to_when(connected: Customers, bank: SandboxBank) -> None:
    today = bank.control("GET", "/control/state")["today"]

    meta = connected("happy").api("GET", "/transactions").json()["Meta"]

    assert meta["LastAvailableDateTime"] == f"{today}T00:00:00+00:00"
    assert meta["FirstAvailableDateTime"] < meta["LastAvailableDateTime"]


@pytest.mark.parametrize("page", ["2", "", "x" * 5000, "WzEsIjIwMjYtMTEtMjEiXQ:a:b"])
def test_made_up_pages_are_400(connected: Customers, page: str) -> None:
    assert connected("many").api("GET", "/transactions", params={"page": page}).status_code == 400


def test_a_page_beyond_the_last_is_400(connected: Customers) -> None:
    client = connected("many")
    beyond = client.api("GET", "/transactions").json()["Links"]["Last"]

    # The link is good; the filter leaves fewer pages than it counts on.
    assert client.api("GET", f"{beyond}&fromBookingDateTime=2090-01-01").status_code == 400


# -- the day moves --------------------------------------------------------------------------------------------------


def test_pending_becomes_booked_under_the_same_id(connected: Customers, calendar: Callable[[int], None]) -> None:
    client = connected("happy")
    pending = {row["TransactionId"]: row for row in transactions(client) if row["Status"] == "PDNG"}

    calendar(1)
    later = {row["TransactionId"]: row for row in transactions(client)}

    assert pending
    for id_, row in pending.items():
        assert later[id_]["Status"] == "BOOK"
        assert (later[id_]["Amount"], later[id_]["BookingDateTime"]) == (row["Amount"], row["BookingDateTime"])


def test_a_list_begun_yesterday_can_be_read_to_its_end(connected: Customers, calendar: Callable[[int], None]) -> None:
    client = connected("many")
    first = client.api("GET", "/transactions").json()

    calendar(1)
    second = client.api("GET", first["Links"]["Next"]).json()

    shown = {row["TransactionId"] for row in first["Data"]["Transaction"]}
    assert shown.isdisjoint(row["TransactionId"] for row in second["Data"]["Transaction"])
    calendar(2)
    assert client.api("GET", first["Links"]["Next"]).status_code == 400


# -- the door -------------------------------------------------------------------------------------------------------


def test_interaction_id_is_played_back_or_made(connected: Customers) -> None:
    client, name, given = connected("happy"), "x-fapi-interaction-id", str(uuid.uuid4())

    assert client.api("GET", "/accounts", headers={name: given}).headers[name] == given
    made = client.api("GET", "/accounts").headers[name]
    assert uuid.UUID(made) != uuid.UUID(client.api("GET", "/accounts").headers[name])
    assert client.api("GET", "/accounts", headers={name: "7"}).status_code == 400


@pytest.mark.parametrize("token", ["", "x", "x" * 9000, "é"])
def test_a_bad_token_is_401_without_a_body(connected: Customers, token: str) -> None:
    headers = {"Authorization": f"Bearer {token}".encode("latin-1", "replace").decode("latin-1")}

    answer = connected("happy").api("GET", "/accounts", headers=headers)

    assert (answer.status_code, answer.content) == (401, b"")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize("path", ["/accounts", "/balances", "/transactions"])
def test_a_clients_own_token_opens_no_customer(client: BankClient, path: str) -> None:
    assert client.api("GET", path, token=client.own_token()).status_code == 403


@pytest.mark.parametrize("path", ["/beneficiaries", "/accounts/1/direct-debits", "/statements", "/nothing", ""])
def test_resources_the_bank_does_not_have_are_404(connected: Customers, path: str) -> None:
    assert connected("happy").api("GET", path).status_code == 404


@pytest.mark.parametrize("path", ["/accounts", "/balances", "/transactions"])
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_other_methods_are_405_and_say_which_is_allowed(connected: Customers, method: str, path: str) -> None:
    answer = connected("happy").api(method, path)

    assert (answer.status_code, answer.headers["Allow"]) == (405, "GET")


@pytest.mark.parametrize(
    ("accept", "status"),
    [("application/json", 200), ("*/*", 200), ("text/html", 406), ("application/jose+jwe", 406)],
)
def test_accept_is_respected(connected: Customers, accept: str, status: int) -> None:
    assert connected("happy").api("GET", "/accounts", headers={"Accept": accept}).status_code == status


def test_all_permissions_are_what_the_helper_asks_for() -> None:
    assert {*ALL_PERMISSIONS} == {"ReadAccountsDetail", "ReadBalances", DETAIL, CREDITS, DEBITS}
