"""What the steps share: whose request it is, whether it still waits, and which accounts were ticked so far."""

from collections.abc import Callable, Collection
from datetime import datetime
from functools import wraps
from typing import Concatenate, ParamSpec, cast
from uuid import UUID

from django.http import Http404, HttpResponse
from django.urls import reverse

from banks import sharing
from consents import clock
from consents.lifecycle import AccountChoice
from consents.models import Consent
from consents.states import ConsentStatus
from gateway.portal.pages import PersonRequest, PersonView, SeeOther, View, page
from gateway.portal.summaries import status_at

Parameters = ParamSpec("Parameters")
Step = Callable[Concatenate[PersonRequest, Consent, datetime, Parameters], HttpResponse]

_SESSION_KEY = "chosen_accounts"


def step(view: Step[Parameters]) -> View[Concatenate[UUID, Parameters]]:
    """A page of the flow: its view gets the waiting consent and the instant.

    Somebody else's consent is not there; one's own that was answered, or ran out, leads to the page that says so.
    """

    @wraps(view)
    def shown(
        request: PersonRequest, consent_id: UUID, *args: Parameters.args, **kwargs: Parameters.kwargs
    ) -> HttpResponse:
        now = clock.now()
        consent = own_or_404(request, consent_id)
        if status_at(consent, now) != ConsentStatus.AWAITING_AUTHORISATION:
            return to("done", consent_id)
        return view(request, consent, now, *args, **kwargs)

    return page(cast("PersonView[Concatenate[UUID, Parameters]]", shown))


def own_or_404(request: PersonRequest, consent_id: UUID) -> Consent:
    consent = Consent.objects.select_related("platform").filter(id=consent_id, user_id=request.user.id).first()
    if consent is None:
        raise Http404
    return consent


def aged_logins(request: PersonRequest, consent: Consent, now: datetime) -> list[UUID]:
    """Banks visited too long ago for what existed before: one has to log in there again."""
    return sharing.aged_logins(
        consent_id=consent.id, user_id=consent.user_id, session_key=request.session.session_key or "", now=now
    )


def to(name: str, consent_id: UUID, *more: str) -> SeeOther:
    return SeeOther(reverse(f"portal:{name}", args=[consent_id, *more]))


def offered(request: PersonRequest, consent: Consent, now: datetime) -> list[AccountChoice]:
    """What the bank showed in this flow and browser; empty before the bank was visited, or too long after."""
    return sharing.offered_accounts(
        consent_id=consent.id, user_id=consent.user_id, session_key=request.session.session_key or "", now=now
    )


# -- the accounts ticked so far: in the session, so on the server; looked at again before they count -------------------


def remember(request: PersonRequest, consent_id: UUID, account_ids: Collection[UUID]) -> None:
    kept = dict(request.session.get(_SESSION_KEY, {}))
    kept[str(consent_id)] = sorted(str(account_id) for account_id in account_ids)
    request.session[_SESSION_KEY] = kept


def remembered(request: PersonRequest, consent_id: UUID) -> frozenset[UUID]:
    return frozenset(UUID(kept) for kept in request.session.get(_SESSION_KEY, {}).get(str(consent_id), ()))


def forget(request: PersonRequest, consent_id: UUID) -> None:
    kept = dict(request.session.get(_SESSION_KEY, {}))
    if kept.pop(str(consent_id), None) is not None:
        request.session[_SESSION_KEY] = kept
