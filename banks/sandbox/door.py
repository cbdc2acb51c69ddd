"""The door of the API: what every endpoint checks before it looks at data, and the form of every refusal."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from functools import wraps

from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, HttpResponse

from banks.sandbox import behaviours, clock, faults
from banks.sandbox.answers import (
    CONSENT_MISMATCH,
    HEADER_INVALID,
    INVALID_FORMAT,
    UNEXPECTED,
    ObError,
    error,
)
from banks.sandbox.behaviours.base import Visit
from banks.sandbox.customers import SCENARIOS
from banks.sandbox.models import AccessToken, AccountAccessConsent, Client, ConsentStatus
from banks.sandbox.people import Behaviour, Scenario
from banks.sandbox.profile import PROFILE
from banks.sandbox.tokens import digest
from banks.sandbox.trail import trail


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientAccess:
    """A client by itself, with a client-credentials token."""

    client: Client
    now: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerAccess:
    """A client on behalf of a customer: an authorised consent, what it permits, and the bank's day.

    `visit`: set where the customer's scenario has a say in the answer (see behaviours).
    """

    consent: AccountAccessConsent
    permissions: frozenset[str]
    person: Scenario
    account_ids: frozenset[str]
    now: datetime
    today: date
    visit: Visit | None = None

    def require(self, *any_of: str) -> None:
        """Raises 403 unless the consent has one of these permissions."""
        if self.permissions.isdisjoint(any_of):
            raise ObError(403, (CONSENT_MISMATCH, f"The consent does not permit this: it lacks {' or '.join(any_of)}."))


ClientView = Callable[..., HttpResponse]


def for_clients(**views: ClientView) -> Callable[..., HttpResponse]:
    """An endpoint for a client's own token; one view per method, called with the request and a ClientAccess."""

    def enter(request: HttpRequest, view: ClientView, arguments: dict[str, str]) -> HttpResponse:
        token = _token(request)
        if token.consent is not None:
            raise ObError(403, (CONSENT_MISMATCH, "This needs a token of the client credentials grant."))
        faults.apply("", request.path)
        return view(request, ClientAccess(client=token.client, now=clock.now()), **arguments)

    return _endpoint(views, enter)


def for_customers(**views: ClientView) -> Callable[..., HttpResponse]:
    """An endpoint for a customer's token; one view per method, called with the request and a CustomerAccess."""

    def enter(request: HttpRequest, view: ClientView, arguments: dict[str, str]) -> HttpResponse:
        access = _customer_access(request)
        faults.apply(access.person.name, request.path)
        if access.person.behaviour is Behaviour.DOWN:
            raise ObError(503, (UNEXPECTED, "The bank is closed for maintenance."), headers={"Retry-After": "120"})
        return behaviours.serve(request, access, view, arguments)

    return _endpoint(views, enter)


def _endpoint(
    views: dict[str, ClientView], enter: Callable[[HttpRequest, ClientView, dict[str, str]], HttpResponse]
) -> Callable[..., HttpResponse]:
    def endpoint(request: HttpRequest, **arguments: str) -> HttpResponse:
        _interaction_id(request)
        view = views.get(request.method or "")
        if view is None:
            raise ObError(405, (UNEXPECTED, "Method not allowed."), headers={"Allow": ", ".join(sorted(views))})
        _acceptable(request)
        return enter(request, view, arguments)

    return answering(endpoint)


def answering(endpoint: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Turn ObError into its answer, and play the interaction id back on whatever the answer is."""

    @wraps(endpoint)
    def view(request: HttpRequest, **arguments: str) -> HttpResponse:
        trail(request).interaction_id = str(uuid.uuid4())
        try:
            response = endpoint(request, **arguments)
        except ObError as problem:
            response = error(problem)
        except RequestDataTooBig:
            response = error(ObError(413, (INVALID_FORMAT, "The body is too large.")))
        response.headers["x-fapi-interaction-id"] = trail(request).interaction_id
        return response

    # A bearer token is not sent by a browser by itself, so there is no cross-site request to forge. The attribute is
    # what django.views.decorators.csrf.csrf_exempt sets; set here to keep the type of the view.
    view.csrf_exempt = True  # type: ignore[attr-defined]
    return view


def _interaction_id(request: HttpRequest) -> None:
    """Read/Write profile, Headers: an RFC 4122 UID, played back as given; made by the bank when absent."""
    given = request.headers.get("x-fapi-interaction-id")
    if given is None:
        return
    try:
        uuid.UUID(given)
    except ValueError as problem:
        raise ObError(400, (HEADER_INVALID, "Not a UUID."), path="x-fapi-interaction-id") from problem
    trail(request).interaction_id = given


def _acceptable(request: HttpRequest) -> None:
    accepted = request.headers.get("Accept", "*/*")
    kinds = {part.split(";")[0].strip().lower() for part in accepted.split(",")}
    if kinds.isdisjoint({"*/*", "application/*", "application/json"}):
        raise ObError(406, (HEADER_INVALID, "The bank answers in application/json."), path="Accept")


def _unauthorised() -> ObError:
    # No body: Read/Write profile, 401: "no token is provided or it is invalid ... without an error response".
    return ObError(401, headers={"WWW-Authenticate": 'Bearer error="invalid_token"'})


def _token(request: HttpRequest) -> AccessToken:
    scheme, _, value = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not value:
        raise ObError(401, headers={"WWW-Authenticate": "Bearer"})
    token = AccessToken.objects.select_related("client", "consent").filter(pk=digest(value.strip())).first()
    if token is None or token.revoked_at is not None or token.expires_at <= clock.now():
        raise _unauthorised()
    seen = trail(request)
    seen.client_id = token.client.pk
    if token.consent is not None:
        seen.consent_id, seen.user = token.consent.pk, token.consent.user
    return token


def _customer_access(request: HttpRequest) -> CustomerAccess:
    consent = _token(request).consent
    if consent is None:
        raise ObError(403, (CONSENT_MISMATCH, "This needs a token of the authorization code grant."))
    now, today = clock.now(), clock.today()
    if consent.deleted_at is not None:
        raise _unauthorised()
    behaviours.befall(consent, now, today)
    _require_authorised(consent.status_at(now))
    person = SCENARIOS[consent.user]
    return CustomerAccess(
        consent=consent,
        permissions=frozenset(consent.permissions),
        person=person,
        account_ids=frozenset(consent.account_ids),
        now=now,
        today=today,
    )


def _require_authorised(status: ConsentStatus) -> None:
    """As the standard of this bank refuses what does not stand, or no longer."""
    if status is ConsentStatus.AUTH:
        return
    refusal = PROFILE.standard.refusals[status.value]
    headers = {"WWW-Authenticate": 'Bearer error="invalid_token"'} if refusal.status == 401 else {}
    raise ObError(refusal.status, *refusal.reasons, headers=headers)
