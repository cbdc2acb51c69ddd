"""The one clock. Views, tasks and commands call it and pass `now` on; nothing below reads the time."""

from datetime import UTC, datetime


def now() -> datetime:
    """The instant, aware, in UTC."""
    return datetime.now(UTC)
