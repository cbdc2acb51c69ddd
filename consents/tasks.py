"""Periodic work of this package: thin calls, safe to run twice."""

from celery import shared_task

from consents import audit, clock, lifecycle, withdrawal


@shared_task(name="consents.sweep")
def sweep() -> None:
    """Write down expiries, announce those that come, and seal the audit trail."""
    now = clock.now()
    lifecycle.expire_due(now=now)
    lifecycle.announce_expiring(now=now)
    audit.seal()


@shared_task(name="consents.withdraw")
def withdraw() -> None:
    """End what withdrawn platforms still hold at the banks that parted with them."""
    withdrawal.finish()
