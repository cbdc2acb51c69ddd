"""`serve --port 8001`: bring the bank's tables up to date, then be the bank, in one process and the worker it forks."""

import gc
import os
from argparse import ArgumentParser
from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import connections
from granian import Granian
from granian.constants import Interfaces
from granian.log import LogLevels

_THREADS = 8


class Command(BaseCommand):
    help = (
        "Brings the tables of the bank up to date and serves it. For example: python -m banks.sandbox serve --port 8001"
    )
    requires_system_checks = ()  # as the server by itself, which runs none

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: loopback)")
        parser.add_argument("--port", type=int, required=True, metavar="N", help="port to listen on")

    def handle(self, *args: Any, **options: Any) -> None:
        _bring_tables_up_to_date()
        # No connection may cross the fork, and what both processes hold is never written to by the collector.
        connections.close_all()
        import banks.sandbox.urls  # noqa: F401 -- once for both

        gc.freeze()
        Granian(
            "banks.sandbox.wsgi:application",
            address=options["host"],
            port=options["port"],
            interface=Interfaces.WSGI,
            workers=1,
            blocking_threads=_THREADS,
            websockets=False,
            log_level=LogLevels.warning,
        ).serve()


def _bring_tables_up_to_date() -> None:
    """Raises CommandError, with the exit code that tells a supervisor not to try again."""
    try:
        call_command("migrate", interactive=False, verbosity=0)
    except Exception as error:
        raise CommandError(f"The bank's tables: {error}", returncode=os.EX_CONFIG) from error
