"""What changed since a reader last looked: the delta behind banks.read.changes.

A walk tells what changed between two points of each connection's change sequence. Sequences are assigned under the
connection's row lock, so when number n can be read, no smaller one is still to come: nothing is skipped. What changes
during a walk gets a number beyond its end and comes with the next one.

Told of a row whose last change lies in the walk:
    it may be shown now     added, when it was added after the walk began; else modified
    the bank removed it     removed, when it was there before the walk began and its kind may be shown

and of a row that was last filed anew in it, however often it changed since:
    a filter withholds it   removed, when it was there before the walk began. A row that was withheld all along is never
                            told, not even its id.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from types import MappingProxyType
from typing import Any
from uuid import UUID

from django.db.models import Case, F, Max, Q, QuerySet, Value, When

from banks import change_positions, models, permitted
from banks.change_positions import Opened
from banks.records import (
    NOTHING,
    PAGE_LIMIT_MAX,
    AccountProgress,
    ChangePage,
    ChangePosition,
    Row,
    Stretch,
    UpdateStatus,
)
from banks.types import TransactionStatus
from consents.policy import Permit, PermitSlice
from consents.scopes import Record

#: Transactions, and names that are made on the way.
_Rows = QuerySet[Any, Any]


@dataclass(frozen=True, slots=True)
class _Change:
    """A row to be told, before any column of it is read."""

    sequence: int
    opened: Opened
    id: UUID
    is_live: bool
    is_new: bool  #: the reader's copy cannot hold it


def changes(
    permit: Permit, since: ChangePosition | None, *, revision: int, limit: int, now: datetime, request_id: str
) -> ChangePage:
    """The next page of what changed since `since`, over every account opened for transactions; None: all there is.

    `revision` is the consent's; `limit`, 1 to PAGE_LIMIT_MAX, counts added, modified and removed rows together.
    `has_more` says whether another page of this walk follows. Without more, `next` is where the next walk begins.

    Raises CursorStale (what the permit lets through is not what it was), ScopeNotGranted, PermitExpired, ValueError.
    """
    if not 1 <= limit <= PAGE_LIMIT_MAX:
        raise ValueError("limit")
    permitted.still_valid(permit, now)
    opened = change_positions.opened(permit)
    mark = change_positions.fingerprint(permit, revision, opened)
    stretches, behind = change_positions.stretches(mark, since, opened)
    told, left = _walk(permit, opened, stretches.stretches, limit)
    rows = _full_rows(permit, told)
    removed = [_tombstone(change) for change in told if not change.is_live]
    added = [rows[change.id] for change in told if change.is_live and change.is_new and change.id in rows]
    modified = [rows[change.id] for change in told if change.is_live and not change.is_new and change.id in rows]
    _commit_usage(permit, opened, [*added, *modified, *removed], now=now, request_id=request_id)
    progress = _progress(opened, behind, now)
    fetched = [one.as_of for one in progress if one.as_of is not None]
    return ChangePage(
        rows=[*added, *modified],
        added=added,
        modified=modified,
        removed=removed,
        next=replace(stretches, stretches=left),
        has_more=any(stretch.at < stretch.until for stretch in left.values()),
        update_status=_least([one.update_status for one in progress]),
        accounts=progress,
        as_of=min(fetched, default=None),
        next_refresh_after=permitted.earliest([one.next_refresh_after for one in progress]),
    )


def last_change(
    permit: Permit, part: PermitSlice, account_ids: Collection[UUID], *, after: int, now: datetime
) -> int | None:
    """The last change number beyond `after` of a row of these accounts that passes every filter of `part`.

    For saying that something changed, and to nobody under whose consent nothing did: no row is handed out, so there is
    no read to log. Raises PermitExpired.
    """
    permitted.still_valid(permit, now)
    rows = models.Transaction.objects.permitted(permit).filter(account_id__in=account_ids, change_sequence__gt=after)
    found: int | None = rows.filter(permitted.shown(permitted.filters_of(permit, part))).aggregate(
        last=Max("change_sequence")
    )["last"]
    return found


# -- the walk ----------------------------------------------------------------------------------------------------------


def _walk(
    permit: Permit, opened: Mapping[UUID, Opened], stretches: Mapping[UUID, Stretch], limit: int
) -> tuple[list[_Change], dict[UUID, Stretch]]:
    """The changes of this page, connection by connection in order of sequence, and what is left of each stretch.

    One change more than `limit` is looked for, so that a walk whose last row fits says that it is over.
    """
    told: list[_Change] = []
    left: dict[UUID, Stretch] = {}
    for connection_id, stretch in sorted(stretches.items()):
        room = limit - len(told)
        found = _changes_of(permit, opened, connection_id, stretch, room + 1)
        told += found[:room]
        if len(found) <= room:
            left[connection_id] = replace(stretch, at=stretch.until)
        else:
            left[connection_id] = replace(stretch, at=found[room - 1].sequence) if room else stretch
    if all(stretch.at == stretch.until for stretch in left.values()):
        left = {one: Stretch(stretch.until, stretch.until, stretch.until) for one, stretch in left.items()}
    return told, left


def _changes_of(
    permit: Permit, opened: Mapping[UUID, Opened], connection_id: UUID, stretch: Stretch, count: int
) -> list[_Change]:
    if stretch.at >= stretch.until:
        return []
    mine = [one for one in opened.values() if one.state.connection_id == connection_id]
    # Account by account: each is a range of the index (account, change_sequence), and no sort over all.
    found = [change for one in mine for change in _changes_in(permit, one, stretch, count)]
    return sorted(found, key=lambda change: change.sequence)[:count]


def _changes_in(permit: Permit, opened: Opened, stretch: Stretch, count: int) -> Iterable[_Change]:
    rows = models.Transaction.objects.permitted(permit).filter(account_id=opened.state.id)
    flagged = _flagged(rows, permit, opened.part, stretch)
    for row_id, sequence, is_live, is_known in _changed(flagged, stretch)[:count]:
        yield _Change(sequence=sequence, opened=opened, id=row_id, is_live=is_live, is_new=not is_known)
    if stretch.since == NOTHING:
        return  # nothing is known, so nothing can be gone
    for row_id, sequence in _withheld(flagged, stretch)[:count]:
        yield _Change(sequence=sequence, opened=opened, id=row_id, is_live=False, is_new=False)


def _flagged(rows: _Rows, permit: Permit, part: PermitSlice, stretch: Stretch) -> _Rows:
    """Each row with what decides: a condition that is neither true nor false (null) is false."""
    flagged: _Rows = rows.annotate(
        is_shown=_flag(permitted.shown(permitted.filters_of(permit, part))),
        is_live=_flag(~Q(status=TransactionStatus.REMOVED)),
        is_known=_flag(Q(added_sequence__lte=stretch.since)),
    )
    return flagged


def _changed(rows: _Rows, stretch: Stretch) -> _Rows:
    """What may be shown, at the number of its last change: a change beyond the walk comes with the next one."""
    mine = rows.filter(change_sequence__gt=stretch.at, change_sequence__lte=stretch.until)
    told = mine.filter(Q(is_shown=True) & (Q(is_live=True) | Q(is_known=True)))
    found: _Rows = told.order_by("change_sequence").values_list("id", "change_sequence", "is_live", "is_known")
    return found


def _withheld(rows: _Rows, stretch: Stretch) -> _Rows:
    """What left the view, at the number that it did so with. Changes of a row that is withheld are no news: at the
    number of its last one it could move beyond this walk, and in the next one no longer be filed anew."""
    mine = rows.filter(refiled_sequence__gt=stretch.at, refiled_sequence__lte=stretch.until)
    ever = mine.filter(refiled_sequence__gt=F("added_sequence"))  # follows from the rest, and opens the index
    told = ever.filter(is_known=True, is_shown=False)
    found: _Rows = told.order_by("refiled_sequence").values_list("id", "refiled_sequence")
    return found


def _flag(condition: Q) -> Case:
    return Case(When(condition, then=Value(True)), default=Value(False))


def _full_rows(permit: Permit, told: Sequence[_Change]) -> dict[UUID, Row]:
    """The released columns of what is live, through the filters of every list.

    A row that changed since it was looked for may be missing: its new number lies beyond this walk.
    """
    wanted: dict[UUID, list[_Change]] = {}
    for change in told:
        if change.is_live:
            wanted.setdefault(change.opened.state.id, []).append(change)
    rows: dict[UUID, Row] = {}
    for account_id, members in wanted.items():
        part = members[0].opened.part
        found = permitted.live_rows(permit, part, account_id).filter(id__in=[change.id for change in members])
        for row in found.values(*part.fields(Record.TRANSACTION)):
            rows[row["id"]] = MappingProxyType({**row, "account_id": account_id})
    return rows


def _tombstone(change: _Change) -> Row:
    return MappingProxyType({"id": change.id, "account_id": change.opened.state.id})


# -- the log, and how far the fetching has come ------------------------------------------------------------------------


def _commit_usage(
    permit: Permit, opened: Mapping[UUID, Opened], rows: Sequence[Row], *, now: datetime, request_id: str
) -> None:
    counts = []
    for part in permit.opening(Record.TRANSACTION):
        mine = part.account_ids & opened.keys()
        counts.append((part, sum(row["account_id"] in mine for row in rows)))
    permitted.commit_usage(permit, counts, Record.TRANSACTION, account_id=None, now=now, request_id=request_id)


def _progress(opened: Mapping[UUID, Opened], behind: frozenset[UUID], now: datetime) -> list[AccountProgress]:
    """Of what this walk tells: days that were covered while it went on come with the next one."""
    banks = {one.part.institution_id for one in opened.values()}
    reach = dict(models.Institution.objects.filter(id__in=banks).values_list("id", "history_days_max"))
    return [
        AccountProgress(
            account_id=account_id,
            update_status=_least(
                [
                    _update_status(one, reach[one.part.institution_id], now),
                    UpdateStatus.BACKFILLING if one.state.connection_id in behind else UpdateStatus.CURRENT,
                ]
            ),
            as_of=one.state.transactions_as_of,
            coverage=permitted.coverage(one.state, one.part),
            next_refresh_after=permitted.still_ahead(one.state.next_refresh_after, now),
        )
        for account_id, one in sorted(opened.items())
    ]


def _update_status(opened: Opened, history_days_max: int, now: datetime) -> UpdateStatus:
    state, part = opened.state, opened.part
    if state.transactions_as_of is None:
        return UpdateStatus.FIRST_SYNC
    # The window's edge is a calendar day counted back from today; no row's own date is derived here.
    edges = [now.date() - timedelta(days=history_days_max), part.history_from or date.min]
    wanted_from = max(edges if state.bank_first_on is None else [*edges, state.bank_first_on])
    covered = permitted.coverage(state, part)
    if covered.first_on is None or covered.first_on > wanted_from or covered.gaps:
        return UpdateStatus.BACKFILLING
    return UpdateStatus.CURRENT


def _least(statuses: Sequence[UpdateStatus]) -> UpdateStatus:
    return min(statuses, key=tuple(UpdateStatus).index, default=UpdateStatus.CURRENT)
