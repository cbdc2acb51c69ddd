"""The books: sums that hold, rows that stay what they are, lives that look like lives. No server."""

from collections import Counter
from datetime import date, timedelta

import pytest

from banks.sandbox.histories import ledger_of
from banks.sandbox.ledger import HISTORY_DAYS, Draft, Entry, Foreign, Kind, Ledger
from banks.sandbox.people import SCENARIOS, BankAccount

TODAY = date(2026, 11, 21)
ACCOUNTS = [account for person in SCENARIOS.values() for account in person.accounts]
DAYS = [TODAY, date(2027, 1, 1), date(2028, 2, 29)]

#: Customers whose rows change or leave after they were shown, on purpose (recipes.troubled).
UNSTEADY = {"corrected", "pending_new_id", "pending_vanishes"}
STEADY = [account for account in ACCOUNTS if account.holder not in UNSTEADY]

# By account, not by test: so each ledger is made once. ("module" is what makes pytest go through them that way.)
every_account = pytest.mark.parametrize(
    "account", ACCOUNTS, ids=lambda account: f"{account.holder}-{account.code}", scope="module"
)
every_steady_account = pytest.mark.parametrize(
    "account", STEADY, ids=lambda account: f"{account.holder}-{account.code}", scope="module"
)


def happy(code: str = "current") -> BankAccount:
    return next(account for account in SCENARIOS["happy"].accounts if account.code == code)


def kinds(ledger: Ledger) -> Counter[Kind]:
    return Counter(entry.draft.kind for entry in ledger.entries)


@every_account
@pytest.mark.parametrize("today", DAYS)
def test_booked_balance_is_opening_plus_booked_rows(account: BankAccount, today: date) -> None:
    ledger = ledger_of(account, today)

    booked = [entry.draft.amount_minor for entry in ledger.entries if not entry.pending]
    pending = [entry.draft.amount_minor for entry in ledger.entries if entry.pending]

    assert ledger.booked_minor == ledger.opening_minor + sum(booked)
    assert ledger.pending_minor == sum(pending)
    assert ledger.available_minor == ledger.booked_minor + sum(pending) + account.overdraft_minor


@every_account
def test_running_balance_of_each_row_follows_from_the_one_before(account: BankAccount) -> None:
    ledger = ledger_of(account, TODAY)

    balance = ledger.opening_minor
    for entry in reversed(ledger.entries):
        if entry.pending:
            assert entry.balance_minor is None
        else:
            balance += entry.draft.amount_minor
            assert entry.balance_minor == balance
    assert balance == ledger.booked_minor


@every_steady_account
def test_rows_keep_id_amount_and_balance_when_the_day_moves(account: BankAccount) -> None:
    def booked(ledger: Ledger) -> dict[str, tuple[Draft, int | None]]:
        return {entry.id: (entry.draft, entry.balance_minor) for entry in ledger.entries if not entry.pending}

    before = ledger_of(account, TODAY)
    for days in (1, 2, 31):
        after = ledger_of(account, TODAY + timedelta(days=days))
        kept = {id_: row for id_, row in booked(before).items() if row[0].day >= after.first_on}

        assert kept.items() <= booked(after).items()


@every_steady_account
def test_pending_rows_are_booked_the_next_day_under_the_same_id(account: BankAccount) -> None:
    before, after = ledger_of(account, TODAY), ledger_of(account, TODAY + timedelta(days=1))

    pending = {entry.id: entry.draft for entry in before.entries if entry.pending}
    booked = {entry.id: entry.draft for entry in after.entries if not entry.pending}

    assert pending.items() <= booked.items()


@every_account
def test_ids_are_unique_and_rows_newest_first(account: BankAccount) -> None:
    ledger = ledger_of(account, TODAY)

    assert len({entry.id for entry in ledger.entries}) == len(ledger.entries)
    days = [entry.draft.day for entry in ledger.entries]
    assert days == sorted(days, reverse=True)
    assert all(ledger.first_on <= day <= TODAY for day in days)


def test_ids_of_different_accounts_never_meet() -> None:
    seen: Counter[str] = Counter(entry.id for account in ACCOUNTS for entry in ledger_of(account, TODAY).entries)

    assert max(seen.values()) == 1


@pytest.mark.parametrize("days", range(0, 28, 3))
def test_happy_always_has_a_pending_row(days: int) -> None:
    assert any(entry.pending for entry in ledger_of(happy(), TODAY + timedelta(days=days)).entries)


def test_happy_life_has_everything_a_life_has() -> None:
    current, savings = kinds(ledger_of(happy(), TODAY)), kinds(ledger_of(happy("savings"), TODAY))

    assert set(current) >= {
        Kind.CARD_PAYMENT,
        Kind.CARD_REFUND,
        Kind.CASH_WITHDRAWAL,
        Kind.SALARY,
        Kind.STANDING_ORDER,
        Kind.DIRECT_DEBIT,
        Kind.PAYMENT_OUT,
        Kind.PAYMENT_IN,
        Kind.TRANSFER_OUT,
        Kind.FEE,
    }
    assert 13 <= current[Kind.SALARY] <= 14
    assert savings[Kind.INTEREST_PAID] >= 12
    foreign = [entry for entry in ledger_of(happy(), TODAY).entries if entry.draft.foreign]
    assert {entry.draft.foreign.currency for entry in foreign if entry.draft.foreign} == {"EUR", "USD"}


def test_each_transfer_between_own_accounts_is_on_both_sides() -> None:
    def transfers(code: str, kind: Kind) -> list[tuple[date, int]]:
        rows: tuple[Entry, ...] = ledger_of(happy(code), TODAY).entries
        own = [row.draft for row in rows if row.draft.kind is kind and "isa" not in (row.draft.reference or "")]
        return sorted((draft.day, abs(draft.amount_minor)) for draft in own)

    assert transfers("current", Kind.TRANSFER_OUT) == transfers("savings", Kind.TRANSFER_IN)
    assert transfers("current", Kind.TRANSFER_IN) == transfers("savings", Kind.TRANSFER_OUT)


def test_many_has_exactly_ten_thousand_rows_on_any_day() -> None:
    (account,) = SCENARIOS["many"].accounts

    assert [len(ledger_of(account, day).entries) for day in (TODAY, TODAY + timedelta(days=9))] == [10_000, 10_000]


def test_empty_has_no_rows_and_no_money() -> None:
    (account,) = SCENARIOS["empty"].accounts

    ledger = ledger_of(account, TODAY)

    assert (ledger.entries, ledger.booked_minor, ledger.available_minor) == ((), 0, 0)


@pytest.mark.parametrize("today", DAYS)
def test_overdrawn_stays_within_its_overdraft(today: date) -> None:
    (account,) = SCENARIOS["overdrawn"].accounts

    balances = [entry.balance_minor for entry in ledger_of(account, today).entries if entry.balance_minor is not None]

    assert -account.overdraft_minor < min(balances) <= max(balances) < 0


@pytest.mark.parametrize("year", [2029, 2036])
@pytest.mark.parametrize("name", ["happy", "happy2"])
def test_balances_stay_human_however_late_it_gets(name: str, year: int) -> None:
    for account in SCENARIOS[name].accounts:
        ledger = ledger_of(account, date(year, 6, 15))

        balances = [entry.balance_minor for entry in ledger.entries if entry.balance_minor is not None]
        assert -account.overdraft_minor <= min(balances) <= max(balances) < 2_000_000


def test_a_day_before_the_books_begin_is_an_empty_ledger() -> None:
    ledger = ledger_of(happy(), date(2020, 1, 1))

    assert ledger.entries == ()
    assert ledger.booked_minor == ledger.opening_minor


def test_history_reaches_back_thirteen_months() -> None:
    ledger = ledger_of(happy(), TODAY)

    assert (TODAY - ledger.first_on).days == HISTORY_DAYS - 1
    assert min(entry.draft.day for entry in ledger.entries) <= ledger.first_on + timedelta(days=2)


@pytest.mark.parametrize(
    ("amount", "rate", "expected"), [(3850, 11712, 3287), (1, 20000, 1), (1, 20001, 0), (900, 12400, 726)]
)
def test_foreign_amounts_are_rounded_half_up_to_the_penny(amount: int, rate: int, expected: int) -> None:
    assert Foreign(currency="EUR", amount_minor=amount, rate_e4=rate).in_account_currency() == expected


@every_account
def test_ibans_have_valid_check_digits(account: BankAccount) -> None:
    rearranged = account.iban[4:] + account.iban[:4]

    assert int("".join(str(int(character, 36)) for character in rearranged)) % 97 == 1
    assert account.iban.endswith(account.sort_code + account.number)
