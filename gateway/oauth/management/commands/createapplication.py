"""Takes the place of the toolkit's command of this name: its clients attested nothing and stand in no audit trail."""

from typing import Any

from django.core.management.base import CommandError
from oauth2_provider.management.commands import createapplication

from gateway.advice import manage


class Command(createapplication.Command):
    help = "Refused: register_platform is the command here."

    def handle(self, *args: Any, **options: Any) -> None:
        """Raises CommandError, whatever was asked for."""
        raise CommandError(f"A platform is registered here, not a bare client: {manage('register_platform --help')}")
