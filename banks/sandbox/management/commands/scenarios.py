"""`scenarios [--json]`: the customers one can sign in as, and what each is for."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from banks.sandbox.people import PASSWORD, SCENARIOS


class Command(BaseCommand):
    help = "Lists the scenario users of this bank."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        rows = [
            {"username": scenario.name, "password": PASSWORD, "scenario": scenario.description}
            for scenario in SCENARIOS.values()
        ]
        if options["json"]:
            self.stdout.write(json.dumps(rows))
            return
        for row in rows:
            self.stdout.write(f"{row['username']:<16} {row['password']:<10} {row['scenario']}")
