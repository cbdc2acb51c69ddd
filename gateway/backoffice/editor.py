"""The policy in its simple form: edited, tried on the consents there are, signed by one or handed to a second.

The terms travel in the address: the page that shows their effect changes nothing, and can be come back to.
"""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.http import HttpResponse
from django.views.decorators.http import require_http_methods, require_safe

from banks import dry_run
from banks.directory import InstitutionCard
from consents import clock, policies, proposals, stops
from consents.errors import PolicyChanged, TwoPeopleNeeded
from consents.models import Platform
from consents.policy_terms import PolicyTerms, widened
from consents.reasons import OpenReason, StopReason
from consents.states import PolicyStatus
from gateway.backoffice import pages, wording
from gateway.backoffice.pages import CHOOSE_REASON
from gateway.backoffice.platforms import versions
from gateway.backoffice.terms_form import TermsForm
from gateway.identity.staff import StaffRequest, acting, bank_staff

_CHANGED = "Somebody signed another version meanwhile. These are the terms that hold now."


@dataclass(frozen=True, slots=True, kw_only=True)
class _Edited:
    """What the address says, against what holds."""

    before: PolicyTerms | None
    after: PolicyTerms
    base_version: int

    @property
    def wider(self) -> tuple[str, ...]:
        return widened(self.before, self.after)


@require_safe
@bank_staff
def edit(request: StaffRequest, institution: InstitutionCard, platform_id: UUID | None = None) -> HttpResponse:
    """The form; `review` below takes what it sends."""
    return _form(request, institution, platform_id, TermsForm.of(policies.terms_that_hold(institution.id, platform_id)))


@require_http_methods(["GET", "HEAD", "POST"])
@bank_staff
@acting
def review(request: StaffRequest, institution: InstitutionCard, platform_id: UUID | None = None) -> HttpResponse:
    """GET takes the terms as TermsForm names them, and `base_version`: the version they were made from."""
    form = TermsForm(request.GET)
    if not form.is_valid():
        return _form(request, institution, platform_id, form, status=422)
    before = policies.terms_that_hold(institution.id, platform_id)
    newest = policies.latest(institution.id, platform_id)
    if form.version != (0 if newest is None else newest.version):
        return pages.onward(request, _edit_address(institution, platform_id), _CHANGED)
    edited = _Edited(before=before, after=form.terms(_status(before)), base_version=form.version)
    if edited.after == edited.before and (platform_id is None or newest is not None):
        return pages.onward(request, pages.home_of(institution, platform_id), "Nothing was changed.")
    if request.method == "POST" and (reason := _reason(request, edited)) is not None:
        return _sign(request, institution, platform_id, edited, reason)
    return _review(request, institution, platform_id, edited)


def _status(before: PolicyTerms | None) -> PolicyStatus:
    """An edit does not lift a stop; terms for a platform that was withdrawn let it in anew."""
    return PolicyStatus.SUSPEND if before is not None and before.status == PolicyStatus.SUSPEND else PolicyStatus.ALLOW


def _sign(
    request: StaffRequest,
    institution: InstitutionCard,
    platform_id: UUID | None,
    edited: _Edited,
    reason: StopReason | OpenReason,
) -> HttpResponse:
    common: dict[str, Any] = {
        "institution_id": institution.id,
        "platform_id": platform_id,
        "terms": edited.after,
        "base_version": edited.base_version,
        "reason": reason,
        "person": request.user.id,
        "actor": request.actor,
        "now": clock.now(),
    }
    try:
        if edited.wider:
            proposals.propose_terms(**common)
            said = "Asked for. It waits here for a second person."
            return pages.onward(request, pages.address("proposals", institution), said)
        policy = stops.narrow(**common)
    except (PolicyChanged, TwoPeopleNeeded):  # what was narrower a moment ago may be wider now
        return pages.onward(request, _edit_address(institution, platform_id), _CHANGED)
    said = f"Version {policy.version} is in force."
    return pages.onward(request, pages.home_of(institution, platform_id), said)


def _review(
    request: StaffRequest, institution: InstitutionCard, platform_id: UUID | None, edited: _Edited
) -> HttpResponse:
    is_short = request.method == "POST"
    rehearsed = dry_run.rehearse(institution_id=institution.id, changes={platform_id: edited.after}, now=clock.now())
    names = dict(
        Platform.objects.filter(id__in=rehearsed.losing_platforms | rehearsed.gaining_platforms).values_list(
            "id", "name"
        )
    )
    return pages.shown(
        request,
        institution,
        "review.html",
        {
            "platform": None if platform_id is None else pages.platform_or_404(platform_id),
            "lines": wording.differences(edited.before, edited.after),
            "is_wider": bool(edited.wider),
            "rehearsed": rehearsed,
            "losing": sorted(names[one] for one in rehearsed.losing_platforms),
            "gaining": sorted(names[one] for one in rehearsed.gaining_platforms),
            "reasons": [choice for listed in _reasons(edited) for choice in pages.reason_choices(listed)],
            "error": CHOOSE_REASON if is_short else "",
            "here": request.get_full_path(),
            "back": _edit_address(institution, platform_id),
        },
        status=422 if is_short else 200,
    )


def _form(
    request: StaffRequest,
    institution: InstitutionCard,
    platform_id: UUID | None,
    form: TermsForm,
    *,
    status: int = 200,
) -> HttpResponse:
    newest = policies.latest(institution.id, platform_id)
    signed = policies.latest_versions(institution.id)
    own = [one.name for one in pages.platforms() if one.id in signed]
    target = "policy_review" if platform_id is None else "platform_policy_review"
    arguments = () if platform_id is None else (platform_id,)
    return pages.shown(
        request,
        institution,
        "policy.html",
        {
            "platform": None if platform_id is None else pages.platform_or_404(platform_id),
            "form": form,
            "errors": form.errors_listed(),
            "error": bool(form.errors_listed()),
            "base_version": 0 if newest is None else newest.version,
            "is_first": newest is None,
            "is_suspended": newest is not None and newest.status == PolicyStatus.SUSPEND,
            "own": own if platform_id is None else [],
            "target": pages.address(target, institution, *arguments),
            "back": pages.home_of(institution, platform_id),
            "versions": versions(institution, None) if platform_id is None else [],
        },
        status=status,
    )


def _edit_address(institution: InstitutionCard, platform_id: UUID | None) -> str:
    if platform_id is None:
        return pages.address("policy", institution)
    return pages.address("platform_policy", institution, platform_id)


def _reasons(edited: _Edited) -> tuple[type[StopReason] | type[OpenReason], ...]:
    """What only takes away may have either kind of reason."""
    return (OpenReason,) if edited.wider else (StopReason, OpenReason)


def _reason(request: StaffRequest, edited: _Edited) -> StopReason | OpenReason | None:
    return next((reason for listed in _reasons(edited) if (reason := pages.reason_in(request, listed))), None)
