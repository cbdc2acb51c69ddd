"""Beat's whole schedule, run by every worker itself: slower than beat, and there when no beat is.

A thread of its own and not a message: it also works while the broker does not (banks.tasks).
"""

import logging
import threading
import time
from typing import Any

from django.db import connections

from consents import clock
from gateway import heartbeat

log = logging.getLogger(__name__)


class Reconciler:
    """Every `seconds`, each task of the schedule whose own interval is over. Beside a beat it finds nothing to do."""

    def __init__(self, app: Any, *, seconds: float) -> None:
        self._app = app
        self._seconds = seconds
        self._stopping = threading.Event()
        self._ran_at: dict[str, float] = {}
        self._thread = threading.Thread(target=self._run, name="reconciler", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Begin nothing more. What runs is not waited for: it is a daemon's, and its lease runs out."""
        self._stopping.set()

    def _run(self) -> None:
        while not self._stopping.wait(self._seconds):
            self.round(time.monotonic())
            connections.close_all()

    def round(self, monotonic: float) -> None:
        for name, entry in self._app.conf.beat_schedule.items():
            ran_at = self._ran_at.get(name)
            if ran_at is not None and monotonic - ran_at < float(entry["schedule"]):
                continue
            self._ran_at[name] = monotonic
            try:
                self._app.tasks[entry["task"]]()
            except Exception:  # whatever it was, the next round must come
                log.exception("a task of the schedule failed", extra={"task": entry["task"]})
        heartbeat.give(now=clock.now())
