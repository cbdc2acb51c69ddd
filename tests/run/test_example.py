"""The sample platform beside an instance: started when asked for, told what a third party is told, and nothing else."""

import shlex
from pathlib import Path

import pytest

from examples.budget.configuration import Configuration
from gateway import supervisor
from gateway.embedded import example, shell
from gateway.embedded.instance import Instance
from tests.run.stand_in import SEED

SECRET = "the sample's own secret"


def instance(tmp_path: Path, example_port: int | None = 8103) -> Instance:
    return Instance(tmp_path, 8100, 8101, 8102, example_port)


def seed() -> dict[str, list[dict[str, str]]]:
    return {"platforms": [*SEED["platforms"], {"client_id": example.CLIENT_ID, "client_secret": SECRET}]}


def test_it_is_told_where_sluice_is_and_its_own_registration(tmp_path: Path) -> None:
    told = Configuration.of(example.environment(instance(tmp_path), seed()))

    assert (told.issuer, told.origin) == ("http://127.0.0.1:8100", "http://127.0.0.1:8103")
    assert (told.client_id, told.client_secret) == (example.CLIENT_ID, SECRET)
    assert told.redirect_uri == example.redirect_uri("http://127.0.0.1:8103")
    assert told.data_directory == tmp_path / "budget"


def test_nothing_of_the_service_reaches_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://db/sluice")
    monkeypatch.setenv("SLUICE_SECRET_KEY", "the service's")

    told = example.environment(instance(tmp_path), seed())

    assert not [name for name in told if name.startswith(("SLUICE_", "SANDBOX_", "DJANGO_", "DATABASE", "REDIS"))]


def test_without_the_option_nobody_hears_of_it(tmp_path: Path) -> None:
    assert example.origin(instance(tmp_path, None)) is None
    assert example.told(instance(tmp_path, None)) == {}
    assert example.told(instance(tmp_path)) == {example.VARIABLE: "http://127.0.0.1:8103"}


@pytest.mark.parametrize(
    ("options", "runs"), [([], False), (["--with-example"], True), (["--example-port", "0"], True)]
)
def test_either_option_runs_it(tmp_path: Path, options: list[str], runs: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, int | None] = {}
    monkeypatch.setattr(
        "gateway.embedded.instance.choose_ports",
        lambda wanted, first: asked.update(wanted) or {name: first + number for number, name in enumerate(wanted)},
    )

    made = supervisor.prepare_instance(
        supervisor.parser().parse_args(["--data-directory", str(tmp_path / "data"), *options])
    )

    assert ("--example-port" in asked) == runs
    assert (made.example_port is not None) == runs


def test_shell_variables_are_quoted_and_private(tmp_path: Path) -> None:
    shell.write(instance(tmp_path), {"platforms": [{"client_id": "a b", "client_secret": "it's", "redirect_uri": "u"}]})

    file = tmp_path / shell.FILE
    lines = [line.removeprefix("export ") for line in file.read_text().splitlines()]
    assert [shlex.split(line) for line in lines] == [
        ["SLUICE=http://127.0.0.1:8100"], ["CLIENT_ID=a b"], ["CLIENT_SECRET=it's"], ["REDIRECT_URI=u"],
    ]  # fmt: skip
    assert file.stat().st_mode & 0o777 == 0o600
