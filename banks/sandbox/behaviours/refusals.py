"""Answers with an error status, as faults.py makes them, by rules instead of by request."""

from dataclasses import dataclass

from banks.sandbox import faults
from banks.sandbox.answers import CONSENT_MISMATCH, FIELD_INVALID, NOT_FOUND, TOKEN_SUSPENDED, ObError
from banks.sandbox.behaviours.base import Behaviour, Entries, Visit
from banks.sandbox.people import SCENARIOS


@dataclass(frozen=True, slots=True, kw_only=True)
class Limited(Behaviour):
    """Every second data call of a consent is 429. `retry_after`: seconds to name, or None to say nothing."""

    retry_after: int | None

    def arrive(self, visit: Visit) -> None:
        if visit.count("call") % 2 == 0:
            effect = {"status": 429} | ({} if self.retry_after is None else {"retry_after": self.retry_after})
            faults.happen(effect, "Too many requests.")


class Failing(Behaviour):
    """Of each consent the first two calls for balances or transactions fail, with 500 and 503; then all is well."""

    def arrive(self, visit: Visit) -> None:
        if visit.resource == "accounts":
            return
        match visit.count("call"):
            case 1:
                faults.happen({"status": 500}, "An unexpected error of the bank.")
            case 2:
                faults.happen({"status": 503}, "The bank is busy.")


class OneAccountRefused(Behaviour):
    """The second account cannot be read: 401 for its balances, 403 for its transactions. The first one works."""

    def arrive(self, visit: Visit) -> None:
        if visit.account_id != SCENARIOS[visit.user].accounts[1].account_id:
            return
        if visit.resource == "balances":
            raise ObError(401, (TOKEN_SUSPENDED, "This account is not available to third parties."))
        if visit.resource == "transactions":
            raise ObError(403, (CONSENT_MISMATCH, "This account is not available to third parties."))


@dataclass(frozen=True, slots=True, kw_only=True)
class SecondPageOnce(Behaviour):
    """The first time a consent asks for a second page it is not there; `status` is 404 or 400."""

    status: int

    def entries(self, entries: Entries, page: int, visit: Visit) -> Entries:
        if page == 2 and visit.count("second page") == 1:
            code = NOT_FOUND if self.status == 404 else FIELD_INVALID
            raise ObError(self.status, (code, "There is no such page any more."), path="page")
        return entries
