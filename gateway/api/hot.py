"""The GETs that platforms send all day, answered before any other middleware and any framework has a part in it.

What they say, whom they count and what they refuse is shared with every other address: gateway.api.caller, calls,
reads and gateway.problem_answers. What is unusual about a request's transport goes the long way, and is answered there.
"""

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from django.core.handlers.exception import convert_exception_to_response
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.middleware.security import SecurityMiddleware
from django.urls import ResolverMatch, resolve
from rest_framework.exceptions import NotAcceptable

from consents import clock
from gateway import problem_answers, problems
from gateway.api import parameters, reads, render
from gateway.api.caller import Caller, challenge, identify
from gateway.api.calls import Call
from gateway.api.etags import Copies
from gateway.api.render import Body
from gateway.oauth.lean import dressed, is_plain
from gateway.request_ids import request_id_of

METHODS = ("GET", "HEAD")
_WANTED = frozenset({None, "*/*", "application/json"})
#: Of every address here, told on each answer (RFC 9110 section 10.2.1).
ALLOW = "GET, HEAD, OPTIONS"

#: None: the platform holds this answer already.
Read = Callable[..., Body | None]


def accounts(caller: Caller, request: HttpRequest, copies: Copies) -> Body | None:
    parameters.none(request.GET)
    return reads.accounts(caller, copies)


def account(caller: Caller, request: HttpRequest, copies: Copies, account_id: str) -> Body | None:
    parameters.none(request.GET)
    return reads.account(caller, account_id, copies)


def balances(caller: Caller, request: HttpRequest, copies: Copies, account_id: str) -> Body | None:
    parameters.none(request.GET)
    return reads.balances(caller, account_id, copies)


def transactions(caller: Caller, request: HttpRequest, copies: Copies, account_id: str) -> Body | None:
    return reads.transactions(caller, account_id, parameters.transactions(request.GET), copies)


def changes(caller: Caller, request: HttpRequest, copies: Copies) -> Body:
    """No tag: where its cursor leads says whether anything changed."""
    return reads.changes(caller, parameters.changes(request.GET))


#: As gateway.api.urls has them; tests/gateway/api/test_hot.py holds the two to each other.
_ADDRESS = re.compile(
    r"/v1/(?:accounts(?:/(?P<account_id>[^/]+)(?:/(?P<part>balances|transactions))?)?|(?P<sync>transactions/sync))\Z"
)
_OF_ACCOUNT: dict[str | None, Read] = {None: account, "balances": balances, "transactions": transactions}
_SAMPLES: dict[Read, str] = {
    accounts: "/v1/accounts",
    account: "/v1/accounts/one",
    balances: "/v1/accounts/one/balances",
    transactions: "/v1/accounts/one/transactions",
    changes: "/v1/transactions/sync",
}


def found(path: str) -> tuple[Read, tuple[str, ...]] | None:
    """The read at this address, and what the address names."""
    match = _ADDRESS.match(path)
    if match is None:
        return None
    account_id, part, sync = match.groups()
    if sync is not None:
        return changes, ()
    return (accounts, ()) if account_id is None else (_OF_ACCOUNT[part], (account_id,))


def answered(request: HttpRequest, read: Read, *named: str) -> HttpResponse:
    """The answer, refusals included; an error that is nobody's answer is raised."""
    call = Call(request)
    try:
        response = _served(call, read, named)
    except Exception as error:
        refusal = _refused(call, error)
        if refusal is None:
            raise
        response = refusal
    response.headers["Allow"] = ALLOW
    call.finish(response)
    return response


def _served(call: Call, read: Read, named: tuple[str, ...]) -> HttpResponse:
    request = call.request
    # What nearly all of them send is told without parsing it.
    if request.META.get("HTTP_ACCEPT") not in _WANTED and not request.accepts("application/json"):
        raise NotAcceptable
    caller = identify(request.headers, now=clock.now(), request_id=request_id_of(request))
    call.comes_from(caller)
    copies = Copies(request.META.get("HTTP_IF_NONE_MATCH"), caller.consent)
    body = read(caller, request, copies, *named)
    response = _not_modified() if body is None else _json(body)
    if copies.etag is not None:
        response.headers["ETag"] = copies.etag
    return response


def _json(body: Body) -> HttpResponse:
    return HttpResponse(render.as_json(body), content_type="application/json")


def _not_modified() -> HttpResponse:
    """RFC 9110 section 15.4.5: of the answer that is held, its headers and nothing of its body."""
    response = HttpResponse(status=304)
    del response.headers["Content-Type"]
    return response


def _refused(call: Call, error: Exception) -> HttpResponse | None:
    """None for what is nobody's answer."""
    error = call.refused(error)
    problem = problems.problem_of(error)
    if problem is None:
        return None
    response = problem_answers.answer(problem, call.request, error=error)
    if value := challenge(error):
        response.headers["WWW-Authenticate"] = value
    return response


def _found_answer(request: HttpRequest) -> HttpResponse:
    read, named = getattr(request, "hot_read")  # noqa: B009 -- set below, unknown to the type
    return answered(request, read, *named)


#: With Django's answers to what is nobody's: behind this there is no middleware that would give them.
_answer: Any = convert_exception_to_response(_found_answer)


class HotReads:
    """Middleware, right behind the one that gives a request its id."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response
        self._security = SecurityMiddleware(get_response)

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        read = found(request.path_info) if request.method in METHODS else None
        if read is None or not is_plain(request):
            return self._get_response(request)
        setattr(request, "hot_read", read)  # noqa: B010
        request.resolver_match = _match(*read)
        return self._security.process_response(request, dressed(_answer(request)))


def _match(read: Read, named: tuple[str, ...]) -> ResolverMatch:
    """As the address's own pattern would have matched: for the access line and the counters."""
    one = _pattern(read)
    kwargs = {"account_id": named[0]} if named else {}
    return ResolverMatch(one.func, (), kwargs, one.url_name, [*one.app_names], [*one.namespaces], one.route)


@lru_cache(maxsize=8)
def _pattern(read: Read) -> ResolverMatch:
    return resolve(_SAMPLES[read])
