"""The answers made from gateway.problems' table (RFC 9457)."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import NoReverseMatch, reverse
from django.utils.encoding import escape_uri_path
from rest_framework import exceptions

from banks import errors as bank_errors
from consents import errors as consent_errors
from consents.denials import Owner
from gateway.errors import EventsGone, FieldProblem, RateLimited, RequestInvalid
from gateway.problems import Problem, problem_of
from gateway.request_ids import request_id_of

MEDIA_TYPE = "application/problem+json"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Particulars:
    """What one error adds to its row."""

    errors: Sequence[FieldProblem] = ()
    retry_after: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    members: Mapping[str, str] = field(default_factory=dict)


def answer(problem: Problem, request: HttpRequest, *, error: BaseException | None = None) -> HttpResponse:
    """The response for `problem`, with what `error` adds: field errors, Retry-After in seconds.

    WWW-Authenticate is the API's to add (gateway.api.caller.challenge).
    """
    extra = _particulars(problem, error)
    body = {
        "type": type_uri(problem.code),
        "title": problem.title,
        "status": problem.status,
        "detail": problem.detail,
        "instance": escape_uri_path(request.path),
        "code": problem.code,
        "owner": problem.owner,
        "suggested_action": problem.suggested_action,
        "action_url": action_url(problem),
        "retry_after": extra.retry_after,
        "display_message": problem.display_message,
        "request_id": request_id_of(request),
        "errors": [item.as_json() for item in extra.errors],
        **extra.members,
    }
    headers = {"Cache-Control": "no-store", **extra.headers}
    response = JsonResponse(body, status=problem.status, content_type=MEDIA_TYPE, headers=headers)
    setattr(response, "problem_code", problem.code)  # noqa: B010 -- for the access line and the counters
    return response


def handler(error: Exception, context: Mapping[str, object]) -> HttpResponse | None:
    """DRF's EXCEPTION_HANDLER. None for what has no row: Django logs it and gateway.api.fallbacks answers."""
    problem = problem_of(error)
    if problem is None:
        return None
    # Imported here: rest_framework.views loads the authentication class, and the models with it.
    from rest_framework.views import set_rollback

    # Forgotten, half a request would be committed under ATOMIC_REQUESTS.
    set_rollback()
    request = context["request"]
    return answer(problem, getattr(request, "_request", request), error=error)  # type: ignore[arg-type]


def type_uri(code: str) -> str:
    return f"{settings.ISSUER}/problems/{code}"


#: Where a platform goes on.
_PLATFORM_ADDRESSES = {"cursor_stale": "api:changes", "events_gone": "api:consents"}


def action_url(problem: Problem) -> str | None:
    """Where it can be changed: the user's own consents, or an address of the API; None: nowhere here."""
    name = "portal:consents" if problem.owner == Owner.USER else _PLATFORM_ADDRESSES.get(problem.code)
    if name is None:
        return None
    try:
        return f"{settings.ISSUER}{reverse(name)}"
    except NoReverseMatch:  # an installation that serves the API alone
        return None


def _particulars(problem: Problem, error: BaseException | None) -> _Particulars:
    if isinstance(error, RequestInvalid):
        return _Particulars(errors=error.errors)
    if isinstance(error, consent_errors.RequestNotAllowed):
        return _Particulars(errors=[FieldProblem(pointer=f"/{error.field}", code=problem.code, detail=error.reason)])
    if isinstance(error, exceptions.ValidationError):
        return _Particulars(errors=_validation_errors(error.detail))
    if isinstance(error, exceptions.ParseError):
        return _Particulars(errors=[FieldProblem(pointer="", code="parse_error", detail="The body is not valid JSON.")])
    if isinstance(error, exceptions.Throttled):
        wait: float | None = getattr(error, "wait", None)  # unknown to the stubs
        return _waiting(max(1, math.ceil(wait or 1)))
    if isinstance(error, RateLimited):
        return _waiting(error.retry_after)
    if isinstance(error, EventsGone):
        return _Particulars(members={"next_after": error.next_after})
    if isinstance(error, bank_errors.RefreshRefused):
        instant = error.next_refresh_after.astimezone(UTC).isoformat().replace("+00:00", "Z")
        return _waiting(error.retry_after, reason=error.reason, next_refresh_after=instant)
    if problem.status == 503:
        return _waiting(5)
    return _Particulars()


def _waiting(seconds: int, **members: str) -> _Particulars:
    return _Particulars(retry_after=seconds, headers={"Retry-After": str(seconds)}, members=members)


def _validation_errors(detail: object, path: str = "") -> list[FieldProblem]:
    """DRF's nested findings, each with its JSON Pointer (RFC 6901)."""
    if isinstance(detail, Mapping):
        return [
            found
            for name, inner in detail.items()
            for found in _validation_errors(inner, path if name == "non_field_errors" else f"{path}/{_escaped(name)}")
        ]
    if isinstance(detail, exceptions.ErrorDetail):
        return [FieldProblem(pointer=path, code=detail.code or "invalid", detail=str(detail))]
    if not isinstance(detail, Sequence) or isinstance(detail, str):
        return []
    if all(isinstance(item, exceptions.ErrorDetail) for item in detail):
        return [found for item in detail for found in _validation_errors(item, path)]
    return [found for index, item in enumerate(detail) for found in _validation_errors(item, f"{path}/{index}")]


def _escaped(name: object) -> str:
    return str(name).replace("~", "~0").replace("/", "~1")
