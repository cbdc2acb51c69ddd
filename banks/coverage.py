"""Which days of an account are fetched, which are wanted, and in what windows. Pure; days are the bank's calendar days.

What is covered is a list of spans. An account keeps it as first day, last day and the gaps between.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import ClassVar, Self

DAY = timedelta(days=1)

#: How far before the last covered day a fetch begins: banks correct and add late.
OVERLAP = timedelta(days=14)
#: A pending row older than this no longer widens the fetch: no bank holds a card payment longer.
PENDING_DAYS_MAX = 45


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """Both days included."""

    first_on: date
    last_on: date


@dataclass(frozen=True, slots=True)
class Covered:
    """Spans in ascending order; no two touch."""

    spans: tuple[Span, ...] = ()

    @classmethod
    def of(cls, first_on: date | None, last_on: date | None, gaps: Iterable[Sequence[str]]) -> Self:
        """From an account's columns; gaps are pairs of ISO dates."""
        if first_on is None or last_on is None:
            return cls()
        spans, begins_on = [], first_on
        for start, end in sorted((date.fromisoformat(start), date.fromisoformat(end)) for start, end in gaps):
            spans.append(Span(begins_on, start - DAY))
            begins_on = end + DAY
        return cls((*spans, Span(begins_on, last_on)))

    @property
    def first_on(self) -> date | None:
        return self.spans[0].first_on if self.spans else None

    @property
    def last_on(self) -> date | None:
        return self.spans[-1].last_on if self.spans else None

    @property
    def gaps(self) -> list[list[str]]:
        pairs = zip(self.spans, self.spans[1:], strict=False)
        return [[str(left.last_on + DAY), str(right.first_on - DAY)] for left, right in pairs]

    def holds(self, day: date) -> bool:
        return any(span.first_on <= day <= span.last_on for span in self.spans)

    def holds_all(self, wanted: Span) -> bool:
        return any(span.first_on <= wanted.first_on and wanted.last_on <= span.last_on for span in self.spans)

    def plus(self, span: Span) -> "Covered":
        return Covered(_merged((*self.spans, span)))


def _merged(spans: Iterable[Span]) -> tuple[Span, ...]:
    merged: list[Span] = []
    for span in sorted(spans):
        if merged and span.first_on <= merged[-1].last_on + DAY:
            merged[-1] = Span(merged[-1].first_on, max(merged[-1].last_on, span.last_on))
        else:
            merged.append(span)
    return tuple(merged)


def to_fetch(
    covered: Covered, *, since: date, today: date, oldest_pending_on: date | None, refresh: bool = True
) -> list[Span]:
    """What is to be asked of the bank, newest first; nothing before `since`.

    The days that are missing; where the day before them is covered, OVERLAP of it again, because a hole is as old as
    what came late then. With `refresh` the newest days too: OVERLAP, and from the day before the oldest pending row
    on, so that its booking and its vanishing are seen on a list that holds both days.
    """
    missing = _missing(covered, Span(since, today)) if since <= today else []
    wanted = [replace(span, first_on=_reaching_back(span.first_on, covered, since)) for span in missing]
    last_on = covered.last_on
    if refresh and since <= today and last_on is not None:
        again_from = min(last_on, today) - OVERLAP
        if oldest_pending_on is not None and today - oldest_pending_on <= timedelta(days=PENDING_DAYS_MAX):
            again_from = min(again_from, oldest_pending_on - DAY)
        wanted.append(Span(max(since, again_from), today))
    return list(reversed(_merged(wanted)))


def _missing(covered: Covered, wanted: Span) -> list[Span]:
    missing, begins_on = [], wanted.first_on
    for span in covered.spans:
        if span.last_on < begins_on:
            continue
        if span.first_on > wanted.last_on:
            break
        if begins_on < span.first_on:
            missing.append(Span(begins_on, span.first_on - DAY))
        begins_on = span.last_on + DAY
    if begins_on <= wanted.last_on:
        missing.append(Span(begins_on, wanted.last_on))
    return missing


def _reaching_back(day: date, covered: Covered, since: date) -> date:
    return max(since, day - DAY - OVERLAP) if covered.holds(day - DAY) else day


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """One list to ask for, and the days it will cover. `until` None: to the newest.

    The asked days reach one day further than the next older window begins: a bank's filter runs on instants and ours on
    its calendar, so that a row at an edge could fall between two windows.
    """

    since: date
    until: date | None
    covers: Span

    @property
    def days(self) -> int:
        return (self.covers.last_on - self.covers.first_on).days + 1


def newest_window(wanted: Sequence[Span], *, days_max: int, today: date) -> tuple[Window, list[Span]]:
    """The first window of `wanted` (newest first, not empty), and what then remains.

    A small rest is taken along: pending rows of the last overlap and what they became belong on one list.
    """
    span, *others = wanted
    begins_on = max(span.first_on, span.last_on - timedelta(days=days_max - 1))
    if begins_on - span.first_on <= timedelta(days=days_max // 3):
        begins_on = span.first_on
    until = None if span.last_on + DAY >= today else span.last_on + 2 * DAY
    window = Window(since=begins_on, until=until, covers=Span(begins_on, span.last_on))
    rest = [] if begins_on == span.first_on else [Span(span.first_on, begins_on - DAY)]
    return window, rest + others


def from_day(wanted: Iterable[Span], first_on: date) -> list[Span]:
    """Without what lies before `first_on`: the bank has nothing older."""
    return [replace(span, first_on=max(span.first_on, first_on)) for span in wanted if span.last_on >= first_on]


@dataclass(slots=True)
class Pace:
    """How many days go into one window: fewer where the bank is slow or its lists are long, more while it is fast."""

    days: int = 90
    seconds_max: float = 60.0

    DAYS_MAX: ClassVar[int] = 1_000

    @property
    def can_shrink(self) -> bool:
        return self.days > 1

    def shrink(self) -> None:
        self.days = max(1, self.days // 2)

    def took(self, seconds: float) -> None:
        if seconds > self.seconds_max / 2:
            self.shrink()
        elif seconds < self.seconds_max / 8:
            self.days = min(self.DAYS_MAX, self.days * 2)
