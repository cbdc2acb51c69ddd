"""`scenarios [--json]`: who banks here, with which password, and what each is for."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from banks.sandbox.customers import SCENARIOS
from banks.sandbox.people import PASSWORD


class Command(BaseCommand):
    help = "Lists the customers of the bank: user name, password, scenario."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="one line for programs: username, password, scenario")

    def handle(self, *args: Any, **options: Any) -> None:
        people = [
            {"username": person.name, "password": PASSWORD, "scenario": person.description}
            for person in SCENARIOS.values()
        ]
        if options["json"]:
            self.stdout.write(json.dumps(people))
            return
        for person in people:
            self.stdout.write(f"{person['username']:<10} {person['password']:<10} {person['scenario']}")
