"""Periodic work of this package: thin calls, safe to run twice."""

from celery import shared_task

from consents import audit, clock, lifecycle, platform_endings, platforms


@shared_task(name="consents.sweep")
def sweep() -> None:
    """Write down expiries, announce those that come, end what platforms leave behind, and seal the audit trail."""
    now = clock.now()
    lifecycle.expire_due(now=now)
    lifecycle.announce_expiring(now=now)
    platforms.suspend_overdue(now=now)
    platform_endings.sweep(now=now)
    audit.seal()
