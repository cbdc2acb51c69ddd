"""`seed_embedded`: people, the pretend banks and two sandbox platforms for an embedded instance. May be repeated."""

import json
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from consents import clock
from gateway.embedded import seed


class Command(BaseCommand):
    help = "Seeds an embedded instance and prints what there is to use. Refuses to run anywhere else."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="one JSON object, for programs")

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.EMBEDDED:
            raise CommandError("Only for an embedded instance (SLUICE_EMBEDDED=1): it prints the passwords it makes.")
        described = seed.seed(now=clock.now())
        self.stdout.write(json.dumps(described, indent=None if options["json"] else 2))
