"""From nothing to the first balance: installing with pip, starting, memory, and what a person waits for."""

import contextlib
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]

from examples.tour.browser import Browser, Page
from examples.tour.instance import running
from examples.tour.person import Person, Visit
from examples.tour.platform import Platform
from gateway.embedded.readiness import answers, web_ready_url
from tests.benchmarks.bench import Bench
from tests.benchmarks.errors import CannotMeasure
from tests.benchmarks.figures import Figure, Goal, Sense
from tests.benchmarks.web import free_port

ROOT = Path(__file__).resolve().parents[2]
_NOT_COPIED = (".git", ".venv*", "var", "build", "*.egg-info", "__pycache__", ".*_cache", ".hypothesis")
_BALANCE_SECONDS = 30.0
_SUPERVISOR = "gateway.supervisor"


def measure(bench: Bench) -> list[Figure]:
    figures: list[Figure] = []
    bench.stop_serving()
    if not bench.size.is_quick:
        bench.say("installing a copy of this checkout with pip, without a cache")
        figures.append(_seconds("cold start with pip, until ready", cold_start(bench.directory / "checkout"), 90))
    bench.say("starting an instance, and walking through one consent")
    began = time.monotonic()
    with running() as instance:
        _wait_until_ready(instance)
        figures.append(_seconds("warm start with an empty data directory, until ready", time.monotonic() - began, 10))
        figures.append(_seconds("first balance after the bank's redirect", first_balance(instance), 3))
        figures.append(_memory())
    return figures


def _seconds(name: str, value: float, at_most: float) -> Figure:
    return Figure(name=name, value=value, unit="s", goal=Goal(sense=Sense.AT_MOST, value=at_most))


# -- from a fresh clone ------------------------------------------------------------------------------------------------


def cold_start(checkout: Path) -> float:
    """Seconds from typing `python3 run.py` in a copy of this checkout until it is ready. Raises CannotMeasure."""
    shutil.copytree(ROOT, checkout, ignore=shutil.ignore_patterns(*_NOT_COPIED))
    command = [
        *(sys._base_executable, "run.py", "--json", "--port", str(free_port())),  # type: ignore[attr-defined]
        *("--data-directory", str(checkout / "var")),
    ]
    log = checkout / "start.log"
    began = time.monotonic()
    with log.open("wb") as errors:
        process = subprocess.Popen(
            command, cwd=checkout, env=_without_uv(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors
        )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line.strip():
            raise CannotMeasure(f"the cold start failed: {log.read_text(errors='replace')[-2000:]}")
        _wait_until_ready(json.loads(line))
        return time.monotonic() - began
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _without_uv() -> dict[str, str]:
    """run.py prefers uv where there is one; pip is what everybody has. Nothing is taken from a cache."""
    foreign = ("SLUICE_", "SANDBOX_", "DATABASE_URL", "REDIS_URL", "VIRTUAL_ENV")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    folders = [folder for folder in kept.get("PATH", "").split(os.pathsep) if not (Path(folder) / "uv").exists()]
    return {**kept, "PATH": os.pathsep.join(folders), "PIP_NO_CACHE_DIR": "1"}


def _wait_until_ready(instance: Mapping[str, Any]) -> None:
    deadline = time.monotonic() + 30
    while not answers(web_ready_url(instance["issuer"])):
        if time.monotonic() > deadline:
            raise CannotMeasure("the instance said where it is, but does not answer /readyz with 200")
        time.sleep(0.02)


# -- what it holds -----------------------------------------------------------------------------------------------------


def _memory() -> Figure:
    """After the first sync, when every process has done its work once."""
    supervisor = next(one for one in psutil.Process().children() if _SUPERVISOR in one.cmdline())
    processes = [supervisor, *supervisor.children(recursive=True)]
    mebibytes = sum(one.memory_full_info().pss for one in processes) / 1024**2
    return Figure(
        name="memory of all processes",
        value=mebibytes,
        unit="MiB PSS",
        goal=Goal(sense=Sense.AT_MOST, value=400),
        note=f"{len(processes)} processes: web, worker, two pretend banks and who watches them",
    )


# -- what a person waits for -------------------------------------------------------------------------------------------


class TimedBrowser(Browser):
    """Knows when it last left `origin`, as a bank's redirect makes it."""

    def __init__(self, origin: str, *origins: str) -> None:
        super().__init__(origin, *origins)
        self._origin = origin
        self.left_at = 0.0

    def press(self, page: Page, button: str, values: Any = None) -> Page:
        pressed_at = time.monotonic()
        following = super().press(page, button, values)
        if page.url.startswith(self._origin) and not following.url.startswith(self._origin):
            # From before the bank's own work: no less than what its redirect takes.
            self.left_at = pressed_at
        return following


def first_balance(instance: Mapping[str, Any]) -> float:
    """Seconds from the bank's "Allow" to a balance in the platform's hands; the pages between are not read."""
    described = dict(instance)
    bank, registered = described["banks"][0], described["platforms"][0]
    platform = Platform(
        issuer=described["issuer"],
        client_id=registered["client_id"],
        client_secret=registered["client_secret"],
        redirect_uri=registered["redirect_uri"],
    )
    person = Person(described, described["users"][0])
    browser = TimedBrowser(bank["issuer"], described["issuer"])
    person.browser = browser
    with contextlib.redirect_stdout(io.StringIO()):  # the tour tells each step
        tokens = person.connect(platform, [Visit(bank, "happy")], ["accounts", "balances"])
    token = tokens["access_token"]
    account = platform.read(f"{described['api']}/accounts", token)["accounts"][0]
    address = f"{described['api']}/accounts/{account['account_id']}/balances"
    deadline = time.monotonic() + _BALANCE_SECONDS
    while not platform.read(address, token)["balances"]:
        if time.monotonic() > deadline:
            raise CannotMeasure(f"no balance came within {_BALANCE_SECONDS:.0f} s")
        time.sleep(0.05)
    return time.monotonic() - browser.left_at
