"""A race on one database, in a process of its own: `python -m tests.race.single`. tests.race.command starts it.

The database is DATABASE_URL, else SQLite in the directory. It is migrated here and belongs to the race alone.
"""

import argparse
import json
import os
import sys
import time
from pathlib import Path

from gateway.embedded.instance import Instance
from tests.race.judging import Tally, table, total
from tests.race.mutants import MUTANTS, NO_CHECK
from tests.race.server import Server, instance_in

PROGRESS_SECONDS = 10.0


class Progress:
    """A line every PROGRESS_SECONDS, and after the last round."""

    def __init__(self, name: str, rounds: int) -> None:
        self._name = name
        self._rounds = rounds
        self._began = self._told = time.monotonic()

    def __call__(self, number: int, tallies: dict[str, Tally]) -> None:
        now = time.monotonic()
        if now - self._told < PROGRESS_SECONDS and number < self._rounds:
            return
        self._told = now
        found = total(tallies.values())
        print(
            f"{self._name}: {number} of {self._rounds} rounds, {found.reads} reads, {found.leaks} leaks,"
            f" {now - self._began:.0f} s",
            flush=True,
        )


def run(options: argparse.Namespace, instance: Instance) -> dict[str, Tally]:
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", interactive=False, verbosity=0)
    call_command("createcachetable", verbosity=0)
    from tests.race.hands import Service
    from tests.race.racing import Size, race

    if options.mutant == NO_CHECK:
        MUTANTS[NO_CHECK]()  # tokens do not end here either
    size = Size(reads=options.reads, stops=options.revocations, readers=options.readers)
    with Server(instance, workers=options.workers, mutant=options.mutant):
        return race(size, Service("127.0.0.1", instance.port), Progress(options.name, options.revocations))


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.race.single")
    parser.add_argument("--name", required=True)
    parser.add_argument("--directory", type=Path, required=True)
    parser.add_argument("--result", type=Path, required=True)
    parser.add_argument("--mutant", default="", choices=["", *MUTANTS])
    for name in ("reads", "revocations", "readers", "workers"):
        parser.add_argument(f"--{name}", type=int, required=True)
    return parser.parse_args(arguments)


def main(arguments: list[str]) -> None:
    options = parse(arguments)
    instance = instance_in(options.directory)
    os.environ.update(instance.environment())  # before Django reads its settings
    tallies = run(options, instance)
    print(table(tallies), flush=True)
    options.result.write_text(json.dumps({hand: tally.as_json() for hand, tally in tallies.items()}))


if __name__ == "__main__":
    main(sys.argv[1:])
