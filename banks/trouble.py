"""What an operator should look at: findings, and why rows were set aside. Ids, codes and counts; no customer data.

A quarantined row's value stays sealed; what is told of it is the reason, the member at fault and the connector.
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import Count, Max

from banks.models import Finding, FindingKind, QuarantinedRow


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenFinding:
    """One thing that is not as it should be, since `opened_at`. `bank`: slug of the institution."""

    kind: FindingKind
    code: str
    bank: str
    connection_id: UUID | None
    account_id: UUID | None
    opened_at: datetime
    seen_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Quarantined:
    """Rows of one bank that were set aside for one reason at one member. `field`: path in the bank's answer."""

    bank: str
    connector: str
    reason: str
    field: str
    rows: int
    last_seen_at: datetime


def open_findings(*, bank: str | None = None) -> list[OpenFinding]:
    """Newest first; of one bank (slug), or of all."""
    found = Finding.objects.filter(closed_at=None).select_related("institution")
    if bank is not None:
        found = found.filter(institution__slug=bank)
    return [
        OpenFinding(
            kind=FindingKind(row.kind),
            code=row.code,
            bank=row.institution.slug,
            connection_id=row.connection_id,
            account_id=row.account_id,
            opened_at=row.opened_at,
            seen_at=row.seen_at,
        )
        for row in found.order_by("-opened_at", "id")
    ]


def quarantined(*, bank: str | None = None) -> list[Quarantined]:
    """The commonest reason first; of one bank (slug), or of all."""
    rows = QuarantinedRow.objects.for_sync()
    if bank is not None:
        rows = rows.filter(account__institution__slug=bank)
    by_reason = rows.values_list("account__institution__slug", "connector", "reason", "field").annotate(
        rows=Count("id"), last_seen_at=Max("last_seen_at")
    )
    return [
        Quarantined(bank=slug, connector=connector, reason=reason, field=field, rows=count, last_seen_at=last_seen_at)
        for slug, connector, reason, field, count, last_seen_at in by_reason.order_by("-rows", "reason", "field")
    ]
