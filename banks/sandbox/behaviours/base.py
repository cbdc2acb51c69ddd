"""What a behaviour may do to a customer's calls: the hooks, in the order in which a call meets them. Each does nothing
unless a behaviour says otherwise, so that a sound customer passes through all of them unchanged.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from django.http import HttpRequest, HttpResponse

from banks.sandbox.behaviours import memory
from banks.sandbox.ledger import Entry
from banks.sandbox.people import Scenario

if TYPE_CHECKING:
    from banks.sandbox.door import CustomerAccess
    from banks.sandbox.models import AccountAccessConsent

Entries = tuple[Entry, ...]
_RESOURCES = ("balances", "transactions")


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """One data call. `resource`: accounts, balances or transactions; `account_id` None: of all accounts."""

    user: str
    consent_id: str
    resource: str
    account_id: str | None
    today: date
    stage: int
    seconds: float | None
    path: str

    def count(self, what: str) -> int:
        """One more of this under this consent; the number, from 1."""
        return memory.count(self.user, what, self.consent_id)


class Behaviour:
    """One way in which a bank goes wrong; this one is none."""

    #: How many days of the books a stage lasts (see memory.py).
    stage_days = 1

    def authorised(self, user: str, now: datetime) -> dict[str, Any]:
        """The customer just allowed access: what the bank changes in the consent it was asked for."""
        return {}

    def befall(self, consent: "AccountAccessConsent", stage: int, now: datetime) -> None:
        """What happened at the bank to a consent by this stage, before it is looked at."""

    def grant(self, stage: int) -> None:
        """The token endpoint. Raises tokens.InvalidGrant."""

    def person(self, person: Scenario, stage: int) -> Scenario:
        """Who stands behind the login, with which accounts."""
        return person

    def customer(self, access: "CustomerAccess", stage: int) -> "CustomerAccess":
        """The same for a data call: the person, and the accounts it reaches."""
        return replace(access, person=self.person(access.person, stage))

    def arrive(self, visit: Visit) -> None:
        """Before anything is answered: wait, or raise ObError."""

    def entries(self, entries: Entries, page: int, visit: Visit) -> Entries:
        """All entries of one account, newest first, before any filter; `page` (from 1) of the list is asked for."""
        return entries

    def transaction(self, document: dict[str, Any], entry: Entry) -> dict[str, Any]:
        """One OBTransaction6 of the page."""
        return document

    def body(self, body: dict[str, Any], visit: Visit) -> dict[str, Any]:
        """The document of an answer with data: Data, Links, Meta."""
        return body

    def answer(self, response: HttpResponse, visit: Visit) -> Any:
        """The answer as it goes out; an HttpResponse, or one that streams."""
        return response


SOUND = Behaviour()


def visit_of(request: HttpRequest, access: "CustomerAccess", stage: int, seconds: float | None) -> Visit:
    parts = request.path.partition("/aisp/")[2].split("/")
    return Visit(
        user=access.person.name,
        consent_id=access.consent.pk,
        resource=parts[-1] if parts[-1] in _RESOURCES else "accounts",
        account_id=parts[1] if parts[0] == "accounts" and len(parts) > 1 else None,
        today=access.today,
        stage=stage,
        seconds=seconds,
        path=request.path,
    )


def members(body: dict[str, Any], name: str) -> Sequence[dict[str, Any]]:
    """The rows Data holds under `name`: Account, Balance or Transaction; none when it holds others."""
    found: Sequence[dict[str, Any]] = body["Data"].get(name, ())
    return found
