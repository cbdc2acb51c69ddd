"""`after_restore`: nothing is served from a database that came back from a backup until somebody has looked."""

from typing import Any

from django.core.management.base import BaseCommand
from django.db import transaction

from consents import clock, restoring
from consents.audit import Actor
from consents.states import Initiator
from gateway.identity import sessions


class Command(BaseCommand):
    help = (
        "To be run once the database is back from a backup, before web and workers start: suspends every platform, "
        "signs everybody out, and has platforms read everything anew, for the backup knows nothing of what was stopped "
        "or told since. May be run again. For example: manage.py after_restore"
    )

    def handle(self, *args: Any, **options: Any) -> None:
        now = clock.now()
        with transaction.atomic():
            held = restoring.hold(actor=Actor(initiator=Initiator.OPERATOR), now=now)
            ended = sessions.end_everyones(now=now)
        self.stdout.write(f"platforms suspended: {held.platforms}")
        self.stdout.write(f"sessions ended: {ended}")
        self.stdout.write(f"consents whose copies are to be read anew: {held.consents}")
        self.stdout.write(f"logs of events that begin anew: {held.logs}")
        self.stdout.write(
            "Nothing is served now. Have web start where only you reach it; end what people and banks ended since the "
            "backup, ask each bank to look at its policies, then allow the platforms again under /operator/."
        )
