"""A request's id: taken from the caller when sane, made otherwise, sent back, and carried into the work it causes.

While a request or a task runs, its id stands on every log line (gateway.logs). Requests publish no message: they write
rows. So what asked for a job is kept beside the job for a day, and the message that wakes it carries it as a header.
"""

import logging
import re
import secrets
import time
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

from django.core.cache import cache
from django.db import DatabaseError, transaction
from django.http import HttpRequest, HttpResponse

from gateway import counters

HEADER = "X-Request-Id"
_IN_META = "HTTP_X_REQUEST_ID"  #: `request.headers` would first be made of all that was sent
_SANE = re.compile(r"[A-Za-z0-9._-]{8,64}\Z")
_JOB_SECONDS = 86_400
#: Tasks whose first argument is the id of a row that somebody may have asked for.
_ASKED_FOR = frozenset({"banks.run_job"})

_current: ContextVar[str] = ContextVar("request_id", default="")
_is_request: ContextVar[bool] = ContextVar("is_request", default=False)

log = logging.getLogger(__name__)


def request_id_of(request: HttpRequest) -> str:
    """The id that RequestIdMiddleware gave this request."""
    return str(getattr(request, "request_id"))  # noqa: B009 -- set by the middleware, unknown to the type


def current() -> str:
    """Of the request or task that runs now; empty outside of any."""
    return _current.get()


def begin(request_id: object, *, is_request: bool = False) -> None:
    """`request_id` as a message brought it: anything but a sane text is none."""
    _current.set(request_id if isinstance(request_id, str) and _SANE.match(request_id) else "")
    _is_request.set(is_request)


def end() -> None:
    _current.set("")
    _is_request.set(False)


class RequestIdMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        given = request.META.get(_IN_META, "")
        request_id = given if _SANE.match(given) else f"req_{secrets.token_hex(12)}"
        setattr(request, "request_id", request_id)  # noqa: B010
        began = time.perf_counter()
        begin(request_id, is_request=True)
        try:
            response = self.get_response(request)
            response[HEADER] = request_id
            _tell(request, response, time.perf_counter() - began)
        finally:
            end()
        return response


#: Asked for every few seconds by machines, and never about anybody.
_UNTOLD = frozenset({"/livez", "/readyz", "/metrics"})


def _tell(request: HttpRequest, response: HttpResponse, seconds: float) -> None:
    """The access line: route by its pattern, never the address, whose ids and queries are the caller's own words."""
    if request.path in _UNTOLD:
        return
    match = request.resolver_match
    code = str(getattr(response, "problem_code", ""))
    method = counters.method_of(request)
    counters.observe(method, match.view_name if match else "", response.status_code, seconds, code)
    told = {
        "method": method,
        "route": match.route if match else "",
        "status": response.status_code,
        "milliseconds": round(seconds * 1000, 1),
        **_whose(request),
    }
    log.info("request", extra={**told, "code": code} if code else told)


def _whose(request: HttpRequest) -> dict[str, Any]:
    """Ids of what authentication found (gateway.api.caller), if it found anything."""
    caller = getattr(request, "auth", None)
    platform, consent = getattr(caller, "platform", None), getattr(caller, "consent", None)
    found = {"platform_id": getattr(platform, "id", None), "consent_id": getattr(consent, "id", None)}
    return {name: one for name, one in found.items() if one is not None}


# -- into jobs ---------------------------------------------------------------------------------------------------------


def remember_for_its_job(sender: type[Any], instance: Any, created: bool, **_: Any) -> None:
    """Receiver of post_save: a job that a request writes is known by that request's id, once it is committed."""
    if created and _is_request.get():
        request_id = current()
        log.info("job asked for", extra={"job_id": instance.id, "connection_id": instance.connection_id})
        transaction.on_commit(lambda: _remember(instance.id, request_id))


def _cache_trouble() -> tuple[type[Exception], ...]:
    """The cache is Redis or a table. Without it an id is lost, and nothing else."""
    import redis  # dear, and wanted by few of the processes that load this

    return (redis.RedisError, DatabaseError)


def _remember(job_id: object, request_id: str) -> None:
    try:
        cache.set(_key(job_id), request_id, timeout=_JOB_SECONDS)
    except _cache_trouble():
        log.warning("the request of a job was not kept", extra={"job_id": job_id})


def _asked_by(job_id: object) -> str:
    try:
        return str(cache.get(_key(job_id)) or "")
    except _cache_trouble():
        return ""


def of_message(task: str, body: Any, *, is_asked_for: bool = True) -> str:
    """What a message of this task is sent with: the id of whoever asked for its row, else of what runs now, else its
    own. `is_asked_for` False: the sender knows that nobody did."""
    may_be = is_asked_for and task in _ASKED_FOR and isinstance(body, tuple) and body[0]
    asked = _asked_by(body[0][0]) if may_be else ""
    return asked or current() or f"job_{secrets.token_hex(12)}"


def _key(job_id: object) -> str:
    return f"request_of_job:{job_id}"
