"""`register_platform`: a third party, its redirect URIs and what it may ask for. Prints the secret once."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from consents import clock, platforms
from consents.audit import Actor
from consents.errors import RequestNotAllowed
from consents.scopes import Purpose
from consents.states import Initiator, PlatformStatus


class Command(BaseCommand):
    help = (
        "Registers a platform and activates it. Its client secret is printed once and cannot be read again. "
        "For example: manage.py register_platform 'Budget Bot' --redirect-uri https://bot.example/callback --purposes "
        "budgeting --attested"
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", help="as people read it when they are asked for consent")
        parser.add_argument("--legal-name", default="", help="the company; without it: the name")
        parser.add_argument("--redirect-uri", required=True, action="append", metavar="URI", help="may be repeated")
        parser.add_argument(
            "--purposes", required=True, nargs="+", choices=[p.value for p in Purpose], help="what it may ask for"
        )
        parser.add_argument(
            "--attested",
            action="store_true",
            help="the company attested: no advertising, no profiling for sale, no onward sharing",
        )
        parser.add_argument("--sandbox", action="store_true", help="http redirect URIs on loopback are allowed")

    def handle(self, *args: Any, **options: Any) -> None:
        operator, now = Actor(initiator=Initiator.OPERATOR), clock.now()
        try:
            registration = platforms.register(
                name=options["name"],
                legal_name=options["legal_name"],
                redirect_uris=options["redirect_uri"],
                purposes=[Purpose(p) for p in options["purposes"]],
                attested=options["attested"],
                is_sandbox=options["sandbox"],
                actor=operator,
                now=now,
            )
        except RequestNotAllowed as error:
            how = "" if options["attested"] else ". Type: --attested"
            raise CommandError(f"{error}{how}", returncode=2) from error
        platforms.change_status(
            registration.platform, PlatformStatus.ACTIVE, reason="registered", actor=operator, now=now
        )
        self.stdout.write(f"client_id      {registration.platform.client_id}")
        self.stdout.write(f"client_secret  {registration.client_secret}")
