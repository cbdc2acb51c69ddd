"""A database that came back from a backup knows nothing of what was said since: stops least of all, and what it counts
from here on was counted before.

So nothing is served until somebody has looked, and no copy or cursor of before is taken for one of what is here.
"""

from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.db.models import F

from consents import audit, event_log, platforms
from consents.audit import Actor
from consents.models import Consent, Platform
from consents.states import LIVE_CONSENTS, PlatformStatus

#: Reason of the suspensions.
RESTORED = "database_restored"
#: More than one consent was ever changed between a backup and its return; revisions end at 2 147 483 647.
_REVISIONS = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """How many platforms were suspended, consents have a new revision, and logs of events begin anew."""

    platforms: int
    consents: int
    logs: int


def hold(*, actor: Actor, now: datetime) -> Held:
    """Suspend every active platform, and make each cursor and tag that was given out worthless. May be done again.

    A platform's next delta says that it must be read from the beginning, its next look at events that some are gone:
    the rows and numbers that it holds may mean something else by now.
    """
    with transaction.atomic():
        active = list(Platform.objects.filter(status=PlatformStatus.ACTIVE).order_by("id"))
        for platform in active:
            platforms.suspend(platform, reason=RESTORED, actor=actor, now=now)
        consents = Consent.objects.filter(status__in=LIVE_CONSENTS).update(revision=F("revision") + _REVISIONS)
        held = Held(platforms=len(active), consents=consents, logs=event_log.begin_anew())
        counts: dict[str, object] = {"platforms": held.platforms, "consents": held.consents, "logs": held.logs}
        audit.record("database.restored", actor=actor, now=now, reason_code=RESTORED, details={"counts": counts})
    return held
