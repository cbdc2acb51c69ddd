"""Answers for what never reached a view, or fell out of one: a problem under /v1, a page elsewhere."""

import sys

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.views import defaults

from consents import clock
from gateway import problem_answers, problems
from gateway.errors import RateLimited
from gateway.oauth import limits


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """handler400. Suspicious requests: a forbidden host, a body that is too large."""
    if not _is_api(request):
        return defaults.bad_request(request, exception, template_name="problems/bad_request.html")
    return _answer(request, exception, otherwise="invalid_request")


def not_found(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """handler404."""
    if not _is_api(request):
        return defaults.page_not_found(request, exception, template_name="problems/not_found.html")
    # Who asks is not looked at for what is not there: counted where it comes from.
    standings = limits.count([limits.of_address(request)], now=clock.now())
    wait = limits.retry_after(standings)
    answer = _answer(request, exception if wait is None else RateLimited(wait), otherwise="not_found")
    for name, value in limits.headers(standings).items():
        answer[name] = value
    return answer


def server_error(request: HttpRequest) -> HttpResponseBase:
    """handler500. Django has logged the exception; the caller gets the request id and no word of it."""
    if not _is_api(request):
        return defaults.server_error(request, template_name="problems/server_error.html")
    return _answer(request, sys.exc_info()[1], otherwise="internal_error")


def _is_api(request: HttpRequest) -> bool:
    return request.path == "/v1" or request.path.startswith("/v1/")


def _answer(request: HttpRequest, error: BaseException | None, *, otherwise: str) -> HttpResponse:
    problem = problems.problem_of(error) if error is not None else None
    return problem_answers.answer(problem or problems.PROBLEMS[otherwise], request, error=error)
