"""Every 90 days of a live consent: who read what, how often, and what was never read (CDR rule 4.20)."""

from datetime import date, datetime, timedelta
from typing import Any

from django.db.models import Count, Exists, Max, Min, OuterRef, QuerySet

from consents.models import Consent, ConsentAccount, UsageRow
from consents.scopes import FIELD_RULES, Record, Scope
from consents.states import LIVE_CONSENTS, ConsentAccountStatus
from gateway.notify import notices
from gateway.notify.models import Notice, NoticeKind

PERIOD = timedelta(days=90)
BATCH = 200


def summarise(*, now: datetime) -> int:
    """Make the summaries that are due, once each by the calendar; how many.

    Periods count from the grant, or from the last renewal: then the person looked at it. After a longer standstill
    only the last period that ended is told.
    """
    told = Notice.objects.filter(consent_id=OuterRef("id"), kind=NoticeKind.USAGE_SUMMARY, occurred_at__gt=now - PERIOD)
    due = (
        Consent.objects.filter(
            status__in=LIVE_CONSENTS, expires_at__gt=now, authorised_at__lte=now - PERIOD, user__is_active=True
        )
        .exclude(Exists(told))
        .order_by("authorised_at", "id")
    )
    return sum(_summarise(consent, now) for consent in list(due[:BATCH]))


def _summarise(consent: Consent, now: datetime) -> bool:
    assert consent.authorised_at is not None
    number = (now - consent.authorised_at) // PERIOD
    ended_at = consent.authorised_at + number * PERIOD
    return notices.tell(
        NoticeKind.USAGE_SUMMARY,
        user_id=consent.user_id,
        occasion=f"usage.summary:{consent.id}:{consent.authorised_at:%Y-%m-%d}:{number}",
        consent_id=consent.id,
        details={
            "terms": notices.terms_of(consent),
            "reads": _reads(consent, ended_at - PERIOD, ended_at),
            "started_on": (ended_at - PERIOD).date().isoformat(),
            "ended_on": ended_at.date().isoformat(),
        },
        occurred_at=ended_at,
        now=now,
    )


def _reads(consent: Consent, start: datetime, end: datetime) -> dict[str, Any]:
    """Counts and instants; nothing of what was read."""
    rows = _rows(consent, start, end)
    by_record = rows.values("record").annotate(calls=Count("id"), first=Min("read_at"), last=Max("read_at"))
    counts = {row["record"]: row["calls"] for row in by_record.order_by("record")}
    seen = [(row["first"], row["last"]) for row in by_record]
    return {
        "counts": counts,
        "first_at": min(first for first, _ in seen).isoformat() if seen else None,
        "last_at": max(last for _, last in seen).isoformat() if seen else None,
        "unread_scopes": _unread_scopes(consent, rows),
        "unread_accounts": _unread_accounts(consent, rows),
    }


def _unread_scopes(consent: Consent, rows: QuerySet[UsageRow]) -> list[str]:
    """Scopes that no read made use of: a row names all that its permit released, its record says which could count."""
    used: set[str] = set()
    for record, scopes in rows.order_by().values_list("record", "scopes").distinct():
        used |= _opening(Record(record)) & set(scopes)
    return [scope for scope in Scope if scope in consent.scopes and scope not in used]


def _opening(record: Record) -> set[str]:
    return {str(scope) for rule in FIELD_RULES[record] for scope in rule.needs}


def _unread_accounts(consent: Consent, rows: QuerySet[UsageRow]) -> int:
    """How many of the accounts; a read of the list of accounts is one of all."""
    read = set(rows.order_by().values_list("account_id", flat=True).distinct())
    if None in read:
        return 0
    shared = ConsentAccount.objects.filter(consent=consent).exclude(status=ConsentAccountStatus.REVOKED)
    return len(set(shared.values_list("account_id", flat=True)) - read)


def _rows(consent: Consent, start: datetime, end: datetime) -> QuerySet[UsageRow]:
    # Months are named one by one: every index leads with them.
    months = _months(start.date(), end.date())
    return UsageRow.objects.filter(
        month__in=months, user_id=consent.user_id, consent_id=consent.id, read_at__gte=start, read_at__lt=end
    )


def _months(start: date, end: date) -> list[date]:
    first, last = start.year * 12 + start.month - 1, end.year * 12 + end.month - 1
    return [date(month // 12, month % 12 + 1, 1) for month in range(first, last + 1)]
