"""Every worker runs the whole schedule by itself, and no failure of one task ends that."""

import threading
from datetime import datetime
from types import SimpleNamespace
from typing import Any

import pytest
from django.conf import settings

from gateway import heartbeat
from gateway.celery import app
from gateway.reconciler import Reconciler


@pytest.fixture(autouse=True)
def signs(monkeypatch: pytest.MonkeyPatch) -> list[datetime]:
    """When it gave a sign of life."""
    given: list[datetime] = []
    monkeypatch.setattr(heartbeat, "give", lambda *, now: given.append(now))
    return given


def test_each_round_gives_a_sign_of_life_even_if_all_of_it_failed(signs: list[datetime]) -> None:
    def fails() -> None:
        raise ZeroDivisionError

    reconciler = Reconciler(application({"fails": 1.0}, {"fails": fails}), seconds=30)

    reconciler.round(0.0)
    reconciler.round(30.0)

    assert len(signs) == 2


def application(schedule: dict[str, float], tasks: dict[str, Any]) -> Any:
    entries = {name: {"task": name, "schedule": seconds} for name, seconds in schedule.items()}
    return SimpleNamespace(conf=SimpleNamespace(beat_schedule=entries), tasks=tasks)


def test_each_task_runs_when_its_own_interval_is_over_and_no_sooner() -> None:
    ran: list[str] = []
    tasks = {"often": lambda: ran.append("often"), "seldom": lambda: ran.append("seldom")}
    reconciler = Reconciler(application({"often": 1.0, "seldom": 60.0}, tasks), seconds=30)

    for monotonic in (0.0, 30.0, 60.0):
        reconciler.round(monotonic)

    assert ran == ["often", "seldom", "often", "often", "seldom"]


def test_a_task_that_fails_ends_neither_the_round_nor_the_next(caplog: Any) -> None:
    ran: list[str] = []

    def fails() -> None:
        raise ZeroDivisionError

    tasks = {"fails": fails, "works": lambda: ran.append("works")}
    reconciler = Reconciler(application({"fails": 1.0, "works": 1.0}, tasks), seconds=30)

    reconciler.round(0.0)
    reconciler.round(30.0)

    assert ran == ["works", "works"]
    assert [record.task for record in caplog.records] == ["fails", "fails"]


def test_it_runs_until_it_is_stopped() -> None:
    ran = threading.Event()
    reconciler = Reconciler(application({"task": 0.0}, {"task": ran.set}), seconds=0.01)

    reconciler.start()
    assert ran.wait(10)
    reconciler.stop()
    reconciler._thread.join(10)

    assert not reconciler._thread.is_alive()


def test_every_task_of_the_schedule_exists() -> None:
    app.loader.import_default_modules()

    assert {entry["task"] for entry in settings.CELERY_BEAT_SCHEDULE.values()} <= set(app.tasks)
