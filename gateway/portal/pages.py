"""What every page of the portal shares: who acts, how a bank's failure is told, and where its forms may lead."""

from django.http import HttpResponse

from banks.errors import BankError, BankRefused, OtherLogin
from consents.audit import Actor
from consents.states import Initiator
from gateway.identity.pages import PersonRequest, PersonView, View, address_of, page, private
from gateway.oauth.redirects import SeeOther
from gateway.request_ids import request_id_of

__all__ = [
    "PersonRequest",
    "PersonView",
    "SeeOther",
    "View",
    "actor_of",
    "address_of",
    "lets_forms_reach",
    "page",
    "private",
    "status_of",
]


def actor_of(request: PersonRequest) -> Actor:
    return Actor(initiator=Initiator.USER, pseudonym=request.user.pseudonym, request_id=request_id_of(request))


def status_of(cause: BankError) -> int:
    """HTTP status of a page that tells of a bank's failure: a person's own no is none."""
    return 200 if isinstance(cause, BankRefused | OtherLogin) else 502


def lets_forms_reach(response: HttpResponse, origin: str) -> HttpResponse:
    """Widen this one page's `form-action`: browsers hold the redirect that answers a form to it as well."""
    setattr(response, "_csp_update", {"form-action": [origin]})  # noqa: B010 -- django-csp's attribute
    return response
