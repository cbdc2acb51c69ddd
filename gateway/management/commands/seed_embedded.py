"""`seed_embedded`: people, the pretend banks and two sandbox platforms for an embedded instance. May be repeated."""

import json
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from consents import clock
from gateway.embedded import seed
from gateway.embedded.instance import write_private
from gateway.embedded.report import addresses


class Command(BaseCommand):
    help = (
        "Seeds an embedded instance and prints what there is to use. Refuses to run anywhere else. "
        "For example: manage.py seed_embedded --to instance.json"
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="one JSON object, for programs")
        parser.add_argument(
            "--to", type=Path, metavar="FILE", help="write it, with addresses, to a file that only you may read"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.EMBEDDED:
            raise CommandError("Only for an embedded instance (SLUICE_EMBEDDED=1): it prints the passwords it makes.")
        described = seed.seed(now=clock.now())
        if options["to"]:
            write_private(options["to"], json.dumps({**addresses(settings.ISSUER), **described}))
            self.stdout.write(f"What there is to use, passwords and all: {options['to']}")
            return
        self.stdout.write(json.dumps(described, indent=None if options["json"] else 2))
