"""The instance a user gets from `python3 run.py`: all of its processes start, stop and die together."""

import json
import os
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import psutil
import pytest

from tests.docs.markdown import read
from tests.run.watching import alive, eventually, family

ROOT = Path(__file__).resolve().parent.parent.parent

pytestmark = pytest.mark.sqlite_only


class Running(NamedTuple):
    process: subprocess.Popen[str]
    described: dict[str, Any]
    children: list[psutil.Process]


def start(tmp_path: Path) -> subprocess.Popen[str]:
    environment = {name: value for name, value in os.environ.items() if not re.match("SLUICE_|SANDBOX_", name)}
    return subprocess.Popen(
        [sys.executable, "-m", "gateway.supervisor", "--json", "--data-directory", str(tmp_path / "data")],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=(tmp_path / "stderr").open("w"),
        text=True,
    )


def first_line(process: subprocess.Popen[str], tmp_path: Path) -> dict[str, Any]:
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, (tmp_path / "stderr").read_text()
    return json.loads(line)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Running, Path]]:
    """The instance of these tests, and its directory. A start is dear: only the last test ends it."""
    directory = tmp_path_factory.mktemp("shared")
    with running(directory) as instance:
        yield instance, directory


@contextmanager
def running(tmp_path: Path) -> Iterator[Running]:
    process = start(tmp_path)
    described = first_line(process, tmp_path)
    children = family(psutil.Process(process.pid))

    yield Running(process, described, children)

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


def test_everything_an_instance_keeps_is_private(shared: tuple[Running, Path]) -> None:
    _, directory = shared

    assert [path for path in (directory / "data").rglob("*") if path.stat().st_mode & 0o077] == []


def test_a_web_server_that_dies_is_started_again(shared: tuple[Running, Path]) -> None:
    instance, _ = shared
    web = next(child for child in instance.children if "gateway.wsgi:application" in child.cmdline())
    served_by = [web, *family(web)]  # granian's worker answers for a moment after granian is gone

    web.kill()

    eventually(lambda: not any(map(alive, served_by)))
    eventually(lambda: ready(instance.described), seconds=20)


def test_t14_no_log_of_an_instance_holds_what_was_printed_or_what_is_kept_secret(
    shared: tuple[Running, Path],
) -> None:
    instance, directory = shared
    described = instance.described
    secrets = {file.read_text() for file in (directory / "data" / "secrets").glob("*_*")}
    for kind in ("users", "bank_admins", "operators", "platforms"):
        secrets |= {one[name] for one in described[kind] for name in ("password", "client_secret") if name in one}

    logs = {file.name: file.read_text() for file in (directory / "data" / "logs").iterdir()}

    assert len(secrets) > 10 and {"web.log", "worker.log", "bank.log", "setup.log"} <= set(logs)
    assert [name for name, text in logs.items() if any(secret in text for secret in secrets)] == []


def test_worker_starts_without_advice_that_nobody_can_follow(shared: tuple[Running, Path]) -> None:
    _, directory = shared
    bound = directory / "data" / "spool" / "control" / "celery.exchange"
    eventually(bound.exists, seconds=20)  # both were said before the worker bound its queue

    said = (directory / "data" / "logs" / "worker.log").read_text()

    assert "No hostname was supplied" not in said
    assert "superuser privileges" not in said


def control(bank: dict[str, Any], method: str, path: str, token: str = "") -> tuple[int, dict[str, Any]]:
    """What a bank's control API answers, by default to its own token."""
    request = urllib.request.Request(bank["control"]["url"] + path, method=method, data=b'{"days_ahead": 3}')
    request.add_header("Authorization", f"Bearer {token or bank['control']['token']}")
    try:
        with urllib.request.urlopen(request, timeout=10) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as refused:
        return refused.code, {}


def test_both_banks_run_with_their_own_people_staff_and_control(shared: tuple[Running, Path]) -> None:
    instance, _ = shared
    first, card = instance.described["banks"]

    assert [(bank["slug"], bank["version"]) for bank in (first, card)] == [
        ("first-sandbox-bank", "4.0"), ("harbour-card", "3.1.11"),
    ]
    staff = [admin["bank"] for admin in instance.described["bank_admins"]]
    assert staff == ["first-sandbox-bank"] * 2 + ["harbour-card"] * 2
    with_codes = [*instance.described["bank_admins"], *instance.described["operators"]]
    assert all(len(one["totp_secret"]) == 32 for one in with_codes)
    assert "cardholder" in {user["username"] for user in card["users"]}
    assert not {user["username"] for user in card["users"]} & {user["username"] for user in first["users"]}
    assert control(card, "POST", "/today")[0] == 200
    assert control(card, "GET", "/state")[1]["today"] != control(first, "GET", "/state")[1]["today"]
    assert control(card, "GET", "/state", token=first["control"]["token"])[0] == 401
    with urllib.request.urlopen(instance.described["issuer"] + "/readyz", timeout=10) as response:
        assert response.status == 200


def test_the_command_of_the_scenarios_turns_one(shared: tuple[Running, Path]) -> None:
    """As docs/scenarios.md has it, but for the directory and the port."""
    instance, directory = shared
    (command,) = read(ROOT / "docs" / "scenarios.md").commands()
    bank = instance.described["banks"][0]["issuer"]

    said = subprocess.run(
        command.replace("var/", "data/").replace("http://127.0.0.1:8001", bank),
        shell=True, cwd=directory, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip

    assert json.loads(said)["name"] == "login_lost"
    assert json.loads(said)["stage"] == 1


def test_it_stops_within_ten_seconds_starts_as_the_same_and_ends_with_its_supervisor(
    shared: tuple[Running, Path],
) -> None:
    instance, directory = shared
    children = family(psutil.Process(instance.process.pid))
    instance.process.send_signal(signal.SIGINT)
    assert instance.process.wait(10) == 0
    assert not any(map(alive, children))

    with running(directory) as again:
        for name in ("platforms", "users", "bank_admins", "operators"):
            assert again.described[name] == instance.described[name]
        assert len(again.children) >= 7  # granian and its worker three times, and Celery
        again.process.kill()
        eventually(lambda: not any(map(alive, again.children)))
