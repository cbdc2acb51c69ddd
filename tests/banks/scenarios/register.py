"""Which customers of the pretend banks have a test that says what Sluice makes of them."""

from collections import defaultdict
from collections.abc import Callable
from typing import Any, TypeVar

Test = TypeVar("Test", bound=Callable[..., Any])

#: User name at the bank's login page -> names of tests.
OUTCOMES: dict[str, list[str]] = defaultdict(list)


def outcome_of(*customers: str) -> Callable[[Test], Test]:
    """Put over a test of what becomes of these customers, end to end."""

    def noted(test: Test) -> Test:
        for customer in customers:
            OUTCOMES[customer].append(test.__name__)
        return test

    return noted
