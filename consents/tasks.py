"""Periodic work of this package: thin calls, safe to run twice."""

from celery import shared_task

from consents import audit, clock, lifecycle


@shared_task(name="consents.sweep")
def sweep() -> None:
    """Write down expiries and seal the audit trail."""
    lifecycle.expire_due(now=clock.now())
    audit.seal()
