"""What a person is told to type works as it stands: the Python, the directory and the place are the right ones."""

import sys
from pathlib import Path

import pytest

from gateway import advice


@pytest.fixture(autouse=True)
def shell(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A shell that exports nothing of ours, in a checkout."""
    for name in ("SLUICE_VENV", "SLUICE_DATA_DIRECTORY", "SLUICE_SECRETS_DIRECTORY"):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


def test_in_a_checkout_it_is_the_environment_of_run_py() -> None:
    assert advice.manage("migrate") == ".venv/bin/python manage.py migrate"
    assert advice.manage("migrate", advice.ROOT / "var") == ".venv/bin/python manage.py migrate"
    assert advice.doctor() == "python3 run.py doctor"


def test_an_environment_that_lives_elsewhere_is_named(shell: pytest.MonkeyPatch) -> None:
    shell.setenv("SLUICE_VENV", "/srv/environment")

    assert advice.manage("migrate") == f"{sys.executable} manage.py migrate"


def test_in_the_image_which_has_no_run_py_it_is_the_python_of_the_path(
    shell: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    shell.setattr(advice, "ROOT", tmp_path)
    shell.setenv("SLUICE_DATA_DIRECTORY", "/data")

    assert advice.manage("migrate") == "python manage.py migrate"
    assert advice.doctor() == "python -m gateway.doctor"


def test_a_data_directory_of_its_own_is_said_before_the_command() -> None:
    told = advice.manage("one_time_code NAME", Path("/tmp/my data"))

    assert told == "SLUICE_DATA_DIRECTORY='/tmp/my data' .venv/bin/python manage.py one_time_code NAME"


def test_what_the_shell_exports_does_not_lead_to_another_instance(shell: pytest.MonkeyPatch) -> None:
    shell.setenv("SLUICE_DATA_DIRECTORY", "/exported")
    shell.setenv("SLUICE_SECRETS_DIRECTORY", "/exported/secrets")

    told = advice.manage("migrate", advice.ROOT / "var")

    assert told.startswith(f"SLUICE_DATA_DIRECTORY={advice.ROOT / 'var'} ")
    assert f" SLUICE_SECRETS_DIRECTORY={advice.ROOT / 'var' / 'secrets'} .venv" in told
    assert advice.manage("migrate").startswith("SLUICE_DATA_DIRECTORY=/exported .venv")
