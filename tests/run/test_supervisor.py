"""Real processes: whatever happens to the supervisor, nothing it started outlives it, and what dies comes back."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from gateway.embedded.readiness import answers, web_ready_url
from tests.run.stand_in import SEED
from tests.run.watching import alive, eventually, family

ROOT = Path(__file__).resolve().parent.parent.parent
Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start an instance of stand-ins; what a failed test leaves of it is killed."""
    started: list[psutil.Process] = []

    def _start(*options: str, worker: str = "work", seed: str = "seed", **popen: Any) -> subprocess.Popen[str]:
        directory = () if "--data-directory" in options else ("--data-directory", str(tmp_path / "data"))
        arguments = [sys.executable, "-m", "tests.run.stand_in_instance", worker, seed, *directory, *options]
        popen = {"stdout": subprocess.PIPE, "stderr": (tmp_path / "stderr").open("a"), **popen}
        process = subprocess.Popen(arguments, cwd=ROOT, text=True, **popen)
        started.append(psutil.Process(process.pid))
        return process

    yield _start
    for process in started:
        for each in [*family(process), process]:
            if alive(each):
                each.kill()


def ready(process: subprocess.Popen[str]) -> dict[str, Any]:
    """The JSON line that an instance started with --json prints when it is ready."""
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, "the instance ended before it was ready"
    return json.loads(line)


def log_of(tmp_path: Path, name: str) -> str:
    return (tmp_path / "data" / "logs" / f"{name}.log").read_text()


def test_ready_instance_prints_one_line_of_json(start: Start) -> None:
    process = start("--json")

    described = ready(process)

    lists = {"platforms", "users", "bank_admins", "operators", "banks"}
    assert set(described) == {"issuer", "api", "portal", "docs", "processes"} | lists
    assert {"web", "worker"} <= set(described["processes"])
    assert described["platforms"] == SEED["platforms"]
    process.terminate()
    assert process.wait(10) == 0
    assert process.stdout is not None
    assert process.stdout.read() == ""


def test_no_password_reaches_a_log_or_stderr(start: Start, tmp_path: Path) -> None:
    process = start("--json")
    ready(process)
    process.terminate()
    process.wait(10)

    written = "".join(file.read_text() for file in (tmp_path / "data" / "logs").iterdir())
    written += (tmp_path / "stderr").read_text()

    generated = [file.read_text() for file in (tmp_path / "data" / "secrets").iterdir()]
    assert len(generated) == 5
    staff = ["bob's password", "BOBSSECRET", "olga's password", "OLGASSECRET"]
    for secret in ["s3cret", "alice's password", *staff, "bank password", "moves the clock", *generated]:
        assert secret not in written


def test_people_get_a_table_with_what_they_need_to_begin(start: Start) -> None:
    process = start()
    assert process.stdout is not None

    text = ""
    while "To stop" not in text and (line := process.stdout.readline()):
        text += line

    secret = ("alice's password", "bob's password", "BOBSSECRET", "OLGASSECRET", "s3cret", "bank password")
    for expected in (*secret, "http://127.0.0.1:", "plain", "curl", "Ctrl-C", "logs"):
        assert expected in text
    process.terminate()
    process.wait(10)


def test_killed_supervisor_leaves_no_process_behind(start: Start) -> None:
    process = start("--json")
    ready(process)
    children = family(psutil.Process(process.pid))
    assert len(children) >= 7  # web and two banks with one beneath each, and the worker

    process.kill()

    eventually(lambda: not any(map(alive, children)), seconds=3)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signal_stops_everything_and_exits_cleanly(start: Start, number: signal.Signals) -> None:
    process = start("--json")
    ready(process)
    children = family(psutil.Process(process.pid))

    process.send_signal(number)

    assert process.wait(10) == 0
    assert not any(map(alive, children))


def test_process_that_ignores_sigterm_is_killed_within_ten_seconds(start: Start, tmp_path: Path) -> None:
    process = start("--json", worker="stubborn")
    ready(process)
    eventually(lambda: "working" in log_of(tmp_path, "worker"))
    children = family(psutil.Process(process.pid))

    process.send_signal(signal.SIGINT)

    assert process.wait(10) == 0
    assert not any(map(alive, children))
    assert "did not stop in time; killed" in log_of(tmp_path, "worker")


def test_second_signal_stops_at_once(start: Start, tmp_path: Path) -> None:
    process = start("--json", worker="stubborn")
    ready(process)
    eventually(lambda: "working" in log_of(tmp_path, "worker"))

    process.send_signal(signal.SIGINT)
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)

    assert process.wait(2) == 0


def test_dead_process_is_started_again_after_its_remains_are_gone(start: Start, tmp_path: Path) -> None:
    process = start("--json")
    ready(process)
    supervisor = psutil.Process(process.pid)
    web = next(child for child in supervisor.children() if "serve" in child.cmdline() and family(child))
    beneath = family(web)

    web.kill()

    eventually(lambda: not any(map(alive, beneath)))
    eventually(lambda: sum(1 for child in supervisor.children() if "serve" in child.cmdline() and alive(child)) == 3)
    process.terminate()
    process.wait(10)


def test_process_that_keeps_dying_ends_the_instance_with_a_reason(start: Start, tmp_path: Path) -> None:
    process = start("--json", worker="fail")

    assert process.wait(30) == 1
    assert "Giving up: worker died 5 times within a minute" in (tmp_path / "stderr").read_text()
    assert log_of(tmp_path, "worker").count("something is missing") == 5


def test_what_says_that_it_can_never_run_is_not_started_again(start: Start, tmp_path: Path) -> None:
    process = start("--json", worker="misconfigured")

    assert process.wait(30) == 2
    assert "Setting up failed in worker. See" in (tmp_path / "stderr").read_text()
    assert log_of(tmp_path, "worker").count("no such table") == 1


def test_failed_preparation_is_one_line_naming_the_log(start: Start, tmp_path: Path) -> None:
    process = start("--json", seed="fail")

    assert process.wait(30) == 2
    assert "Setting up failed in setup (exit code 1). See" in (tmp_path / "stderr").read_text()
    assert "something is missing" in log_of(tmp_path, "setup")


def test_seed_that_describes_nothing_is_refused(start: Start, tmp_path: Path) -> None:
    process = start("--json", seed="nothing")

    assert process.wait(30) == 2
    assert "did not print a JSON object" in (tmp_path / "stderr").read_text()


def test_servers_begin_as_soon_as_there_are_tables_and_are_not_ready_while_the_seed_is_still_sown(
    start: Start, tmp_path: Path
) -> None:
    earlier = tmp_path / "data" / "platform.env"
    earlier.parent.mkdir()
    earlier.write_text("of an earlier start")
    process = start("--json", seed="seed_last")  # which ends when the web server answers, but not if that is ready

    described = ready(process)

    assert described["platforms"] == SEED["platforms"]
    assert answers(web_ready_url(described["issuer"]))
    assert f"SLUICE={described['issuer']}" in earlier.read_text()
    process.terminate()
    assert process.wait(10) == 0


def test_signal_during_the_start_stops_it(start: Start, tmp_path: Path) -> None:
    process = start("--json", seed="work")
    eventually(lambda: len(family(psutil.Process(process.pid))) >= 2)
    children = family(psutil.Process(process.pid))

    process.send_signal(signal.SIGINT)

    assert process.wait(10) == 130
    assert not any(map(alive, children))


def test_second_instance_on_the_same_data_is_refused(start: Start, tmp_path: Path) -> None:
    first = start("--json")
    issuer = ready(first)["issuer"]
    kept = (tmp_path / "data" / "secrets" / "sluice_secret_key").read_text()

    second = start("--json", "--reset")

    assert second.wait(10) == 2
    assert issuer in (tmp_path / "stderr").read_text().splitlines()[-1]
    assert (tmp_path / "data" / "secrets" / "sluice_secret_key").read_text() == kept
    first.terminate()
    first.wait(10)


def buffered() -> dict[str, str]:
    """The environment of a user, whose Python holds back what it prints; a build server's often says not to."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}


@pytest.mark.parametrize("options", [[], ["--json"]], ids=["text", "json"])
def test_closed_terminal_does_not_end_the_instance(start: Start, tmp_path: Path, options: list[str]) -> None:
    reader, writer = os.pipe()
    process = start(*options, stdout=writer, stderr=writer, env=buffered())
    os.close(writer)
    os.close(reader)

    eventually(lambda: (tmp_path / "data" / "logs" / "worker.log").exists() and "working" in log_of(tmp_path, "worker"))

    time.sleep(1)
    assert process.poll() is None
    process.terminate()
    assert process.wait(10) == 0


WRITES_LEFT_OVER = """
import os, sys
from gateway import supervisor
from gateway.embedded.errors import CannotStart

reader, writer = os.pipe()
os.dup2(writer, 1), os.dup2(writer, 2)
os.close(writer)
os.close(reader)

def run(options, planned):
    sys.stdout.write("nobody reads this, and nothing has flushed it")
    if sys.argv[1] != "0":
        raise CannotStart("nor this")

supervisor.run = run
sys.exit(supervisor.main([]))
"""


@pytest.mark.parametrize("code", [0, 2])
def test_what_a_closed_terminal_left_unprinted_does_not_change_the_exit_code(code: int) -> None:
    """Python ends with 120 when it cannot flush at exit."""
    command = [sys.executable, "-c", WRITES_LEFT_OVER, str(code)]
    done = subprocess.run(command, cwd=ROOT, env=buffered(), timeout=20, check=False)

    assert done.returncode == code
