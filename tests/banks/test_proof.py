"""Opening + booked = closing, to the minor unit; and whether it is the same person. Values only."""

import hashlib
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from banks.continuity import Known, holder_digest, is_someone_else
from banks.proof import Booked, Drift, Proven, Unclear, booked_balance, prove
from banks.types import BalanceData, Money

DAY = date(2026, 3, 4)


def day(number: int) -> date:
    return DAY + timedelta(days=number)


TOTALS = {day(0): -1000, day(1): 250, day(2): -30}


def interim(minor: int) -> Booked:
    return Booked(amount_minor=minor, closes_on=None)


# -- the first time ----------------------------------------------------------------------------------------------------


def test_the_first_proof_notes_what_the_rows_stand_on() -> None:
    assert prove(interim(220), TOTALS, covered_from=day(0), before=None) == Proven(opening_minor=1000, first_on=day(0))


def test_a_closing_balance_is_noted_only_where_all_its_readings_agree() -> None:
    settled, open_day = Booked(amount_minor=220, closes_on=day(9)), Booked(amount_minor=220, closes_on=day(2))

    assert prove(settled, TOTALS, covered_from=day(0), before=None) == Proven(opening_minor=1000, first_on=day(0))
    assert prove(open_day, TOTALS, covered_from=day(0), before=None) == Unclear()


# -- every other time --------------------------------------------------------------------------------------------------

BEFORE = Proven(opening_minor=1000, first_on=day(0))


def test_rows_that_add_up_are_proven() -> None:
    later = {**TOTALS, day(5): 99}

    assert prove(interim(319), later, covered_from=day(0), before=BEFORE) == BEFORE


@pytest.mark.parametrize("off_by", [-1, 1, 100_000])
def test_a_penny_more_or_less_is_a_drift(off_by: int) -> None:
    assert prove(interim(220 + off_by), TOTALS, covered_from=day(0), before=BEFORE) == Drift()


def test_a_row_that_is_missing_is_a_drift() -> None:
    rest = {one: minor for one, minor in TOTALS.items() if one != day(1)}

    assert prove(interim(220), rest, covered_from=day(0), before=BEFORE) == Drift()


@pytest.mark.parametrize("closes_on", [day(2), day(3), day(1)], ids=["that-day", "the-morning-after", "still-booking"])
def test_a_closing_balance_may_be_dated_as_banks_date_it(closes_on: date) -> None:
    balance = Booked(amount_minor=220 if closes_on != day(1) else 250, closes_on=closes_on)

    assert prove(balance, TOTALS, covered_from=day(0), before=BEFORE) == BEFORE


def test_a_backfill_moves_the_base_by_exactly_its_rows() -> None:
    older = {**TOTALS, day(-3): 700, day(-2): -5}

    moved = prove(interim(220), older, covered_from=day(-5), before=BEFORE)

    assert moved == Proven(opening_minor=1000 - 695, first_on=day(-5))
    assert isinstance(moved, Proven)
    assert prove(interim(220), older, covered_from=day(-5), before=moved) == moved


def test_less_coverage_moves_the_base_the_other_way() -> None:
    assert prove(interim(220), TOTALS, covered_from=day(1), before=BEFORE) == Proven(opening_minor=0, first_on=day(1))


# -- which balance -----------------------------------------------------------------------------------------------------


def told(kind: str, amount: str, currency: str = "GBP") -> BalanceData:
    return BalanceData(type=kind, money=Money(Decimal(amount), currency), as_of=datetime(2026, 3, 4, tzinfo=UTC))


def test_the_interim_booked_balance_goes_before_the_closing_one() -> None:
    assert booked_balance([told("CLBD", "1.00"), told("ITBD", "2.00")], "GBP") == interim(200)
    assert booked_balance([told("CLBD", "1.00")], "GBP") == Booked(amount_minor=100, closes_on=DAY)


def test_available_money_and_other_currencies_prove_nothing() -> None:
    assert booked_balance([told("ITAV", "1.00"), told("ITBD", "2.00", "EUR")], "GBP") is None


# -- the same person ---------------------------------------------------------------------------------------------------


def keyed(text: str) -> str:
    return hashlib.sha256(f"key{text}".encode()).hexdigest()


def holders(*names: str) -> str:
    return holder_digest(names, keyed)


def known(numbers: str = "n", names: tuple[str, ...] = ("Alice Archer",)) -> Known:
    return Known(bank_account_id="1", identification_digest=numbers, holder_digest=holders(*names))


@pytest.mark.parametrize("name", ["ALICE ARCHER", "Archer, Alice", "Mrs. Alice  Archer", "alice archer"])
def test_another_spelling_is_the_same_person(name: str) -> None:
    assert not is_someone_else(known(), known(names=(name,)))


def test_another_name_is_another_person() -> None:
    assert is_someone_else(known(), known(names=("Bob Baker",)))


def test_an_owner_may_join_or_leave_while_one_stays() -> None:
    joint = known(names=("Alice Archer", "Bob Baker"))

    assert not is_someone_else(known(), joint)
    assert not is_someone_else(joint, known(names=("Bob Baker",)))
    assert is_someone_else(joint, known(names=("Carol Cook",)))


def test_other_numbers_under_the_same_id_are_another_person() -> None:
    assert is_someone_else(known(numbers="n"), known(numbers="m"))


def test_what_is_not_told_proves_nothing() -> None:
    assert not is_someone_else(known(), known(numbers="", names=()))
    assert not is_someone_else(known(numbers="", names=()), known())


def test_the_digest_fits_its_column_and_shows_no_name() -> None:
    digest = holders("Alice Archer", "Bob Baker", "Carol Cook", "Dan Dale", "Eve Early")

    assert len(digest) == 64
    assert holders("Alice Archer") in {keyed("alice archer")[:16]}
    assert holders() == holders("Mr", " ") == ""
