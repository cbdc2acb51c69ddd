"""Which days of an account are fetched, as its columns say it (banks.coverage). Writers hold the connection's lock."""

from datetime import date, datetime
from functools import lru_cache
from uuid import UUID

from django.db.models import F

from banks.compiled import SLOTS, Compiled, CompiledUpdate
from banks.coverage import Covered, Span, Window
from banks.models import Account


def covered(account_id: UUID) -> Covered:
    (columns,) = _columns().rows({"account_id": account_id})
    return Covered.of(*columns)


@lru_cache(maxsize=1)
def _columns() -> Compiled:
    names = ("coverage_first_on", "coverage_last_on", "coverage_gaps")
    return Compiled(Account.objects.for_sync().filter(id=SLOTS["account_id"]).values_list(*names))


def mark_covered(
    account_id: UUID, window: Window, *, bank_first_on: date | None, now: datetime, before: Covered | None = None
) -> Covered:
    """The whole window was answered and stored; what is covered now. `bank_first_on`: the first day the bank says it
    has anything for.

    Rows older than that were once fetched and stay covered. `before`: as it was seen a while ago; where that is what is
    stored, and not one day is new, it is not read again. The caller holds the connection's lock.
    """
    if before is not None and _is_seen_again(account_id, window, before, bank_first_on, now):
        return before
    columns: dict[str, object] = {}
    if bank_first_on is not None:
        columns["bank_first_on"] = bank_first_on
    if window.until is None:
        columns["transactions_as_of"] = now
    before = after = covered(account_id)
    first_on = max(window.covers.first_on, bank_first_on or window.covers.first_on)
    if first_on <= window.covers.last_on:
        after = before.plus(Span(first_on, window.covers.last_on))
        if after != before:
            columns |= _coverage_columns(before, after)
    if columns:
        Account.objects.for_sync().filter(id=account_id).update(**columns)
    return after


def _is_seen_again(
    account_id: UUID, window: Window, before: Covered, bank_first_on: date | None, now: datetime
) -> bool:
    """By far the most frequent: the newest days once more, not one of them new, and no gap. Whether it was written."""
    if window.until is not None or len(before.spans) != 1 or not before.holds_all(window.covers):
        return False
    values = {"account_id": account_id, "now": now, "start_on": before.first_on, "end_on": before.last_on}
    again = _seen_again(is_told=bank_first_on is not None)
    return bool(again.run({**values, "bank_first_on": bank_first_on}))


@lru_cache(maxsize=2)
def _seen_again(*, is_told: bool) -> CompiledUpdate:
    """`is_told`: the bank said where it begins."""
    rows = Account.objects.for_sync().filter(
        id=SLOTS["account_id"],
        coverage_first_on=SLOTS["start_on"],
        coverage_last_on=SLOTS["end_on"],
        coverage_gaps=[],
    )
    if is_told:
        rows = rows.filter(bank_first_on=SLOTS["bank_first_on"])
    return CompiledUpdate(rows, {"transactions_as_of": SLOTS["now"]})


def doubt_coverage(account_id: UUID, *, since: date) -> None:
    """What is older than `since` is to be fetched once more: the rows do not add up. They stay, and are served."""
    before = covered(account_id)
    spans = (span for span in before.spans if span.last_on >= since)
    kept = Covered(tuple(Span(max(span.first_on, since), span.last_on) for span in spans))
    Account.objects.for_sync().filter(id=account_id).update(**_coverage_columns(before, kept))


def _coverage_columns(before: Covered, after: Covered) -> dict[str, object]:
    columns: dict[str, object] = {
        "coverage_first_on": after.first_on,
        "coverage_last_on": after.last_on,
        "coverage_gaps": after.gaps,
    }
    return columns if before == after else {**columns, "version": F("version") + 1}
