"""For how long: once, for some days, or as long as was asked; never longer, nor longer than the bank goes along."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_http_methods

from consents.lifecycle import reminded_days
from consents.models import Consent
from gateway import words
from gateway.portal.connect import bank, steps
from gateway.portal.connect.choices import ONE_TIME, Choices, days_offered
from gateway.portal.connect.steps import step
from gateway.portal.pages import PersonRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One radio button. `until` None: it ends with its use."""

    value: str
    label: str
    until: datetime | None
    hint: str
    is_chosen: bool


@require_http_methods(["GET", "HEAD", "POST"])
@step
def choose(request: PersonRequest, consent: Consent, now: datetime) -> HttpResponse:
    """POST takes `duration`: ONE_TIME, or one of the numbers of days on the page."""
    chosen = steps.chosen(request, consent.id)
    days = days_offered(consent, bank.outlook(consent, chosen, now).expires_at - now)
    picked = request.POST.get("duration", "")
    if request.method == "POST" and picked in (ONE_TIME, *map(str, days)):
        steps.remember(request, consent.id, _with(chosen, picked))
        return bank.onward(request, consent, now)
    at = ONE_TIME if chosen.is_one_time else str(min(chosen.days(consent), days[-1]))
    error = "Choose how long" if request.method == "POST" else ""
    context = {
        "consent": consent,
        "options": _options(days, at, now),
        "asked_days": consent.duration_days,
        "is_cut": days[-1] < (consent.duration_days or 1),
        "error": error,
    }
    return render(request, "portal/connect/duration.html", context, status=422 if error else 200)


def _with(chosen: Choices, picked: str) -> Choices:
    if picked == ONE_TIME:
        return replace(chosen, is_one_time=True, duration_days=None)
    return replace(chosen, is_one_time=False, duration_days=int(picked))


def _options(days: list[int], at: str, now: datetime) -> list[Option]:
    timed = [
        Option(
            value=str(number),
            label=f"{number} day{'' if number == 1 else 's'}",
            until=now + timedelta(days=number),
            hint=_hint(number),
            is_chosen=at == str(number),
        )
        for number in days
    ]
    once = Option(value=ONE_TIME, label="One time", until=None, hint=words.ONE_TIME_WORDS, is_chosen=at == ONE_TIME)
    return [once, *timed]


def _hint(days: int) -> str:
    before = reminded_days(days)
    return words.END_WORDS if before is None else f"{words.END_WORDS} {words.reminder(before)}"
