"""The one page on which anything is done: what happens, whom it concerns, why, and the button."""

from dataclasses import dataclass, field

from django.http import HttpResponse

from banks.directory import InstitutionCard
from banks.dry_run import DryRun
from gateway.backoffice import pages
from gateway.backoffice.pages import CHOOSE_REASON, Choice
from gateway.identity.staff import StaffRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """`back` is where the browser goes when nothing is to be done; the form posts to the page's own address."""

    title: str
    lead: str
    button: str
    reasons: list[Choice]
    back: str
    consequences: list[str] = field(default_factory=list)
    rehearsed: DryRun | None = None


def page(request: StaffRequest, institution: InstitutionCard, act: Act) -> HttpResponse:
    """A POST that comes here gave no reason of the list."""
    is_short = request.method == "POST"
    return pages.shown(
        request,
        institution,
        "act.html",
        {"act": act, "error": CHOOSE_REASON if is_short else "", "here": request.get_full_path()},
        status=422 if is_short else 200,
    )
