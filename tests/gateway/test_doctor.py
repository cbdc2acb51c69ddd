"""`run.py doctor`: each thing that can be wrong is said with what to type, also where no settings can be loaded."""

import json
import os
import socket
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import redis
from django.db import OperationalError

from consents import clock
from gateway import heartbeat
from gateway.doctor import __main__ as doctor
from gateway.doctor import machine, service
from gateway.doctor.finding import Finding, Verdict, ok, problem, warning
from gateway.doctor.machine import Installation
from gateway.embedded import instance as instances
from gateway.embedded.instance import Instance
from tests.architecture.source import ROOT
from tests.support import cast

ADVICE = "a finding that is not ok says what to type"


@pytest.fixture
def there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Installation:
    """A data directory with secrets, as a first start leaves it."""
    for name in machine.NEEDED_SECRETS:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.delenv("DATABASE_URL", raising=False)
    data = tmp_path / "var"
    data.mkdir(mode=0o700)
    instances.make_secrets(data / "secrets")
    return Installation(data=data, secrets=data / "secrets", packages="current")


def _of(seen: Any, subject: str) -> Finding:
    found = [one for one in seen if one.subject == subject]
    assert all(one.advice or one.verdict == Verdict.OK for one in found), ADVICE
    return next((one for one in found if one.verdict != Verdict.OK), found[0])


def test_a_sound_installation_is_ok_throughout(there: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "is_free", lambda port: True)

    seen = list(machine.examined(there))

    assert {one.verdict for one in seen} == {Verdict.OK}, seen
    assert {one.subject for one in seen} == {
        "python", "packages", "disk", "data directory", "secrets", "instance", "port",
    }  # fmt: skip


@pytest.mark.parametrize("packages", ["stale", "missing"])
def test_packages_that_are_not_current_are_a_warning(there: Installation, packages: str) -> None:
    seen = machine.examined(Installation(data=there.data, secrets=there.secrets, packages=packages))

    assert _of(seen, "packages").advice == "python3 run.py"


@pytest.mark.parametrize(("free", "verdict"), [(10 * 2**20, "problem"), (500 * 2**20, "warning"), (10 * 2**30, "ok")])
def test_a_full_disk_is_told(there: Installation, monkeypatch: pytest.MonkeyPatch, free: int, verdict: str) -> None:
    monkeypatch.setattr(machine.shutil, "disk_usage", lambda folder: type("Usage", (), {"free": free}))

    assert _of(machine.examined(there), "disk").verdict == verdict


@pytest.mark.parametrize("beneath", ["", "below"], ids=["a file", "beneath a file"])
def test_a_data_directory_that_no_start_could_make_is_a_problem(there: Installation, beneath: str) -> None:
    (there.data / "file").touch()

    found = machine._data_directory(there.data / "file" / beneath)

    assert (found.verdict, found.advice) == (Verdict.PROBLEM, "choose another: python3 run.py --data-directory DIR")


def test_a_data_directory_that_others_may_enter_is_told(there: Installation) -> None:
    there.data.chmod(0o755)

    assert _of(machine.examined(there), "data directory").advice == f"chmod 700 {there.data}"


def test_secrets_that_others_may_read_are_a_problem(there: Installation) -> None:
    there.secrets.chmod(0o755)
    (there.secrets / "sluice_vault_keys").chmod(0o644)

    found = _of(machine.examined(there), "secrets")

    assert (found.verdict, "sluice_vault_keys" in found.text) == (Verdict.PROBLEM, True)


def test_missing_secrets_are_a_problem_only_where_there_is_data_that_they_open(there: Installation) -> None:
    (there.secrets / "sluice_vault_keys").unlink()
    assert _of(machine.examined(there), "secrets").verdict == Verdict.WARNING

    (there.data / "sluice.sqlite3").touch()

    found = _of(machine.examined(there), "secrets")
    assert (found.verdict, "SLUICE_VAULT_KEYS" in found.text) == (Verdict.PROBLEM, True)
    assert "backup" in found.advice


def test_a_port_that_is_taken_is_told_with_its_holder() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        if sys.platform == "linux":
            assert machine.holder_of(port).startswith(f"process {os.getpid()} (")
    assert machine.holder_of(port) == ""


def test_an_instance_that_runs_is_known_by_its_lock_and_a_dead_one_by_what_it_left(
    there: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = instances.lock(there.data)
    instances.sign_lock(lock, Instance(there.data, 8123, 8124, 8125))

    holder = machine.running_instance(there.data)
    assert machine.issuer_of(holder) == "http://127.0.0.1:8123"
    assert "port" not in {one.subject for one in machine.examined(there)}, "its own ports are no problem"

    os.close(lock)

    assert machine.running_instance(there.data) == ""
    assert "nobody's" in _of(machine.examined(there), "instance").text


# -- with Django -------------------------------------------------------------------------------------------------------


def test_what_cannot_be_loaded_is_told_in_one_line(tmp_path: Path) -> None:
    """In a process of its own, as a person would: settings are wrong, and nothing else starts."""
    (tmp_path / "secrets").mkdir(mode=0o700)
    environment = {"PATH": os.environ["PATH"], "SLUICE_DATA_DIRECTORY": str(tmp_path), "SLUICE_ISSUER": "nonsense"}
    instances.make_secrets(tmp_path / "secrets")

    result = subprocess.run(
        [sys.executable, "-m", "gateway.doctor", "--json"], cwd=ROOT, env=environment, capture_output=True, text=True
    )

    told = json.loads(result.stdout)
    (found,) = [one for one in told["findings"] if one["subject"] == "settings"]
    assert (result.returncode, told["verdict"], found["verdict"]) == (1, "problem", "problem")
    assert "SLUICE_ISSUER" in found["text"]
    assert "Traceback" not in result.stderr
    assert (tmp_path / "secrets" / "sluice_secret_key").read_text() not in result.stdout


def test_before_the_first_start_there_is_nothing_to_load_and_nothing_is_made(tmp_path: Path) -> None:
    environment = {"PATH": os.environ["PATH"], "SLUICE_DATA_DIRECTORY": str(tmp_path / "var")}
    # Without any package: the Python that runs run.py has none.
    command = [sys.executable, "-S", "-m", "gateway.doctor", "--packages", "missing"]

    result = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)

    assert (result.returncode, result.stderr) == (0, "")
    assert "-> python3 run.py" in result.stdout
    assert not (tmp_path / "var").exists()


@pytest.mark.django_db
def test_a_database_that_answers_with_all_migrations_is_ok() -> None:
    found, _ = service._database()

    assert [one.verdict for one in found] == [Verdict.OK]


@pytest.mark.django_db
def test_migrations_that_wait_are_told_with_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SLUICE_VENV", raising=False)
    from django.db.migrations.executor import MigrationExecutor

    monkeypatch.setattr(MigrationExecutor, "migration_plan", lambda self, targets: ["one", "two"])

    (found,), _ = service._database()

    assert found.verdict == Verdict.PROBLEM
    assert found.advice.endswith(".venv/bin/python manage.py migrate")
    assert "2 migrations" in found.text


def test_a_database_that_does_not_answer_is_told_without_its_words(monkeypatch: pytest.MonkeyPatch) -> None:
    from django.db.migrations import executor

    def gone(connection: object) -> None:
        raise OperationalError("password authentication failed for user alice")

    monkeypatch.setattr(executor, "MigrationExecutor", gone)

    (found,), _ = service._database()

    assert found.verdict == Verdict.PROBLEM
    assert "alice" not in found.text + found.advice


def test_redis_is_asked_when_there_is_one(settings: Any, redis_url: str) -> None:
    settings.REDIS_URL = ""
    (none,), _ = service._redis()
    settings.REDIS_URL = redis_url
    (found,), at = service._redis()
    assert (none.verdict, found.verdict) == (Verdict.OK, Verdict.OK)
    assert service._clock(at).verdict == Verdict.OK
    settings.REDIS_URL = "redis://127.0.0.1:1/0"

    (gone,), _ = service._redis()

    assert gone.verdict == Verdict.PROBLEM


def test_a_clock_that_is_off_is_a_problem() -> None:
    assert service._clock(clock.now()).verdict == Verdict.OK
    assert service._clock(None).verdict == Verdict.OK

    assert service._clock(clock.now() - timedelta(seconds=30)).verdict == Verdict.PROBLEM


@pytest.mark.django_db
def test_a_silent_worker_is_a_problem_where_an_instance_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heartbeat, "_cached_at", -1000.0)
    assert service._worker(is_running=False).verdict == Verdict.WARNING
    assert service._worker(is_running=True).verdict == Verdict.PROBLEM

    heartbeat.give(now=clock.now() - timedelta(minutes=3))
    assert "for 180 s" in service._worker(is_running=True).text

    monkeypatch.setattr(heartbeat, "_cached_at", -1000.0)
    heartbeat.give(now=clock.now())
    assert service._worker(is_running=True).verdict == Verdict.OK


@pytest.mark.django_db
def test_a_worker_that_cannot_be_asked_about_is_no_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def gone() -> None:
        raise redis.ConnectionError

    monkeypatch.setattr(heartbeat, "last", gone)

    assert service._worker(is_running=True).advice


@pytest.mark.django_db
def test_a_pretend_bank_that_does_not_answer_is_a_problem_while_an_instance_runs() -> None:
    bank = cast.institution()
    type(bank).objects.filter(id=bank.id).update(is_sandbox=True, authorization_url="http://127.0.0.1:1/authorize")

    assert [one.verdict for one in service._banks(is_running=False)] == [Verdict.OK]
    assert [one.verdict for one in service._banks(is_running=True)] == [Verdict.PROBLEM]


def test_the_verdict_is_the_worst_and_the_exit_code_says_whether_it_is_a_problem(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for worst, code in ((ok("a", "b"), 0), (warning("a", "b", "c"), 0), (problem("a", "b", "c"), 1)):
        monkeypatch.setattr(doctor, "examine", lambda options, worst=worst: [ok("first", "well"), worst])

        assert doctor.main(["--json"]) == code
        assert json.loads(capsys.readouterr().out)["verdict"] == worst.verdict
        assert doctor.main([]) == code
        assert ("-> c" in capsys.readouterr().out) == bool(worst.advice)


def test_run_py_hands_over_to_the_doctor_whatever_is_installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import run

    monkeypatch.setenv("SLUICE_VENV", str(tmp_path / "none"))

    python, arguments = run.doctor(["--json"])

    assert (python, arguments) == (sys.executable, ["-m", "gateway.doctor", "--packages", "missing", "--json"])
