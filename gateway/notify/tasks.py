"""Background work: thin calls, safe to run twice, lost or late."""

import time

from celery import shared_task

from consents import clock
from gateway.notify import notices, sending, summaries

#: No new mail is begun after this: what is left is the next round's.
_ROUND_SECONDS = 30.0


@shared_task(name="notify.collect")
def collect() -> None:
    """Make notices of the events that nobody has looked at."""
    while notices.collect(now=clock.now()) == notices.BATCH:
        pass


@shared_task(name="notify.send")
def send() -> None:
    """Send what is due, one after the other, until one finds no mail server."""
    ends = time.monotonic() + _ROUND_SECONDS
    for notice_id in sending.due(now=clock.now()):
        held = sending.claim(notice_id, now=clock.now())
        if held is not None and not sending.attempt(held, clock=clock.now):
            return
        if time.monotonic() > ends:
            return


@shared_task(name="notify.sweep")
def sweep() -> None:
    """Make the summaries that the calendar asks for; forget what is old."""
    summaries.summarise(now=clock.now())
    notices.forget(now=clock.now())
