"""Scenarios: how the bank misbehaves towards the clients of some of its customers, on purpose and the same each time.

A behaviour is a class with the hooks of base.Behaviour; BEHAVIOURS says which customer has which. What is only a matter
of the books (pending rows that vanish, corrected rows ...) is a recipe in recipes/troubled.py instead. The functions
here are the one place where behaviours touch the bank: the door and the views call them for everybody.

What each scenario does, in words, is in troubles.py, from which the home page and docs/scenarios.md are made.
"""

import json
from dataclasses import replace
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from django.http import HttpRequest, HttpResponse

from banks.sandbox.behaviours import documents, identities, lists, logins, memory, numbers, refusals, transport, waits
from banks.sandbox.behaviours.base import SOUND, Behaviour, Entries, visit_of
from banks.sandbox.ledger import Entry
from banks.sandbox.people import SCENARIOS, Scenario

if TYPE_CHECKING:
    from banks.sandbox.door import ClientView, CustomerAccess
    from banks.sandbox.models import AccountAccessConsent

#: Of First Sandbox Bank; no other pretend bank has a customer of these names.
BEHAVIOURS: dict[str, Behaviour] = {
    "slow": waits.Slow(),
    "hanging": waits.Hanging(),
    "dripping": waits.Dripping(),
    "limited": refusals.Limited(retry_after=2),
    "limited_silent": refusals.Limited(retry_after=None),
    "failing": refusals.Failing(),
    "one_account_refused": refusals.OneAccountRefused(),
    "gone_page": refusals.SecondPageOnce(status=404),
    "stale_page": refusals.SecondPageOnce(status=400),
    "truncated": transport.Truncated(),
    "malformed": transport.Malformed(),
    "hostile_next": lists.HostileNext(),
    "circular_next": lists.CircularNext(),
    "duplicates": lists.Duplicates(),
    "reissued": lists.Reissued(),
    "mutating": lists.Mutating(),
    "short_history_silent": documents.WithoutFirstAvailable(),
    "sparse": documents.Sparse(),
    "verbose": documents.Verbose(),
    "dst": documents.ClockTimes(),
    "odd_numbers": numbers.OddNumbers(),
    "drift": numbers.Drift(),
    "login_lost": logins.LoginLost(),
    "consent_revoked": logins.ConsentRevoked(),
    "short_consent": logins.ShortConsent(),
    "another_person": identities.AnotherPerson(),
    "other_number": identities.OtherNumber(),
    "closed_account": identities.ClosedAccount(),
}
assert BEHAVIOURS.keys() <= SCENARIOS.keys(), "a behaviour belongs to somebody who banks here"


def of(user: str) -> Behaviour:
    return BEHAVIOURS.get(user, SOUND)


def present(person: Scenario, today: date) -> Scenario:
    """Who stands behind this login today, with which accounts."""
    behaviour = of(person.name)
    if behaviour is SOUND:
        return person
    return behaviour.person(person, memory.of(person.name).stage_on(today, behaviour.stage_days))


def authorised(user: str, now: datetime) -> dict[str, Any]:
    """What the bank changes in a consent that this customer just allowed."""
    return of(user).authorised(user, now)


def befall(consent: "AccountAccessConsent", now: datetime, today: date) -> None:
    """Let happen to the consent what the scenario holds for it by now."""
    behaviour = of(consent.user)
    if behaviour is not SOUND:
        behaviour.befall(consent, memory.of(consent.user).stage_on(today, behaviour.stage_days), now)


def grant(user: str, today: date) -> None:
    """At the token endpoint. Raises tokens.InvalidGrant."""
    behaviour = of(user)
    if behaviour is not SOUND:
        behaviour.grant(memory.of(user).stage_on(today, behaviour.stage_days))


def serve(
    request: HttpRequest, access: "CustomerAccess", view: "ClientView", arguments: dict[str, str]
) -> HttpResponse:
    """Call a view for a customer, with everything around it that the customer's behaviour wants. Raises ObError."""
    behaviour = of(access.person.name)
    if behaviour is SOUND:
        return view(request, access, **arguments)
    kept = memory.begun(access.person.name, access.today)
    stage = kept.stage_on(access.today, behaviour.stage_days)
    visit = visit_of(request, access, stage, kept.seconds)
    behaviour.arrive(visit)
    response = view(request, replace(behaviour.customer(access, stage), visit=visit), **arguments)
    if response.status_code == 200:
        body = behaviour.body(json.loads(response.content), visit)
        response.content = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
    answer: HttpResponse = behaviour.answer(response, visit)
    return answer


def entries(access: "CustomerAccess", found: Entries, page: int) -> Entries:
    """The entries of one account, for a list of transactions that `page` is cut from. Raises ObError."""
    return found if access.visit is None else of(access.person.name).entries(found, page, access.visit)


def transaction(access: "CustomerAccess", document: dict[str, Any], entry: Entry) -> dict[str, Any]:
    """One transaction as this customer's clients see it."""
    return of(access.person.name).transaction(document, entry)
