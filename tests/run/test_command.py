"""`run.py test`: what it ends with is what a build server judges by."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests import command
from tests.run.watching import eventually

ROOT = Path(__file__).resolve().parent.parent.parent
GOOD = [sys.executable, "-c", ""]
BAD = [sys.executable, "-c", "raise SystemExit('line 3 is wrong')"]


def test_named_tests_run_on_both_databases_and_pytest_has_the_last_word() -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "SLUICE_"))}

    done = subprocess.run(
        [sys.executable, "-m", "tests.command", "tests/run/test_report.py"],
        cwd=ROOT, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stdout + done.stderr
    assert "created: 2/2 workers" in done.stdout
    assert re.search(r"\d passed in [\d.]+s", done.stdout.splitlines()[-1])


@pytest.fixture
def no_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the static checks are real; the tests pass."""

    def passed(paths: list[str]) -> int:
        print("=== 3 passed in 0.1s ===")
        return 0

    monkeypatch.setattr(command, "run_with_servers", passed)
    monkeypatch.setattr(command.signal, "signal", lambda *_: None)


def test_passing_checks_leave_the_last_line_to_pytest(
    no_tests: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "CHECKS", {"good": GOOD})

    assert command.main([]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "=== 3 passed in 0.1s ==="


def test_failed_check_shows_its_output_and_fails_the_run_whatever_the_tests_say(
    no_tests: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "CHECKS", {"bad": BAD, "good": GOOD})

    assert command.main([]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[lines.index("line 3 is wrong") - 1].split()[:2] == ["bad", "FAILED"]
    assert "=== 3 passed in 0.1s ===" in lines
    assert lines[-1] == "Static checks that failed (their output is above): bad"


def test_a_check_that_cannot_even_run_fails_the_run(no_tests: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "CHECKS", {"missing": ["/nowhere/ruff"]})

    with pytest.raises(FileNotFoundError):
        command.main([])


def test_a_run_that_is_cut_short_waits_for_no_check(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "CHECKS", {"long": [sys.executable, "-c", "import time; time.sleep(600)"]})

    with pytest.raises(SystemExit), command.Checks() as checks:
        eventually(lambda: bool(checks._running))
        (long,) = checks._running
        raise SystemExit(143)

    assert long.wait(10) != 0
    assert not checks.failed


def test_named_tests_skip_the_static_checks(
    no_tests: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "CHECKS", {"bad": BAD})

    assert command.main(["tests/run"]) == 0


def test_full_tells_every_process_so(no_tests: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "CHECKS", {})
    monkeypatch.setenv("SLUICE_TEST_FULL", "")

    command.main(["--full"])

    assert os.environ["SLUICE_TEST_FULL"] == "1"
