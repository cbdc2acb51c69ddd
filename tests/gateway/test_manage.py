"""manage.py: what a person can mend is one line on stderr and an exit code, never a traceback."""

import gc
import importlib.util
import subprocess
import sys
from collections.abc import Iterator
from types import ModuleType

import psycopg
import pytest
from django.db import OperationalError, ProgrammingError

from gateway.environment import EnvironmentInvalid
from tests.architecture.source import ROOT


@pytest.fixture
def manage() -> Iterator[ModuleType]:
    before = gc.get_threshold()
    spec = importlib.util.spec_from_file_location("manage_itself", ROOT / "manage.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    gc.set_threshold(*before)


def _failing(manage: ModuleType, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def fail(arguments: list[str]) -> None:
        raise error

    monkeypatch.setattr(manage, "execute_from_command_line", fail)


def test_an_environment_that_cannot_work_is_told_in_one_line(
    manage: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _failing(manage, monkeypatch, EnvironmentInvalid("missing or unusable: SLUICE_ISSUER (must be https)."))

    assert manage.main(["manage.py", "check"]) == 2
    assert capsys.readouterr().err == "missing or unusable: SLUICE_ISSUER (must be https).\n"


def _not_there() -> ProgrammingError:
    error = ProgrammingError('relation "alice" does not exist')
    error.__cause__ = psycopg.errors.UndefinedTable()
    return error


@pytest.mark.parametrize("error", [OperationalError("no password for alice"), _not_there()], ids=["gone", "no table"])
def test_a_database_that_does_not_answer_leads_to_the_doctor_without_its_words(
    manage: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: Exception
) -> None:
    _failing(manage, monkeypatch, error)

    assert manage.main(["manage.py", "findings"]) == 1
    assert capsys.readouterr().err == (
        "The database does not answer, or lacks tables. Type: python3 run.py doctor (--traceback shows its own words)\n"
    )

    with pytest.raises(type(error), match="alice"):
        manage.main(["manage.py", "findings", "--traceback"])


def test_a_wrong_query_is_a_fault_of_ours_and_shown_whole(manage: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    _failing(manage, monkeypatch, ProgrammingError("syntax error"))

    with pytest.raises(ProgrammingError):
        manage.main(["manage.py", "findings"])


def test_a_command_that_works_says_nothing_more(
    manage: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(manage, "execute_from_command_line", lambda arguments: None)

    assert manage.main(["manage.py", "check"]) == 0
    assert capsys.readouterr().err == ""


def test_a_python_without_django_is_told_which_one_has_it() -> None:
    command = [sys.executable, "-S", "-E", "manage.py", "findings", "--json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=20, check=False)

    assert done.returncode == 2
    assert done.stderr == "Django is not in this Python. Type: .venv/bin/python manage.py findings --json\n"
