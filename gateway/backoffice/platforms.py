"""One platform at this bank: what its consents hold, the policy in force, and who signed what."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.http import HttpResponse
from django.views.decorators.http import require_safe

from banks.directory import InstitutionCard
from consents import clock, policies
from consents.models import BankPolicy, Proposal
from consents.models.policy import ProposalStatus
from consents.states import PolicyStatus
from gateway import words
from gateway.backoffice import figures, overview, pages, wording
from gateway.backoffice.wording import Line
from gateway.identity.staff import StaffRequest, bank_staff

#: Versions on the page; older ones are in the audit log.
VERSIONS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """One version of a policy: what it changed, and who signed it."""

    number: int
    at: datetime
    status: str
    by: str
    reason: str
    lines: list[Line]


@require_safe
@bank_staff
def platform(request: StaffRequest, institution: InstitutionCard, platform_id: UUID) -> HttpResponse:
    now = clock.now()
    row = pages.platform_or_404(platform_id)
    signed = policies.latest_versions(institution.id)
    own, general = signed.get(platform_id), signed.get(None)
    stopping = general if general is not None and general.status != PolicyStatus.ALLOW else own
    found = figures.composition(institution.id, platform_id, now=now)
    return pages.shown(
        request,
        institution,
        "platform.html",
        {
            "platform": row,
            "force": overview.force_of(signed, row),
            "stopped": overview.stop_of(institution, stopping, platform_id),
            "can_suspend": own is None or own.status == PolicyStatus.ALLOW,
            "can_lift": own is not None and own.status == PolicyStatus.SUSPEND,
            "can_withdraw": own is None or own.status != PolicyStatus.BLOCK,
            "activity": figures.by_platform(institution.id, now=now).get(platform_id, figures.Activity()),
            "scopes": [(words.SCOPE_WORDS[scope].label, count) for scope, count in found.scopes.items()],
            "purposes": [(words.PURPOSE_WORDS[purpose][0], count) for purpose, count in found.purposes.items()],
            "days": [(wording.days(count), consents) for count, consents in found.days.items()],
            "has_own": own is not None,
            "terms": wording.terms(policies.terms_that_hold(institution.id, platform_id)),
            "versions": versions(institution, platform_id),
            "waiting": Proposal.objects.filter(
                institution_id=institution.id, platform_id=platform_id, status=ProposalStatus.WAITING
            ).count(),
            "charts": overview.drawn(institution.id, now=now, platform_id=platform_id),
        },
    )


def versions(institution: InstitutionCard, platform_id: UUID | None) -> list[Version]:
    """The newest VERSIONS of one policy, newest first, each held against the one before."""
    found = list(policies.versions(institution.id, platform_id)[: VERSIONS + 1])
    names = pages.colleagues(institution, (UUID(person) for policy in found for person in policy.approved_by))
    before: list[BankPolicy | None] = [*found[1:], None]
    pairs = list(zip(found, before, strict=False))[:VERSIONS]
    return [
        Version(
            number=policy.version,
            at=policy.created_at,
            status=wording.POLICY_STATUS[PolicyStatus(policy.status)][0],
            by=pages.signers(names, policy.approved_by),
            reason=wording.REASONS.get(policy.reason_code, ""),
            lines=[] if earlier is None else wording.differences(policies.terms_of(earlier), policies.terms_of(policy)),
        )
        for policy, earlier in pairs
    ]
