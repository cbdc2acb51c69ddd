"""What every change shares: one call of the domain, whose refusals become answers of a page."""

from collections.abc import Callable
from typing import TypeVar
from uuid import UUID

from django.http import Http404, HttpResponse
from django.urls import reverse

from consents.errors import ConsentNotFound, TransitionRefused
from gateway.portal.pages import PersonRequest, SeeOther

Result = TypeVar("Result")

#: Fields of the choice between deleting at once and a day in which nothing is lost.
DELETES_AT_ONCE, DELETES_LATER = "now", "later"


def done(act: Callable[[], Result]) -> Result | None:
    """Do it; None: it had ended, or changed, a moment before, and the consent's own page says how.

    Raises Http404: somebody else's is not there at all.
    """
    try:
        return act()
    except ConsentNotFound as error:
        raise Http404 from error
    except TransitionRefused:
        return None


def to_consent(consent_id: UUID) -> HttpResponse:
    return SeeOther(reverse("portal:consent", args=[consent_id]))


def deletes_at_once(request: PersonRequest) -> bool:
    """Only what was plainly chosen: whoever sends nothing loses nothing for a day."""
    return request.POST.get("deletion") == DELETES_AT_ONCE
