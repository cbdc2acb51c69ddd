"""How sure we are that it is this person: which proofs this session has seen, and when (allauth's own records)."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from allauth.account.adapter import get_adapter
from allauth.account.authentication import get_authentication_records
from allauth.mfa.models import Authenticator
from django.http import HttpRequest
from django.utils.http import urlencode

from gateway.identity.models import User

#: How old a proof may be when something is shared or widened (design section 4), or a factor changed.
STEP_UP_WINDOW = timedelta(minutes=5)

#: Of allauth's: what proves more than a password. Recovery codes stand in for a lost device.
_SECOND_FACTORS = frozenset({"totp", "webauthn", "recovery_codes"})


def has_second_factor(user: User) -> bool:
    """Whether this person has set up a passkey or a one-time code."""
    kinds = (Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN)
    return bool(Authenticator.objects.filter(user=user, type__in=kinds).exists())


def second_factor_at(request: HttpRequest) -> datetime | None:
    """When this session last saw a passkey or one-time code; None: never."""
    return _latest(record for record in _records(request) if record.get("type") in _SECOND_FACTORS)


def proved_at(request: HttpRequest) -> datetime | None:
    """When this session last saw any proof, a password included; None: never."""
    return _latest(_records(request))


def is_stepped_up(request: HttpRequest, *, now: datetime) -> bool:
    """A passkey or one-time code within STEP_UP_WINDOW."""
    at = second_factor_at(request)
    return at is not None and now - STEP_UP_WINDOW <= at


def is_fresh(request: HttpRequest, user: User, *, now: datetime) -> bool:
    """The strongest proof this person has set up, within STEP_UP_WINDOW: their second factor, else the password."""
    at = second_factor_at(request) if has_second_factor(user) else proved_at(request)
    return at is not None and now - STEP_UP_WINDOW <= at


def proof_address(user: User, *, then: str) -> str:
    """Where this person proves again who they are, by the strongest way they have, and is sent on to `then`."""
    first = get_adapter().get_reauthentication_methods(user)[0]
    return f"{first['url']}?{urlencode({'next': then})}"


def _records(request: HttpRequest) -> list[dict[str, Any]]:
    # Without the user allauth answers with no records at all, whoever is signed in.
    return list(get_authentication_records(request, request.user))


def _latest(records: Iterable[dict[str, Any]]) -> datetime | None:
    instants = [float(record["at"]) for record in records if "at" in record]
    return datetime.fromtimestamp(max(instants), UTC) if instants else None
