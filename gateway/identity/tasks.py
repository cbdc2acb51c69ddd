"""Periodic work of this package: thin calls, safe to run twice."""

from celery import shared_task

from consents import clock
from gateway.identity import history, sessions


@shared_task(name="identity.sweep")
def sweep() -> None:
    """Forget what people need no longer see: sessions that are over, and what happened long ago."""
    now = clock.now()
    history.forget_old(now=now)
    sessions.forget_old(now=now)
