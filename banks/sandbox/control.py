"""The control API: how tests and demonstrations look behind the counter. Not part of any bank standard.

GET    /control/requests?after=ID        the request log, oldest first, at most 1 000 rows
DELETE /control/requests                 forget it
GET    /control/state                    clock, people, clients, consents, faults
POST   /control/faults                   see faults.add;  DELETE: none any more
GET    /control/clock                    {"now", "real_now", "today", "seconds_ahead", "days_ahead", "books_on"}
POST   /control/clock                    any of {"seconds_ahead": 86400, "days_ahead": 1, "books_on": "2026-03-29"}:
                                         what is named is set, forwards or back; see clock.py for what moves.
                                         books_on null lets the days go by again
DELETE /control/clock                    real time again
POST   /control/today                    {"days_ahead": 1}: the same for the day of the books alone
POST   /control/consents/{id}/cancel     what a customer does at /access, the bank's own page: AUTH -> CANC
GET    /control/people/{name}            {"name", "stage", "seconds", "began_on"} of a scenario's user
POST   /control/people/{name}            {"stage": 1}: the turn a scenario waits for happens now, whatever day it is;
                                         {"stage": 0}: from the beginning, counters too; {"stage": null}: as days go by;
                                         {"seconds": 0.1}: how long a scenario waits; null: as documented

All answers are JSON; a refusal is {"error": "why"}. `Authorization: Bearer <SANDBOX_CONTROL_TOKEN>`, and only from a
loopback address: 403 for any other peer, token or not. Without that setting nothing of this exists (404).
"""

import hmac
from collections.abc import Callable
from functools import wraps
from typing import Any

from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, HttpResponse, JsonResponse

from banks.sandbox import access, clock, faults, strictjson
from banks.sandbox.behaviours import memory
from banks.sandbox.customers import SCENARIOS
from banks.sandbox.models import AccountAccessConsent, Client, ConsentStatus, Fault, RequestRecord
from banks.sandbox.peers import is_loopback
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
    # The socket's peer, never a header. A proxy on this machine is loopback too: the token is checked all the same.
    if not is_loopback(request.META.get("REMOTE_ADDR", "")):
        raise ControlError(403, "the control API answers on loopback only")
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
        **_clock_answer(clock.reading()),
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


def _clock(request: HttpRequest) -> dict[str, Any]:
    return _clock_answer(clock.reading())


def _move_clock(request: HttpRequest) -> dict[str, Any]:
    return _clock_answer(_moved(_body(request)))


def _reset_clock(request: HttpRequest) -> dict[str, Any]:
    return _clock_answer(clock.reset())


def _set_today(request: HttpRequest) -> dict[str, Any]:
    return {"today": _moved({"days_ahead": _body(request).get("days_ahead")}).day(clock.real_now()).isoformat()}


def _moved(changes: dict[str, Any]) -> clock.Reading:
    try:
        return clock.move(changes)
    except clock.ClockError as problem:
        raise ControlError(400, str(problem)) from problem


def _clock_answer(reading: clock.Reading) -> dict[str, Any]:
    real_now = clock.real_now()
    return {
        "now": instant(reading.instant(real_now)),
        "real_now": instant(real_now),
        "today": reading.day(real_now).isoformat(),
        "seconds_ahead": reading.seconds_ahead,
        "days_ahead": reading.days_ahead,
        "books_on": reading.books_on.isoformat() if reading.books_on else None,
    }


def _cancel(request: HttpRequest, consent_id: str) -> dict[str, Any]:
    if not access.end(consent_id, clock.now()):
        raise ControlError(404, "there is no such authorised consent")
    return {"consent_id": consent_id, "status": ConsentStatus.CANC.value}


def _read_person(request: HttpRequest, name: str) -> dict[str, Any]:
    return _memory(name)


def _set_person(request: HttpRequest, name: str) -> dict[str, Any]:
    _memory(name)
    try:
        memory.switch(name, _body(request))
    except memory.InvalidSwitch as problem:
        raise ControlError(400, str(problem)) from problem
    return _memory(name)


def _memory(name: str) -> dict[str, Any]:
    if name not in SCENARIOS:
        raise ControlError(404, "nobody of this name banks here")
    kept = memory.of(name)
    return {
        "name": name,
        "stage": kept.stage,
        "seconds": kept.seconds,
        "began_on": kept.began_on.isoformat() if kept.began_on else None,
    }


requests = _controlled(GET=_requests, DELETE=_forget_requests)
state = _controlled(GET=_state)
fault_list = _controlled(POST=_add_fault, DELETE=_drop_faults)
clock_view = _controlled(GET=_clock, POST=_move_clock, DELETE=_reset_clock)
today = _controlled(POST=_set_today)
person = _controlled(GET=_read_person, POST=_set_person)
cancel = _controlled(POST=_cancel)
