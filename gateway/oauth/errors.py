"""What the authorization server refuses, and the form each refusal takes (RFC 6749 sections 4.1.2.1 and 5.2)."""

from collections.abc import Mapping

from django.http import HttpResponse, JsonResponse

NO_STORE = {"Cache-Control": "no-store", "Pragma": "no-cache"}


class Refused(Exception):
    """An OAuth error: `code` from the registry of RFC 6749 section 11.4, `description` in printable ASCII."""

    def __init__(self, code: str, description: str, *, status: int = 400) -> None:
        super().__init__(code)
        self.code = code
        self.description = description
        self.status = status


class ClientRefused(Refused):
    """The client did not prove who it is. One answer for every reason: unknown, wrong secret, not active."""

    def __init__(self, description: str = "client authentication failed") -> None:
        super().__init__("invalid_client", description, status=401)


class TooManyRequests(Refused):
    """RFC 6585 section 4. RFC 6749 has no word for it; `temporarily_unavailable` is the one that says: not now."""

    def __init__(self, retry_after: int, headers: Mapping[str, str]) -> None:
        super().__init__("temporarily_unavailable", "too many requests: wait as Retry-After says", status=429)
        self.headers = {**headers, "Retry-After": str(retry_after)}


class AnswerError(Exception):
    """Root of what `answers` refuses to send to a platform."""


class AlreadyAnswered(AnswerError):
    """The platform had its answer, the one there is per request; or nobody waits for one any more."""


class NotAnswerable(AnswerError):
    """The consent's status does not fit the answer. The argument is that status."""


def json_answer(refused: Refused) -> HttpResponse:
    """RFC 6749 section 5.2; 401 carries the scheme the client should have used."""
    body = {"error": refused.code, "error_description": refused.description}
    response = JsonResponse(body, status=refused.status, headers=NO_STORE)
    if refused.status == 401:
        response["WWW-Authenticate"] = 'Basic realm="sluice", charset="UTF-8"'
    if isinstance(refused, TooManyRequests):
        for name, value in refused.headers.items():
            response[name] = value
    return response
