"""What waits for a second person: who asked, since when, what would change; approved or refused."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from uuid import UUID

from django.http import Http404, HttpResponse
from django.views.decorators.http import require_http_methods, require_safe

from banks import dry_run
from banks.directory import InstitutionCard
from banks.dry_run import DryRun
from consents import clock, policies, proposals
from consents.errors import ProposalDecided, ProposalNotFound, TwoPeopleNeeded
from consents.models import Proposal
from consents.models.policy import ProposalKind, ProposalStatus
from consents.policy_terms import NOTHING, PolicyTerms, terms_from_json
from consents.states import PolicyStatus
from gateway.backoffice import pages, wording
from gateway.backoffice.wording import Line
from gateway.identity.staff import StaffRequest, acting, bank_staff

#: Decided ones on the list, newest first; all of them are in the audit log.
LISTED = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One proposal in words. `by` and `decided_by` are names of people of this bank."""

    proposal: Proposal
    kind: str
    about: str
    status: str
    reason: str
    by: str
    decided_by: str


@require_safe
@bank_staff
def proposal_list(request: StaffRequest, institution: InstitutionCard) -> HttpResponse:
    own = (
        Proposal.objects.filter(institution_id=institution.id).select_related("platform").order_by("-proposed_at", "id")
    )
    waiting = list(own.filter(status=ProposalStatus.WAITING))
    decided = list(own.exclude(status=ProposalStatus.WAITING)[: LISTED + 1])
    entries = _entries(institution, [*waiting, *decided[:LISTED]])
    return pages.shown(
        request,
        institution,
        "proposals.html",
        {
            "waiting": entries[: len(waiting)],
            "decided": entries[len(waiting) :],
            "is_cut": len(decided) > LISTED,
            "limit": LISTED,
        },
    )


@require_http_methods(["GET", "HEAD", "POST"])
@bank_staff
@acting
def proposal(request: StaffRequest, institution: InstitutionCard, proposal_id: UUID) -> HttpResponse:
    """POST takes `decision`: approve or refuse."""
    found = Proposal.objects.filter(id=proposal_id, institution_id=institution.id).select_related("platform").first()
    if found is None:
        raise Http404
    if request.method == "POST":
        return _decide(request, institution, found)
    (entry,) = _entries(institution, [found])
    return pages.shown(
        request,
        institution,
        "proposal.html",
        {
            "entry": entry,
            "is_waiting": found.status == ProposalStatus.WAITING,
            "is_own": found.proposed_by == request.user.id,
            "has_left": not pages.works_here(institution, found.proposed_by),
            "lines": _lines(found),
            "details": _details(found),
            "rehearsed": _rehearsed(found) if found.status == ProposalStatus.WAITING else None,
        },
    )


def _decide(request: StaffRequest, institution: InstitutionCard, found: Proposal) -> HttpResponse:
    back = pages.address("proposals", institution)
    decision = request.POST.get("decision")
    if decision not in ("approve", "refuse"):
        return pages.onward(request, pages.address("proposal", institution, found.id), "Nothing was decided.")
    # Two people who work here: one who has left is not one of them any more.
    if decision == "approve" and not pages.works_here(institution, found.proposed_by):
        said = "Who asked for this has left. Refuse it, and ask for it anew."
        return pages.onward(request, pages.address("proposal", institution, found.id), said)
    decide = proposals.approve if decision == "approve" else proposals.refuse
    try:
        decided = decide(
            proposal_id=found.id,
            institution_id=institution.id,
            person=request.user.id,
            actor=request.actor,
            now=clock.now(),
        )
    except ProposalNotFound as error:
        raise Http404 from error
    except ProposalDecided:
        return pages.onward(request, back, "It was decided already.")
    except TwoPeopleNeeded:
        said = "You asked for this yourself: somebody else of your bank must approve it."
        return pages.onward(request, pages.address("proposal", institution, found.id), said)
    return pages.onward(request, back, f"{wording.PROPOSAL_STATUS[ProposalStatus(decided.status)]}.")


def _entries(institution: InstitutionCard, found: list[Proposal]) -> list[Entry]:
    people = {one.proposed_by for one in found} | {one.decided_by for one in found if one.decided_by}
    names = pages.colleagues(institution, people)
    return [_entry(institution, one, names) for one in found]


def _entry(institution: InstitutionCard, found: Proposal, names: Mapping[UUID, str]) -> Entry:
    left = "somebody who has left"
    return Entry(
        proposal=found,
        kind=wording.PROPOSAL_KINDS[ProposalKind(found.kind)],
        about=f"All of {institution.name}" if found.platform is None else found.platform.name,
        status=wording.PROPOSAL_STATUS[ProposalStatus(found.status)],
        reason=wording.REASONS.get(found.reason_code, ""),
        by=names.get(found.proposed_by, left),
        decided_by=names.get(found.decided_by, left) if found.decided_by else "",
    )


def _lines(found: Proposal) -> list[Line]:
    """What would change against what holds now."""
    after = _terms(found)
    if after is None:
        return []
    return wording.differences(policies.terms_that_hold(found.institution_id, found.platform_id), after)


def _details(found: Proposal) -> list[tuple[str, str]]:
    """What is no policy."""
    if found.kind == ProposalKind.MERCHANT:
        return [("Merchant name", found.terms["merchant_name"]), ("As rows show it", found.terms["merchant_key"])]
    if "consent_id" in found.terms:
        return [("Consent of one customer", found.terms["consent_id"])]
    if found.kind == ProposalKind.WITHDRAW:
        return [("What happens", "Everything this platform holds at this bank ends. It cannot be undone.")]
    return []


def _terms(found: Proposal) -> PolicyTerms | None:
    """The whole terms where it is about a policy; None: about a merchant, one consent, or an end."""
    if found.kind in (ProposalKind.MERCHANT, ProposalKind.WITHDRAW) or "consent_id" in found.terms:
        return None
    return terms_from_json(found.terms)


def _rehearsed(found: Proposal) -> DryRun | None:
    terms = _terms(found)
    if found.kind == ProposalKind.WITHDRAW:
        held = policies.terms_that_hold(found.institution_id, found.platform_id) or NOTHING
        terms = replace(held, status=PolicyStatus.BLOCK)
    if terms is None:
        return None
    return dry_run.rehearse(institution_id=found.institution_id, changes={found.platform_id: terms}, now=clock.now())
