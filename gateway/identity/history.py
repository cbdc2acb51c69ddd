"""What happened to a person's sign-in, for their own eyes: sign-ins, wrong passwords and codes, changes."""

from datetime import datetime, timedelta
from typing import Any

from allauth.mfa.models import Authenticator
from django.db.models import QuerySet
from django.http import HttpRequest

from consents import clock
from gateway.identity import sessions
from gateway.identity.models import SecurityRecord, SecurityRecordKind, User
from gateway.identity.pages import address_of

KEPT = timedelta(days=90)


def of(user: User, *, now: datetime) -> QuerySet[SecurityRecord]:
    """The last 90 days, newest first."""
    return SecurityRecord.objects.filter(user=user, occurred_at__gt=now - KEPT).order_by("-occurred_at", "id")


def forget_old(*, now: datetime) -> int:
    return SecurityRecord.objects.filter(occurred_at__lte=now - KEPT).delete()[0]


# -- receivers of Django's and allauth's signals (apps.py) ------------------------------------------------------------


def signed_in(sender: Any, request: HttpRequest, user: User, **_: Any) -> None:
    _write(SecurityRecordKind.SIGNED_IN, request, user)


def sign_in_failed(sender: Any, credentials: dict[str, Any], request: HttpRequest | None = None, **_: Any) -> None:
    """Of a name that nobody has, nothing is kept."""
    user = User.objects.filter(username=credentials.get("username", "")).first()
    if user is not None and request is not None:
        _write(SecurityRecordKind.SIGN_IN_FAILED, request, user)


def factor_failed(sender: Any, request: HttpRequest, user: User, **_: Any) -> None:
    _write(SecurityRecordKind.FACTOR_FAILED, request, user)


def factor_added(sender: Any, request: HttpRequest, user: User, authenticator: Authenticator, **_: Any) -> None:
    is_recovery = authenticator.type == Authenticator.Type.RECOVERY_CODES
    _write(SecurityRecordKind.RECOVERY_CODES_MADE if is_recovery else SecurityRecordKind.FACTOR_ADDED, request, user)


def factor_removed(sender: Any, request: HttpRequest, user: User, authenticator: Authenticator, **_: Any) -> None:
    if authenticator.type != Authenticator.Type.RECOVERY_CODES:
        _write(SecurityRecordKind.FACTOR_REMOVED, request, user)


def password_changed(sender: Any, request: HttpRequest, user: User, **_: Any) -> None:
    """Django drops the other sessions by itself; here they leave the list as well."""
    _write(SecurityRecordKind.PASSWORD_CHANGED, request, user)
    sessions.end_all(user.id, but=sessions.current_id(request), now=clock.now())


def _write(kind: SecurityRecordKind, request: HttpRequest, user: User) -> None:
    SecurityRecord.objects.create(
        user_id=user.pk,
        kind=kind,
        occurred_at=clock.now(),
        address=address_of(request),
        user_agent=sessions.user_agent_of(request),
    )
