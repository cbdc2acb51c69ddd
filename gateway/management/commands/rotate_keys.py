"""`rotate_keys`: everything that is sealed, under the newest key of the vault."""

from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from banks import rotation
from banks.rotation import Progress
from gateway.identity import factors


class Command(BaseCommand):
    help = (
        "Puts the keys and secrets that SLUICE_VAULT_KEYS seals under its newest key: data keys of connections, "
        "signing keys towards banks, second factors. Add the new key at the end of SLUICE_VAULT_KEYS and restart "
        "everything first. May run while the service does, and again. For example: manage.py rotate_keys"
    )

    def handle(self, *args: Any, **options: Any) -> None:
        lost = self._shown("connections", rotation.connections())
        lost += self._shown("banks", rotation.institutions())
        moved, unopened = factors.rotate()
        self.stdout.write(f"second factors: {moved} moved")
        if lost + unopened:
            raise CommandError(
                f"{lost + unopened} could be opened by no key of the ring and stay as they are: the key that sealed "
                "them is missing. Put it back into SLUICE_VAULT_KEYS, in its old place, and run this again."
            )
        first, *between, newest = [*settings.VAULT_KEYS] if len(settings.VAULT_KEYS) > 1 else [*settings.VAULT_KEYS, ""]
        self.stdout.write(
            f"Everything is under {newest or first!r}. {first!r} stays for good: digests are made with it."
        )
        if between:
            self.stdout.write(f"{', '.join(map(repr, between))} may go once every backup of before has expired.")

    def _shown(self, what: str, steps: Iterator[Progress]) -> int:
        """One line for each batch; how many no key opened."""
        last = Progress(done=0, total=0, moved=0, lost=0)
        for last in steps:
            self.stdout.write(f"{what}: {last.done} of {last.total} looked at, {last.moved} moved")
        if not last.total:
            self.stdout.write(f"{what}: none")
        return last.lost
