"""The Celery application: it wakes and spreads the workers; the database remembers what is to be done.

`gateway/__init__.py` deliberately imports nothing, so that the supervisor starts without Django. A process that
sends tasks must therefore import this module itself, or they go to Celery's default broker.
"""

import os
import warnings
from typing import Any

from celery import Celery, bootsteps, signals
from celery.exceptions import SecurityWarning
from celery.fixups.django import (  # type: ignore[attr-defined]  # the stubs know half of it
    DjangoFixup,
    DjangoWorkerFixup,
)
from django.db import close_old_connections
from kombu.transport import TRANSPORT_ALIASES

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "gateway.settings")


class ThreadBeat(bootsteps.StartStopStep):
    """Beat as a thread of the worker, when SLUICE_BEAT_THREAD=1.

    `worker -B` would fork a process of 84 MiB that survives a kill -9 of the worker. The schedule is kept in memory and
    writes no file: beat only sends ticks, and whatever must not be missed while nobody ran is a row with a due time.
    """

    requires = ("celery.worker.components:Pool",)

    def __init__(self, worker: Any, **options: Any) -> None:
        self.enabled = os.environ.get("SLUICE_BEAT_THREAD") == "1"
        super().__init__(worker, **options)

    def create(self, worker: Any) -> Any:
        from celery.beat import EmbeddedService  # only a worker needs it, not every web process

        return EmbeddedService(worker.app, thread=True, scheduler_cls=worker.app.conf.beat_scheduler)


class ReconcilerThread(bootsteps.StartStopStep):
    """What beat sends, found by the worker itself: no beat at all is survived, more slowly."""

    requires = ("celery.worker.components:Pool",)

    def create(self, worker: Any) -> Any:
        from django.conf import settings

        from gateway.reconciler import Reconciler

        return Reconciler(worker.app, seconds=settings.RECONCILE_SECONDS)


class _WorkerFixup(DjangoWorkerFixup):  # type: ignore[misc]
    """A thread's database connection outlives its task, as Django's own outlive a request (CONN_MAX_AGE).

    Celery's fixup closes it before and after every task, and opening one costs PostgreSQL more than a sync does.
    """

    def validate_models(self) -> None:
        """Celery's runs Django's system checks, which import every page there is, and drops what they found."""
        self.django_setup()

    def close_database(self, **options: Any) -> None:
        close_old_connections()


class _Fixup(DjangoFixup):
    #: Made when it is first asked for: it reads the settings.
    _kept: _WorkerFixup | None = None

    @property
    def worker_fixup(self) -> Any:
        if self._kept is None:
            self._kept = _WorkerFixup(self.app)
        return self._kept


def _fixup(made: Celery) -> Any:
    return _Fixup(made).install()


if os.environ.get("SLUICE_EMBEDDED") == "1":
    # Its supervisor has no other user to give it: in a container it is root, and advice at each start hides the rest.
    warnings.filterwarnings("ignore", "You're running the worker with superuser privileges", SecurityWarning)

TRANSPORT_ALIASES["filesystem"] = "gateway.spool:Transport"  # kombu's own lets a reader take a half-written message
app = Celery("gateway", fixups=[_fixup])  # type: ignore[list-item]  # names in the stubs, callables in the code
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
app.steps["worker"].add(ThreadBeat)
app.steps["worker"].add(ReconcilerThread)


# -- what travels with a message, and signs of life --------------------------------------------------------------------


@signals.setup_logging.connect
def keep_our_logging(**_: Any) -> None:
    """Having this receiver keeps Celery from configuring logging: LOGGING in the settings is the one law."""


@signals.before_task_publish.connect
def send_the_request_id(headers: dict[str, Any] | None = None, body: Any = None, **_: Any) -> None:
    from gateway import request_ids  # after Django's settings

    if headers is not None:
        is_asked_for = not headers.pop("by_schedule", False)
        headers["request_id"] = request_ids.of_message(headers.get("task", ""), body, is_asked_for=is_asked_for)


@signals.task_prerun.connect
def take_the_request_id(task: Any = None, **_: Any) -> None:
    from gateway import request_ids

    request_ids.begin(getattr(task.request, "request_id", None) if task is not None else None)


@signals.task_postrun.connect
def done(**_: Any) -> None:
    from consents import clock
    from gateway import heartbeat, request_ids

    heartbeat.give(now=clock.now())
    request_ids.end()


@signals.beat_init.connect
def beat_is_alive_while_it_sends(**_: Any) -> None:
    from gateway import heartbeat

    signals.after_task_publish.connect(lambda **_: heartbeat.touch(), weak=False)
