"""What this app keeps, in one SQLite file that only it may read: browsers' sessions, tokens, and what happened.

No bank data. A session's id is kept as a digest: whoever reads the file cannot take a session over. Tokens are kept as
they are; a real platform would seal them under a key that lies elsewhere.
"""

import hashlib
import secrets
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from examples.budget.sluice import Question, Tokens

SESSION_SECONDS = 30 * 86_400
#: A user who comes back later than this has to begin again; Sluice forgets the question after 60 minutes too.
QUESTION_SECONDS = 3_600
EVENT_SECONDS = 30 * 86_400
EVENTS_SHOWN = 10

_TABLES = """
CREATE TABLE IF NOT EXISTS session (
    digest TEXT PRIMARY KEY, form_token TEXT NOT NULL, seen_at REAL NOT NULL, consent_id TEXT, message TEXT,
    state TEXT, verifier TEXT, asked_at REAL
);
CREATE TABLE IF NOT EXISTS link (
    consent_id TEXT PRIMARY KEY, access_token TEXT, refresh_token TEXT, access_expires_at REAL,
    ended_code TEXT, ended_by TEXT
);
CREATE TABLE IF NOT EXISTS event (
    event_id TEXT PRIMARY KEY, consent_id TEXT NOT NULL, type TEXT NOT NULL, initiator TEXT, occurred_at TEXT NOT NULL,
    noted_at REAL NOT NULL
);
CREATE TABLE IF NOT EXISTS position (only_row INTEGER PRIMARY KEY CHECK (only_row = 1), after TEXT NOT NULL);
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One browser. `form_token` must come back with every form of ours."""

    id: str = field(repr=False)
    form_token: str = field(repr=False)
    consent_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """What a user connected. Of one that has ended, `tokens` is None, `ended_code` says how and `ended_by` whose hand
    it was."""

    tokens: Tokens | None
    ended_code: str | None
    ended_by: str | None


class Store:
    def __init__(self, directory: Path) -> None:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._path = directory / "budget.sqlite3"
        self._path.touch(mode=0o600)
        with self._opened() as database:
            database.executescript(_TABLES)

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        """One transaction; a connection of its own, because each request has a thread of its own."""
        database = sqlite3.connect(self._path, timeout=10)
        database.row_factory = sqlite3.Row
        try:
            with database:
                yield database
        finally:
            database.close()

    # -- sessions ------------------------------------------------------------------------------------------------------

    def new_session(self) -> Session:
        made = Session(id=secrets.token_urlsafe(32), form_token=secrets.token_urlsafe(32), consent_id=None)
        with self._opened() as database:
            database.execute("DELETE FROM session WHERE seen_at < ?", (time.time() - SESSION_SECONDS,))
            database.execute(
                "INSERT INTO session (digest, form_token, seen_at) VALUES (?, ?, ?)",
                (_digest(made.id), made.form_token, time.time()),
            )
        return made

    def session(self, session_id: str) -> Session | None:
        with self._opened() as database:
            row = database.execute(
                "SELECT form_token, consent_id FROM session WHERE digest = ? AND seen_at >= ?",
                (_digest(session_id), time.time() - SESSION_SECONDS),
            ).fetchone()
            database.execute("UPDATE session SET seen_at = ? WHERE digest = ?", (time.time(), _digest(session_id)))
        return row and Session(id=session_id, form_token=row["form_token"], consent_id=row["consent_id"])

    def ask(self, session: Session, question: Question) -> None:
        """The question belongs to this browser alone, and a newer one takes its place."""
        with self._opened() as database:
            database.execute(
                "UPDATE session SET state = ?, verifier = ?, asked_at = ? WHERE digest = ?",
                (question.state, question.verifier, time.time(), _digest(session.id)),
            )

    def take_question(self, session: Session) -> tuple[str, str] | None:
        """(state, verifier) of the question this browser left with, once."""
        with self._opened() as database:
            row = database.execute(
                "SELECT state, verifier FROM session WHERE digest = ? AND asked_at >= ?",
                (_digest(session.id), time.time() - QUESTION_SECONDS),
            ).fetchone()
            database.execute(
                "UPDATE session SET state = NULL, verifier = NULL, asked_at = NULL WHERE digest = ?",
                (_digest(session.id),),
            )
        return row and (row["state"], row["verifier"])

    def say(self, session: Session, message: str) -> None:
        """For the next page."""
        with self._opened() as database:
            database.execute("UPDATE session SET message = ? WHERE digest = ?", (message, _digest(session.id)))

    def take_message(self, session: Session) -> str | None:
        with self._opened() as database:
            row = database.execute("SELECT message FROM session WHERE digest = ?", (_digest(session.id),)).fetchone()
            database.execute("UPDATE session SET message = NULL WHERE digest = ?", (_digest(session.id),))
        return row and row["message"]

    # -- links ---------------------------------------------------------------------------------------------------------

    def connect(self, session: Session, tokens: Tokens) -> Session:
        """The link belongs to this browser now, under a new id: nobody can have planted it beforehand."""
        self.keep(tokens)
        renamed = Session(
            id=secrets.token_urlsafe(32), form_token=secrets.token_urlsafe(32), consent_id=tokens.consent_id
        )
        with self._opened() as database:
            database.execute(
                "UPDATE session SET digest = ?, form_token = ?, consent_id = ? WHERE digest = ?",
                (_digest(renamed.id), renamed.form_token, renamed.consent_id, _digest(session.id)),
            )
        return renamed

    def keep(self, tokens: Tokens) -> None:
        with self._opened() as database:
            database.execute(
                "INSERT INTO link (consent_id, access_token, refresh_token, access_expires_at) VALUES (?, ?, ?, ?) "
                "ON CONFLICT (consent_id) DO UPDATE SET access_token = excluded.access_token, "
                "refresh_token = excluded.refresh_token, access_expires_at = excluded.access_expires_at "
                "WHERE ended_code IS NULL",
                (tokens.consent_id, tokens.access_token, tokens.refresh_token, tokens.access_expires_at),
            )

    def link(self, consent_id: str) -> Link | None:
        with self._opened() as database:
            row = database.execute("SELECT * FROM link WHERE consent_id = ?", (consent_id,)).fetchone()
        return row and Link(tokens=_tokens(row), ended_code=row["ended_code"], ended_by=row["ended_by"])

    def live_consents(self) -> list[str]:
        with self._opened() as database:
            rows = database.execute("SELECT consent_id FROM link WHERE ended_code IS NULL").fetchall()
        return [row["consent_id"] for row in rows]

    def end(self, consent_id: str, *, code: str, by: str) -> None:
        """Forget the tokens; the first word on how it ended stands."""
        with self._opened() as database:
            database.execute(
                "UPDATE link SET access_token = NULL, refresh_token = NULL, access_expires_at = NULL, ended_code = ?, "
                "ended_by = ? WHERE consent_id = ? AND ended_code IS NULL",
                (code, by, consent_id),
            )

    # -- the log of events ---------------------------------------------------------------------------------------------

    def note(self, event: dict[str, Any]) -> None:
        """Once, however often it is read."""
        with self._opened() as database:
            database.execute("DELETE FROM event WHERE noted_at < ?", (time.time() - EVENT_SECONDS,))
            database.execute(
                "INSERT INTO event VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (event_id) DO NOTHING",
                (
                    event["event_id"], event["consent_id"], event["type"], event["details"].get("initiator"),
                    event["occurred_at"], time.time(),
                ),
            )  # fmt: skip

    def events(self, consent_id: str) -> list[sqlite3.Row]:
        """(type, initiator, occurred_at), the newest first."""
        with self._opened() as database:
            return database.execute(
                "SELECT type, initiator, occurred_at FROM event WHERE consent_id = ? ORDER BY occurred_at DESC LIMIT ?",
                (consent_id, EVENTS_SHOWN),
            ).fetchall()

    def position(self) -> str:
        """How far the log was read; empty: not at all."""
        with self._opened() as database:
            row = database.execute("SELECT after FROM position").fetchone()
        return row["after"] if row else ""

    def move_to(self, after: str) -> None:
        with self._opened() as database:
            database.execute("INSERT OR REPLACE INTO position VALUES (1, ?)", (after,))


def _digest(session_id: str) -> str:
    return hashlib.sha256(session_id.encode()).hexdigest()


def _tokens(row: sqlite3.Row) -> Tokens | None:
    if row["refresh_token"] is None:
        return None
    return Tokens(
        consent_id=row["consent_id"],
        access_token=row["access_token"],
        refresh_token=row["refresh_token"],
        access_expires_at=row["access_expires_at"],
    )
