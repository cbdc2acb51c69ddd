"""`python3 run.py race`: nothing that begins after a stop was acknowledged gets data, whoever stopped it.

The last line is `L leaks in N reads`; the exit code is 1 when there was one, or when the race proved nothing.
"""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from tests import servers
from tests.race.judging import Tally, total, troubles, verdict
from tests.race.options import POSTGRESQL, SQLITE, parser

ROOT = Path(__file__).resolve().parents[2]
#: What a developer's shell may export, and a race must not touch.
_FOREIGN = ("DATABASE_URL", "REDIS_URL", "DJANGO_SETTINGS_MODULE")


def race(database: str, options: argparse.Namespace, directory: Path) -> list[Tally]:
    """Run one database's race in a process of its own; its tallies. Raises CalledProcessError."""
    environment = {name: value for name, value in os.environ.items() if name not in _FOREIGN}
    environment = {name: value for name, value in environment.items() if not name.startswith(("SLUICE_", "SANDBOX_"))}
    result = directory / f"{database}.json"
    numbers = [
        part
        for name in ("reads", "revocations", "readers", "workers")
        for part in (f"--{name}", str(getattr(options, name)))
    ]
    command = [
        *(sys.executable, "-m", "tests.race.single", "--name", database, "--result", str(result)),
        *("--directory", str(directory / database), "--mutant", options.mutant, *numbers),
    ]
    started = servers.Servers(servers.POSTGRESQL) if database == POSTGRESQL else None
    try:
        if started is not None:
            environment["DATABASE_URL"] = started.urls[servers.POSTGRESQL]
        subprocess.run(command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, check=True)
    finally:
        if started is not None:
            started.stop()
    return [Tally(**tally) for tally in json.loads(result.read_text()).values()]


def _terminated(*_: object) -> None:
    raise SystemExit(143)  # unwinds: the race ends, the servers stop, the directory goes


def main(arguments: list[str]) -> int:
    options = parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, _terminated)
    databases = [SQLITE, POSTGRESQL] if options.database == "both" else [options.database]
    directory = Path(tempfile.mkdtemp(prefix="sluice-race-"))
    tallies: list[Tally] = []
    wrong: list[str] = []
    try:
        for database in databases:
            found = race(database, options, directory)
            tallies += found
            wrong += [f"{database}: {line}" for line in troubles(found)]
    except subprocess.CalledProcessError as failed:
        print(f"The race did not get to its end (exit code {failed.returncode}).", file=sys.stderr)
        return 1
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    found_in_all = total(tallies)
    for line in wrong:
        print(line, flush=True)
    print(verdict(found_in_all.leaks, found_in_all.reads), flush=True)
    return 1 if found_in_all.leaks or wrong else 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
