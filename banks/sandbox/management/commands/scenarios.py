"""`scenarios [--json | --markdown]`: who banks here, with which password, and what each is for."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from banks.sandbox.catalogue import as_list, as_markdown
from banks.sandbox.customers import SCENARIOS


class Command(BaseCommand):
    help = (
        "Lists the customers of the bank: user name, password, scenario. "
        "For example: python -m banks.sandbox scenarios --json"
    )

    requires_system_checks = ()  # it looks at no table, and may be asked where no bank is set up

    def add_arguments(self, parser: ArgumentParser) -> None:
        form = parser.add_mutually_exclusive_group()
        form.add_argument("--json", action="store_true", help="one line for programs: username, password, scenario")
        form.add_argument("--markdown", action="store_true", help="docs/scenarios.md")

    def handle(self, *args: Any, **options: Any) -> None:
        people = as_list(SCENARIOS.values())
        if options["json"]:
            self.stdout.write(json.dumps(people))
            return
        if options["markdown"]:
            self.stdout.write(as_markdown(SCENARIOS.values()), ending="")
            return
        for person in people:
            self.stdout.write(f"{person['username']:<20} {person['password']:<10} {person['scenario']}")
