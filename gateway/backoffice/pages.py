"""What every page of the console shares: its frame, the platform an address names, and the reason a form must give."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, TypeVar
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.urls import reverse

from banks.directory import InstitutionCard
from consents.models import Platform, Proposal
from consents.models.policy import ProposalStatus
from consents.states import PlatformStatus
from gateway.backoffice import wording
from gateway.identity.models import Membership, User
from gateway.identity.pages import SeeOther
from gateway.identity.staff import StaffRequest

Reason = TypeVar("Reason", bound=StrEnum)

#: Platforms that a bank has nothing to decide about.
_NOT_HERE = (PlatformStatus.PENDING, PlatformStatus.REMOVED)

CHOOSE_REASON = "Choose a reason"


def shown(
    request: StaffRequest, institution: InstitutionCard, template: str, context: Mapping[str, Any], *, status: int = 200
) -> HttpResponse:
    """`template` of backoffice/ inside the console's frame."""
    waiting = Proposal.objects.filter(institution_id=institution.id, status=ProposalStatus.WAITING).count()
    frame = {"institution": institution, "waiting_proposals": waiting, **context}
    return render(request, f"backoffice/{template}", frame, status=status)


def onward(request: StaffRequest, address: str, said: str) -> SeeOther:
    """After a change: back to a page that shows it, with what was done at its head."""
    messages.success(request, said)
    return SeeOther(address)


def address(name: str, institution: InstitutionCard, *arguments: object) -> str:
    return reverse(f"backoffice:{name}", args=[institution.slug, *arguments])


def platform_or_404(platform_id: UUID) -> Platform:
    """Any that is registered and was ever let in: who it is, is no secret of another bank's."""
    found = Platform.objects.filter(id=platform_id).exclude(status__in=_NOT_HERE).first()
    if found is None:
        raise Http404
    return found


def platforms() -> Iterable[Platform]:
    return Platform.objects.exclude(status__in=_NOT_HERE).order_by("name", "client_id")


def home_of(institution: InstitutionCard, platform_id: UUID | None) -> str:
    """The page about what an action concerned: one platform's, or the bank's own."""
    return address("overview", institution) if platform_id is None else address("platform", institution, platform_id)


@dataclass(frozen=True, slots=True)
class Choice:
    """One radio button."""

    value: str
    label: str
    is_chosen: bool = False


def reason_in(request: StaffRequest, reasons: type[Reason]) -> Reason | None:
    """What the form gives; None where it gives none of the list."""
    try:
        return reasons(request.POST.get("reason", ""))
    except ValueError:
        return None


def reason_choices(reasons: type[StrEnum], chosen: str = "") -> list[Choice]:
    """`chosen`: what the form gave, where it comes back for something else."""
    return [Choice(code, wording.REASONS[code], code == chosen) for code in reasons]


def colleagues(institution: InstitutionCard, user_ids: Iterable[UUID]) -> dict[UUID, str]:
    """Names of those who work, or worked, at this bank; nobody else is named here."""
    own = Membership.objects.filter(institution_id=institution.id, user_id__in=set(user_ids)).values("user_id")
    return dict(User.objects.filter(id__in=own).values_list("id", "username"))


def signers(names: Mapping[UUID, str], approved_by: Iterable[str]) -> str:
    """Who signed a version, in words."""
    people = [names.get(UUID(person), "somebody who has left") for person in approved_by]
    return " and ".join(people) or "the operator of Sluice"


def works_here(institution: InstitutionCard, user_id: UUID) -> bool:
    return Membership.objects.filter(institution_id=institution.id, user_id=user_id, ended_at=None).exists()


def minute(instant: datetime | None) -> str:
    return "" if instant is None else f"{instant:%-d %B %Y, %H:%M} UTC"
