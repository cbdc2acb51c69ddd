"""Recognising a row by what it says: booked from pending, under a new id of the bank's, or only perhaps."""

from datetime import date, timedelta
from typing import Any
from uuid import UUID

import pytest

from banks.matching import LINK_DAYS, Stored
from banks.normalize.entries import Entry
from banks.reconcile import Asked, Changes, reconcile
from tests.support.entries import BOOKED, DAY, PENDING, REMOVED, entry, kept

SINCE = DAY - timedelta(days=20)
SHOP = {"merchant_key": "5411:greenway market", "mcc": "5411"}


def compare(stored: list[Stored], fetched: list[Entry], **asked: Any) -> Changes:
    return reconcile(stored, fetched, asked=Asked(**{"since": SINCE, "removable_from": SINCE, **asked}))


def pending(key: str = "p", *, number: int = 1, day: date = DAY, **told: Any) -> Stored:
    return kept(entry(key, status=PENDING, day=day, **{"text": "GREENWAY", **told}), number=number)


def booked(key: str = "b", *, day: date = DAY + timedelta(days=3), **told: Any) -> Entry:
    return entry(key, status=BOOKED, day=day, **{"text": "GREENWAY", **told})


def links(changes: Changes) -> list[tuple[int, str, str | None]]:
    return [(c.id.int, c.entry.identity_key, c.link) for c in changes.modified]


# -- booked under a new id ---------------------------------------------------------------------------------------------


def test_a_pending_row_that_books_three_days_later_under_a_new_id_keeps_ours() -> None:
    changes = compare([pending(number=7)], [booked()])

    assert links(changes) == [(7, "b", "exact")]
    assert (changes.added, changes.removed, changes.linked) == ([], [], 1)


def test_the_banks_own_id_links_before_anything_else() -> None:
    changes = compare([pending("same", number=7), pending("other", number=8)], [booked("same")])

    assert links(changes) == [(7, "same", "bank")]
    assert changes.removed == [UUID(int=8)]


def test_a_row_without_any_id_is_linked_by_what_it_says() -> None:
    changes = compare(
        [kept(entry("row", status=PENDING, has_bank_id=False), number=7)], [entry("row", has_bank_id=False)]
    )

    assert links(changes) == [(7, "row", "exact")]


@pytest.mark.parametrize("days", [0, LINK_DAYS])
def test_it_may_take_up_to_ten_days(days: int) -> None:
    assert compare([pending()], [booked(day=DAY + timedelta(days=days))]).linked == 1


@pytest.mark.parametrize("days", [-1, LINK_DAYS + 1])
def test_earlier_or_later_than_that_it_is_another_payment(days: int) -> None:
    changes = compare([pending()], [booked(day=DAY + timedelta(days=days))])

    assert (changes.linked, len(changes.added), len(changes.removed), changes.suggested) == (0, 1, 1, [])


@pytest.mark.parametrize(
    "told",
    [
        {"amount_minor": -101},
        {"currency": "EUR"},
        {"text": "ANOTHER SHOP"},
        {"text": ""},
        {"reference_digest": "f" * 64},
        {"counterparty_name": "Somebody Else"},
    ],
    ids=["amount", "currency", "text", "no-text", "reference", "counterparty"],
)
def test_whatever_says_something_else_is_not_linked(told: dict[str, Any]) -> None:
    was = pending(reference_digest="0" * 64, counterparty_name="Somebody")

    changes = compare([was], [booked(**{"reference_digest": "0" * 64, "counterparty_name": "Somebody", **told})])

    assert changes.linked == 0
    assert (len(changes.added), changes.removed) == (1, [was.id])


def test_the_same_merchant_counts_more_than_how_the_bank_words_the_line() -> None:
    was = pending(text="CARD PAYMENT TO GREENWAY MARKET PENDING", merchant_key="-:greenway market")

    assert compare([was], [booked(text="GREENWAY MARKET LONDON GB", **SHOP)]).linked == 1


def test_another_merchant_is_another_payment_whatever_the_line_says() -> None:
    assert compare([pending(**SHOP)], [booked(merchant_key="5411:other market")]).linked == 0


def test_rows_that_say_nothing_but_an_amount_are_not_linked() -> None:
    assert compare([pending(text="")], [booked(text="")]).linked == 0


def test_a_pending_row_that_the_bank_still_lists_is_not_the_booked_one() -> None:
    still = entry("p", status=PENDING, text="GREENWAY")

    changes = compare([kept(still)], [still, booked()])

    assert (changes.modified, len(changes.added), changes.unchanged) == ([], 1, 1)


def test_a_list_that_changed_while_it_was_read_links_nothing_by_its_looks() -> None:
    changes = compare([pending()], [booked()], stable=False)

    assert (changes.linked, changes.removed) == (0, [])


# -- several that fit --------------------------------------------------------------------------------------------------


def test_where_two_pending_rows_of_different_days_fit_nothing_is_guessed() -> None:
    rows = [pending("p1", number=1), pending("p2", number=2, day=DAY + timedelta(days=1))]

    changes = compare(rows, [booked()])

    assert (changes.linked, len(changes.added), len(changes.removed)) == (0, 1, 2)
    assert {one.confidence_percent for one in changes.suggested} == {42, 43}


def test_where_two_booked_rows_of_different_days_fit_nothing_is_guessed() -> None:
    changes = compare([pending()], [booked("b1"), booked("b2", day=DAY + timedelta(days=4))])

    assert (changes.linked, len(changes.added), len(changes.removed)) == (0, 2, 1)


def test_equal_coffees_are_booked_in_order_and_stay_as_many_as_they_are() -> None:
    rows = [pending("p1", number=1), pending("p2", number=2)]

    both, one = compare(rows, [booked("b1"), booked("b2")]), compare(rows, [booked("b1")])

    assert sorted(links(both)) == [(1, "b1", "exact"), (2, "b2", "exact")]
    assert (both.added, both.removed) == ([], [])
    assert (links(one), one.removed) == ([(1, "b1", "exact")], [UUID(int=2)])


# -- ids that the bank gives anew --------------------------------------------------------------------------------------


def test_a_row_under_a_new_id_keeps_ours_and_tells_no_reader_anything() -> None:
    changes = compare([kept(booked("old"), number=7)], [booked("new")])

    assert [(r.id.int, r.entry.identity_key) for r in changes.renamed] == [(7, "new")]
    assert (changes.total, changes.unchanged) == (0, 1)


def test_a_row_under_a_new_id_with_a_changed_detail_is_corrected() -> None:
    changes = compare([kept(booked("old", says="1"), number=7)], [booked("new", says="2")])

    assert links(changes) == [(7, "new", None)]


@pytest.mark.parametrize(
    "told",
    [{"amount_minor": -101}, {"text": "ANOTHER"}, {"day": DAY}, {"value_on": DAY}, {"currency": "EUR"}],
    ids=["amount", "text", "day", "value-day", "currency"],
)
def test_a_row_under_a_new_id_that_says_something_else_is_another_row(told: dict[str, Any]) -> None:
    changes = compare([kept(booked("old"), number=7)], [booked("new", **told)])

    assert (len(changes.added), changes.removed, changes.modified) == (1, [UUID(int=7)], [])


def test_a_known_row_is_not_taken_for_a_new_one_while_the_bank_still_lists_it() -> None:
    changes = compare([kept(booked("old"))], [booked("old"), booked("new")])

    assert (len(changes.added), changes.renamed, changes.removed) == (1, [], [])


def test_two_equal_rows_under_new_ids_stay_two() -> None:
    rows = [kept(booked("o1"), number=1), kept(booked("o2"), number=2)]

    changes = compare(rows, [booked("n1"), booked("n2")])

    assert sorted(r.id.int for r in changes.renamed) == [1, 2]
    assert changes.total == 0


def test_a_removed_row_that_comes_back_under_a_new_id_is_the_same_row() -> None:
    changes = compare([kept(booked("old"), number=7, status=REMOVED)], [booked("new")])

    assert links(changes) == [(7, "new", None)]
    assert changes.modified[0].refiled


def test_a_live_row_goes_before_a_removed_one() -> None:
    rows = [kept(booked("gone"), number=1, status=REMOVED), kept(booked("old"), number=2)]

    assert [r.id.int for r in compare(rows, [booked("new")]).renamed] == [2]


def test_a_row_outside_the_window_is_not_taken_for_one_inside() -> None:
    before = kept(booked("old", day=DAY), number=7)

    changes = compare([before], [booked("new", day=DAY)], since=DAY + timedelta(days=1), removable_from=None)

    assert len(changes.added) == 1


# -- one id on two different rows --------------------------------------------------------------------------------------


def test_one_id_on_two_different_rows_is_two_rows_at_every_fetch() -> None:
    listed = [booked("x", says="1"), booked("x", says="2", text="OTHER")]
    rows = [kept(listed[0], number=1, occurrence=0), kept(listed[1], number=2, occurrence=1)]

    for order in (listed, listed[::-1]):
        changes = compare(rows, order)

        assert (changes.total, changes.unchanged) == (0, 2)


# -- perhaps -----------------------------------------------------------------------------------------------------------


def suggested(changes: Changes) -> list[tuple[int, str, int]]:
    return [(one.pending_id.int, one.identity_key, one.confidence_percent) for one in changes.suggested]


def test_a_tip_is_a_suggestion_and_no_link() -> None:
    changes = compare([pending(number=7, amount_minor=-5000, **SHOP)], [booked(amount_minor=-5500, **SHOP)])

    assert (changes.linked, len(changes.added), changes.removed) == (0, 1, [UUID(int=7)])
    assert suggested(changes) == [(7, "b", 90 - 10 - 2 * 3)]


def test_the_pump_asks_for_a_round_sum_first() -> None:
    fuel = {"merchant_key": "5542:fuel stop", "mcc": "5542"}

    changes = compare([pending(number=7, amount_minor=-100, **fuel)], [booked(amount_minor=-6123, **fuel)])

    assert suggested(changes) == [(7, "b", 54)]


@pytest.mark.parametrize(
    "told",
    [
        {"amount_minor": -6501},
        {"amount_minor": 5500},
        {"amount_minor": -5500, "currency": "EUR"},
        {"amount_minor": -5500, "merchant_key": "5411:another"},
        {"amount_minor": -5500, "day": DAY + timedelta(days=11)},
    ],
    ids=["beyond-tolerance", "other-direction", "other-currency", "other-merchant", "too-late"],
)
def test_what_is_not_alike_is_not_suggested(told: dict[str, Any]) -> None:
    changes = compare([pending(amount_minor=-5000, **SHOP)], [booked(**{**SHOP, **told})])

    assert changes.suggested == []


def test_rivals_share_the_confidence() -> None:
    rows = [pending("p1", number=1, amount_minor=-5000), pending("p2", number=2, amount_minor=-5100)]

    changes = compare(rows, [booked(amount_minor=-5500)])

    assert [percent for _, _, percent in suggested(changes)] == [(90 - 10 - 6) // 2, (90 - 7 - 6) // 2]


def test_a_pending_row_that_may_still_be_there_suggests_nothing() -> None:
    changes = compare([pending(amount_minor=-5000)], [booked(amount_minor=-5500)], removable_from=None)

    assert (changes.removed, changes.suggested) == ([], [])
