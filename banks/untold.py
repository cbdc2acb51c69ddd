"""Changes of rows that no event has told yet, remembered with their job: whoever holds it next tells them.

Otherwise what a worker stored before it died would be told to nobody: the next one finds it there, and nothing new.
"""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from banks.errors import StaleLease
from banks.held_jobs import Claim, row_of
from consents import events

#: In a job's `counts` while it runs: the connection's change number before the first of them. What puts the job back or
#: ends it writes the counts themselves in its place.
_CHANGED_AFTER = "changed_after"


def note(held: Claim, after: int) -> None:
    """In the transaction that makes the first of them. Raises StaleLease."""
    if not row_of(held).update(counts={_CHANGED_AFTER: after}):
        raise StaleLease(held.job_id)


def left_by_another(held: Claim) -> int | None:
    """The number before the first change that an earlier holder made and did not come to tell; None: there is none."""
    if held.epoch == 1:
        return None
    return of_job(row_of(held).values_list("counts", flat=True).first() or {})


def of_job(counts: Mapping[str, int]) -> int | None:
    """The same, of the job's `counts`."""
    return counts.get(_CHANGED_AFTER)


def publish(*, connection_id: UUID, user_id: UUID, after: int, counts: Mapping[str, int], now: datetime) -> None:
    """Whoever delivers it looks for a row beyond `after` that the consent lets through. In the transaction that writes
    the job's counts."""
    events.publish(
        events.EventType.TRANSACTIONS_UPDATED,
        now=now,
        user_id=user_id,
        connection_id=connection_id,
        details={**counts, "changed_after": after},
    )
