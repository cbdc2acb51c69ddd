"""The control API: how tests and demonstrations look behind the counter. Not part of any bank standard.

GET    /control/requests?after=ID        the request log, oldest first, at most 1 000 rows
DELETE /control/requests                 forget it
GET    /control/state                    day, people, clients, consents, faults
POST   /control/faults                   see faults.add;  DELETE: none any more
POST   /control/today                    {"days_ahead": 1}: move the day of the books (not the instants)
POST   /control/consents/{id}/cancel     what a customer does in the bank's own access dashboard: AUTH -> CANC

`Authorization: Bearer <SANDBOX_CONTROL_TOKEN>`. Without that setting nothing of this exists (404).
"""

import hmac
from collections.abc import Callable
from functools import wraps
from typing import Any

from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, HttpResponse, JsonResponse

from banks.sandbox import clock, faults, strictjson
from banks.sandbox.customers import SCENARIOS
from banks.sandbox.models import AccountAccessConsent, Calendar, Client, ConsentStatus, Fault, RequestRecord
from banks.sandbox.settings import SANDBOX_CONTROL_TOKEN
from banks.sandbox.wire import instant

_ROWS_MAX = 1_000


class ControlError(Exception):
    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


View = Callable[..., Any]


def _controlled(**views: View) -> Callable[..., HttpResponse]:
    """One view per method; each returns what its JSON answer holds."""

    @wraps(_controlled)
    def view(request: HttpRequest, **arguments: str) -> HttpResponse:
        try:
            _authenticate(request)
            chosen = views.get(request.method or "")
            if chosen is None:
                raise ControlError(405, f"one of {', '.join(sorted(views))}")
            return JsonResponse(chosen(request, **arguments))
        except ControlError as problem:
            return JsonResponse({"error": str(problem)}, status=problem.status)

    view.csrf_exempt = True  # type: ignore[attr-defined]  # bearer token, not cookie: nothing to forge
    return view


def _authenticate(request: HttpRequest) -> None:
    expected = SANDBOX_CONTROL_TOKEN
    if not expected:
        raise ControlError(404, "not found")
    given = request.headers.get("Authorization", "")
    if not hmac.compare_digest(given.encode(), f"Bearer {expected}".encode()):
        raise ControlError(401, "the control token is missing or wrong")


def _body(request: HttpRequest) -> dict[str, Any]:
    try:
        body = strictjson.read(request.body)
    except (ValueError, RequestDataTooBig) as problem:
        raise ControlError(400, "the body is not JSON, or too much of it") from problem
    if not isinstance(body, dict):
        raise ControlError(400, "the body is an object")
    return body


def _requests(request: HttpRequest) -> dict[str, Any]:
    after = request.GET.get("after", "0")
    if not (after.isascii() and after.isdigit() and len(after) <= 18):
        raise ControlError(400, "after is the id of a row")
    rows = RequestRecord.objects.filter(pk__gt=int(after)).order_by("pk").values()[:_ROWS_MAX]
    return {"requests": [{**row, "at": row["at"].isoformat()} for row in rows]}


def _forget_requests(request: HttpRequest) -> dict[str, Any]:
    deleted, _ = RequestRecord.objects.all().delete()
    return {"deleted": deleted}


def _state(request: HttpRequest) -> dict[str, Any]:
    now = clock.now()
    return {
        "now": instant(now),
        "today": clock.today().isoformat(),
        "people": {person.name: _person(person.name) for person in SCENARIOS.values()},
        "clients": list(Client.objects.order_by("pk").values("client_id", "name", "redirect_uris")),
        "consents": [
            {
                "consent_id": consent.pk,
                "client_id": consent.client.pk,
                "status": consent.status_at(now).value,
                "deleted": consent.deleted_at is not None,
                "user": consent.user,
                "account_ids": consent.account_ids,
                "permissions": consent.permissions,
            }
            for consent in AccountAccessConsent.objects.select_related("client").order_by("created_at", "pk")
        ],
        "faults": list(Fault.objects.order_by("pk").values()),
    }


def _person(name: str) -> dict[str, Any]:
    person = SCENARIOS[name]
    accounts = [{"code": account.code, "account_id": account.account_id} for account in person.accounts]
    return {"description": person.description, "accounts": accounts}


def _add_fault(request: HttpRequest) -> dict[str, Any]:
    try:
        return {"id": faults.add(_body(request)).pk}
    except faults.InvalidFault as problem:
        raise ControlError(400, str(problem)) from problem


def _drop_faults(request: HttpRequest) -> dict[str, Any]:
    deleted, _ = Fault.objects.all().delete()
    return {"deleted": deleted}


def _set_today(request: HttpRequest) -> dict[str, Any]:
    days_ahead = _body(request).get("days_ahead")
    if isinstance(days_ahead, bool) or not isinstance(days_ahead, int) or not 0 <= days_ahead <= 3650:
        raise ControlError(400, "days_ahead is a whole number from 0 to 3650")
    Calendar.objects.update_or_create(pk=Calendar.ONLY, defaults={"days_ahead": days_ahead})
    return {"today": clock.today().isoformat()}


def _cancel(request: HttpRequest, consent_id: str) -> dict[str, Any]:
    now = clock.now()
    waiting = AccountAccessConsent.objects.filter(pk=consent_id, status=ConsentStatus.AUTH, deleted_at=None)
    if not waiting.update(status=ConsentStatus.CANC, status_updated_at=now):
        raise ControlError(404, "there is no such authorised consent")
    return {"consent_id": consent_id, "status": ConsentStatus.CANC.value}


requests = _controlled(GET=_requests, DELETE=_forget_requests)
state = _controlled(GET=_state)
fault_list = _controlled(POST=_add_fault, DELETE=_drop_faults)
today = _controlled(POST=_set_today)
cancel = _controlled(POST=_cancel)
