"""/access: the page where a customer sees who may read the accounts, and ends it, as every real bank has one.

Ending access here is the customer's word to the bank alone: the consent becomes CANC, its tokens answer 401, and the
client finds out when it next asks (Account and Transaction API Profile, Consent Revocation at the ASPSP).
"""

from datetime import datetime
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.views.decorators.http import require_http_methods

from banks.sandbox import behaviours, clock
from banks.sandbox.customers import SCENARIOS, log_in
from banks.sandbox.models import AccountAccessConsent, ConsentStatus
from banks.sandbox.people import Scenario
from banks.sandbox.permissions import in_words

#: Session key: the user name of the customer who logged in at this page.
_CUSTOMER = "access"


def end(consent_id: str, now: datetime, *, user: str | None = None) -> bool:
    """AUTH -> CANC; with `user`, only that customer's consent. False when there is no such authorised consent."""
    waiting = AccountAccessConsent.objects.filter(pk=consent_id, status=ConsentStatus.AUTH, deleted_at=None)
    if user is not None:
        waiting = waiting.filter(user=user)
    return bool(waiting.update(status=ConsentStatus.CANC, status_updated_at=now))


@require_http_methods(["GET", "POST"])
def page(request: HttpRequest) -> HttpResponse:
    """Log in, look, end one, log out: one address, told apart by the button that was pressed."""
    user = request.session.get(_CUSTOMER)
    person = SCENARIOS.get(user) if isinstance(user, str) else None
    if person is None:
        return _log_in(request)
    if request.method == "POST":
        return _act(request, person)
    return _list(request, person)


def _log_in(request: HttpRequest) -> HttpResponse:
    if request.method == "GET":
        return render(request, "sandbox/access_login.html")
    username = request.POST.get("username", "").strip()
    person = log_in(username, request.POST.get("password", ""))
    if person is None:
        return render(request, "sandbox/access_login.html", {"failed": True, "username": username[:40]})
    request.session.cycle_key()
    request.session[_CUSTOMER] = person.name
    return HttpResponseRedirect("/access", status=303)


def _act(request: HttpRequest, person: Scenario) -> HttpResponse:
    if request.POST.get("action") == "log_out":
        request.session.flush()
        return HttpResponseRedirect("/access", status=303)
    if not end(request.POST.get("consent", ""), clock.now(), user=person.name):
        return _list(request, person, error="There is no such access any more.")
    return HttpResponseRedirect("/access", status=303)


def _list(request: HttpRequest, person: Scenario, error: str = "") -> HttpResponse:
    now, today = clock.now(), clock.today()
    given = AccountAccessConsent.objects.select_related("client").filter(
        user=person.name, status=ConsentStatus.AUTH, deleted_at=None
    )
    shown: list[dict[str, Any]] = []
    for consent in given.order_by("-created_at", "pk"):
        behaviours.befall(consent, now, today)
        if consent.status_at(now) is ConsentStatus.AUTH:
            shown.append(_row(consent))
    context = {"person": behaviours.present(person, today), "consents": shown, "error": error}
    return render(request, "sandbox/access.html", context, status=400 if error else 200)


def _row(consent: AccountAccessConsent) -> dict[str, Any]:
    until = consent.expires_at
    return {
        "id": consent.pk,
        "client": consent.client.name,
        "permissions": in_words(consent.permissions),
        # Naive, because a template turns an aware one back into UTC.
        "until": until.astimezone(clock.LONDON).replace(tzinfo=None) if until else None,
    }
