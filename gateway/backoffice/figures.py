"""What the console counts: consents, people and accounts at one bank, reads and refused calls. Never a customer's data.

Every query begins with the institution: what happens at another bank is in no sum.
"""

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from uuid import UUID

from django.db.models import Count, Max, QuerySet, Sum

from consents.models import ConsentAccount, ReadCount, RefusedCount
from consents.scopes import Purpose, Scope
from consents.states import LIVE_CONSENTS, ConsentAccountStatus

READS_DAYS = 30
RECENT_DAYS = 7
REFUSED_HOURS = 24


@dataclass(frozen=True, slots=True)
class Held:
    """Live consents of this bank's customers, the people who gave them, and their accounts here."""

    consents: int = 0
    people: int = 0
    accounts: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Activity:
    """One platform at one bank. `refused` counts calls by problem code, over REFUSED_HOURS."""

    held: Held = Held()
    scopes: tuple[Scope, ...] = ()
    last_read_at: datetime | None = None
    reads: int = 0  #: over RECENT_DAYS
    refused: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True, kw_only=True)
class Composition:
    """How many of a platform's consents have each scope, purpose and length in days (None: one use)."""

    scopes: dict[Scope, int]
    purposes: dict[Purpose, int]
    days: dict[int | None, int]


def held(institution_id: UUID, *, now: datetime, platform_id: UUID | None = None) -> Held:
    """Of one platform, or of all."""
    rows = _live(institution_id, now)
    if platform_id is not None:
        rows = rows.filter(consent__platform_id=platform_id)
    return Held(**rows.aggregate(**_COUNTED))


def by_platform(institution_id: UUID, *, now: datetime) -> dict[UUID, Activity]:
    """Platforms with live consents here; a handful of queries, however many there are."""
    live = _live(institution_id, now).order_by()
    counted = {
        platform_id: Held(consents, people, accounts)
        for platform_id, consents, people, accounts in live.values("consent__platform_id")
        .annotate(**_COUNTED)
        .values_list("consent__platform_id", *_COUNTED)
    }
    scopes: dict[UUID, set[str]] = defaultdict(set)
    for platform_id, names in live.values_list("consent__platform_id", "consent__scopes").distinct():
        scopes[platform_id].update(names)
    last = _last_reads(institution_id)
    recent = _reads(institution_id, now.date() - timedelta(days=RECENT_DAYS - 1))
    refused = refused_by_platform(institution_id, since=now - timedelta(hours=REFUSED_HOURS))
    return {
        platform_id: Activity(
            held=total,
            scopes=tuple(scope for scope in Scope if scope in scopes[platform_id]),
            last_read_at=last.get(platform_id),
            reads=recent.get(platform_id, 0),
            refused=refused.get(platform_id, Counter()),
        )
        for platform_id, total in counted.items()
    }


def composition(institution_id: UUID, platform_id: UUID, *, now: datetime) -> Composition:
    live = _live(institution_id, now).filter(consent__platform_id=platform_id).order_by()
    scopes: Counter[str] = Counter()
    purposes: Counter[str] = Counter()
    days: Counter[int | None] = Counter()
    terms = ("consent__scopes", "consent__purposes", "consent__duration_days")
    for row in live.values(*terms).annotate(consents=Count("consent_id", distinct=True)):
        for name in row["consent__scopes"]:
            scopes[name] += row["consents"]
        for name in row["consent__purposes"]:
            purposes[name] += row["consents"]
        days[row["consent__duration_days"]] += row["consents"]
    return Composition(
        scopes={scope: scopes[scope] for scope in Scope if scopes[scope]},
        purposes={purpose: purposes[purpose] for purpose in Purpose if purposes[purpose]},
        days=dict(sorted(days.items(), key=lambda item: (item[0] is None, item[0] or 0))),
    )


def reads_per_day(institution_id: UUID, *, now: datetime, platform_id: UUID | None = None) -> list[tuple[date, int]]:
    """The last READS_DAYS days (UTC), today last."""
    days = [now.date() - timedelta(days=back) for back in reversed(range(READS_DAYS))]
    rows = ReadCount.objects.filter(institution_id=institution_id, read_on__gte=days[0])
    if platform_id is not None:
        rows = rows.filter(platform_id=platform_id)
    counted = dict(rows.order_by().values_list("read_on").annotate(total=Sum("reads")))
    return [(day, counted.get(day, 0)) for day in days]


def refused_per_hour(
    institution_id: UUID, *, now: datetime, platform_id: UUID | None = None
) -> list[tuple[datetime, int]]:
    """The last REFUSED_HOURS hours (UTC), the running one last."""
    running = now.replace(minute=0, second=0, microsecond=0)
    hours = [running - timedelta(hours=back) for back in reversed(range(REFUSED_HOURS))]
    counted: Counter[datetime] = Counter()
    for minute, calls in _refused(institution_id, hours[0], platform_id).values_list("refused_at", "calls"):
        counted[minute.replace(minute=0)] += calls
    return [(hour, counted[hour]) for hour in hours]


def refused_since(institution_id: UUID, since: datetime, *, platform_id: UUID | None = None) -> int:
    """To the minute: the calls of the minute in which it began are in the sum."""
    minute = since.replace(second=0, microsecond=0)
    return _refused(institution_id, minute, platform_id).aggregate(total=Sum("calls"))["total"] or 0


def refused_by_platform(institution_id: UUID, *, since: datetime) -> dict[UUID, Counter[str]]:
    found: dict[UUID, Counter[str]] = defaultdict(Counter)
    rows = _refused(institution_id, since, None).order_by()
    for platform_id, code, calls in rows.values_list("platform_id", "code").annotate(total=Sum("calls")):
        found[platform_id][code] = calls
    return dict(found)


_COUNTED = {
    "consents": Count("consent_id", distinct=True),
    "people": Count("consent__user_id", distinct=True),
    "accounts": Count("account_id", distinct=True),
}


def _live(institution_id: UUID, now: datetime) -> QuerySet[ConsentAccount]:
    return ConsentAccount.objects.filter(
        institution_id=institution_id, consent__status__in=LIVE_CONSENTS, consent__expires_at__gt=now
    ).exclude(status=ConsentAccountStatus.REVOKED)


def _last_reads(institution_id: UUID) -> dict[UUID, datetime]:
    rows = ReadCount.objects.filter(institution_id=institution_id).order_by()
    return dict(rows.values_list("platform_id").annotate(last=Max("last_read_at")))


def _reads(institution_id: UUID, since: date) -> dict[UUID, int]:
    rows = ReadCount.objects.filter(institution_id=institution_id, read_on__gte=since).order_by()
    return dict(rows.values_list("platform_id").annotate(total=Sum("reads")))


def _refused(institution_id: UUID, since: datetime, platform_id: UUID | None) -> QuerySet[RefusedCount]:
    rows = RefusedCount.objects.filter(institution_id=institution_id, refused_at__gte=since)
    return rows if platform_id is None else rows.filter(platform_id=platform_id)
