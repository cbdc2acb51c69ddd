"""The operator's view of banks and the work on them: health, limits, codes. No row of a customer's is shown.

Registered by gateway.operator.site. Of quarantined rows the reason is read, never what was quarantined.
"""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet

from banks.models import (
    Finding,
    Institution,
    InstitutionGate,
    QuarantinedRow,
    SyncJob,
    UpstreamEnding,
)
from consents.named import Named
from consents.read_only import ReadOnlyAdmin


class InstitutionAdmin(ReadOnlyAdmin):
    called = "Banks"
    list_display = ("name", "slug", "country", "status", "breaker", "connector", "is_sandbox", "id")
    shown = (
        "id", "slug", "name", "legal_name", "bic", "country", "timezone", "status", "breaker", "connector", "version",
        "issuer", "authorization_url", "token_url", "resource_url", "client_id", "is_sandbox", "history_days_max",
        "consent_days_max", "authentication_days_max", "queue", "concurrent_jobs_max", "calls_per_minute_max",
        "unattended_fetches_max", "attested_fetches_max", "refresh_minutes", "created_at",
    )  # fmt: skip
    list_filter = ("status", "country", "connector", "is_sandbox")
    search_fields = ("id", "slug", "name")
    found_by = "name, slug or id"
    ordering = ("name", "id")

    def name_of(self, row: Institution) -> str:
        return row.name

    @admin.display(description="breaker")
    def breaker(self, row: Institution) -> str | None:
        return InstitutionGate.objects.filter(institution_id=row.id).values_list("breaker", flat=True).first()


class InstitutionGateAdmin(ReadOnlyAdmin):
    called = "What banks can take now"
    list_display = ("institution_id", "breaker", "breaker_until", "calls", "failures", "unanswered")
    shown = (
        "institution_id", "breaker", "breaker_until", "opened_count", "probe_job_id", "probe_until",
        "bucket_thousandths", "bucket_at", "window_at", "calls", "failures", "unanswered",
    )  # fmt: skip
    list_filter = ("breaker",)
    ordering = ("institution_id",)

    def name_of(self, row: InstitutionGate) -> str:
        return f"of {row.institution.name}"


class SyncJobAdmin(ReadOnlyAdmin):
    called = "Sync jobs"
    list_display = ("id", "institution_id", "trigger", "status", "stage", "error_code", "attempts", "created_at")
    shown = (
        "id", "institution_id", "connection_id", "trigger", "checks_only", "status", "stage", "epoch", "attempts",
        "next_attempt_at", "not_before_at", "dispatched_at", "lease_until", "requested_again", "error_code",
        "upstream_status", "created_at", "started_at", "finished_at",
    )  # fmt: skip
    list_filter = ("status", "trigger", "error_code")
    search_fields = ("id", "connection__id", "institution__id")
    found_by = "name of the bank, or id of job, connection or bank"
    ordering = ("-created_at", "-id")


class FindingAdmin(ReadOnlyAdmin):
    called = "Findings"
    waiting_called = "Open findings"
    waiting_query = "closed_at__isempty=1"
    list_display = ("id", "kind", "institution_id", "connection_id", "code", "opened_at", "seen_at", "closed_at")
    shown = (*list_display, "account_id")
    list_filter = ("kind", ("closed_at", admin.EmptyFieldListFilter))
    search_fields = ("connection_id", "institution__id")
    found_by = "name of the bank, or id of connection or bank"
    ordering = ("-opened_at", "-id")

    def waiting(self) -> QuerySet[Any]:
        return Finding.objects.filter(closed_at=None)


class UpstreamEndingAdmin(ReadOnlyAdmin):
    called = "Consents to end at banks"
    list_display = ("id", "institution_id", "connection_id", "reason", "status", "error_code", "attempts", "created_at")
    shown = (*list_display, "next_attempt_at", "dispatched_at", "lease_until", "finished_at")
    list_filter = ("status", "reason", "error_code")
    search_fields = ("connection_id", "institution__id")
    found_by = "name of the bank, or id of connection or bank"
    ordering = ("-created_at", "-id")


class QuarantinedRowAdmin(ReadOnlyAdmin):
    """The sealed value, its digest and the account's own row stay where they are."""

    called = "Rows set aside"
    list_display = ("id", "reason", "field", "connector", "first_seen_at", "last_seen_at")
    shown = list_display
    list_filter = ("reason", "connector")
    ordering = ("-last_seen_at", "-id")

    def rows(self) -> QuerySet[Any]:
        return QuarantinedRow.objects.for_sync()


#: What goes by a name, on the pages of both packages.
NAMED = {"institution_id": Named("bank", Institution.objects)}
#: What gateway.operator.site shows of this package, in the order of its start page.
ADMINS: dict[type[Any], type[ReadOnlyAdmin]] = {
    Institution: InstitutionAdmin,
    InstitutionGate: InstitutionGateAdmin,
    SyncJob: SyncJobAdmin,
    Finding: FindingAdmin,
    QuarantinedRow: QuarantinedRowAdmin,
    UpstreamEnding: UpstreamEndingAdmin,
}
