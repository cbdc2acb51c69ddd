"""The OpenAPI document: which addresses are in it, how one authenticates, and what refusals look like."""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from django.conf import settings
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse

from consents.scopes import Purpose
from consents.states import ConsentStatus
from gateway import problem_answers, problems
from gateway.api import presence, shapes
from gateway.api.parameters import LIMIT_DEFAULT, STATUSES

Endpoint = tuple[str, str, str, Callable[..., Any]]
Responses = dict[int | tuple[int, str], Any]

PURPOSE = OpenApiParameter(
    "Purpose",
    OpenApiTypes.STR,
    OpenApiParameter.HEADER,
    enum=list(Purpose),
    description="Which of the consent's purposes this request serves. Needed when the consent names several.",
)
REQUEST_ID = OpenApiParameter(
    "X-Request-Id",
    OpenApiTypes.STR,
    OpenApiParameter.HEADER,
    description="8 to 64 letters, digits, dots, dashes or underscores; made here when absent. Comes back always.",
)
ACCOUNT_ID = OpenApiParameter("account_id", OpenApiTypes.STR, OpenApiParameter.PATH, description="From /v1/accounts.")
TRANSACTION_QUERY = [
    OpenApiParameter("from", OpenApiTypes.DATE, description="First `listed_on` day, inclusive."),
    OpenApiParameter("to", OpenApiTypes.DATE, description="Last `listed_on` day, inclusive."),
    OpenApiParameter("status", OpenApiTypes.STR, enum=list(STATUSES)),
    OpenApiParameter(
        "limit",
        {"type": "integer", "minimum": 1, "maximum": 500, "default": LIMIT_DEFAULT},
        description="Rows of one page.",
    ),
    OpenApiParameter("cursor", OpenApiTypes.STR, description="`next_cursor` of the page before; same filters."),
]
CHANGE_QUERY = [
    OpenApiParameter(
        "limit",
        {"type": "integer", "minimum": 1, "maximum": 500, "default": LIMIT_DEFAULT},
        description="Rows of one page: added, modified and removed together.",
    ),
    OpenApiParameter("cursor", OpenApiTypes.STR, description="`next_cursor` of the answer before; none: from nothing."),
]
REFRESH_ID = OpenApiParameter(
    "refresh_id",
    OpenApiTypes.STR,
    OpenApiParameter.PATH,
    description="From POST /v1/refreshes, under the same consent.",
)
IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    OpenApiTypes.STR,
    OpenApiParameter.HEADER,
    description="1 to 255 visible ASCII characters. For 24 hours one key with one request is one refresh.",
)
PREFER = OpenApiParameter(
    "Prefer",
    OpenApiTypes.STR,
    OpenApiParameter.HEADER,
    description="`wait=8` (RFC 7240): answer when it has ended, after 8 seconds at most. `Preference-Applied` says "
    "that it was honoured; where many wait already it is not.",
)
LOCATION = OpenApiParameter(
    "Location", OpenApiTypes.STR, OpenApiParameter.HEADER, response=[200, 202], description="Where to look at it."
)
PREFERENCE_APPLIED = OpenApiParameter(
    "Preference-Applied",
    OpenApiTypes.STR,
    OpenApiParameter.HEADER,
    response=[200, 202],
    description="`wait=` and the seconds, when waiting was agreed to.",
)
CONSENT_ID = OpenApiParameter(
    "consent_id",
    OpenApiTypes.STR,
    OpenApiParameter.PATH,
    description="From /v1/consent, /v1/consents, an event, or `grant_id` of the token endpoint: they are one.",
)
CONSENT_QUERY = [
    OpenApiParameter("status", OpenApiTypes.STR, enum=list(ConsentStatus), description="As of now."),
    OpenApiParameter(
        "limit",
        {"type": "integer", "minimum": 1, "maximum": 500, "default": LIMIT_DEFAULT},
        description="Consents of one page.",
    ),
    OpenApiParameter("cursor", OpenApiTypes.STR, description="`next_cursor` of the page before; same filter."),
]
EVENT_QUERY = [
    OpenApiParameter(
        "after",
        OpenApiTypes.STR,
        description="`next_after` of the answer before. Without it: after the last acknowledged.",
    ),
    OpenApiParameter(
        "limit",
        {"type": "integer", "minimum": 1, "maximum": 500, "default": LIMIT_DEFAULT},
        description="Events that are looked at; those that may not be told are left out of the answer.",
    ),
]
CUSTOMER_IP_ADDRESS = OpenApiParameter(
    presence.ADDRESS_HEADER,
    OpenApiTypes.STR,
    OpenApiParameter.HEADER,
    description="The user is there: their IPv4 or IPv6 address. Only together with x-fapi-auth-date. Counts where the "
    "bank's policy takes a platform's word, and is shown to the user as such.",
)
AUTH_DATE = OpenApiParameter(
    presence.DATE_HEADER,
    OpenApiTypes.STR,
    OpenApiParameter.HEADER,
    description="When the user was last active, at most 15 minutes ago: `Tue, 15 Nov 1994 08:12:31 GMT` (RFC 9110).",
)
IF_NONE_MATCH = OpenApiParameter(
    "If-None-Match",
    OpenApiTypes.STR,
    OpenApiParameter.HEADER,
    description="`ETag` of the answer you hold (RFC 9110): 304 and no body while it is still the answer.",
)
ETAG = OpenApiParameter(
    "ETag",
    OpenApiTypes.STR,
    OpenApiParameter.HEADER,
    response=[200, 304],
    description="Of this answer, for this consent and this address. Absent from transactions under on-platform only.",
)
HEADERS = [PURPOSE, CUSTOMER_IP_ADDRESS, AUTH_DATE, REQUEST_ID]
#: And of those whose answer need not be sent twice.
TAGGED = [*HEADERS, IF_NONE_MATCH, ETAG]
NOT_MODIFIED = OpenApiResponse(description="What you hold, by If-None-Match, is still the answer.")
MANAGEMENT_HEADERS = [REQUEST_ID]

PLATFORM_TOKEN: list[str] = [{"platformToken": []}]  # type: ignore[list-item]  # passed through as it is
EITHER_TOKEN: list[str] = [{"platformToken": []}, {"consentToken": []}]  # type: ignore[list-item]

#: What every address under /v1 may answer.
_ALWAYS = (
    "invalid_token",
    "invalid_request",
    "not_acceptable",
    "rate_limited",
    "internal_error",
    "service_unavailable",
)
#: And what those besides that take a user's token.
_OF_CONSENT = ("consent_revoked", "purpose_unknown", "consent_token_required")
#: What only those that hand out customer data answer besides.
DATA = (
    "consent_paused",
    "consent_suspended",
    "platform_not_active",
    "purpose_required",
    "connection_not_serving",
    "scope_not_granted",
)


def platform_api_only(endpoints: list[Endpoint]) -> list[Endpoint]:
    """Preprocessing hook: the document is about /v1."""
    return [endpoint for endpoint in endpoints if endpoint[0].startswith("/v1/")]


@cache
def document() -> dict[str, Any]:
    """The OpenAPI 3.1 document; the same for everybody as long as the process lives."""
    generator: Any = SchemaGenerator  # untyped
    schema: dict[str, Any] = generator().get_schema(request=None, public=True)
    return {**schema, "servers": [{"url": settings.ISSUER}]}


def refusals(*codes: str) -> Responses:
    """Problem responses by status, with an example for each of `codes` and of those that any address may answer."""
    return _refusals((*_ALWAYS, *_OF_CONSENT, *codes))


def management_refusals(*codes: str) -> Responses:
    """The same of an address that takes the platform's own token alone."""
    return _refusals((*_ALWAYS, "platform_token_required", *codes))


def _refusals(codes: Sequence[str]) -> Responses:
    by_status: dict[int, list[problems.Problem]] = {}
    for code in dict.fromkeys(codes):
        problem = problems.PROBLEMS[code]
        by_status.setdefault(problem.status, []).append(problem)
    return {(status, problem_answers.MEDIA_TYPE): _refusal(rows) for status, rows in sorted(by_status.items())}


def _refusal(rows: list[problems.Problem]) -> OpenApiResponse:
    description = " ".join(f"`{row.code}`: {row.title}" for row in rows)
    return OpenApiResponse(shapes.Problem, description=description, examples=[_example(row) for row in rows])


_RETRY_AFTER = {429: 42, 503: 5}


#: What some of them say besides.
_MEMBERS: dict[str, dict[str, object]] = {
    "refresh_refused": {"reason": "fetch_quota_spent", "next_refresh_after": "2026-03-05T02:10:00Z"},
    "events_gone": {"next_after": "AyNTq8HWVpjCFnZpR1pUz7w7wWZ0Mv7m"},
    "invalid_request": {
        "errors": [{"parameter": "limit", "code": "out_of_range", "detail": "From 1 to 500."}],
    },
}


def _example(problem: problems.Problem) -> OpenApiExample:
    value = {
        "type": problem_answers.type_uri(problem.code),
        "title": problem.title,
        "status": problem.status,
        "detail": problem.detail,
        "instance": "/v1/accounts",
        "code": problem.code,
        "owner": problem.owner,
        "suggested_action": problem.suggested_action,
        "action_url": None,
        "retry_after": _RETRY_AFTER.get(problem.status),
        "display_message": problem.display_message,
        "request_id": "req_5f0c1a9be3d24a7788aa0b1c",
        "errors": [],
        **_MEMBERS.get(problem.code, {}),
    }
    return OpenApiExample(problem.code, value=value, media_type=problem_answers.MEDIA_TYPE)


class ConsentTokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "gateway.api.authentication.ConsentTokenAuthentication"
    name = "consentToken"

    def get_security_definition(self, auto_schema: object) -> dict[str, str]:
        return {
            "type": "http",
            "scheme": "bearer",
            "description": "A user's: from /oauth/token with grant_type=authorization_code or refresh_token. It points "
            "at one consent, which every request checks.",
        }


class PlatformTokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "gateway.api.authentication.PlatformTokenAuthentication"
    name = "platformToken"

    def get_security_definition(self, auto_schema: object) -> dict[str, str]:
        return {
            "type": "http",
            "scheme": "bearer",
            "description": "The platform's own: from /oauth/token with grant_type=client_credentials. It lives 10 "
            "minutes and opens no customer's data.",
        }


class EitherTokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """Each operation says itself which of the two it takes; the generator wants a scheme for the class all the same."""

    target_class = "gateway.api.authentication.EitherTokenAuthentication"
    name = ["platformToken", "consentToken"]

    def get_security_definition(self, auto_schema: Any) -> list[dict[str, str]]:
        schemes: list[Any] = [PlatformTokenScheme, ConsentTokenScheme]
        return [scheme(None).get_security_definition(auto_schema) for scheme in schemes]
