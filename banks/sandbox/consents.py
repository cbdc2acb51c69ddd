"""POST, GET and DELETE of account-access-consents (UK Open Banking, Account Access Consents)."""

import secrets
from datetime import datetime
from typing import Any

from django.http import HttpRequest, HttpResponse

from banks.sandbox import behaviours, clock, dates, strictjson, tokens
from banks.sandbox.answers import (
    AISP,
    FIELD_INVALID,
    FIELD_MISSING,
    INVALID_DATE,
    INVALID_FORMAT,
    NOT_FOUND,
    ObError,
    data,
)
from banks.sandbox.door import ClientAccess, for_clients
from banks.sandbox.models import AccountAccessConsent, ConsentStatus
from banks.sandbox.permissions import problem_with
from banks.sandbox.profile import PROFILE
from banks.sandbox.settings import SANDBOX_ISSUER
from banks.sandbox.trail import trail
from banks.sandbox.wire import instant

_DATES = ("ExpirationDateTime", "TransactionFromDateTime", "TransactionToDateTime")

#: Why a consent is in its status (OB_Internal_CodeSet, ISO ExternalStatusReason1Code).
_REASON = {
    ConsentStatus.AWAU: ("U036", "Waiting for the customer to authorise the consent."),
    ConsentStatus.RJCT: ("U037", "The customer refused the consent."),
    ConsentStatus.CANC: ("TKSP", "The customer ended access at the bank."),
    ConsentStatus.EXPD: ("TKXP", "The consent has passed its ExpirationDateTime."),
}


def create(request: HttpRequest, access: ClientAccess) -> HttpResponse:
    """Lodge a consent: 201; it waits for the customer."""
    asked = _asked(request)
    sent = {name: _date(asked, name) for name in _DATES}
    expires_at = sent["ExpirationDateTime"]
    if expires_at is not None and expires_at <= access.now:
        raise ObError(400, (INVALID_DATE, "This lies in the past."), path="Data.ExpirationDateTime")
    consent = AccountAccessConsent.objects.create(
        consent_id=f"aac-{secrets.token_hex(16)}",
        client=access.client,
        permissions=_permissions(asked),
        expiration=_text(sent["ExpirationDateTime"]),
        transaction_from=_text(sent["TransactionFromDateTime"]),
        transaction_to=_text(sent["TransactionToDateTime"]),
        expires_at=expires_at,
        status_updated_at=access.now,
        created_at=access.now,
    )
    trail(request).consent_id = consent.pk
    return _answer(request, consent, access.now, status=201)


def read(request: HttpRequest, access: ClientAccess, consent_id: str) -> HttpResponse:
    """The consent and its status as of now."""
    return _answer(request, _own(request, access, consent_id), access.now)


def delete(request: HttpRequest, access: ClientAccess, consent_id: str) -> HttpResponse:
    """End the consent and every token of it: 204. From then on it does not exist."""
    consent = _own(request, access, consent_id)
    AccountAccessConsent.objects.filter(pk=consent.pk, deleted_at=None).update(deleted_at=access.now)
    tokens.revoke_consent_tokens(consent, access.now)
    return HttpResponse(status=204)


collection = for_clients(POST=create)
item = for_clients(GET=read, DELETE=delete)


def _own(request: HttpRequest, access: ClientAccess, consent_id: str) -> AccountAccessConsent:
    """Another client's consent and one that never was are one answer: 400 (Read/Write profile, 400 v/s 404)."""
    consent = AccountAccessConsent.objects.filter(pk=consent_id, client=access.client, deleted_at=None).first()
    if consent is None:
        raise ObError(400, (NOT_FOUND, "There is no such consent."), path="ConsentId")
    trail(request).consent_id = consent.pk
    behaviours.befall(consent, access.now, clock.today())
    return consent


def _asked(request: HttpRequest) -> dict[str, Any]:
    """Data of the request body. Raises 415 and 400."""
    kind = request.headers.get("Content-Type", "").split(";")[0].strip().lower()
    if kind != "application/json":
        raise ObError(415, (INVALID_FORMAT, "Content-Type is application/json."), path="Content-Type")
    try:
        body = strictjson.read(request.body)
    except ValueError as problem:
        raise ObError(400, (INVALID_FORMAT, "The body is not JSON.")) from problem
    if not isinstance(body, dict) or not isinstance(body.get("Data"), dict):
        raise ObError(400, (FIELD_MISSING, "Data is missing."), path="Data")
    if body.get("Risk") != {}:
        raise ObError(400, (FIELD_MISSING, "Risk is required and empty."), path="Risk")
    asked: dict[str, Any] = body["Data"]
    if unknown := asked.keys() - {"Permissions", *_DATES}:
        raise ObError(400, (FIELD_INVALID, "Unknown member."), path=f"Data.{min(unknown)}")
    return asked


def _permissions(asked: dict[str, Any]) -> list[str]:
    permissions = asked.get("Permissions")
    if permissions is None:
        raise ObError(400, (FIELD_MISSING, "Permissions is missing."), path="Data.Permissions")
    if not isinstance(permissions, list) or not all(isinstance(code, str) for code in permissions):
        raise ObError(400, (FIELD_INVALID, "Permissions is a list of codes."), path="Data.Permissions")
    if problem := problem_with(permissions):
        raise ObError(400, (FIELD_INVALID, problem), path="Data.Permissions")
    return permissions


def _date(asked: dict[str, Any], name: str) -> datetime | None:
    value = asked.get(name)
    if value is None:
        return None
    try:
        if not isinstance(value, str):
            raise ValueError("not a text")
        return dates.moment(value, clock.LONDON)
    except ValueError as problem:
        raise ObError(400, (INVALID_DATE, "Not an ISO 8601 date-time."), path=f"Data.{name}") from problem


def _text(moment: datetime | None) -> str:
    return instant(moment) if moment else ""


def _told(consent: AccountAccessConsent, now: datetime) -> ConsentStatus:
    """The status as of `now`; where the standard has no word for an expired consent, the one it had before."""
    current = consent.status_at(now)
    return current if current.value in PROFILE.standard.consent_statuses else ConsentStatus(consent.status)


def _answer(request: HttpRequest, consent: AccountAccessConsent, now: datetime, status: int = 200) -> HttpResponse:
    current = _told(consent, now)
    updated_at = consent.status_updated_at
    if current is ConsentStatus.EXPD and consent.expires_at is not None:
        updated_at = consent.expires_at
    body: dict[str, Any] = {
        "ConsentId": consent.pk,
        "CreationDateTime": instant(consent.created_at),
        "Status": PROFILE.standard.consent_statuses[current.value],
        "StatusUpdateDateTime": instant(updated_at),
        "Permissions": consent.permissions,
    }
    if PROFILE.standard.consent_reasons and current in _REASON:
        code, words = _REASON[current]
        body["StatusReason"] = [{"StatusReasonCode": code, "StatusReasonDescription": words}]
    sent = (consent.expiration, consent.transaction_from, consent.transaction_to)
    body |= {name: value for name, value in zip(_DATES, sent, strict=True) if value}
    links = {"Self": f"{SANDBOX_ISSUER}{AISP}/account-access-consents/{consent.pk}"}
    return data(request, body, status=status, links=links, risk=True)
