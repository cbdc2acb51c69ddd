"""Periodic work of this package: thin calls, safe to run twice."""

from celery import shared_task

from consents import clock
from gateway.oauth import housekeeping


@shared_task(name="oauth.sweep")
def sweep() -> None:
    """Remove what has run out."""
    housekeeping.forget_expired(clock.now())
