"""The instance a user gets from `python3 run.py`: all of its processes start, stop and die together."""

import importlib.util
import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import psutil
import pytest

from tests.run.watching import alive, eventually, family

ROOT = Path(__file__).resolve().parent.parent.parent

pytestmark = [
    pytest.mark.sqlite_only,
    pytest.mark.skipif(
        importlib.util.find_spec("gateway.management") is None, reason="nothing seeds the embedded instance yet"
    ),
]


class Running(NamedTuple):
    process: subprocess.Popen[str]
    described: dict[str, Any]
    children: list[psutil.Process]


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[Running]:
    environment = {name: value for name, value in os.environ.items() if not re.match("SLUICE_|SANDBOX_", name)}
    process = subprocess.Popen(
        [sys.executable, "-m", "gateway.supervisor", "--json", "--data-directory", str(tmp_path / "data")],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=(tmp_path / "stderr").open("w"),
        text=True,
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, (tmp_path / "stderr").read_text()
    children = family(psutil.Process(process.pid))

    yield Running(process, json.loads(line), children)

    process.terminate()
    process.wait(10)
    for child in filter(alive, children):
        child.kill()


def ready(described: dict[str, Any]) -> bool:
    try:
        with urllib.request.urlopen(described["issuer"] + "/readyz", timeout=2) as response:
            return response.status == 200
    except OSError:
        return False


def test_killed_supervisor_leaves_no_process_of_the_instance(instance: Running) -> None:
    assert len(instance.children) >= 5  # granian and its worker twice, and Celery

    instance.process.kill()

    eventually(lambda: not any(map(alive, instance.children)), seconds=3)


def test_ctrl_c_stops_the_instance_within_ten_seconds(instance: Running) -> None:
    began = time.monotonic()
    instance.process.send_signal(signal.SIGINT)

    assert instance.process.wait(10) == 0
    assert not any(map(alive, instance.children))
    print(f"stopped in {time.monotonic() - began:.1f} s")


def test_killed_web_server_comes_back(instance: Running) -> None:
    web = next(child for child in instance.children if "gateway.wsgi:application" in child.cmdline())

    web.kill()

    eventually(lambda: not alive(web))
    eventually(lambda: ready(instance.described), seconds=20)


def test_nothing_in_the_data_directory_is_open_to_others(instance: Running, tmp_path: Path) -> None:
    open_to_others = [path for path in (tmp_path / "data").rglob("*") if path.stat().st_mode & 0o077]

    assert open_to_others == []
