"""Takes the place of the toolkit's command of this name, which would delete refresh tokens that do not rotate."""

from typing import Any

from django.core.management.base import BaseCommand

from consents import clock
from gateway.oauth import housekeeping


class Command(BaseCommand):
    help = "Remove access tokens, codes and authorization requests that have run out."

    def handle(self, *args: Any, **options: Any) -> None:
        forgotten = housekeeping.forget_expired(clock.now())
        self.stdout.write(
            f"{forgotten.access_tokens} access tokens, {forgotten.grants} codes, "
            f"{forgotten.authorization_requests} authorization requests removed"
        )
