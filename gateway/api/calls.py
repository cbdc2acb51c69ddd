"""One request to /v1: who it comes from, how they stand, and for whom a refusal counts. No framework's view here."""

from collections.abc import Sequence

from django.http import HttpRequest, HttpResponseBase

from consents import clock
from consents.errors import ScopeNotGranted
from gateway.api import refused_calls
from gateway.api.caller import Caller, PlatformCaller
from gateway.errors import RateLimited
from gateway.oauth import limits
from gateway.oauth.limits import Standing
from gateway.problems import Problem, problem_of


class Call:
    """`standings`: how the caller stands, once it is known who it is; or else where it comes from."""

    def __init__(self, request: HttpRequest) -> None:
        self.request = request
        self.caller: Caller | PlatformCaller | None = None
        self.standings: Sequence[Standing] = ()

    def comes_from(self, caller: Caller | PlatformCaller) -> None:
        """Counted as theirs, before anything is done for them. Raises RateLimited."""
        self.caller = caller
        # For the access line, a refusal's too; unknown to the type.
        setattr(self.request, "auth", caller)  # noqa: B010
        subjects = [limits.of_platform(caller.platform.id)]
        if isinstance(caller, Caller):
            subjects.insert(0, limits.of_user(caller.platform.id, caller.consent.user_id))
        self.standings = limits.count(subjects, now=caller.now)
        if (wait := limits.retry_after(self.standings)) is not None:
            raise RateLimited(wait)

    def refused(self, error: Exception) -> Exception:
        """What is to be answered for `error`, once it is counted for whom it concerns.

        The banks, when a known caller is refused; the address, when nobody knows who it is.
        """
        problem: Problem | None = problem_of(error)
        # Not of our own troubles: counting would run into them too.
        if problem is None or problem.status >= 500:
            return error
        if not self.standings:
            return self._counted_by_address(error)
        if isinstance(error, ScopeNotGranted) and isinstance(self.caller, Caller):
            # A bank that stopped one scope must see the calls that this refuses; denials are counted by the caller.
            refused_calls.count_closed(self.caller.consent, problem.code, now=self.caller.now)
        return error

    def finish(self, response: HttpResponseBase) -> None:
        """What every answer under /v1 says: that nothing is kept on the way, and how the caller stands."""
        response.headers["Cache-Control"] = "no-store"
        for name, value in limits.headers(self.standings).items():
            response.headers[name] = value

    def _counted_by_address(self, error: Exception) -> Exception:
        """What came to nobody is counted where it came from, and after the fact: it takes nothing from others there."""
        self.standings = limits.count([limits.of_address(self.request)], now=clock.now())
        wait = limits.retry_after(self.standings)
        return error if wait is None else RateLimited(wait)
