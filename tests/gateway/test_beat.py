"""Beat waits for what is due; it does not run in circles until then."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from celery import Celery
from celery.beat import Scheduler as CelerysOwn
from celery.schedules import schedule

from gateway.beat import Scheduler
from gateway.celery import ThreadBeat, app

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def _scheduler(kind: type[Any], *, due_in: timedelta) -> Any:
    """Of one task a minute, at an instant that stands still; it sends nowhere."""
    app = Celery("beat", broker="memory://", set_as_current=False)
    every_minute = schedule(MINUTE, nowfun=lambda: NOW, app=app)
    scheduler = kind(app, lazy=True, schedule={})
    scheduler.add(name="once", task="some.task", schedule=every_minute, last_run_at=NOW - MINUTE + due_in)
    return scheduler


def _wait(scheduler: Any) -> float:
    """Seconds, past the looks that only put its heap in order."""
    return max(float(scheduler.tick()) for _ in range(3))


@pytest.mark.parametrize("milliseconds", [5000, 11, 8, 1])
def test_it_waits_until_the_instant_itself(milliseconds: int) -> None:
    """Celery's own wakes 10 ms early, and then looks again without a pause for as long: a hundredth of a processor at
    one tick a second, with Python's one lock in its hands."""
    scheduler = _scheduler(Scheduler, due_in=timedelta(milliseconds=milliseconds))

    assert _wait(scheduler) == pytest.approx(milliseconds / 1000, abs=1e-5)


def test_what_is_due_is_sent_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    scheduler = _scheduler(Scheduler, due_in=timedelta(0))
    sent: list[str] = []
    monkeypatch.setattr(scheduler, "apply_entry", lambda entry, producer: sent.append(entry.task))

    assert scheduler.tick() == 0
    assert sent == ["some.task"]


def test_celerys_own_is_still_in_need_of_it() -> None:
    assert _wait(_scheduler(CelerysOwn, due_in=timedelta(milliseconds=8))) <= 0


def test_every_beat_has_it_however_it_is_started() -> None:
    """`celery -A gateway beat` takes it from the settings, as a worker's own beat does."""
    assert app.conf.beat_scheduler == f"{Scheduler.__module__}:{Scheduler.__name__}"
    assert ThreadBeat(SimpleNamespace(app=app)).create(SimpleNamespace(app=app)).service.scheduler_cls == (
        app.conf.beat_scheduler
    )
