"""What the platform API refuses by itself, named for what happened. gateway.problems has the one table."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldProblem:
    """One member of `errors`: which query parameter, header, or body member (JSON Pointer, RFC 6901), and why."""

    code: str
    detail: str
    parameter: str | None = None
    header: str | None = None
    pointer: str | None = None

    def as_json(self) -> dict[str, str]:
        places = {"parameter": self.parameter, "header": self.header, "pointer": self.pointer}
        return {name: place for name, place in places.items() if place is not None} | {
            "code": self.code,
            "detail": self.detail,
        }


class RequestInvalid(Exception):
    """The request is not one this address takes; `errors` says where. One finding at least."""

    def __init__(self, errors: Sequence[FieldProblem]) -> None:
        super().__init__("invalid_request")
        self.errors = tuple(errors)


class PurposeUnknown(Exception):
    """The Purpose header is not exactly one word of the closed list."""


class TokenRefused(Exception):
    """No token, or none that opens anything. `present`: one was sent (RFC 6750 section 3.1 tells the two apart)."""

    def __init__(self, *, present: bool) -> None:
        super().__init__("invalid_token")
        self.present = present


class ConsentTokenRequired(Exception):
    """A platform's own token where one is needed that points at a user's consent."""


class PlatformTokenRequired(Exception):
    """A token of one user's consent where the platform's own is needed."""


class EventsGone(Exception):
    """`next_after`: the cursor with which one can go on."""

    def __init__(self, next_after: str) -> None:
        super().__init__("events_gone")
        self.next_after = next_after


class RateLimited(Exception):
    """More requests than a policy lets through. `retry_after`: seconds until its window ends."""

    def __init__(self, retry_after: int) -> None:
        super().__init__("rate_limited")
        self.retry_after = retry_after
