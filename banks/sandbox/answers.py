"""How the bank answers: the envelope of data and the form of errors (UK Open Banking)."""

import json
import uuid
from typing import Any

from django.http import HttpRequest, HttpResponse

from banks.sandbox.profile import PROFILE
from banks.sandbox.settings import SANDBOX_ISSUER

CONTENT_TYPE = "application/json; charset=utf-8"
AISP = PROFILE.standard.resource_path

#: Codes of OBExternalStatusReason1Code (OB_Internal_CodeSet and ISO_External_CodeSet) that these banks use; an older
#: standard has a word for each (Standard.reasons).
UNEXPECTED = "U000"
FIELD_INVALID = "U002"
INVALID_DATE = "U003"
FIELD_MISSING = "U004"
HEADER_INVALID = "U006"
CONSENT_MISMATCH = "U008"
INVALID_FORMAT = "U010"
NOT_FOUND = "U011"
TOKEN_SUSPENDED = "TKSP"  # noqa: S105 - a reason code

_REASON = {
    400: "BadRequest",
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    405: "MethodNotAllowed",
    406: "NotAcceptable",
    413: "ContentTooLarge",
    415: "UnsupportedMediaType",
    429: "TooManyRequests",
    500: "InternalServerError",
    503: "ServiceUnavailable",
}


class ObError(Exception):
    """An error answer: raised where it is known, turned into OBErrorResponse1 at the door.

    `reasons`: four-letter codes with a message each; `path`: which part of the request it is about.
    """

    def __init__(
        self,
        status: int,
        *reasons: tuple[str, str],
        path: str = "",
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(f"{status} {reasons}")
        self.status = status
        self.reasons = reasons
        self.path = path
        self.headers = headers or {}


def error(problem: ObError) -> HttpResponse:
    """OBErrorResponse1; without reasons no body, as the profile wants for a missing or unknown token."""
    if not problem.reasons:
        return HttpResponse(status=problem.status, headers=problem.headers, content_type=CONTENT_TYPE)
    body = {
        "Id": str(uuid.uuid4()),
        "Code": f"{problem.status} {_REASON.get(problem.status, 'Error')}",
        "Message": problem.reasons[0][1],
        "Errors": [
            {"ErrorCode": PROFILE.standard.reasons[code], "Message": message}
            | ({"Path": problem.path[:500]} if problem.path else {})
            for code, message in problem.reasons
        ],
    }
    return _json(body, problem.status, problem.headers)


def data(
    request: HttpRequest,
    payload: dict[str, Any],
    *,
    status: int = 200,
    links: dict[str, str] | None = None,
    meta: dict[str, Any] | None = None,
    risk: bool = False,
) -> HttpResponse:
    """Data, Links and Meta; `links` default to where the request went, under the issuer's origin."""
    body: dict[str, Any] = {"Data": payload}
    if risk:
        body["Risk"] = {}
    body["Links"] = links or {"Self": SANDBOX_ISSUER + request.get_full_path()}
    body["Meta"] = meta or {"TotalPages": 1}
    return _json(body, status, {})


def _json(body: dict[str, Any], status: int, headers: dict[str, str]) -> HttpResponse:
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    return HttpResponse(text, status=status, headers=headers, content_type=CONTENT_TYPE)
