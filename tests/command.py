"""`python3 run.py test`: the static checks, then every test on SQLite and PostgreSQL in one pytest run.

pytest's closing line is the last line of output, unless a static check failed: then those are named once more, and the
exit code is not 0 even if every test passed.
"""

import argparse
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from tests import environment, servers  # importing `environment` gives the checks below their secrets

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
PYTHON = sys.executable

CHECKS: dict[str, list[str]] = {
    "ruff": [str(BIN / "ruff"), "check", "."],
    "import contracts": [str(BIN / "lint-imports"), "--no-cache"],
    "mypy": [PYTHON, "-m", "mypy"],
    "migrations": [PYTHON, "manage.py", "makemigrations", "--check", "--dry-run"],
    "system checks": [PYTHON, "manage.py", "check"],
}
# A worker that cannot even read the settings would otherwise be restarted for ever.
PYTEST = [PYTHON, "-m", "pytest", "-p", "tests.environment", "-p", "xdist", "--dist", "each", "--max-worker-restart=0"]
DATABASES = (environment.SQLITE, environment.POSTGRESQL)


class Verdict(NamedTuple):
    name: str
    passed: bool
    seconds: float
    output: str


def check(name: str) -> Verdict:
    began = time.monotonic()
    done = subprocess.run(
        CHECKS[name], cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    return Verdict(name, done.returncode == 0, time.monotonic() - began, done.stdout)


def run_checks() -> list[str]:
    """Run the static checks, two at a time; returns the names of those that failed."""
    failed = []
    with ThreadPoolExecutor(max_workers=2) as pool:
        for verdict in pool.map(check, CHECKS):
            print(f"{verdict.name:<17} {'ok' if verdict.passed else 'FAILED':<7} {verdict.seconds:5.1f} s", flush=True)
            if not verdict.passed:
                print(verdict.output, flush=True)
                failed.append(verdict.name)
    return failed


def run_pytest(paths: list[str]) -> int:
    """One pytest run on both databases; returns its exit code."""
    each = [part for name in DATABASES for part in ("--tx", f"popen//env:SLUICE_TEST_DATABASE={name}")]
    with subprocess.Popen([*PYTEST, *each, *paths], cwd=ROOT) as process:
        try:
            return process.wait()
        except KeyboardInterrupt:
            return process.wait()  # Ctrl-C reached pytest too: let it say what it found so far
        except SystemExit:
            process.terminate()
            raise


def run_with_servers(paths: list[str]) -> int:
    began = time.monotonic()
    started = servers.Servers(servers.POSTGRESQL, servers.REDIS)
    try:
        os.environ["SLUICE_TEST_POSTGRESQL"] = started.urls[servers.POSTGRESQL]
        os.environ["SLUICE_TEST_REDIS"] = started.urls[servers.REDIS]
        print(f"{'test servers':<17} {'ok':<7} {time.monotonic() - began:5.1f} s", flush=True)
        return run_pytest(paths)
    finally:
        started.stop()


def _terminated(*_: object) -> None:
    raise SystemExit(143)  # unwinds: pytest ends, the servers stop


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="run.py test")
    parser.add_argument("paths", nargs="*", metavar="PATH")
    parser.add_argument("--full", action="store_true")
    options = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, _terminated)
    if options.full:
        os.environ["SLUICE_TEST_FULL"] = "1"
    if not options.paths:
        os.environ["SLUICE_TEST_SHARED"] = "1"
    failed = [] if options.paths else run_checks()
    code = run_with_servers(options.paths)
    if failed:
        print(f"Static checks that failed (their output is above): {', '.join(failed)}", flush=True)
        return code or 1
    return code


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
