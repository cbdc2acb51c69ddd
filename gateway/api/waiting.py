"""Waiting for an end on a platform's wish (RFC 7240, `Prefer: wait`): short, by few, and holding nothing.

A thread that waits serves nobody else, so only a few of a process may; whoever comes beyond that is answered at once.
"""

import re
import time
from collections.abc import Callable
from threading import BoundedSemaphore

SECONDS_MAX = 8
#: Of the 8 threads a web process has by default; pages that wait for banks take 3.
WAITING_MAX = 2
_PAUSE_SECONDS = 0.25

# It guards this process's threads and no shared truth, so it may live in its memory.
_places = BoundedSemaphore(WAITING_MAX)
#: Preferences stand between commas, except within quotes.
_PREFERENCES = re.compile(r'(?:[^,"]|"(?:\\.|[^"\\])*")+')
_SECONDS = re.compile(r"[0-9]{1,9}\Z")


def preferred_seconds(prefer: str | None) -> int | None:
    """Seconds to wait at most, 0 to SECONDS_MAX; None: the header says nothing of it that can be understood.

    The first `wait` counts (RFC 7240 section 2); what is not understood is passed over, as that section wants.
    """
    for preference in _PREFERENCES.findall(prefer or ""):
        name, _, value = preference.partition(";")[0].partition("=")
        if name.strip().lower() == "wait":
            text = value.strip().strip('"')
            return min(int(text), SECONDS_MAX) if _SECONDS.match(text) else None
    return None


def wait_until(
    ended: Callable[[], bool],
    seconds: int,
    *,
    pause: Callable[[float], None] = time.sleep,
    monotonic: Callable[[], float] = time.monotonic,
) -> bool:
    """Look until `ended()` or the seconds are over. False: too many wait already, and nothing was done."""
    if not _places.acquire(blocking=False):
        return False
    try:
        end = monotonic() + seconds
        while not ended() and (left := end - monotonic()) > 0:
            pause(min(_PAUSE_SECONDS, left))
        return True
    finally:
        _places.release()
