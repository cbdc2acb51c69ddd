"""Signed-in browsers: each begins with a row, and ends when the row does."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib.auth import SESSION_KEY, logout
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse

from consents import clock
from gateway.identity.models import User, UserSession
from gateway.identity.pages import address_of

#: Where the session says which row is its own.
ID_KEY = "user_session_id"
_SEEN_EVERY = timedelta(minutes=1)


def user_agent_of(request: HttpRequest) -> str:
    """What the browser says it is: anybody's word, cut to the column, without what a database refuses."""
    return request.headers.get("User-Agent", "").replace("\0", "")[:300]


def renew_key(sender: Any, request: HttpRequest, user: User, **_: Any) -> None:
    """Receiver of allauth's authentication_step_completed: a key known before the password opens nothing after it.

    Django renews it once more at the end of sign-in. Later proofs leave it: links to banks that are on their way are
    bound to it.
    """
    if not request.user.is_authenticated:
        request.session.cycle_key()


def begin(sender: Any, request: HttpRequest, user: User, **_: Any) -> None:
    """Receiver of Django's user_logged_in."""
    now = clock.now()
    row = UserSession.objects.create(
        user=user, started_at=now, last_seen_at=now, address=address_of(request), user_agent=user_agent_of(request)
    )
    request.session[ID_KEY] = str(row.id)


def finish(sender: Any, request: HttpRequest, user: User | None, **_: Any) -> None:
    """Receiver of Django's user_logged_out."""
    current = current_id(request)
    if user is not None and current is not None:
        end(user.id, current, now=clock.now())


def current_id(request: HttpRequest) -> UUID | None:
    kept = request.session.get(ID_KEY)
    return UUID(kept) if kept else None


def open_sessions(user: User, *, now: datetime) -> list[UserSession]:
    """Where this person may still be signed in, last seen first."""
    oldest = now - timedelta(seconds=settings.SESSION_COOKIE_AGE)
    return list(_open(user.id).filter(last_seen_at__gt=oldest).order_by("-last_seen_at", "id"))


def end(user_id: UUID, session_id: UUID, *, now: datetime) -> bool:
    """Whether there was such a session of this person's."""
    return _open(user_id).filter(id=session_id).update(ended_at=now) > 0


def end_all(user_id: UUID, *, now: datetime, but: UUID | None = None) -> int:
    """Every session of this person's, but one; how many ended."""
    return _open(user_id).exclude(id=but).update(ended_at=now) if but else _open(user_id).update(ended_at=now)


def end_everyones(*, now: datetime) -> int:
    """Everybody is to sign in again; how many sessions ended."""
    return UserSession.objects.filter(ended_at=None).update(ended_at=now)


def forget_old(*, now: datetime) -> int:
    """Delete rows of sessions that nobody can come back to."""
    oldest = now - timedelta(seconds=settings.SESSION_COOKIE_AGE, days=1)
    return UserSession.objects.filter(last_seen_at__lt=oldest).delete()[0]


class EndedSessionMiddleware:
    """Signs out whose session was ended elsewhere, before any page sees them."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        # Without its cookie there is no session: the platform API asks the database nothing here.
        if settings.SESSION_COOKIE_NAME in request.COOKIES and SESSION_KEY in request.session:
            _look(request)
        return self.get_response(request)


def _look(request: HttpRequest) -> None:
    now, current = clock.now(), current_id(request)
    row = _open(request.session[SESSION_KEY]).filter(id=current).first() if current else None
    if row is None:
        logout(request)
    elif row.last_seen_at <= now - _SEEN_EVERY:
        UserSession.objects.filter(id=row.id).update(last_seen_at=now, address=address_of(request))


def _open(user_id: UUID | str) -> QuerySet[UserSession]:
    return UserSession.objects.filter(user_id=user_id, ended_at=None)
