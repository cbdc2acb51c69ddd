"""How often was read, and refused: counted as it happens, so a console needs no query over the reads themselves."""

from collections.abc import Collection
from datetime import date, datetime
from uuid import UUID

from django.db.models import F

from consents.models import ReadCount, RefusedCount

#: Rows over which one day of one platform at one bank is spread: writers wait for each other less.
SHARDS = 8
#: As long as usage rows are kept.
USAGE_MONTHS = 13


def count_read(*, institution_ids: Collection[UUID], platform_id: UUID, user_id: UUID, now: datetime) -> None:
    """One read at each of these banks, in the caller's transaction."""
    for institution_id in sorted(institution_ids):
        key = {
            "institution_id": institution_id,
            "platform_id": platform_id,
            "read_on": now.date(),
            "shard": shard_of(user_id),
        }
        rows = ReadCount.objects.filter(**key)
        if not rows.update(reads=F("reads") + 1, last_read_at=now):
            # Two at once: whoever comes second finds the first's row.
            ReadCount.objects.bulk_create([ReadCount(**key, last_read_at=now)], ignore_conflicts=True)
            rows.update(reads=F("reads") + 1, last_read_at=now)


def shard_of(user_id: UUID) -> int:
    return user_id.int % SHARDS


def count_refused(*, institution_ids: Collection[UUID], platform_id: UUID, code: str, now: datetime) -> None:
    """One refused call that concerned these banks. `code` is the problem's."""
    for institution_id in sorted(institution_ids):
        key = {
            "institution_id": institution_id,
            "platform_id": platform_id,
            "code": code,
            "refused_at": now.replace(second=0, microsecond=0),
        }
        rows = RefusedCount.objects.filter(**key)
        if not rows.update(calls=F("calls") + 1):
            RefusedCount.objects.bulk_create([RefusedCount(**key)], ignore_conflicts=True)
            rows.update(calls=F("calls") + 1)


def usage_months(day: date) -> list[date]:
    """First days of the months of which usage rows are kept, `day`'s last: every index of theirs leads with the month,
    and partitions are chosen by it."""
    first = day.year * 12 + day.month - 1
    return [date(month // 12, month % 12 + 1, 1) for month in range(first - USAGE_MONTHS, first + 1)]
