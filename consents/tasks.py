"""Periodic work of this package: thin calls, safe to run twice."""

from celery import shared_task

from consents import audit, clock, event_log, lifecycle, platform_endings, platforms, withdrawal


@shared_task(name="consents.sweep")
def sweep() -> None:
    """Write down expiries, announce what comes, end what platforms leave, seal the audit trail, forget old events."""
    now = clock.now()
    lifecycle.expire_due(now=now)
    lifecycle.announce_expiring(now=now)
    platforms.suspend_overdue(now=now)
    platform_endings.sweep(now=now)
    audit.seal_all()
    event_log.forget(now=now)


@shared_task(name="consents.spread")
def spread() -> None:
    """Lay what happened into the logs of the platforms it concerns."""
    event_log.spread(now=clock.now())


@shared_task(name="consents.withdraw")
def withdraw() -> None:
    """End what withdrawn platforms still hold at the banks that parted with them."""
    withdrawal.finish()
