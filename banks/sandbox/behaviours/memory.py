"""What the bank remembers of its scenarios' users: the stage each has reached, and how often something happened.

A scenario turns when its **stage** rises. The stage is what the control API set, else it counts days of the books since
the bank first answered for this user: so a scenario plays by itself while days go by, and at once where a test asks.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.db import transaction
from django.db.models import F

from banks.sandbox import models

STAGE_MAX = 1_000
SECONDS_MAX = 60.0


class InvalidSwitch(Exception):
    """The switch cannot be set like that; str() says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """`stage` None: not set, days count; `seconds` None: as documented; `began_on`: day of the first answer."""

    stage: int | None = None
    seconds: float | None = None
    began_on: date | None = None

    def stage_on(self, today: date, days_each: int = 1) -> int:
        """The stage on this day of the books, from 0; a stage lasts `days_each` days."""
        if self.stage is not None:
            return self.stage
        return max(0, (today - self.began_on).days) // days_each if self.began_on else 0


def of(user: str) -> Memory:
    row = models.Memory.objects.filter(pk=user).values("stage", "seconds", "began_on").first()
    return Memory(**row) if row else Memory()


def begun(user: str, today: date) -> Memory:
    """The same, after noting that today is the day of the first answer, unless an earlier one was noted."""
    kept = of(user)
    if kept.began_on is not None:
        return kept
    models.Memory.objects.get_or_create(pk=user)
    models.Memory.objects.filter(pk=user, began_on=None).update(began_on=today)
    return of(user)


def switch(user: str, changes: Mapping[str, Any]) -> None:
    """Set `stage` (whole number, or None) and `seconds` (number, or None). Raises InvalidSwitch.

    Stage 0 is the beginning: the day of the first answer and every counter of this user are forgotten.
    """
    if not changes or changes.keys() - {"stage", "seconds"}:
        raise InvalidSwitch("name stage, seconds or both, and nothing else")
    stage, seconds = changes.get("stage"), changes.get("seconds")
    if stage is not None and (isinstance(stage, bool) or not isinstance(stage, int) or not 0 <= stage <= STAGE_MAX):
        raise InvalidSwitch(f"stage is a whole number from 0 to {STAGE_MAX}, or null")
    if seconds is not None and not _is_duration(seconds):
        raise InvalidSwitch(f"seconds is a number from 0 to {SECONDS_MAX:.0f}, or null")
    models.Memory.objects.update_or_create(pk=user, defaults=dict(changes))
    if stage == 0:
        restart(user)


def restart(user: str) -> None:
    """Back to the beginning, from where days count again; how long the user waits stays as it is."""
    models.Tally.objects.filter(user=user).delete()
    models.Memory.objects.filter(pk=user).update(stage=None, began_on=None)


def count(user: str, what: str, consent_id: str = "") -> int:
    """Count one more; the new number, from 1. Two requests at once never get the same one."""
    with transaction.atomic():
        row, _ = models.Tally.objects.get_or_create(user=user, consent_id=consent_id, what=what)
        models.Tally.objects.filter(pk=row.pk).update(count=F("count") + 1)
        row.refresh_from_db()
        return row.count


def counted(user: str, what: str, consent_id: str = "") -> int:
    """The number that `count` gave last, 0 before."""
    rows = models.Tally.objects.filter(user=user, consent_id=consent_id, what=what)
    return next(iter(rows.values_list("count", flat=True)), 0)


def counts(user: str, prefix: str) -> dict[str, int]:
    """Every count of this user that begins with `prefix`, under whichever consent."""
    rows = models.Tally.objects.filter(user=user, consent_id="", what__startswith=prefix)
    return dict(rows.order_by("what").values_list("what", "count"))


def _is_duration(value: object) -> bool:
    # Neither NaN nor infinity lies between the two.
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= SECONDS_MAX
