"""Every command that a person may type explains itself: what it does, each option, and an example."""

import argparse
import importlib
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from django.core.management import load_command_class

from tests.architecture.source import ROOT

#: Ours, by the application that holds them. Django's own are Django's.
COMMANDS = [
    (".".join(path.relative_to(ROOT).with_suffix("").parts[:-3]), path.stem)
    for package in ("gateway", "banks", "consents")
    for path in sorted((ROOT / package).rglob("management/commands/*.py"))
    if path.stem != "__init__" and "sandbox" not in path.parts
]
#: Of the pretend banks, which are another program with settings of its own.
OF_A_BANK = ["register_client", "scenarios", "serve"]
#: Replacements of a library's commands, which keep its options.
_OF_A_LIBRARY = {"dumpdata", "createapplication", "cleartokens", "clearcimdapplications"}
#: Modules with a `parser()`, by what is typed.
PROGRAMS = {
    "run.py": "run",
    "run.py doctor": "gateway.doctor.__main__",
    "run.py tour": "examples.tour.options",
    "run.py race": "tests.race.options",
    "run.py bench": "tests.benchmarks.options",
    "python3 -m examples.ask": "examples.ask",
    "python -m examples.budget": "examples.budget.__main__",
    "python -m gateway.supervisor": "gateway.supervisor",
    "python3 -m gateway.compose": "gateway.compose",
    "python -m gateway.heartbeat": "gateway.heartbeat",
    "python -m gateway.embedded.readiness": "gateway.embedded.readiness",
}


def _program(module: str) -> argparse.ArgumentParser:
    parser: Callable[[], argparse.ArgumentParser] = importlib.import_module(module).parser
    return parser()


def _unexplained(parser: argparse.ArgumentParser) -> list[str]:
    """Options and arguments without a sentence. Django's own (--settings ...) have theirs."""
    found: list[str] = []
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            explained = {one.dest for one in action._choices_actions if one.help}
            found += [name for name in action.choices if name not in explained]
        elif not action.help:
            found.append("/".join(action.option_strings) or action.dest)
    return found


@pytest.mark.parametrize("typed", PROGRAMS)
def test_every_program_says_what_it_does_with_each_option_and_an_example(typed: str) -> None:
    parser = _program(PROGRAMS[typed])

    text = parser.format_help()

    assert parser.description
    assert _unexplained(parser) == []
    assert "example" in (parser.epilog or "").lower(), "no example"
    assert typed.rpartition(" ")[2] in text


@pytest.mark.parametrize(("application", "name"), COMMANDS)
def test_every_command_says_what_it_does_with_each_option_and_an_example(application: str, name: str) -> None:
    parser = load_command_class(application, name).create_parser("manage.py", name)

    assert parser.description
    assert _unexplained(parser) == []
    if name not in _OF_A_LIBRARY:
        assert f"{name} " in _example(parser) or _example(parser).endswith(name), "no example"


def _example(parser: argparse.ArgumentParser) -> str:
    text = " ".join(f"{parser.description or ''} {parser.epilog or ''}".split())
    return text.partition("For example: ")[2]


@pytest.mark.parametrize("name", OF_A_BANK)
def test_every_command_of_a_pretend_bank_explains_itself_too(name: str, tmp_path: Path) -> None:
    environment = {**os.environ, "SANDBOX_ISSUER": "http://127.0.0.1:1", "SANDBOX_DATA_DIRECTORY": str(tmp_path)}
    command = [sys.executable, "-m", "banks.sandbox", name, "--help"]

    text = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True).stdout

    assert f"For example: python -m banks.sandbox {name}" in " ".join(text.split())
    held = {path.stem for path in (ROOT / "banks" / "sandbox" / "management" / "commands").glob("[a-z]*.py")}
    assert held == set(OF_A_BANK)


def test_what_is_no_address_is_refused_by_the_health_check(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        _program("gateway.embedded.readiness").parse_args(["127.0.0.1:8000"])

    assert left.value.code == 2
    assert "begins with http:// or https://" in capsys.readouterr().err


def test_there_are_commands_to_look_at() -> None:
    assert {"add_bank", "register_platform", "rotate_keys", "seed_embedded"} <= {name for _, name in COMMANDS}
