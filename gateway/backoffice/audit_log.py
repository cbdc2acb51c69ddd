"""The bank's own audit log: what was done at this bank, by whom, page by page and as CSV."""

import csv
import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import cast
from uuid import UUID

from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpResponse, StreamingHttpResponse
from django.views.decorators.http import require_safe

from banks.directory import InstitutionCard
from consents.models import AuditEntry, Platform
from consents.states import Initiator
from gateway.backoffice import audit_words, pages, wording
from gateway.identity.models import Membership, User
from gateway.identity.staff import StaffRequest, bank_staff

PAGE = 50
_COLUMNS = ("occurred_at", "action", "by", "platform", "from_status", "to_status", "reason", "consent", "request_id")
#: A spreadsheet would take these for a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")

_INITIATORS = {
    Initiator.USER: "the customer",
    Initiator.PLATFORM: "the platform",
    Initiator.BANK: "the bank",
    Initiator.OPERATOR: "the operator of Sluice",
    Initiator.SYSTEM: "Sluice by itself",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One entry, in words and in the codes that the file has. `by` names a person of this bank, and nobody else."""

    at: datetime
    what: str
    states: str
    why: str
    action: str
    by: str
    platform: str
    from_status: str
    to_status: str
    reason: str
    reason_code: str
    consent: str
    request_id: str

    @property
    def codes(self) -> list[str]:
        """As programs call it."""
        return [code for code in (self.action, self.from_status, self.to_status, self.reason_code) if code]


@require_safe
@bank_staff
def audit_log(request: StaffRequest, institution: InstitutionCard) -> HttpResponse:
    """GET takes `page`, from 1."""
    found = Paginator(_own(institution), PAGE).get_page(request.GET.get("page"))
    entries = list(_entries(institution, found.object_list))
    return pages.shown(request, institution, "audit.html", {"page": found, "entries": entries})


@require_safe
@bank_staff
def audit_csv(request: StaffRequest, institution: InstitutionCard) -> HttpResponse:
    """All of it, newest first; the hashes stay with the chain."""
    rows = _entries(institution, _own(institution).iterator())
    answer = StreamingHttpResponse(_written(rows), content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="audit-{institution.slug}.csv"'
    return cast(HttpResponse, answer)  # what every page does with its answer is set its headers


def _own(institution: InstitutionCard) -> QuerySet[AuditEntry]:
    return AuditEntry.objects.filter(institution_id=institution.id).order_by("-occurred_at", "-id")


def _entries(institution: InstitutionCard, rows: Iterable[AuditEntry]) -> Iterator[Entry]:
    staff = Membership.objects.filter(institution_id=institution.id).values("user_id")
    names = dict(User.objects.filter(id__in=staff).values_list("pseudonym", "username"))
    platforms = dict(Platform.objects.values_list("id", "name"))
    return (_entry(row, names, platforms) for row in rows)


def _entry(row: AuditEntry, names: dict[UUID | None, str], platforms: dict[UUID, str]) -> Entry:
    by = names.get(row.actor_pseudonym) if row.actor_pseudonym else None
    return Entry(
        at=row.occurred_at,
        what=audit_words.action(row.action, row.details),
        states=audit_words.states(row.action, row.from_status, row.to_status),
        why=audit_words.reason(row.reason_code),
        action=row.action,
        by=by or _INITIATORS[Initiator(row.initiator)],
        platform=platforms.get(row.platform_id, "") if row.platform_id else "",
        from_status=row.from_status,
        to_status=row.to_status,
        reason=wording.REASONS.get(row.reason_code, row.reason_code),
        reason_code=row.reason_code,
        consent="" if row.consent_id is None else str(row.consent_id),
        request_id=row.request_id,
    )


def _written(entries: Iterable[Entry]) -> Iterator[str]:
    yield _line(_COLUMNS)
    for one in entries:
        texts = (one.action, one.by, one.platform, one.from_status, one.to_status, one.reason, one.consent)
        yield _line((one.at.isoformat(), *map(_plain, texts), one.request_id))


def _plain(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULA) else text


def _line(cells: Iterable[str]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer).writerow(cells)
    return buffer.getvalue()
