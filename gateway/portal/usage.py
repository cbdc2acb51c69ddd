"""Who read what, for the person it is about: counted, filtered, and paged from the newest on. Queries only."""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from heapq import merge
from itertools import islice
from typing import TypeVar
from uuid import UUID

from django.db.models import Count, Max, Q, QuerySet
from django.db.models.functions import TruncDate

from consents import traffic
from consents.models import ConsentAccount, CustomerLookup, UsageRow
from consents.scopes import Record

RECENT = timedelta(days=7)
CHART_DAYS = 30

Entry = UsageRow | CustomerLookup
Row = TypeVar("Row", UsageRow, CustomerLookup)


@dataclass(frozen=True, slots=True)
class Usage:
    """`recent` counts the reads of the last 7 days."""

    last_read_at: datetime | None = None
    recent: int = 0


@dataclass(frozen=True, slots=True)
class Position:
    """After which entry a page begins: instant and id of the last one of the page before."""

    at: datetime
    id: UUID

    def __str__(self) -> str:
        return f"{self.at.astimezone(UTC):%Y%m%dT%H%M%S.%f}_{self.id.hex}"

    @staticmethod
    def parsed(text: str) -> "Position":
        """Raises ValueError for anything that `str` did not write."""
        found = re.fullmatch(r"(\d{8}T\d{6}\.\d{6})_([0-9a-f]{32})", text)
        if found is None:
            raise ValueError("not a position")
        at = datetime.strptime(found[1], "%Y%m%dT%H%M%S.%f").replace(tzinfo=UTC)
        return Position(at, UUID(hex=found[2]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What of the log is asked for; None: any. Both days are inclusive, in UTC.

    `lookups`: True, only what a bank's staff looked up; False, only reads of platforms; None, both, as far as the
    other conditions can be true of a lookup, which knows neither platform nor account.
    """

    consent_id: UUID | None = None
    platform_id: UUID | None = None
    record: Record | None = None
    account_id: UUID | None = None
    first_on: date | None = None
    last_on: date | None = None
    lookups: bool | None = None

    @property
    def has_reads(self) -> bool:
        return self.lookups is not True

    @property
    def has_lookups(self) -> bool:
        narrowed = (self.consent_id, self.platform_id, self.record, self.account_id)
        return self.lookups is not False and all(one is None for one in narrowed)


def by_consent(user_id: UUID, consent_ids: Collection[UUID], *, now: datetime) -> dict[UUID, Usage]:
    """A consent that was never read has no entry."""
    found = (
        _kept(user_id, now)
        .filter(consent_id__in=consent_ids)
        .values("consent_id")
        .annotate(last=Max("read_at"), recent=Count("read_at", filter=Q(read_at__gte=now - RECENT)))
        .order_by("consent_id")
    )
    return {row["consent_id"]: Usage(row["last"], row["recent"]) for row in found}


def reads_since(user_id: UUID, consent_id: UUID, since: datetime, *, now: datetime) -> int:
    return _kept(user_id, now).filter(consent_id=consent_id, read_at__gte=since).count()


def was_read(user_id: UUID, consent_id: UUID, request_id: str, *, now: datetime) -> bool:
    """Whether this request read something under this consent."""
    return _kept(user_id, now).filter(consent_id=consent_id, request_id=request_id).exists()


def page(
    user_id: UUID, wanted: Wanted, *, size: int, now: datetime, after: Position | None = None
) -> tuple[list[Entry], Position | None]:
    """At most `size` entries, newest first, and where the next page begins; None: this is the last."""
    reads: Iterator[Entry] = iter(_newest(_reads(user_id, wanted, now), "read_at", after, size + 1))
    lookups: Iterator[Entry] = iter(_newest(_lookups(user_id, wanted), "looked_up_at", after, size + 1))
    found = list(islice(merge(reads, lookups, key=_order, reverse=True), size + 1))
    return found[:size], Position(*_order(found[size - 1])) if len(found) > size else None


def by_day(user_id: UUID, wanted: Wanted, *, now: datetime) -> list[tuple[date, int]]:
    """Reads of each of the last CHART_DAYS days, oldest first; days without any are 0. The wanted days do not count."""
    days = [now.date() - timedelta(days=back) for back in reversed(range(CHART_DAYS))]
    rows = _narrowed(_kept(user_id, now), wanted).filter(read_at__gte=_begin(days[0]))
    counted = rows.annotate(day=TruncDate("read_at", tzinfo=UTC)).values("day").annotate(reads=Count("read_at"))
    found = {row["day"]: row["reads"] for row in counted.order_by("day")}
    return [(day, found.get(day, 0)) for day in days]


def at_of(entry: Entry) -> datetime:
    return entry.read_at if isinstance(entry, UsageRow) else entry.looked_up_at


def _order(entry: Entry) -> tuple[datetime, UUID]:
    return at_of(entry), entry.id


def _newest(rows: "QuerySet[Row]", at: str, after: Position | None, limit: int) -> "QuerySet[Row]":
    if after is not None:
        rows = rows.filter(Q(**{f"{at}__lt": after.at}) | Q(**{at: after.at, "id__lt": after.id}))
    return rows.order_by(f"-{at}", "-id")[:limit]


def _reads(user_id: UUID, wanted: Wanted, now: datetime) -> QuerySet[UsageRow]:
    rows = _narrowed(_kept(user_id, now), wanted)
    return _within(rows, "read_at", wanted) if wanted.has_reads else rows.none()


def _narrowed(rows: QuerySet[UsageRow], wanted: Wanted) -> QuerySet[UsageRow]:
    if wanted.consent_id is not None:
        rows = rows.filter(consent_id=wanted.consent_id)
    if wanted.platform_id is not None:
        rows = rows.filter(platform_id=wanted.platform_id)
    if wanted.record is not None:
        rows = rows.filter(record=wanted.record)
    if wanted.account_id is not None:
        # A read of all accounts under a consent was a read of this one too.
        holding = ConsentAccount.objects.filter(account_id=wanted.account_id).values_list("consent_id", flat=True)
        of_all = Q(account_id=None, consent_id__in=list(holding))
        rows = rows.filter(Q(account_id=wanted.account_id) | of_all)
    return rows


def _lookups(user_id: UUID, wanted: Wanted) -> QuerySet[CustomerLookup]:
    rows = CustomerLookup.objects.filter(user_id=user_id)
    return _within(rows, "looked_up_at", wanted) if wanted.has_lookups else rows.none()


def _within(rows: "QuerySet[Row]", at: str, wanted: Wanted) -> "QuerySet[Row]":
    if wanted.first_on is not None:
        rows = rows.filter(**{f"{at}__gte": _begin(wanted.first_on)})
    if wanted.last_on is not None:
        rows = rows.filter(**{f"{at}__lte": datetime.combine(wanted.last_on, time.max, UTC)})
    return rows


def _begin(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def _kept(user_id: UUID, now: datetime) -> QuerySet[UsageRow]:
    # Months are named one by one: every index leads with them, and partitions are chosen by them.
    return UsageRow.objects.filter(user_id=user_id, month__in=traffic.usage_months(now.date()))
