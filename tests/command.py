"""`python3 run.py test`: the static checks beside every test, on SQLite and PostgreSQL, in one pytest run.

Three processes share the tests (tests/split.py). pytest's closing line is the last line of output, unless a static
check failed: then those are named once more, and the exit code is not 0 even if every test passed.
"""

import argparse
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Self

from tests import environment, servers, split  # importing `environment` gives the checks below their secrets

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
#: What makes a process of pytest one of those that share the tests.
PROCESSES = {
    split.SQLITE: {"SLUICE_TEST_DATABASE": environment.SQLITE},
    split.POSTGRESQL: {"SLUICE_TEST_DATABASE": environment.POSTGRESQL},
    split.APART: {"SLUICE_TEST_DATABASE": environment.SQLITE, "SLUICE_TEST_APART": "1"},
}


class Checks:
    """The static checks, two at a time beside what the block does; each is told of as it ends.

    When the block has ended, `failed` names all that failed, and what passes later is not told of: the last line stays
    the tests'.
    """

    def __init__(self) -> None:
        self.failed: list[str] = []
        self._pool = ThreadPoolExecutor(max_workers=2)
        self._running: set[subprocess.Popen[str]] = set()
        self._block_ended = self._is_cut_short = False

    def __enter__(self) -> Self:
        self._started = [self._pool.submit(self._check, name) for name in CHECKS]
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._block_ended, self._is_cut_short = True, kind is not None
        if self._is_cut_short:
            self._pool.shutdown(wait=False, cancel_futures=True)
            for process in set(self._running):
                process.kill()
        else:
            for started in self._started:
                started.result()  # raises what kept a check from running

    def _check(self, name: str) -> None:
        began = time.monotonic()
        pipes: dict[str, int] = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        with subprocess.Popen(CHECKS[name], cwd=ROOT, text=True, **pipes) as process:
            self._running.add(process)
            output, _ = process.communicate()
            self._running.discard(process)
        if self._is_cut_short:
            return
        if process.returncode != 0:
            self.failed.append(name)
            tell(name, "FAILED", time.monotonic() - began, f"\n{output}")
        elif not self._block_ended:
            tell(name, "ok", time.monotonic() - began)


def tell(name: str, verdict: str, seconds: float, output: str = "") -> None:
    """On a line of its own, wherever pytest's dots stand."""
    print(f"\n{name:<17} {verdict:<7} {seconds:5.1f} s{output}", flush=True)


def run_pytest(paths: list[str]) -> int:
    """One pytest run on both databases; returns its exit code. Only a run of everything has a process apart."""
    names = [split.SQLITE, split.POSTGRESQL] if paths else list(PROCESSES)
    each = [part for name in names for part in ("--tx", _process(name))]
    with subprocess.Popen([*PYTEST, *each, *paths], cwd=ROOT) as process:
        try:
            return process.wait()
        except KeyboardInterrupt:
            return process.wait()  # Ctrl-C reached pytest too: let it say what it found so far
        except SystemExit:
            process.terminate()
            raise


def _process(name: str) -> str:
    """As execnet has it (its "xspec")."""
    return "//".join(["popen", *(f"env:{variable}={value}" for variable, value in PROCESSES[name].items())])


def run_with_servers(paths: list[str]) -> int:
    began = time.monotonic()
    started = servers.Servers(servers.POSTGRESQL, servers.REDIS)
    try:
        os.environ["SLUICE_TEST_POSTGRESQL"] = started.urls[servers.POSTGRESQL]
        os.environ["SLUICE_TEST_REDIS"] = started.urls[servers.REDIS]
        tell("test servers", "ok", time.monotonic() - began)
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
    if options.paths:
        return run_with_servers(options.paths)
    with Checks() as checks:
        code = run_with_servers(options.paths)
    if checks.failed:
        print(f"Static checks that failed (their output is above): {', '.join(checks.failed)}", flush=True)
        return code or 1
    return code


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
