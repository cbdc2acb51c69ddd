"""`one_time_code`: what an app for one-time codes would show now, for the people an embedded instance made up."""

import time
from typing import Any

from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from django.core.management.base import BaseCommand, CommandError, CommandParser

from gateway.embedded.kept import Kept

_PERIOD_SECONDS = 30


class Command(BaseCommand):
    help = (
        "Prints the one-time code of a member of staff of this embedded instance, good for half a minute or so. "
        "For example: manage.py one_time_code operator"
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username", help="as printed at the start: first-bank-admin, operator ...")

    def handle(self, *args: Any, **options: Any) -> None:
        secret = Kept.load().values.get(f"totp:{options['username']}")
        if secret is None:
            raise CommandError("No secret is kept here for this name. Only an embedded instance keeps any.")
        self.stdout.write(format_hotp_value(hotp_value(secret, int(time.time()) // _PERIOD_SECONDS)))
