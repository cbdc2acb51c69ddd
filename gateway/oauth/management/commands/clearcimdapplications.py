"""Takes the place of the toolkit's command of this name, which deletes clients: with a platform go its consents."""

from typing import Any

from django.core.management.base import CommandError
from oauth2_provider.management.commands import clearcimdapplications

from gateway.advice import manage


class Command(clearcimdapplications.Command):
    help = "Refused: platforms are never deleted, and what ran out goes with cleartokens."

    def handle(self, *args: Any, **options: Any) -> None:
        """Raises CommandError, whatever was asked for."""
        raise CommandError(f"Platforms are never deleted here. What ran out goes with: {manage('cleartokens')}")
