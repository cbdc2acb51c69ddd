"""Where sessions are kept: SESSION_ENGINE."""

import hashlib
from typing import Any

from django.contrib.sessions.backends.base import SessionBase
from django.contrib.sessions.backends.db import SessionStore as DatabaseStore
from django.contrib.sessions.base_session import AbstractBaseSession

from consents import clock


def row_key(session_key: str) -> str:
    """What the row is called: SHA-256 of the cookie's value, cut to the 40 characters of Django's column.

    So neither the database nor a backup of it holds a key that opens a session, and no cookie, whatever is in it, is
    ever a value of a query (PostgreSQL raises on a NUL instead of finding nothing).
    """
    return hashlib.sha256(session_key.encode("utf-8", "surrogatepass")).hexdigest()[:40]


class SessionStore(DatabaseStore):
    """`session_key` is the cookie's value throughout; only what goes to a table passes through `row_key`."""

    def _get_session_from_db(self) -> AbstractBaseSession | None:
        key = self.session_key
        found = None if key is None else self._named(key)
        if found is None:
            self._session_key = None  # a key that somebody else chose is never adopted
        return found

    def _named(self, session_key: str) -> AbstractBaseSession | None:
        return self.model.objects.filter(session_key=row_key(session_key), expire_date__gt=clock.now()).first()

    def exists(self, session_key: str) -> bool:
        return super().exists(row_key(session_key))

    def create_model_instance(self, data: dict[str, Any]) -> AbstractBaseSession:
        made = super().create_model_instance(data)
        made.session_key = row_key(made.session_key)
        return made

    def delete(self, session_key: str | None = None) -> None:
        key = session_key if session_key is not None else self.session_key
        if key is not None:
            super().delete(row_key(key))

    # The parent's own would look for the cookie's value; these run the ones above on a thread.
    aload = SessionBase.aload
    aexists = SessionBase.aexists
    acreate = SessionBase.acreate
    asave = SessionBase.asave
    adelete = SessionBase.adelete
