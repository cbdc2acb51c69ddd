"""Names under which a platform takes payments: it claims them, two people of the bank approve, one removes."""

from dataclasses import dataclass
from uuid import UUID

from django.http import Http404, HttpResponse
from django.views.decorators.http import require_http_methods

from banks.directory import InstitutionCard
from banks.normalize.merchants import merchant_category_code, merchant_key
from consents import clock, proposals
from consents.errors import TransitionRefused
from consents.models import ApprovedMerchant, Platform, Proposal
from consents.models.policy import ProposalKind, ProposalStatus
from consents.reasons import OpenReason, StopReason
from gateway.backoffice import acts, pages
from gateway.backoffice.acts import Act
from gateway.backoffice.pages import CHOOSE_REASON, Choice
from gateway.identity.staff import StaffRequest, acting, bank_staff


@dataclass(frozen=True, slots=True)
class _Asked:
    """What the form says; `error` is "" when it is whole."""

    name: str
    code: str
    reason: OpenReason | None
    error: str


@require_http_methods(["GET", "HEAD", "POST"])
@bank_staff
@acting
def merchants(request: StaffRequest, institution: InstitutionCard, platform_id: UUID) -> HttpResponse:
    """POST takes `name` (one that the platform claims), `code` (ISO 18245, or nothing) and `reason`."""
    platform = pages.platform_or_404(platform_id)
    asked = _asked(request, platform) if request.method == "POST" else None
    if asked is not None and not asked.error:
        return _propose(request, institution, platform, asked)
    waiting = Proposal.objects.filter(
        institution_id=institution.id,
        platform_id=platform_id,
        kind=ProposalKind.MERCHANT,
        status=ProposalStatus.WAITING,
    ).order_by("proposed_at")
    return pages.shown(
        request,
        institution,
        "merchants.html",
        {
            "platform": platform,
            "approved": ApprovedMerchant.objects.filter(
                institution_id=institution.id, platform_id=platform_id
            ).order_by("merchant_key"),
            "waiting": waiting,
            "claimed": [Choice(name, name, bool(asked and asked.name == name)) for name in platform.merchant_names],
            "code": asked.code if asked else "",
            "reasons": pages.reason_choices(OpenReason, request.POST.get("reason", "")),
            "error": asked.error if asked else "",
        },
        status=422 if asked else 200,
    )


@require_http_methods(["GET", "HEAD", "POST"])
@bank_staff
@acting
def remove(request: StaffRequest, institution: InstitutionCard, platform_id: UUID, merchant_id: UUID) -> HttpResponse:
    """At once, by one person."""
    platform = pages.platform_or_404(platform_id)
    found = ApprovedMerchant.objects.filter(
        id=merchant_id, institution_id=institution.id, platform_id=platform_id
    ).first()
    if found is None:
        raise Http404
    back = pages.address("merchants", institution, platform_id)
    reason = pages.reason_in(request, StopReason)
    if request.method == "POST" and reason is not None:
        proposals.remove_merchant(
            merchant_id=merchant_id,
            institution_id=institution.id,
            reason=reason,
            actor=request.actor,
            now=clock.now(),
        )
        return pages.onward(request, back, f"{found.merchant_key} is no longer {platform.name}’s.")
    return acts.page(
        request,
        institution,
        Act(
            title=f"Remove a merchant name of {platform.name}",
            lead=f"Payments to “{found.merchant_key}” no longer count as made to {platform.name} itself.",
            consequences=["Where a customer or the bank allows those payments alone, they are hidden at once."],
            button="Remove now",
            reasons=pages.reason_choices(StopReason),
            back=back,
        ),
    )


def _asked(request: StaffRequest, platform: Platform) -> _Asked:
    name, code = request.POST.get("name", ""), request.POST.get("code", "").strip()
    reason = pages.reason_in(request, OpenReason)
    error = ""
    if name not in platform.merchant_names or merchant_key(name, None) is None:
        error = "Choose one of the names that the platform claims"
    elif code and merchant_category_code(code) is None:
        error = "Type the category code as 4 digits, or leave it empty"
    elif reason is None:
        error = CHOOSE_REASON
    return _Asked(name, code, reason, error)


def _propose(request: StaffRequest, institution: InstitutionCard, platform: Platform, asked: _Asked) -> HttpResponse:
    key = merchant_key(asked.name, asked.code or None)
    assert key is not None and asked.reason is not None
    try:
        proposals.propose_merchant(
            institution_id=institution.id,
            platform_id=platform.id,
            merchant_key=key,
            merchant_name=asked.name,
            reason=asked.reason,
            person=request.user.id,
            actor=request.actor,
            now=clock.now(),
        )
    except TransitionRefused:
        back = pages.address("merchants", institution, platform.id)
        return pages.onward(request, back, f"{asked.name} is approved already.")
    said = "Asked for. It waits here for a second person."
    return pages.onward(request, pages.address("proposals", institution), said)
