"""What Sluice makes of rows that change, come twice, get new ids, vanish, or cannot be right."""

from collections import Counter
from datetime import date, timedelta

import pytest

from banks.models import LinkSuggestion, QuarantinedRow
from banks.sandbox.histories import ledger_of
from banks.sandbox.people import SCENARIOS
from banks.sandbox.recipes.troubled import ODD, SAME_ID, TIMES, WITHOUT_ID
from tests.banks.scenarios.conftest import Play
from tests.banks.scenarios.register import outcome_of
from tests.banks.scenarios.scene import Scene, kept, looks

pytestmark = pytest.mark.django_db


def hotel(scene: Scene, status: str) -> dict[date, tuple[object, int]]:
    """Day -> id and revision of the hotel's row with this status."""
    found = [row for row in scene.live() if "ABBEY HOTEL" in (row.description or "") and row.status == status]
    return {row.listed_on: (row.id, row.revision) for row in found}


# -- pending -----------------------------------------------------------------------------------------------------------


@outcome_of("pending_new_id")
def test_a_pending_row_that_books_under_a_new_id_keeps_ours(play: Play) -> None:
    scene = play("pending_new_id")
    scene.sync()
    today = scene.today()
    pending = hotel(scene, "PENDING")
    assert sorted(pending) == [today - timedelta(days=days) for days in (2, 1, 0)]
    oldest = pending[today - timedelta(days=2)][0]
    scene.on_day(1)

    job = scene.sync()

    row = next(row for row in scene.live() if row.id == oldest)
    assert (row.status, row.revision, row.link_method) == ("BOOKED", 2, "exact")
    assert row.listed_on == today + timedelta(days=1)
    assert job.counts["linked"] >= 1
    assert [one for one in scene.ids() if one[2] == "REMOVED"] == []
    assert LinkSuggestion.objects.for_sync().count() == 0
    assert kept(scene.account) == scene.books(SCENARIOS["pending_new_id"].accounts[0])


@outcome_of("pending_vanishes")
def test_a_pending_row_that_vanishes_is_marked_and_not_kept_pending(play: Play) -> None:
    scene = play("pending_vanishes")
    scene.sync()
    oldest = hotel(scene, "PENDING")[scene.today() - timedelta(days=2)][0]
    scene.on_day(1)

    job = scene.sync()

    assert (job.status, job.counts["removed"]) == ("COMMITTED", 1)
    assert (oldest, 2, "REMOVED") in scene.ids()
    assert oldest not in {row["id"] for row in scene.served()}
    assert kept(scene.account) == scene.books(SCENARIOS["pending_vanishes"].accounts[0])


# -- booked rows -------------------------------------------------------------------------------------------------------


@outcome_of("corrected")
def test_a_booked_row_that_is_corrected_keeps_its_id_and_says_that_it_changed(play: Play) -> None:
    scene = play("corrected")
    scene.sync()
    (estimate,) = [row for row in scene.live() if "ESTIMATED" in (row.description or "")]
    scene.on_day(1)

    scene.sync()

    (final,) = [row for row in scene.live() if row.id == estimate.id]
    assert "METER" in (final.description or "")
    assert (estimate.amount_minor, final.amount_minor) == (-500, -537)
    assert (estimate.revision, final.revision, final.status) == (1, 2, "BOOKED")
    assert final.change_sequence > estimate.change_sequence
    assert [one for one in scene.ids() if one[2] == "REMOVED"] == []
    assert kept(scene.account) == scene.books(SCENARIOS["corrected"].accounts[0])


@outcome_of("reissued")
def test_new_ids_at_every_reading_change_no_id_of_ours(play: Play) -> None:
    scene = play("reissued")
    scene.sync()
    before, sequence = scene.ids(), scene.connection.change_sequence
    banks_ids = {row.bank_transaction_id for row in scene.live()}

    for _ in range(2):
        job = scene.sync()
        assert {job.counts[name] for name in ("added", "modified", "removed")} == {0}

    assert not banks_ids & {row.bank_transaction_id for row in scene.live() if row.listed_on == scene.today()}
    assert scene.ids() == before
    assert scene.connection.change_sequence == sequence
    assert Counter(kept(scene.account).values()) == Counter(scene.books(SCENARIOS["reissued"].accounts[0]).values())


@outcome_of("duplicates")
def test_four_rows_a_day_with_one_id_or_none_are_four_rows_and_stay_so(play: Play) -> None:
    scene = play("duplicates", history_days=10)
    scene.sync()
    before = scene.ids()
    scene.sync()
    scene.sync()

    assert scene.ids() == before
    for day in {row.listed_on for row in scene.live()}:
        of_day = [row for row in scene.live() if row.listed_on == day]
        texts = Counter(row.description for row in of_day if row.description in {*SAME_ID, WITHOUT_ID})
        assert texts == {SAME_ID[0]: 1, SAME_ID[1]: 1, WITHOUT_ID: 2}
    assert len(scene.served()) == len(before)


# -- amounts, codes and days -------------------------------------------------------------------------------------------

#: What becomes of each odd row: why it is refused and where, or the minor units it is kept with.
ODD_ROWS: dict[str, tuple[str, str] | int] = {
    "odd-minus-zero": ("bad_amount", "Amount.Amount"),
    "odd-zero": 0,
    "odd-leading-zeros": -1250,
    "odd-huge": -100_000_000_000_000,
    "odd-decimals": ("too_many_decimals", "Amount.Amount"),
    "odd-no-point": -700,
    "odd-unknown-currency": ("unknown_currency", "Amount.Currency"),
    "odd-gold": ("unknown_currency", "Amount.Currency"),
    "odd-status": ("unknown_status", "Status"),
    "odd-direction": ("bad_indicator", "CreditDebitIndicator"),
    "odd-mutability": -100,
    "odd-codes": -100,
    "odd-card": -100,
    "odd-year-33": ("bad_date", "BookingDateTime"),
    "odd-year-9999": ("bad_date", "BookingDateTime"),
}


@outcome_of("odd_numbers")
def test_rows_that_cannot_be_right_are_set_aside_each_with_its_reason(play: Play) -> None:
    assert tuple(ODD_ROWS) == ODD
    scene = play("odd_numbers", history_days=31)  # one first of a month, or two

    job = scene.sync()

    odd = [row for row in scene.live() if row.counterparty_name == "Night Bus Company"]
    months = len({row.listed_on for row in odd})
    assert months in (1, 2)
    refused = Counter(answer for answer in list(ODD_ROWS.values()) * months if isinstance(answer, tuple))
    amounts = Counter(answer for answer in list(ODD_ROWS.values()) * months if isinstance(answer, int))
    assert (job.status, job.counts["quarantined"]) == ("COMMITTED", sum(refused.values()))
    assert Counter(scene.quarantine()) == refused
    assert Counter(row.amount_minor for row in odd) == amounts
    assert {row.connector for row in QuarantinedRow.objects.for_sync()} == {"uk_obie"}
    sound = {one: minor for one, minor in scene.books(SCENARIOS["odd_numbers"].accounts[0]).items() if minor != -100}
    assert sound.items() <= kept(scene.account).items()
    assert len(scene.served()) == len(scene.live())

    again = scene.sync()
    assert again.counts["added"] == again.counts["removed"] == 0
    assert Counter(scene.quarantine()) == refused
    scene.nobody_was_asked()


@outcome_of("sparse")
def test_what_the_bank_leaves_out_is_unknown_and_nothing_is_lost(play: Play) -> None:
    scene = play("sparse", history_days=15)

    job = scene.sync()
    before = scene.ids()

    assert (job.status, job.counts["quarantined"]) == ("COMMITTED", 0)
    rows = scene.live()
    there = scene.books(SCENARIOS["sparse"].accounts[0])
    assert Counter(row.amount_minor for row in rows) == Counter(there.values())
    unknown = ("bank_transaction_id", "description", "merchant_name", "mcc", "counterparty_name", "balance_after_minor")
    assert {getattr(row, name) for row in rows for name in unknown} == {None}
    assert scene.account.name is None
    scene.sync()
    assert scene.ids() == before


@outcome_of("verbose")
def test_members_that_no_standard_knows_are_passed_over(play: Play) -> None:
    scene = play("verbose", history_days=15)

    job = scene.sync()

    assert (job.status, job.counts["quarantined"]) == ("COMMITTED", 0)
    assert kept(scene.account) == scene.books(SCENARIOS["verbose"].accounts[0])


@outcome_of("dst")
def test_on_the_nights_when_clocks_change_a_day_is_the_one_the_bank_wrote(play: Play) -> None:
    scene = play("dst", history_days=385)  # a whole year, and so one night in March and one in October

    assert scene.sync().status == "COMMITTED"

    account = SCENARIOS["dst"].accounts[0]
    assert kept(scene.account) == scene.books(account)
    written = {entry.id: entry.draft for entry in ledger_of(account, scene.today()).entries}
    nights = [row for row in scene.live() if row.counterparty_name == "Night Bus Company"]
    assert {written[str(row.bank_transaction_id)].reference for row in nights} == TIMES.keys()
    for row in nights:
        assert row.listed_on == row.booked_on == written[str(row.bank_transaction_id)].day


# -- balances that do not fit ------------------------------------------------------------------------------------------


@outcome_of("drift")
def test_a_balance_that_the_rows_do_not_make_is_a_finding_until_they_do(play: Play) -> None:
    scene = play("drift", history_days=60)
    scene.sync()
    assert scene.findings() == []
    rows = looks(scene.live())
    scene.turn(1)

    scene.sync()
    assert scene.findings() == [("BALANCE_DRIFT", "rows_do_not_add_up")]
    doubted = scene.account.coverage_first_on
    assert scene.consent.history_from is not None
    assert doubted is not None and doubted > scene.consent.history_from

    scene.sync()  # reads all of it again, once
    assert scene.account.coverage_first_on == scene.consent.history_from
    assert scene.findings() == [("BALANCE_DRIFT", "rows_do_not_add_up")]

    scene.turn(2)
    scene.sync()
    assert scene.findings() == []
    assert looks(scene.live()) == rows
    scene.nobody_was_asked()
