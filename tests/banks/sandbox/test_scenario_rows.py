"""Scenarios of rows and figures over real HTTP: what repeats, changes, vanishes, or is odd."""

from collections import Counter
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from tests.banks.sandbox.conftest import Customers, client_of
from tests.support.bank_client import BankClient
from tests.support.sandbox_bank import SandboxBank

Turn = Callable[..., Any]
Rows = list[dict[str, Any]]


def transactions(client: BankClient, **query: str) -> Rows:
    return [row for page in client.pages("/transactions", **query) for row in page.json()["Data"]["Transaction"]]


def of_text(rows: Rows, *texts: str) -> Rows:
    return [row for row in rows if any(text in row["TransactionInformation"] for text in texts)]


def signed(thing: dict[str, Any]) -> Decimal:
    amount = Decimal(thing["Amount"]["Amount"])
    return amount if thing["CreditDebitIndicator"] == "Credit" else -amount


def booked_balance(client: BankClient) -> Decimal:
    return next(
        signed(row) for row in client.api("GET", "/balances").json()["Data"]["Balance"] if row["Type"] == "ITBD"
    )


# -- ids ------------------------------------------------------------------------------------------------------------


def test_duplicates_share_an_id_or_have_none(connected: Customers) -> None:
    rows = transactions(connected("duplicates"))
    day = Counter(row["BookingDateTime"] for row in rows).most_common(1)[0][0]
    of_day = [row for row in rows if row["BookingDateTime"] == day]
    tolls, snacks = of_text(of_day, "TOLL"), of_text(of_day, "VENDING")

    assert len(tolls) == len(snacks) == 2
    assert tolls[0]["TransactionId"] == tolls[1]["TransactionId"]
    assert tolls[0]["Amount"] != tolls[1]["Amount"]
    assert snacks[0] == snacks[1]
    assert "TransactionId" not in snacks[0]


def test_reissued_ids_are_new_on_each_reading_of_the_same_rows(connected: Customers) -> None:
    client = connected("reissued")
    first, second = transactions(client), transactions(client)

    def without_id(rows: Rows) -> Rows:
        derived = {"TransactionId", "TransactionReference"}
        return [{name: value for name, value in row.items() if name not in derived} for row in rows]

    assert without_id(first) == without_id(second)
    assert len({row["TransactionId"] for row in first}) == len(first) > 100
    assert {row["TransactionId"] for row in first}.isdisjoint(row["TransactionId"] for row in second)


# -- rows that do not stay ------------------------------------------------------------------------------------------


def test_corrected_changes_text_and_amount_once_under_the_same_id(
    connected: Customers, calendar: Callable[[int], None]
) -> None:
    client = connected("corrected")

    def bills() -> dict[str, tuple[str, str, str]]:
        rows = of_text(transactions(client), " BILL ")
        return {
            row["TransactionId"]: (row["Status"], row["TransactionInformation"], row["Amount"]["Amount"])
            for row in rows
        }

    days = []
    for ahead in (0, 1, 2):
        calendar(ahead)
        days.append(bills())

    (estimated,) = (id_ for id_, bill in days[0].items() if "ESTIMATED" in bill[1])
    (status, text, amount) = days[0][estimated]
    assert (status, amount) == ("BOOK", "5.00")
    assert days[1][estimated] == ("BOOK", text.replace("ESTIMATED", "METER"), "5.37")
    assert days[2][estimated] == days[1][estimated]
    assert {bill for id_, bill in days[0].items() if id_ != estimated} <= set(days[1].values())


@pytest.mark.parametrize(("user", "booked_later"), [("pending_new_id", True), ("pending_vanishes", False)])
def test_a_row_is_pending_for_three_days_and_its_id_never_comes_back(
    connected: Customers, calendar: Callable[[int], None], user: str, booked_later: bool
) -> None:
    client = connected(user)
    hotels = []
    for ahead in range(4):
        calendar(ahead)
        rows = transactions(client)
        hotels.append(of_text(rows, "ABBEY HOTEL"))

    today = max(row["BookingDateTime"] for row in hotels[0])
    (reserved,) = (row for row in hotels[0] if row["Status"] == "PDNG" and row["BookingDateTime"] == today)
    statuses = [{row["TransactionId"]: row["Status"] for row in day}.get(reserved["TransactionId"]) for day in hotels]
    assert statuses == ["PDNG", "PDNG", "PDNG", None]
    settled_on = (date.fromisoformat(today[:10]) + timedelta(days=3)).isoformat()
    booked = [row for row in hotels[3] if row["Status"] == "BOOK" and row["BookingDateTime"][:10] == settled_on]
    assert [row["Amount"] for row in booked] == ([reserved["Amount"]] if booked_later else [])


def test_pending_rows_are_in_the_available_balance_alone(connected: Customers, turn: Turn) -> None:
    client = connected("pending_new_id")
    rows = transactions(client)
    balances = {row["Type"]: row for row in client.api("GET", "/balances").json()["Data"]["Balance"]}
    overdraft = Decimal(balances["ITAV"]["CreditLine"][0]["Amount"]["Amount"])

    pending = sum(signed(row) for row in rows if row["Status"] == "PDNG")

    assert sum(row["Status"] == "PDNG" for row in rows) >= 3
    assert signed(balances["ITAV"]) == signed(balances["ITBD"]) + pending + overdraft


# -- history --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("user", "says_so"), [("short_history", True), ("short_history_silent", False)])
def test_short_history_shows_thirty_days(connected: Customers, bank: SandboxBank, user: str, says_so: bool) -> None:
    today = date.fromisoformat(bank.control("GET", "/control/state")["today"])
    first_on = (today - timedelta(days=29)).isoformat()
    client = connected(user)
    asked = (today - timedelta(days=90)).isoformat()

    rows = transactions(client, fromBookingDateTime=f"{asked}T00:00:00")
    meta = client.api("GET", "/transactions").json()["Meta"]

    assert min(row["BookingDateTime"] for row in rows)[:10] == first_on
    assert meta.get("FirstAvailableDateTime") == (f"{first_on}T00:00:00+00:00" if says_so else None)


# -- figures --------------------------------------------------------------------------------------------------------


def test_odd_numbers_has_one_row_for_each_oddity(bank: SandboxBank) -> None:
    client = client_of(bank, None).connect("odd_numbers")
    rows = [row for row in transactions(client) if row["TransactionReference"].startswith("odd-")]
    latest = {}
    for row in reversed(rows):
        latest[row["TransactionReference"]] = row
    amounts = {name: (row["Amount"]["Amount"], row["Amount"]["Currency"]) for name, row in latest.items()}

    assert amounts["odd-minus-zero"] == ("-0", "GBP")
    assert amounts["odd-zero"] == ("0.00", "GBP")
    assert amounts["odd-leading-zeros"] == ("0012.50", "GBP")
    assert amounts["odd-huge"] == ("1000000000000", "GBP")
    assert amounts["odd-decimals"] == ("1.23456", "GBP")
    assert amounts["odd-no-point"] == ("7", "GBP")
    assert amounts["odd-unknown-currency"] == ("1.00", "XQZ")
    assert amounts["odd-gold"] == ("1.00", "XAU")
    assert latest["odd-status"]["Status"] == "WAIT"
    assert latest["odd-direction"]["CreditDebitIndicator"] == "Sideways"
    assert latest["odd-mutability"]["TransactionMutability"] == "Perhaps"
    assert latest["odd-codes"]["BankTransactionCode"] == {"Code": "ZZZZ", "SubCode": "ZZZZ"}
    assert latest["odd-card"]["CardInstrument"] == {"CardSchemeName": "XCARD", "AuthorisationType": "Telepathy"}
    assert latest["odd-year-33"]["BookingDateTime"].startswith("0033-")
    assert latest["odd-year-9999"]["BookingDateTime"].startswith("9999-")
    assert client.api("GET", "/accounts").json()["Data"]["Account"][0]["AccountTypeCode"] == "ZZZZ"
    balances = {row["Type"]: row for row in client.api("GET", "/balances").json()["Data"]["Balance"]}
    assert set(balances) == {"ITBD", "ZZZZ"}
    assert balances["ZZZZ"]["CreditLine"][0]["Type"] == "Imaginary"


def test_odd_numbers_leaves_its_other_rows_sound(bank: SandboxBank, document: Any) -> None:
    client = client_of(bank, None).connect("odd_numbers")

    rows = [row for row in transactions(client) if not row["TransactionReference"].startswith("odd-")]

    assert len(rows) > 300
    assert [document.schema_problems("OBTransaction6Detail", row) for row in rows[:50]] == [[]] * 50


def test_drift_is_there_in_odd_stages_alone(connected: Customers, turn: Turn) -> None:
    client = connected("drift")
    gaps = []
    for stage in (0, 1, 2, 3):
        turn("drift", stage=stage)
        latest = next(row for row in transactions(client) if row["Status"] == "BOOK")
        gaps.append(booked_balance(client) - signed(latest["Balance"]))

    assert gaps == [Decimal(0), Decimal("1.23"), Decimal(0), Decimal("1.23")]


def test_drift_comes_by_itself_when_the_day_moves(
    connected: Customers, turn: Turn, calendar: Callable[[int], None]
) -> None:
    turn("drift", stage=0)
    client = connected("drift")
    booked_balance(client)

    calendar(1)

    latest = next(row for row in transactions(client) if row["Status"] == "BOOK")
    assert booked_balance(client) - signed(latest["Balance"]) == Decimal("1.23")


# -- nights ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("night", "times"),
    [
        (
            "2026-03-29",
            [
                "2026-03-28T23:30:00+00:00",
                "2026-03-29T00:30:00+00:00",
                "2026-03-29T01:30:00+01:00",
                "2026-03-29T02:30:00+01:00",
                "2026-03-30T00:30:00+01:00",
            ],
        ),
        (
            "2026-10-25",
            [
                "2026-10-24T23:30:00+01:00",
                "2026-10-25T00:30:00+01:00",
                "2026-10-25T01:30:00+01:00",
                "2026-10-25T01:30:00+00:00",
                "2026-10-25T02:30:00+00:00",
                "2026-10-26T00:30:00+00:00",
            ],
        ),
    ],
)
def test_the_nights_of_the_clocks_have_times(
    connected: Customers, clock: Callable[..., Any], night: str, times: list[str]
) -> None:
    clock(books_on=(date.fromisoformat(night) + timedelta(days=1)).isoformat())

    rows = transactions(
        connected("dst"), fromBookingDateTime=(date.fromisoformat(night) - timedelta(days=1)).isoformat()
    )

    assert sorted(row["BookingDateTime"] for row in of_text(rows, "NIGHT BUS")) == sorted(times)
    assert {row["BookingDateTime"][11:] for row in rows if "NIGHT BUS" not in row["TransactionInformation"]} == {
        "00:00:00+00:00"
    }
