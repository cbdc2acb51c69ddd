"""What a fetch changed: values only. Each row the bank lists is kept once, under the id it always had."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from banks.matching import Facts, Stored
from banks.normalize.entries import Entry
from banks.reconcile import Asked, Changes, reconcile
from tests.support.entries import BOOKED, DAY, PENDING, REMOVED, applied, entry, kept


def coffee(says: str = "1") -> Entry:
    """A row without a bank's id: all that tells it from another coffee of the day is how many there are."""
    return entry("coffee", says, has_bank_id=False)


def compare(
    stored: Iterable[Stored],
    fetched: Iterable[Entry],
    *,
    removable_from: date | None = DAY,
    since: date = DAY,
    stable: bool = True,
) -> Changes:
    return reconcile(stored, fetched, asked=Asked(since=since, removable_from=removable_from, stable=stable))


# -- one row -----------------------------------------------------------------------------------------------------------


def test_a_row_never_seen_is_added() -> None:
    changes = compare([], [entry()])

    assert [(a.entry.identity_key, a.occurrence) for a in changes.added] == [("a", 0)]
    assert changes.total == 1


def test_a_row_that_says_the_same_costs_nothing() -> None:
    changes = compare([kept(entry())], [entry()])

    assert (changes.total, changes.unchanged) == (0, 1)


def test_a_row_that_says_something_else_is_corrected_under_its_id() -> None:
    changes = compare([kept(entry(says="1"), number=7)], [entry(says="2")])

    assert [(c.id, c.entry.content_hash) for c in changes.modified] == [(UUID(int=7), entry(says="2").content_hash)]
    assert changes.total == 1


def test_a_pending_row_is_booked_under_the_same_id() -> None:
    changes = compare([kept(entry(status=PENDING), number=7)], [entry(status=BOOKED)])

    assert [c.id for c in changes.modified] == [UUID(int=7)]
    assert (changes.added, changes.removed) == ([], [])


def test_a_pending_row_that_was_booked_while_the_page_was_turned_is_one_booked_row() -> None:
    for listed in ([entry(status=PENDING), entry(status=BOOKED)], [entry(status=BOOKED), entry(status=PENDING)]):
        changes = compare([], listed)

        assert [a.entry.columns["status"] for a in changes.added] == ["BOOKED"]


def test_a_row_shown_on_both_sides_of_a_page_boundary_is_one_row() -> None:
    changes = compare([], [entry(), entry("b"), entry()])

    assert [a.entry.identity_key for a in changes.added] == ["a", "b"]


def test_one_bank_id_on_two_different_rows_makes_two_rows() -> None:
    changes = compare([], [entry(says="1"), entry(says="2")])

    assert sorted(a.occurrence for a in changes.added) == [0, 1]


# -- rows that are no longer listed ------------------------------------------------------------------------------------


def test_a_row_inside_the_complete_window_that_is_not_listed_is_removed() -> None:
    changes = compare([kept(entry(), number=7)], [])

    assert changes.removed == [UUID(int=7)]


def test_a_row_before_the_complete_window_is_never_removed() -> None:
    before = kept(entry(day=DAY - timedelta(days=1)))

    changes = compare([before], [])

    assert changes.total == 0


def test_an_incomplete_fetch_removes_nothing() -> None:
    changes = compare([kept(entry()), kept(entry("b"), number=2)], [entry()], removable_from=None)

    assert (changes.total, changes.unchanged) == (0, 1)


def test_a_removed_row_is_not_removed_again() -> None:
    changes = compare([kept(entry(), status=REMOVED)], [])

    assert changes.total == 0


def test_a_removed_row_that_the_bank_lists_again_comes_back_under_its_old_id() -> None:
    changes = compare([kept(entry(), number=7, status=REMOVED)], [entry()])

    assert [c.id for c in changes.modified] == [UUID(int=7)]
    assert changes.added == []


# -- equal rows without a bank's id ------------------------------------------------------------------------------------


def test_two_equal_coffees_stay_two() -> None:
    changes = compare([], [coffee(), coffee()])

    assert [a.occurrence for a in changes.added] == [0, 1]


def test_a_third_coffee_is_one_more_and_the_two_stay_as_they_are() -> None:
    stored = [kept(coffee(), number=1, occurrence=0), kept(coffee(), number=2, occurrence=1)]

    changes = compare(stored, [coffee(), coffee(), coffee()])

    assert [a.occurrence for a in changes.added] == [2]
    assert changes.unchanged == 2


def test_a_coffee_listed_before_the_known_ones_changes_none_of_them() -> None:
    """They differ in a detail that identity leaves out, and banks list the newest first."""
    stored = [kept(coffee("B"), number=1, occurrence=0), kept(coffee("A"), number=2, occurrence=1)]

    changes = compare(stored, [coffee("C"), coffee("B"), coffee("A")])

    assert [(a.entry.content_hash, a.occurrence) for a in changes.added] == [(coffee("C").content_hash, 2)]
    assert (changes.modified, changes.removed, changes.unchanged) == ([], [], 2)


def test_the_coffee_that_is_taken_back_is_the_one_removed() -> None:
    stored = [kept(coffee("B"), number=1, occurrence=0), kept(coffee("A"), number=2, occurrence=1)]

    changes = compare(stored, [coffee("A")])

    assert (changes.removed, changes.modified, changes.unchanged) == ([UUID(int=1)], [], 1)


# -- rows from before the window ---------------------------------------------------------------------------------------


def test_a_pending_row_that_moved_into_the_window_keeps_its_id() -> None:
    moved_from = kept(entry(status=PENDING, day=DAY - timedelta(days=3)), number=7)

    changes = compare([moved_from], [entry(status=BOOKED)])

    assert [c.id for c in changes.modified] == [UUID(int=7)]
    assert changes.added == []


def test_a_bank_that_uses_an_id_again_overwrites_nothing_booked_before_the_window() -> None:
    old = kept(entry(day=DAY - timedelta(days=90)), number=7)

    changes = compare([old], [entry(says="another purchase")])

    assert [a.occurrence for a in changes.added] == [1]
    assert (changes.modified, changes.removed) == ([], [])


def test_a_window_in_the_middle_removes_nothing_at_its_edges_nor_beyond() -> None:
    days = [DAY + timedelta(days=number) for number in range(5)]
    stored = [kept(entry(str(day), day=day), number=number) for number, day in enumerate(days)]
    asked = Asked(since=days[0], until=days[3], removable_from=days[1], removable_until=days[2])

    changes = reconcile(stored, [], asked=asked)

    assert changes.removed == [UUID(int=1), UUID(int=2)]


def test_a_row_that_was_filed_elsewhere_says_so_and_another_change_does_not() -> None:
    stored = [kept(entry(), number=1), kept(entry("b"), number=2), kept(entry("c"), number=3, status=REMOVED)]
    fetched = [entry(says="2"), entry("b", day=DAY + timedelta(days=1)), entry("c")]

    changes = compare(stored, fetched)

    assert [(c.id.int, c.refiled) for c in changes.modified] == [(1, False), (2, True), (3, True)]


# -- whatever a bank does ----------------------------------------------------------------------------------------------

entries = st.builds(
    entry,
    key=st.sampled_from("abcdefgh"),
    says=st.sampled_from("12"),
    day=st.sampled_from([DAY, DAY + timedelta(days=1), DAY + timedelta(days=12)]),
    status=st.sampled_from([PENDING, BOOKED]),
    text=st.sampled_from(["coffee", "books"]),
    amount_minor=st.sampled_from([-100, -110]),
    has_bank_id=st.just(True),
) | st.builds(
    entry,
    key=st.sampled_from("xy"),
    says=st.sampled_from("12"),
    day=st.just(DAY),
    status=st.sampled_from([PENDING, BOOKED]),
    has_bank_id=st.just(False),
)
answers = st.lists(st.lists(entries, max_size=8), min_size=1, max_size=4)


@settings(max_examples=300)
@given(answers)
def test_doing_it_twice_changes_nothing(told: list[list[Entry]]) -> None:
    rows: list[Stored] = []
    for fetched in told:
        rows = applied(rows, compare(rows, fetched))
        again = compare(rows, fetched)

        assert (again.total, again.renamed, again.suggested) == (0, [], [])


@settings(max_examples=300)
@given(answers)
def test_every_listed_row_ends_stored_exactly_once(told: list[list[Entry]]) -> None:
    rows: list[Stored] = []
    for fetched in told:
        rows = applied(rows, compare(rows, fetched))

        live = sorted((row.identity_key, row.content_hash) for row in rows if row.status != REMOVED)
        assert live == sorted(_meant(fetched))
        assert len({(row.identity_key, row.occurrence) for row in rows}) == len(rows)
        assert len({row.id for row in rows}) == len(rows)


@settings(max_examples=200)
@given(answers)
def test_no_row_ever_goes_and_none_becomes_another_payment_without_its_own_banks_id(told: list[list[Entry]]) -> None:
    rows: list[Stored] = []
    for fetched in told:
        before = {row.id: row for row in rows}

        rows = applied(rows, compare(rows, fetched))

        after = {row.id: row for row in rows}
        assert before.keys() <= after.keys()
        for row_id, was in before.items():
            now = after[row_id]
            if now.identity_key != was.identity_key:  # followed by what it says, so it must say it still
                assert _payment(was.facts) == _payment(now.facts)


@settings(max_examples=200)
@given(answers)
def test_an_incomplete_fetch_never_takes_anything_away(told: list[list[Entry]]) -> None:
    rows: list[Stored] = []
    for fetched in told:
        changes = compare(rows, fetched, removable_from=None)

        assert (changes.removed, changes.suggested) == ([], [])
        rows = applied(rows, changes)


@settings(max_examples=200)
@given(answers)
def test_an_unstable_list_removes_nothing_and_books_nothing_by_its_looks(told: list[list[Entry]]) -> None:
    rows: list[Stored] = []
    for fetched in told:
        changes = compare(rows, fetched, stable=False)

        assert changes.removed == []
        assert "exact" not in {c.link for c in changes.modified if c.entry.has_bank_id}
        rows = applied(rows, changes)


@settings(max_examples=200)
@given(answers, st.randoms(use_true_random=False))
def test_the_order_of_the_pages_decides_nothing(told: list[list[Entry]], dice: Any) -> None:
    rows: list[Stored] = []
    for fetched in told:
        shuffled = dice.sample(fetched, len(fetched))
        one, other = compare(rows, fetched), compare(rows, shuffled)

        assert _plain(one) == _plain(other)
        rows = applied(rows, one)


@settings(max_examples=200)
@given(st.lists(entries, max_size=8))
def test_a_bank_that_gives_every_row_a_new_id_at_each_fetch_changes_nothing(told: list[Entry]) -> None:
    plain = [one for one in told if one.has_bank_id]
    rows = applied([], compare([], _under_new_ids(plain, 0)))
    for number in range(1, 4):
        changes = compare(rows, _under_new_ids(plain, number))

        assert (changes.total, changes.unchanged, len(changes.renamed)) == (0, len(plain), len(plain))
        rows = applied(rows, changes)


def _under_new_ids(told: list[Entry], number: int) -> list[Entry]:
    return [replace(one, identity_key=f"{number}-{place}") for place, one in enumerate(told)]


def _plain(changes: Changes) -> tuple[object, ...]:
    return (
        sorted((a.entry.identity_key, a.entry.content_hash, a.occurrence) for a in changes.added),
        sorted((c.id, c.entry.identity_key, c.entry.content_hash, c.occurrence, str(c.link)) for c in changes.modified),
        sorted((r.id, r.entry.identity_key, r.occurrence) for r in changes.renamed),
        sorted(changes.removed),
        sorted((s.pending_id, s.identity_key, s.confidence_percent) for s in changes.suggested),
        changes.unchanged,
    )


def _payment(facts: Facts) -> tuple[object, ...]:
    return (facts.amount_minor, facts.currency, facts.text)


def _meant(fetched: list[Entry]) -> list[tuple[str, str]]:
    """The bank's list, told in the plainest way: no page doubles, no pending twin of a booked row."""
    booked = {e.identity_key for e in fetched if e.has_bank_id and e.columns["status"] == "BOOKED"}
    meant: list[tuple[str, str]] = []
    for e in fetched:
        told = (e.identity_key, e.content_hash)
        twin = e.has_bank_id and e.columns["status"] == "PENDING" and e.identity_key in booked
        if twin or (e.has_bank_id and told in meant):
            continue
        meant.append(told)
    return meant
