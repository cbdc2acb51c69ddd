"""The operator's view of permission: who may do what, never what anybody has. Registered by gateway.operator.site."""

from collections.abc import Mapping
from typing import Any, cast

from django.contrib import admin, messages
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.views.decorators.http import require_POST

from consents import audit, clock, lifecycle, operator_proposals, platforms, reports
from consents.errors import AuditBroken, TwoPeopleNeeded
from consents.models import (
    AuditEntry,
    BankPolicy,
    Consent,
    Delivery,
    Event,
    EventLog,
    OperatorProposal,
    Platform,
    Proposal,
    Report,
    Revocation,
)
from consents.models.policy import ProposalKind, ProposalStatus
from consents.named import Named
from consents.read_only import ActingRequest, ReadOnlyAdmin, ReasonForm
from consents.states import ReportOutcome

Rows = QuerySet[Any]


def _acting(request: HttpRequest) -> dict[str, Any]:
    """Who acts and when, as every hand takes it."""
    return {"actor": cast(ActingRequest, request).actor, "now": clock.now()}


def _person(request: HttpRequest) -> dict[str, Any]:
    return {"person": cast(ActingRequest, request).person, **_acting(request)}


# -- platforms and consents --------------------------------------------------------------------------------------------


class PlatformAdmin(ReadOnlyAdmin):
    called = "Platforms"
    list_display = ("name", "status", "status_reason", "attested_at", "profile", "client_id", "id")
    shown = (
        "id", "name", "legal_name", "client_uri", "client_id", "status", "status_reason", "status_changed_at",
        "attested_at", "profile", "purposes", "redirect_uris", "is_sandbox",
    )  # fmt: skip
    list_filter = ("status", "profile", "is_sandbox")
    search_fields = ("id", "client_id", "name", "legal_name")
    found_by = "name, client id or id"
    ordering = ("name", "id")
    action_form = ReasonForm
    actions = ("suspend", "attest", "ask_to_allow", "ask_to_withdraw")

    def name_of(self, row: Platform) -> str:
        return row.name

    @admin.action(description="Suspend at once")
    def suspend(self, request: HttpRequest, rows: Rows) -> None:
        if reason := self.stop_reason(request):
            act = _acting(request)
            self.each(request, rows, lambda row: platforms.suspend(row, reason=reason, **act), "Suspended")

    @admin.action(description="Record that it attested again")
    def attest(self, request: HttpRequest, rows: Rows) -> None:
        act = _acting(request)
        self.each(request, rows, lambda row: platforms.renew_attestation(row, **act), "Attested")

    @admin.action(description="Ask a second operator to allow it (again)")
    def ask_to_allow(self, request: HttpRequest, rows: Rows) -> None:
        self._ask(request, rows, ProposalKind.LIFT, self.open_reason(request))

    @admin.action(description="Ask a second operator to withdraw it for good")
    def ask_to_withdraw(self, request: HttpRequest, rows: Rows) -> None:
        self._ask(request, rows, ProposalKind.WITHDRAW, self.stop_reason(request))

    def _ask(self, request: HttpRequest, rows: Rows, kind: ProposalKind, reason: str | None) -> None:
        if reason is not None:
            act = _person(request)
            self.each(
                request, rows, lambda row: operator_proposals.propose(row, kind, reason=reason, **act), "Asked for"
            )


class OperatorProposalAdmin(ReadOnlyAdmin):
    called = "Operators' proposals"
    waiting_called = "Proposals that wait for a second operator"
    waiting_query = "status__exact=WAITING"
    list_display = ("id", "kind", "platform_id", "consent_id", "reason_code", "status", "proposed_by", "proposed_at")
    shown = (*list_display, "decided_by", "decided_at")
    list_filter = ("status", "kind")
    search_fields = ("platform__id", "consent_id")
    found_by = "name of the platform, or id of platform or consent"
    ordering = ("-proposed_at", "-id")
    actions = ("approve", "refuse")

    def waiting(self) -> Rows:
        return OperatorProposal.objects.filter(status=ProposalStatus.WAITING)

    @admin.action(description="Approve, and carry it out")
    def approve(self, request: HttpRequest, rows: Rows) -> None:
        act, operates = _person(request), cast(ActingRequest, request).operates

        def approved(row: OperatorProposal) -> None:
            # Two operators: one who has left is not one of them any more.
            if not operates(row.proposed_by):
                raise TwoPeopleNeeded(row.id)
            operator_proposals.approve(proposal_id=row.id, **act)

        self.each(request, rows, approved, "Decided")

    @admin.action(description="Refuse")
    def refuse(self, request: HttpRequest, rows: Rows) -> None:
        act = _person(request)
        self.each(request, rows, lambda row: operator_proposals.refuse(proposal_id=row.id, **act), "Refused")


class ConsentAdmin(ReadOnlyAdmin):
    called = "Consents"
    list_display = ("id", "platform_id", "status", "status_reason", "status_initiator", "authorised_at", "expires_at")
    shown = (
        "id", "platform_id", "status", "status_reason", "status_initiator", "status_changed_at", "status_before",
        "scopes", "purposes", "duration_type", "duration_days", "created_at", "authorised_at", "expires_at", "ended_at",
        "revision",
    )  # fmt: skip
    list_filter = ("status", "status_initiator")
    search_fields = ("id", "platform__id")
    found_by = "id, or by name or id of the platform"
    ordering = ("-created_at", "-id")
    action_form = ReasonForm
    actions = ("suspend", "revoke", "ask_to_lift")

    @admin.action(description="Suspend at once")
    def suspend(self, request: HttpRequest, rows: Rows) -> None:
        if reason := self.stop_reason(request):
            act = _acting(request)
            self.each(
                request, rows, lambda row: lifecycle.suspend(consent_id=row.id, reason=reason, **act), "Suspended"
            )

    @admin.action(description="Revoke for good")
    def revoke(self, request: HttpRequest, rows: Rows) -> None:
        if reason := self.stop_reason(request):
            act = _acting(request)
            self.each(request, rows, lambda row: lifecycle.revoke(consent_id=row.id, reason=reason, **act), "Revoked")

    @admin.action(description="Ask a second operator to lift the suspension")
    def ask_to_lift(self, request: HttpRequest, rows: Rows) -> None:
        if reason := self.open_reason(request):
            act = _person(request)
            self.each(
                request,
                rows,
                lambda row: operator_proposals.propose_consent_lift(row, reason=reason, **act),
                "Asked for",
            )


class RevocationAdmin(ReadOnlyAdmin):
    called = "Revocations"
    list_display = (
        "consent_id", "initiator", "reason", "requested_at", "purged_at", "upstream_stage", "notified_at",
        "acknowledged_at",
    )  # fmt: skip
    shown = (
        "consent_id", "initiator", "reason", "deletes_at_once", "requested_at", "tokens_dead_at", "serving_stopped_at",
        "purged_at", "upstream_stage", "upstream_at", "notified_at", "acknowledged_at",
    )  # fmt: skip
    list_filter = (
        "initiator",
        "upstream_stage",
        ("purged_at", admin.EmptyFieldListFilter),
        ("acknowledged_at", admin.EmptyFieldListFilter),
    )
    search_fields = ("consent__id",)
    found_by = "id of the consent"
    ordering = ("-requested_at", "-consent_id")


class ReportAdmin(ReadOnlyAdmin):
    called = "Reports by users"
    waiting_called = "Open reports by users"
    waiting_query = "closed_at__isempty=1"
    list_display = ("id", "consent_id", "code", "reported_at", "closed_at", "outcome")
    shown = ("id", "consent_id", "request_id", "code", "reported_at", "closed_at", "outcome")
    list_filter = ("code", ("closed_at", admin.EmptyFieldListFilter))
    search_fields = ("consent__id", "request_id")
    found_by = "id of the consent or request"
    ordering = ("-reported_at", "-id")
    actions = ("unfounded", "upheld")

    def waiting(self) -> Rows:
        return Report.objects.filter(closed_at=None)

    @admin.action(description="Close: nothing was wrong, the consent goes on")
    def unfounded(self, request: HttpRequest, rows: Rows) -> None:
        self._close(request, rows, ReportOutcome.UNFOUNDED)

    @admin.action(description="Close: it was wrong, the consent ends")
    def upheld(self, request: HttpRequest, rows: Rows) -> None:
        self._close(request, rows, ReportOutcome.UPHELD)

    def _close(self, request: HttpRequest, rows: Rows, outcome: ReportOutcome) -> None:
        act = _acting(request)
        self.each(request, rows, lambda row: reports.close(report_id=row.id, outcome=outcome, **act), "Closed")


# -- what banks accept -------------------------------------------------------------------------------------------------


class BankPolicyAdmin(ReadOnlyAdmin):
    called = "Bank policies"
    list_display = ("id", "institution_id", "platform_id", "version", "status", "effective_from")
    shown = (
        "id", "institution_id", "platform_id", "version", "status", "reason_code", "effective_from", "scopes",
        "purposes", "history_days_max", "duration_days_max", "location_precision", "on_platform_only", "hidden_groups",
        "requires_attended", "accepts_attestation", "step_up", "requires_fapi2", "approved_by", "created_at",
    )  # fmt: skip
    list_filter = ("status",)
    search_fields = ("institution_id", "platform__id")
    found_by = "name or id of the bank or platform"
    of_all: Mapping[str, str] = {"platform_id": "every platform"}
    ordering = ("-effective_from", "-id")


class ProposalAdmin(ReadOnlyAdmin):
    called = "Banks' proposals"
    list_display = ("id", "institution_id", "platform_id", "kind", "status", "reason_code", "proposed_at")
    shown = (*list_display, "terms", "base_version", "proposed_by", "decided_by", "decided_at")
    list_filter = ("status", "kind")
    search_fields = ("institution_id", "platform__id")
    found_by = "name or id of the bank or platform"
    of_all: Mapping[str, str] = {"platform_id": "every platform"}
    ordering = ("-proposed_at", "-id")


# -- what happened -----------------------------------------------------------------------------------------------------


class AuditEntryAdmin(ReadOnlyAdmin):
    called = "Audit entries"
    list_display = ("sequence", "occurred_at", "action", "initiator", "from_status", "to_status", "reason_code")
    shown = (
        "id", "sequence", "occurred_at", "action", "initiator", "actor_pseudonym", "user_pseudonym", "consent_id",
        "platform_id", "institution_id", "from_status", "to_status", "reason_code", "details", "request_id",
        "previous_hash", "hash",
    )  # fmt: skip
    list_filter = ("initiator",)
    search_fields = ("action", "consent_id", "platform_id", "institution_id", "request_id")
    found_by = "action, name of the platform or bank, or any id"
    ordering = ("-occurred_at", "-id")
    change_list_template = "operator/audit.html"

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(require_POST(self.verify))
        return [path("verify/", view, name="consents_auditentry_verify"), *super().get_urls()]

    def verify(self, request: HttpRequest) -> HttpResponse:
        try:
            sealed = audit.verify()
        except AuditBroken as broken:
            self.message_user(request, f"The chain is broken at entry {broken.sequence}.", messages.ERROR)
        else:
            self.message_user(request, f"The chain holds: {sealed} sealed entries.", messages.SUCCESS)
        address = reverse("admin:consents_auditentry_changelist", current_app=self.admin_site.name)
        return HttpResponseRedirect(address, status=303)


class Backlog(admin.SimpleListFilter):
    """What still waits to be laid into logs, or told to the person concerned."""

    title = "backlog"
    parameter_name = "backlog"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[Any, str]]:
        return [("spread", "not in the platforms' logs"), ("noticed", "not told to the person")]

    def queryset(self, request: HttpRequest, queryset: Rows) -> Rows:
        waiting = {"spread": Q(spread_at=None), "noticed": Q(noticed_at=None)}
        return queryset.filter(waiting.get(self.value() or "", Q()))


class EventAdmin(ReadOnlyAdmin):
    called = "Events"
    list_display = ("id", "type", "platform_id", "consent_id", "occurred_at", "spread_at", "noticed_at")
    shown = (*list_display, "connection_id", "details")
    list_filter = (Backlog, "type")
    search_fields = ("consent_id", "platform_id", "connection_id")
    found_by = "name of the platform, or any id"
    ordering = ("-occurred_at", "-id")


class EventLogAdmin(ReadOnlyAdmin):
    called = "Event logs of platforms"
    list_display = ("platform_id", "last_sequence", "acknowledged_sequence", "behind", "acknowledged_at")
    shown = list_display
    search_fields = ("platform__id",)
    found_by = "name or id of the platform"
    ordering = ("platform_id",)

    def name_of(self, row: EventLog) -> str:
        return f"of {row.platform.name}"

    @admin.display(description="not yet acknowledged")
    def behind(self, row: EventLog) -> int:
        return row.last_sequence - row.acknowledged_sequence


class DeliveryAdmin(ReadOnlyAdmin):
    called = "Deliveries"
    list_display = ("id", "platform_id", "sequence", "event_id", "consent_id", "created_at")
    shown = list_display
    search_fields = ("platform_id", "consent_id")
    found_by = "name of the platform, or id of platform or consent"
    ordering = ("-created_at", "-id")


#: What goes by a name, on the pages of both packages.
NAMED = {"platform_id": Named("platform", Platform.objects)}
#: What gateway.operator.site shows of this package, in the order of its start page.
ADMINS: dict[type[Any], type[ReadOnlyAdmin]] = {
    Platform: PlatformAdmin,
    OperatorProposal: OperatorProposalAdmin,
    Consent: ConsentAdmin,
    Revocation: RevocationAdmin,
    Report: ReportAdmin,
    BankPolicy: BankPolicyAdmin,
    Proposal: ProposalAdmin,
    AuditEntry: AuditEntryAdmin,
    Event: EventAdmin,
    EventLog: EventLogAdmin,
    Delivery: DeliveryAdmin,
}
