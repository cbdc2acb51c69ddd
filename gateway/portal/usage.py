"""Who read what, for the person it is about."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from django.db.models import Count, Max, Q, QuerySet

from consents.models import UsageRow
from consents.scopes import Presence, Purpose, Record
from gateway import words
from gateway.portal.accounts import GONE, AccountLabel

#: As long as usage rows are kept.
MONTHS_KEPT = 13
LATEST = 50
RECENT = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Usage:
    """`recent` counts the reads of the last 7 days."""

    last_read_at: datetime | None = None
    recent: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadLine:
    """One read in words. `reference` is the request id, for asking us about it."""

    at: datetime
    what: str
    account: str
    rows: int
    purpose: str
    presence: str
    reference: str


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


def latest(user_id: UUID, consent_id: UUID, *, now: datetime) -> tuple[list[UsageRow], int]:
    """The newest LATEST reads, and how many there are."""
    rows = _kept(user_id, now).filter(consent_id=consent_id)
    return list(rows.order_by("-read_at", "-id")[:LATEST]), rows.count()


def lines(rows: Iterable[UsageRow], labelled: dict[UUID, AccountLabel]) -> list[ReadLine]:
    return [
        ReadLine(
            at=row.read_at,
            what=words.RECORD_WORDS[Record(row.record)],
            account=_account(row.account_id, labelled),
            rows=row.rows,
            purpose=words.PURPOSE_WORDS[Purpose(row.purpose)][0] if row.purpose else "",
            presence=words.PRESENCE_WORDS[_presence(row)],
            reference=row.request_id,
        )
        for row in rows
    ]


def _presence(row: UsageRow) -> Presence:
    # A row of an earlier release knows only that somebody was there; a platform's word did not count then.
    return Presence(row.presence or (Presence.PRESENT if row.attended else Presence.ABSENT))


def _account(account_id: UUID | None, labelled: dict[UUID, AccountLabel]) -> str:
    if account_id is None:
        return "All accounts you chose"
    return labelled[account_id].text if account_id in labelled else GONE


def _kept(user_id: UUID, now: datetime) -> QuerySet[UsageRow]:
    # Months are named one by one: every index leads with them, and partitions are chosen by them.
    return UsageRow.objects.filter(user_id=user_id, month__in=months(now.date()))


def months(day: date) -> list[date]:
    """First days of the months that usage rows are kept of, oldest first."""
    first = day.year * 12 + day.month - 1
    return [date(month // 12, month % 12 + 1, 1) for month in range(first - MONTHS_KEPT, first + 1)]
