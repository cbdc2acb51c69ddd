"""Periodic work of this package: thin calls, safe to run twice."""

import time
from pathlib import Path

from celery import shared_task
from django.conf import settings

from gateway import spool

_HOUR_SECONDS = 3600.0


@shared_task(name="gateway.sweep")
def sweep() -> None:
    """Remove what died half-written in the spool; with Redis there is none."""
    for option in ("data_folder_in", "control_folder"):
        folder = settings.CELERY_BROKER_TRANSPORT_OPTIONS.get(option)
        if folder is not None:
            spool.sweep(Path(folder), before=time.time() - _HOUR_SECONDS)
