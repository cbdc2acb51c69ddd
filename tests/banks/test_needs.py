"""What is needed by whom until when: needs in, what holds and marks out. No database."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from banks.needs import RETENTION, Marks, Need, is_due, marks, needed
from banks.types import Resource

NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)
SOON, LATE = NOW + timedelta(days=1), NOW + timedelta(days=9)
ONE, TWO = UUID(int=1), UUID(int=2)
BEFORE = NOW - timedelta(hours=5)

ROWS = frozenset({Resource.ACCOUNTS, Resource.TRANSACTIONS})
AMOUNTS = frozenset({Resource.ACCOUNTS, Resource.BALANCES})


def need(account_id: UUID, resources: frozenset[Resource], until: datetime = LATE, *, question: bool = False) -> Need:
    return Need(account_id=account_id, resources=resources, until=until, is_question=question)


def test_needs_of_several_consents_add_up() -> None:
    needs = needed([need(ONE, AMOUNTS, SOON), need(ONE, ROWS), need(TWO, AMOUNTS)], NOW)

    assert needs.accounts == {ONE, TWO}
    assert needs.transactions == {ONE}
    assert needs.balances == {ONE, TWO}
    assert needs.until == LATE


def test_a_need_is_over_at_its_end_to_the_instant_whatever_a_row_says() -> None:
    each = [need(ONE, ROWS, SOON)]

    assert needed(each, SOON - timedelta(microseconds=1)).accounts == {ONE}
    assert needed(each, SOON).accounts == frozenset()
    assert needed(each, SOON).until is None


def test_a_question_holds_what_it_was_shown_and_gives_no_end() -> None:
    needs = needed([need(ONE, ROWS, question=True)], NOW)

    assert needs.accounts == needs.transactions == {ONE}
    assert needs.until is None


NOTHING = Marks(unneeded_at=None, transactions_unneeded_at=None)


@pytest.mark.parametrize(
    ("each", "before", "after"),
    [
        ([need(ONE, ROWS)], NOTHING, NOTHING),
        ([], NOTHING, Marks(unneeded_at=NOW, transactions_unneeded_at=None)),
        ([need(TWO, ROWS)], NOTHING, Marks(unneeded_at=NOW, transactions_unneeded_at=None)),
        ([need(ONE, AMOUNTS)], NOTHING, Marks(unneeded_at=None, transactions_unneeded_at=NOW)),
        # The clock goes on: a second sweep does not start it anew.
        (
            [],
            Marks(unneeded_at=BEFORE, transactions_unneeded_at=None),
            Marks(unneeded_at=BEFORE, transactions_unneeded_at=None),
        ),
        (
            [need(ONE, AMOUNTS)],
            Marks(unneeded_at=None, transactions_unneeded_at=BEFORE),
            Marks(unneeded_at=None, transactions_unneeded_at=BEFORE),
        ),
        # Needed again before the time is over: as if nothing had been.
        ([need(ONE, ROWS)], Marks(unneeded_at=BEFORE, transactions_unneeded_at=BEFORE), NOTHING),
        (
            [need(ONE, AMOUNTS)],
            Marks(unneeded_at=BEFORE, transactions_unneeded_at=BEFORE),
            Marks(unneeded_at=None, transactions_unneeded_at=BEFORE),
        ),
    ],
)
def test_marks_follow_the_needs(each: list[Need], before: Marks, after: Marks) -> None:
    assert marks(ONE, before, needed(each, NOW), has_transactions=True, now=NOW) == after


def test_transactions_that_are_not_there_wait_for_nothing() -> None:
    needs = needed([need(ONE, AMOUNTS)], NOW)

    assert marks(ONE, NOTHING, needs, has_transactions=False, now=NOW) == NOTHING


def test_what_is_not_needed_goes_after_24_hours_or_at_once() -> None:
    assert timedelta(hours=24) == RETENTION
    assert not is_due(NOW, NOW + RETENTION - timedelta(seconds=1))
    assert is_due(NOW, NOW + RETENTION)
    assert is_due(NOW, NOW, at_once=True)
    assert not is_due(None, NOW, at_once=True)
