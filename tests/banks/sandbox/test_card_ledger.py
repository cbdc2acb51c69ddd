"""The books of credit cards: what is owed, what is held, and what becomes of it. No server, but for the last test."""

from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from banks.sandbox.card_people import SCENARIOS
from banks.sandbox.histories import ledger_of
from banks.sandbox.ledger import Draft, Entry, Foreign, Kind, Ledger
from banks.sandbox.people import SCENARIOS as FIRST_SCENARIOS
from banks.sandbox.people import BankAccount
from banks.sandbox.wire import decimal, decimals
from tests.banks.sandbox.conftest import Customers

TODAY = date(2026, 11, 21)
DAYS = [TODAY, date(2027, 1, 1), date(2028, 2, 29)]
ACCOUNTS = [account for person in SCENARIOS.values() for account in person.accounts]
(CARD,) = SCENARIOS["cardholder"].accounts
(OVER,) = SCENARIOS["overlimit"].accounts

every_card = pytest.mark.parametrize("account", ACCOUNTS, ids=lambda account: f"{account.holder}-{account.code}")


def of_shop(ledger: Ledger, shop: str, *, pending: bool) -> list[Entry]:
    return [
        entry
        for entry in ledger.entries
        if entry.pending is pending and entry.draft.merchant is not None and entry.draft.merchant.name == shop
    ]


# -- sums -----------------------------------------------------------------------------------------------------------


@every_card
@pytest.mark.parametrize("today", DAYS)
def test_available_is_limit_less_owed_less_pending(account: BankAccount, today: date) -> None:
    ledger = ledger_of(account, today)

    booked = sum(entry.draft.amount_minor for entry in ledger.entries if not entry.pending)
    pending = sum(entry.draft.amount_minor for entry in ledger.entries if entry.pending)

    owed = -(ledger.opening_minor + booked)
    assert ledger.booked_minor == -owed
    assert ledger.available_minor == account.credit_limit_minor - owed + pending


@every_card
def test_running_balance_of_each_row_follows_from_the_one_before(account: BankAccount) -> None:
    ledger = ledger_of(account, TODAY)

    balance = ledger.opening_minor
    for entry in reversed(ledger.entries):
        if not entry.pending:
            balance += entry.draft.amount_minor
        assert entry.balance_minor == (None if entry.pending else balance)
    assert balance == ledger.booked_minor


@every_card
@pytest.mark.parametrize("ahead", [1, 2, 3, 31])
def test_booked_rows_keep_id_amount_and_balance_when_the_day_moves(account: BankAccount, ahead: int) -> None:
    def booked(ledger: Ledger) -> dict[str, tuple[Draft, int | None]]:
        return {entry.id: (entry.draft, entry.balance_minor) for entry in ledger.entries if not entry.pending}

    for today in (TODAY + timedelta(days=offset) for offset in range(4)):
        after = ledger_of(account, today + timedelta(days=ahead))
        kept = {id_: row for id_, row in booked(ledger_of(account, today)).items() if row[0].day >= after.first_on}

        assert kept.items() <= booked(after).items()


@every_card
def test_ids_are_unique_and_rows_newest_first(account: BankAccount) -> None:
    ledger = ledger_of(account, TODAY)

    assert len({entry.id for entry in ledger.entries}) == len(ledger.entries)
    days = [entry.draft.day for entry in ledger.entries]
    assert days == sorted(days, reverse=True)
    assert all(ledger.first_on <= day <= TODAY for day in days)


def test_ids_of_different_accounts_of_both_banks_never_meet() -> None:
    others = [account for person in FIRST_SCENARIOS.values() for account in person.accounts]

    ids = [entry.id for account in (*ACCOUNTS, *others) for entry in ledger_of(account, TODAY).entries]

    assert len(set(ids)) == len(ids)
    assert not FIRST_SCENARIOS.keys() & SCENARIOS.keys()


# -- lives ----------------------------------------------------------------------------------------------------------


def test_purchases_and_charges_are_money_out_payments_and_refunds_money_in() -> None:
    signs = {(entry.draft.kind, entry.draft.amount_minor > 0) for entry in ledger_of(CARD, TODAY).entries}

    assert signs == {
        (Kind.CARD_PAYMENT, False),
        (Kind.CASH_WITHDRAWAL, False),
        (Kind.FEE, False),
        (Kind.INTEREST_CHARGED, False),
        (Kind.CARD_REFUND, True),
        (Kind.PAYMENT_IN, True),
    }


@pytest.mark.parametrize("today", [TODAY, date(2029, 6, 15), date(2036, 6, 15)])
@pytest.mark.parametrize("name", ["cardholder", "twocards"])
def test_ordinary_cards_owe_and_stay_within_their_limit(name: str, today: date) -> None:
    for account in SCENARIOS[name].accounts:
        balances = [row.balance_minor for row in ledger_of(account, today).entries if row.balance_minor is not None]

        assert -account.credit_limit_minor < min(balances) < 0
        assert max(balances) <= 0 or account.code == "travel"  # a refund after the bill was paid is a credit


@pytest.mark.parametrize("today", [*DAYS, date(2036, 6, 15)])
def test_over_the_limit_stays_over_it(today: date) -> None:
    ledger = ledger_of(OVER, today)

    assert -115_000 < ledger.booked_minor <= -102_000
    assert ledger.available_minor < 0


@pytest.mark.parametrize("today", DAYS)
def test_unused_card_owes_nothing_and_has_all_its_limit(today: date) -> None:
    (account,) = SCENARIOS["unused"].accounts

    ledger = ledger_of(account, today)

    assert (ledger.entries, ledger.booked_minor, ledger.available_minor) == ((), 0, account.credit_limit_minor)


def test_statement_paid_in_full_is_what_was_owed_when_it_closed() -> None:
    drafts = [row.draft for row in ledger_of(CARD, TODAY).entries if row.draft.kind is Kind.PAYMENT_IN]
    paid = {draft.day: draft.amount_minor for draft in drafts}

    assert paid[date(2026, 10, 26)] == -ledger_of(CARD, date(2026, 10, 12)).booked_minor
    assert paid[date(2026, 8, 26)] < -ledger_of(CARD, date(2026, 8, 12)).booked_minor // 10


def test_only_the_month_after_a_small_payment_is_charged_interest() -> None:
    drafts = [row.draft for row in ledger_of(CARD, TODAY).entries if row.draft.kind is Kind.INTEREST_CHARGED]

    assert [draft.day for draft in drafts] == [date(2026, 9, 12), date(2026, 2, 12)]


# -- authorisations -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("offset", range(6))
def test_one_fuel_pump_is_always_pending_for_a_pound(offset: int) -> None:
    ledger = ledger_of(CARD, TODAY + timedelta(days=offset))

    (pump,) = of_shop(ledger, "Milestone Fuels Pay at Pump", pending=True)

    assert pump.draft.amount_minor == -100


@pytest.mark.parametrize("offset", range(6))
def test_a_pump_books_three_days_later_for_more_under_the_same_id(offset: int) -> None:
    today = TODAY + timedelta(days=offset)
    (held,) = of_shop(ledger_of(CARD, today), "Milestone Fuels Pay at Pump", pending=True)
    day = held.draft.day + timedelta(days=3)

    still = {entry.id: entry for entry in ledger_of(CARD, day - timedelta(days=1)).entries}[held.id]
    booked = {entry.id: entry for entry in ledger_of(CARD, day).entries}[held.id]

    assert still.pending and still.draft.amount_minor == -100
    assert not booked.pending and booked.draft.day == day
    assert -6_230 <= booked.draft.amount_minor <= -2_140


@pytest.mark.parametrize("offset", range(6))
def test_a_restaurant_books_with_the_tip_under_a_new_id(offset: int) -> None:
    today = TODAY + timedelta(days=offset)
    (held,) = of_shop(ledger_of(CARD, today), "Lighterman Bistro", pending=True)
    day = held.draft.day + timedelta(days=3)

    after = ledger_of(CARD, day)

    (booked,) = [entry for entry in of_shop(after, "Lighterman Bistro", pending=False) if entry.draft.day == day]
    bill = -held.draft.amount_minor
    assert -booked.draft.amount_minor == bill + bill // 8
    assert booked.id != held.id
    assert held.id not in {entry.id for entry in after.entries}


def test_a_hotel_books_for_another_amount_than_it_held() -> None:
    days = [TODAY - timedelta(days=offset) for offset in range(28)]
    held = {entry.id: entry for day in days for entry in of_shop(ledger_of(CARD, day), "Quayside Rooms", pending=True)}
    booked = {entry.id: entry for entry in ledger_of(CARD, TODAY + timedelta(days=3)).entries if not entry.pending}

    assert held
    for id_, entry in held.items():
        assert booked[id_].draft.amount_minor != entry.draft.amount_minor


def test_a_deposit_that_is_not_taken_vanishes_and_owes_nothing() -> None:
    day = next(day for day in (TODAY + timedelta(days=n) for n in range(7)) if day.toordinal() % 7 == 2)
    (held,) = of_shop(ledger_of(CARD, day), "Spoke & Chain Hire", pending=True)

    last, gone = ledger_of(CARD, day + timedelta(days=2)), ledger_of(CARD, day + timedelta(days=3))

    assert held.draft.amount_minor == -10_000
    assert held.id in {entry.id for entry in last.entries if entry.pending}
    assert held.id not in {entry.id for entry in gone.entries}
    assert of_shop(gone, "Spoke & Chain Hire", pending=False) == []


def test_what_is_held_takes_from_what_is_available_and_not_from_the_balance() -> None:
    (held,) = of_shop(ledger_of(CARD, TODAY), "Lighterman Bistro", pending=True)

    ledger = ledger_of(CARD, TODAY)

    assert ledger.pending_minor <= held.draft.amount_minor
    assert ledger.available_minor - ledger.booked_minor - CARD.credit_limit_minor == ledger.pending_minor


# -- foreign payments -----------------------------------------------------------------------------------------------


def test_a_year_has_payments_in_currencies_of_none_two_and_three_decimals() -> None:
    foreign = [entry.draft.foreign for entry in ledger_of(CARD, TODAY).entries if entry.draft.foreign is not None]

    assert {(each.currency, decimals(each.currency)) for each in foreign} == {("JPY", 0), ("USD", 2), ("KWD", 3)}
    assert any(each.amount_minor % 10 for each in foreign if each.currency == "KWD")


@pytest.mark.parametrize("today", DAYS)
@every_card
def test_foreign_payments_are_exact_to_the_penny(account: BankAccount, today: date) -> None:
    for entry in ledger_of(account, today).entries:
        foreign = entry.draft.foreign
        if foreign is None:
            continue
        units = Fraction(Decimal(decimal(foreign.amount_minor, foreign.currency)))
        pence = units * 100 / Fraction(foreign.rate_e4, 10_000)

        assert abs(abs(entry.draft.amount_minor) - pence) <= Fraction(1, 2)


@pytest.mark.parametrize(
    ("minor", "currency", "text"),
    [(1_500, "JPY", "1500"), (0, "JPY", "0"), (31_745, "KWD", "31.745"), (7, "KWD", "0.007"), (-900, "USD", "9.00")],
)
def test_sums_have_as_many_decimals_as_their_currency(minor: int, currency: str, text: str) -> None:
    assert decimal(minor, currency) == text


@pytest.mark.parametrize(
    ("currency", "amount", "rate", "expected"),
    [("JPY", 14_900, 1_912_300, 7_792), ("KWD", 31_745, 3_890, 8_161), ("KWD", 1, 3_890, 0), ("JPY", 1, 20_000, 50)],
)
def test_foreign_amounts_are_rounded_half_up_whatever_their_decimals(
    currency: str, amount: int, rate: int, expected: int
) -> None:
    assert Foreign(currency=currency, amount_minor=amount, rate_e4=rate).in_account_currency() == expected


def test_a_fee_follows_each_payment_abroad_on_the_ordinary_card_and_none_on_the_travel_card() -> None:
    travel = next(account for account in SCENARIOS["twocards"].accounts if account.code == "travel")

    def count(account: BankAccount) -> tuple[int, int]:
        drafts = [entry.draft for entry in ledger_of(account, TODAY).entries]
        abroad = [draft for draft in drafts if draft.foreign is not None and draft.amount_minor < 0]
        return len(abroad), sum("NON-STERLING" in draft.text for draft in drafts)

    paid, fees = count(CARD)
    assert paid == fees > 20
    assert count(travel)[1] == 0


# -- over HTTP ------------------------------------------------------------------------------------------------------


def test_what_the_bank_answers_is_what_its_books_say(
    card_connected: Customers, card_calendar: Callable[[int], None]
) -> None:
    client = card_connected("cardholder")

    def minor(member: dict[str, Any], indicator: str) -> int:
        return int(Decimal(member["Amount"]) * 100) * (-1 if indicator == "Debit" else 1)

    for ahead in (0, 3):
        card_calendar(ahead)
        listed = [row for page in client.pages("/transactions") for row in page.json()["Data"]["Transaction"]]
        balances = {row["Type"]: row for row in client.api("GET", "/balances").json()["Data"]["Balance"]}
        booked = minor(balances["InterimBooked"]["Amount"], balances["InterimBooked"]["CreditDebitIndicator"])
        available = minor(balances["InterimAvailable"]["Amount"], balances["InterimAvailable"]["CreditDebitIndicator"])
        sums = {
            status: sum(minor(row["Amount"], row["CreditDebitIndicator"]) for row in listed if row["Status"] == status)
            for status in ("Booked", "Pending")
        }
        oldest = listed[-1]
        opening = minor(oldest["Balance"]["Amount"], oldest["Balance"]["CreditDebitIndicator"]) - minor(
            oldest["Amount"], oldest["CreditDebitIndicator"]
        )
        (line,) = balances["InterimAvailable"]["CreditLine"]

        assert balances["InterimBooked"]["CreditDebitIndicator"] == "Debit"
        assert opening + sums["Booked"] == booked
        assert (line["Type"], line["Amount"]["Amount"]) == ("Credit", "7500.00")
        assert available == 750_000 + booked + sums["Pending"]


def test_an_authorisation_changes_its_amount_over_http(
    card_connected: Customers, card_calendar: Callable[[int], None]
) -> None:
    client = card_connected("cardholder")

    def pumps() -> dict[str, tuple[str, str]]:
        rows = client.api("GET", "/transactions").json()["Data"]["Transaction"]
        return {
            row["TransactionId"]: (row["Status"], row["Amount"]["Amount"])
            for row in rows
            if row.get("MerchantDetails", {}).get("MerchantCategoryCode") == "5542"
        }

    card_calendar(0)
    (held,) = [(id_, amount) for id_, (status, amount) in pumps().items() if status == "Pending"]
    card_calendar(3)
    status, amount = pumps()[held[0]]

    assert held[1] == "1.00"
    assert status == "Booked"
    assert Decimal(amount) > 20
