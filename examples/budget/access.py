"""A user's tokens in use: renewed when they are out of date, given up when the consent has ended."""

from collections.abc import Callable
from typing import TypeVar

from examples.budget.sluice import Refused, Sluice, TokenRefused, Tokens
from examples.budget.store import Store
from examples.budget.words import ENDED_BY_STATUS, HELD_BY_STATUS

Read = TypeVar("Read")


class Stopped(Exception):
    """The consent serves nothing now. `code`: a problem's; `by`: whose hand it was; `is_over`: for good."""

    def __init__(self, code: str, by: str, *, is_over: bool) -> None:
        super().__init__(code)
        self.code = code
        self.by = by
        self.is_over = is_over


class Access:
    def __init__(self, sluice: Sluice, store: Store) -> None:
        self._sluice = sluice
        self._store = store

    def use(self, tokens: Tokens, work: Callable[[Tokens], Read]) -> Read:
        """What `work` makes of tokens that are good. Raises Stopped, Refused, TokenRefused, Unreachable."""
        if not tokens.is_fresh:
            return work(self._renewed(tokens))
        try:
            return work(tokens)
        except Refused as refused:
            if refused.status != 401:
                raise
        # Ended, or out of date by Sluice's clock: the token endpoint knows.
        return work(self._renewed(tokens))

    def _renewed(self, tokens: Tokens) -> Tokens:
        try:
            renewed = self._sluice.renewed(tokens)
        except TokenRefused as refused:
            if refused.error != "invalid_grant":
                raise
            raise self._stopped(tokens.consent_id) from refused
        self._store.keep(renewed)
        return renewed

    def _stopped(self, consent_id: str) -> Stopped:
        """Why there is no token: the consent itself says. A pause ends, so only an end takes the tokens away."""
        found = self._sluice.consent(consent_id)
        status, by = found["status"], found["status_initiator"]
        if status in HELD_BY_STATUS:
            return Stopped(HELD_BY_STATUS[status], by, is_over=False)
        code = ENDED_BY_STATUS.get(status, "consent_revoked")
        self._store.end(consent_id, code=code, by=by)
        return Stopped(code, by, is_over=True)
