"""Servers with a hole, which the race must find: patched from outside, in the process that loads this."""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

NO_CHECK = "no_check"
CACHED = "cached_1s"


def _no_check() -> None:
    """A token is enough: whatever its consent, its platform or the bank's policy say, and tokens do not end."""
    from banks import authority, permitted
    from consents import policy
    from consents.lifecycle import changing
    from consents.policy_facts import AccountFacts, Slice
    from consents.states import ConsentAccountStatus, ConsentStatus, PlatformStatus, PolicyStatus

    def opened(account: AccountFacts) -> AccountFacts:
        return replace(account, status=ConsentAccountStatus.ACTIVE)

    def allowed(part: Slice) -> Slice:
        accepted = part.policy and replace(part.policy, status=PolicyStatus.ALLOW)
        return replace(part, policy=accepted, accounts=tuple(map(opened, part.accounts)))

    def decide(facts: Any, slices: Sequence[Slice], platform: PlatformStatus, *rest: Any) -> Any:
        facts = replace(facts, status=ConsentStatus.AUTHORISED, user_active=True)
        return policy.decide(facts, [allowed(part) for part in slices], PlatformStatus.ACTIVE, *rest)

    authority.decide = decide  # type: ignore[assignment]
    permitted.holding = _any_consent
    changing.end_tokens = lambda *_: None


def _cached() -> None:
    """What a token opens is looked up once a second."""
    from banks import permitted
    from gateway.oauth import bearer

    # With the token come the facts that a permit is decided by.
    bearer.find = _for_a_second(bearer.find, key=lambda authorization: authorization)
    permitted.holding = _any_consent


def _any_consent(consent_id: Any, now: Any) -> Any:
    """In the place of the last look before an answer leaves: there it is, however it stands."""
    from consents.models import Consent

    return Consent.objects.filter(id=consent_id)


def _for_a_second(inner: Callable[..., Any], key: Callable[..., Any]) -> Callable[..., Any]:
    kept: dict[Any, tuple[float, Any]] = {}

    def outer(*arguments: Any, **words: Any) -> Any:
        name, now = key(*arguments), time.monotonic()
        if name not in kept or kept[name][0] <= now:
            kept[name] = (now + 1.0, inner(*arguments, **words))
        return kept[name][1]

    return outer


MUTANTS: dict[str, Callable[[], None]] = {NO_CHECK: _no_check, CACHED: _cached}
