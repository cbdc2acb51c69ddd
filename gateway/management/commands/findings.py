"""`findings`: what is not as it should be with banks and their answers, for the operator's eyes."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from banks import directory, trouble
from banks.errors import InstitutionNotFound


class Command(BaseCommand):
    help = (
        "Lists open findings (balances that do not add up, another person behind a login, less history than promised, "
        "lists that keep changing, bank consents that cannot be ended) and why rows were set aside. No customer data. "
        "For example: manage.py findings --bank first-bank"
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--bank", metavar="SLUG", help="of this bank alone")
        parser.add_argument("--json", action="store_true", help='one line: {"findings": [...], "quarantined": [...]}')

    def handle(self, *args: Any, **options: Any) -> None:
        bank = options["bank"]
        try:
            if bank is not None:
                directory.institution(bank)
        except InstitutionNotFound as error:
            raise CommandError(f"There is no bank {bank}.") from error
        findings = [asdict(row) for row in trouble.open_findings(bank=bank)]
        quarantined = [asdict(row) for row in trouble.quarantined(bank=bank)]
        if options["json"]:
            self.stdout.write(json.dumps({"findings": findings, "quarantined": quarantined}, default=str))
            return
        self._table("Open findings", findings, "None: nothing is known to be wrong.")
        self._table("Rows set aside", quarantined, "None: every row could be taken.")

    def _table(self, title: str, rows: Sequence[Mapping[str, object]], empty: str) -> None:
        self.stdout.write(title)
        if not rows:
            self.stdout.write(f"  {empty}")
            return
        cells = [[name.replace("_", " ") for name in rows[0]]]
        cells += [["" if value is None else str(value) for value in row.values()] for row in rows]
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        for row in cells:
            line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
            self.stdout.write(f"  {line.rstrip()}")
