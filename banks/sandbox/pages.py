"""What a customer's browser sees: home, login, consent, and plain words when something is wrong. No JavaScript."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.views.decorators.http import require_GET, require_http_methods

from banks.sandbox import authorization, behaviours, clock, dates, tokens
from banks.sandbox.customers import SCENARIOS, elsewhere, log_in
from banks.sandbox.middleware import CONTENT_SECURITY_POLICY
from banks.sandbox.models import AccountAccessConsent, AuthorizationRequest, ConsentStatus
from banks.sandbox.people import PASSWORD, Scenario
from banks.sandbox.permissions import in_words
from banks.sandbox.profile import PROFILE

#: Session key: the authorization request the customer logged in for, and as whom. One login, one decision.
_LOGIN = "login"


def bank(request: HttpRequest) -> dict[str, Any]:
    """Context processor: whose pages these are."""
    return {"bank": PROFILE}


@require_GET
def home(request: HttpRequest) -> HttpResponse:
    """Who banks here, and with which password."""
    people = [(person, elsewhere(person)) for person in SCENARIOS.values()]
    return render(request, "sandbox/home.html", {"people": people, "password": PASSWORD})


@require_http_methods(["GET", "POST"])
def login(request: HttpRequest, request_id: str) -> HttpResponse:
    """Ask who is there. A login is for one authorization request and ends with its decision."""
    asked = _open_request(request_id)
    if asked is None:
        return _gone(request)
    context: dict[str, Any] = {"client": asked.client.name}
    if request.method == "POST":
        username = request.POST.get("username", "").strip()
        person = log_in(username, request.POST.get("password", ""))
        if person is not None:
            request.session.cycle_key()
            request.session[_LOGIN] = {"request": asked.pk, "user": person.name}
            return HttpResponseRedirect(f"/consent/{asked.pk}", status=303)
        # Shown again, because a typing error is easier to mend when one sees it; the password never is.
        context |= {"failed": True, "username": username[:40]}
    return render(request, "sandbox/login.html", context)


@require_http_methods(["GET", "POST"])
def consent(request: HttpRequest, request_id: str) -> HttpResponse:
    """Show who asks for what and until when; take the decision and send the browser back."""
    asked = _open_request(request_id)
    if asked is None:
        return _gone(request)
    person = _logged_in(request, asked)
    if person is None:
        return HttpResponseRedirect(f"/login/{asked.pk}", status=303)
    if asked.consent.user not in ("", person.name):
        text = "This access belongs to another customer of the bank. Log in as that customer."
        return problem(request, "Not your access", text, status=403)
    ticked = set(request.POST.getlist("accounts"))
    chosen = [account.account_id for account in person.accounts if account.account_id in ticked]
    match request.POST.get("decision") if request.method == "POST" else None:
        case "allow" if chosen:
            return _decided(request, asked, person, chosen)
        case "refuse":
            return _decided(request, asked, person, [])
        case "allow":
            return _ask(request, asked, person, chosen, error="Choose at least one account, or refuse.")
        case _:
            return _ask(request, asked, person, chosen)


def problem(request: HttpRequest, title: str, text: str, *, status: int) -> HttpResponse:
    """A page that says what is wrong. The browser stays here."""
    return render(request, "sandbox/problem.html", {"title": title, "text": text}, status=status)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    text = "This form is out of date, or your browser refused our cookie. Start again in the app you came from."
    return problem(request, "Please start again", text, status=403)


def _open_request(request_id: str) -> AuthorizationRequest | None:
    """The request, while it waits for a decision."""
    return (
        AuthorizationRequest.objects.select_related("client", "consent")
        .filter(pk=request_id, decided_at=None, expires_at__gt=clock.now())
        .first()
    )


def _logged_in(request: HttpRequest, asked: AuthorizationRequest) -> Scenario | None:
    login = request.session.get(_LOGIN)
    if login is None or login["request"] != asked.pk or login["user"] not in SCENARIOS:
        return None
    return behaviours.present(SCENARIOS[login["user"]], clock.today())


def _gone(request: HttpRequest) -> HttpResponse:
    text = "It was answered already or has expired. Go back to the app you came from and start again."
    return problem(request, "This request is over", text, status=400)


def _ask(
    request: HttpRequest, asked: AuthorizationRequest, person: Scenario, chosen: Iterable[str], error: str = ""
) -> HttpResponse:
    lodged = asked.consent
    context = {
        "client": asked.client.name,
        "person": person,
        "permissions": in_words(lodged.permissions),
        "until": _in_london(lodged.expires_at),
        "history_from": _day(lodged.transaction_from),
        "history_to": _day(lodged.transaction_to),
        "chosen": list(chosen),
        "error": error,
    }
    response = render(request, "sandbox/consent.html", context, status=400 if error else 200)
    # `form-action 'self'` alone would also block the redirect that answers this form, and the customer would be stuck.
    action = f"'self' {authorization.origin_of(asked)}"
    response.headers["Content-Security-Policy"] = CONTENT_SECURITY_POLICY.format(form_action=action)
    return response


def _decided(request: HttpRequest, asked: AuthorizationRequest, person: Scenario, chosen: list[str]) -> HttpResponse:
    """Take the one decision on this request: consent and code in one transaction, then back to the client."""
    now = clock.now()
    address = authorization.address_of(asked)
    with transaction.atomic():
        if not AuthorizationRequest.objects.filter(pk=asked.pk, decided_at=None).update(decided_at=now):
            return _gone(request)
        settled = _settle(asked.consent, person, chosen, now)
        url = address.url(code=tokens.issue_code(asked, now)) if chosen and settled else None
    request.session.flush()
    if url is None:
        url = address.url(error="access_denied", error_description="the customer or the bank refused")
    return HttpResponseRedirect(url, status=303)


def _settle(lodged: AccountAccessConsent, person: Scenario, chosen: list[str], now: datetime) -> bool:
    """Move the consent as decided. False when meanwhile it can no longer be authorised.

    A refusal rejects a consent that waits; one that is in force stays as it was: not wanting to log in again today is
    not the same as ending access.
    """
    current = AccountAccessConsent.objects.get(pk=lodged.pk)
    status = current.status_at(now)
    movable = current.deleted_at is None and current.user in ("", person.name)
    if not movable or not authorization.may_be_authorised(status):
        return False
    if not chosen and status is not ConsentStatus.AWAU:
        return False
    changes: dict[str, Any] = {"status": ConsentStatus.RJCT}
    if chosen:
        changes = {"status": ConsentStatus.AUTH, "user": person.name, "account_ids": chosen}
        changes |= behaviours.authorised(person.name, now)
    AccountAccessConsent.objects.filter(pk=current.pk, status=current.status).update(status_updated_at=now, **changes)
    return True


def _in_london(moment: datetime | None) -> datetime | None:
    # Naive, because a template turns an aware one back into UTC.
    return moment.astimezone(clock.LONDON).replace(tzinfo=None) if moment else None


def _day(text: str) -> datetime | None:
    return dates.wall_clock(text) if text else None
