"""Every command that a page tells a reader to type is run, here or by a test that is named here. A new one fails."""

import importlib.util
import re
import shlex
from argparse import ArgumentParser
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from django.core.management import call_command, get_commands, load_command_class
from django.core.management.base import BaseCommand

from banks.models import Institution
from consents.models import Platform
from tests.docs.markdown import PAGES, ROOT, Markdown, read
from tests.support import cast

#: Pages whose blocks are run as a whole, in their order, by a test of their own.
RUN_AS_A_WHOLE = {
    "docs/quickstart.md": "tests/docs/test_quickstart.py::test_the_way_of_curl_leads_to_balances_and_to_the_refusal",
    "docs/api.md": "tests/docs/test_api_guide.py::test_every_command_of_the_guide_works_in_its_order",
}
#: What cannot be run where tests run, and why.
NOT_HERE = {
    "python3 run.py test": "it is what runs this very test",
    # tests/run/test_compose.py runs every command of the file as a process.
    "docker compose up --build --detach": "no Docker engine is asked for",
    "docker compose exec web python manage.py createsuperuser": "no Docker engine is asked for",
    "docker compose exec web python manage.py check --deploy": "no Docker engine is asked for",
    "docker compose exec -T postgresql pg_dump --format=custom --username=sluice sluice > sluice.dump": (
        "no Docker engine is asked for"
    ),
    (
        "docker compose exec -T postgresql pg_restore --clean --if-exists --username=sluice --dbname=sluice"
        " < sluice.dump"
    ): "no Docker engine is asked for",
}
#: Command -> the test that runs it, with other ports, sizes and directories where it says so.
RUN_BY = {
    "python3 run.py": "tests/run/test_real_instance.py::test_both_banks_run_with_their_own_people_staff_and_control",
    "python3 run.py doctor": "tests/gateway/test_doctor.py::test_run_py_hands_over_to_the_doctor_whatever_is_installed",
    "python manage.py check --deploy": "tests/gateway/test_checks.py",
    "python3 -m gateway.compose --issuer https://sluice.bank.example": (
        "tests/run/test_compose.py::test_with_an_issuer_it_is_a_real_installation"
    ),
    'pg_dump --format=custom --file=sluice.dump "$DATABASE_URL"': "tests/gateway/api/test_restored.py",
    'pg_restore --clean --if-exists --dbname="$DATABASE_URL" sluice.dump': "tests/gateway/api/test_restored.py",
    "python3 run.py tour": "tests/journeys/test_tour.py::test_the_tour_sees_every_step",
    "python3 run.py race": "tests/race/test_race.py",
    (
        'curl -s -H "Authorization: Bearer $(cat var/secrets/sandbox_control_token)" -d \'{"stage": 1}\''
        " http://127.0.0.1:8001/control/people/login_lost"
    ): "tests/run/test_real_instance.py::test_the_command_of_the_scenarios_turns_one",
    "celery -A gateway worker -P threads": "tests/faults/test_worker.py",
    "celery -A gateway worker -P threads -c 4 -Q slow-bank": "tests/faults/test_banks_apart.py",
    "celery -A gateway worker -P threads -c 8 -Q celery,slow-bank": "tests/faults/test_banks_apart.py",
}
#: The beginning of every command that is one of ours.
_MANAGED = re.compile(r"(?:\.venv/bin/)?(?:python3? )?manage\.py ")
_LAUNCHERS = re.compile(
    r"(?:\.venv/bin/python |python3? )?(?:manage\.py|run\.py|-m (?:examples|banks|gateway|tests)\.)"
)

PAGES_READ = {page.name: page for page in map(read, PAGES)}


def managed(command: str) -> list[str] | None:
    """What follows `manage.py`, where it is to be run here; None for any other command."""
    typed = _MANAGED.match(command)
    return shlex.split(command[typed.end() :]) if typed and command not in RUN_BY else None


def commands() -> Iterator[tuple[str, str]]:
    for page in PAGES_READ.values():
        for command in page.commands():
            yield page.name, command


def exists(test: str) -> bool:
    file, _, name = test.partition("::")
    return (ROOT / file).is_file() and (not name or f"def {name}(" in (ROOT / file).read_text())


def test_every_command_in_a_block_is_run_or_it_is_said_why_not() -> None:
    unknown = [
        f"{page}: {command}"
        for page, command in commands()
        if page not in RUN_AS_A_WHOLE and managed(command) is None and command not in RUN_BY and command not in NOT_HERE
    ]

    assert unknown == []


def test_what_the_tables_name_is_there_and_no_row_is_left_over() -> None:
    typed = {command for _, command in commands()}
    said = typed | {code for page in PAGES_READ.values() for code in page.codes}

    assert [test for test in [*RUN_BY.values(), *RUN_AS_A_WHOLE.values()] if not exists(test)] == []
    assert [command for command in [*RUN_BY, *NOT_HERE] if command not in said] == []
    assert set(RUN_AS_A_WHOLE) <= set(PAGES_READ)


@pytest.mark.django_db
@pytest.mark.parametrize("page", [one for one in PAGES_READ.values() if any(map(managed, one.commands()))], ids=str)
def test_commands_of_manage_py_do_what_the_page_says(
    page: Markdown, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # some write a file where one is
    cast.person("NAME")
    run = [words for command in page.commands() if (words := managed(command))]
    if not any(words[0] == "add_bank" for words in run):
        cast.institution("first-bank")

    for words in run:
        told = StringIO()
        call_command(*words, stdout=told)
        assert told.getvalue().strip(), words

    assert Institution.objects.filter(slug="first-bank").exists()
    registered = Platform.objects.filter(name="Budget Bot").exists()
    assert registered == any(words[0] == "register_platform" for words in run)


# -- in a sentence -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def launcher() -> ModuleType:
    spec = importlib.util.spec_from_file_location("launcher_of_the_docs", ROOT / "run.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def said() -> list[tuple[str, str]]:
    """(page, command) of ours in running text and in blocks."""
    return [
        (page.name, code)
        for page in PAGES_READ.values()
        for code in [*page.codes, *page.commands()]
        if _LAUNCHERS.match(code)
    ]


@pytest.mark.parametrize(("page", "command"), said())
def test_a_command_in_a_sentence_is_one_that_there_is(page: str, command: str, launcher: ModuleType) -> None:
    words = shlex.split(re.sub(r"[\[\]]", "", command))
    if "manage.py" in words:
        name, *rest = words[words.index("manage.py") + 1 :]
        assert name in get_commands(), command
        known = options_of(name)
        assert {word.partition("=")[0] for word in rest if word.startswith("--")} <= known, command
    elif "run.py" in words:
        chosen, rest = launcher.parser().parse_known_args(words[words.index("run.py") + 1 :])
        assert not rest or chosen.command not in (None, "test"), command
    else:
        module = words[words.index("-m") + 1]
        assert importlib.util.find_spec(module) is not None, command


def options_of(name: str) -> set[str]:
    app = get_commands()[name]
    command: Any = app if isinstance(app, BaseCommand) else load_command_class(app, name)
    parser: ArgumentParser = command.create_parser("manage.py", name)
    return set(parser._option_string_actions)


def test_a_command_that_nobody_runs_would_be_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.docs.markdown.ROOT", tmp_path)
    page = tmp_path / "page.md"
    page.write_text("```\n# said\npython3 run.py fly \\\n  --high        far above\n```\n\n```text\nno command\n```\n")
    monkeypatch.setattr("tests.docs.test_commands.PAGES_READ", {"page.md": read(page)})

    assert list(commands()) == [("page.md", "python3 run.py fly --high")]
    with pytest.raises(AssertionError, match="fly"):
        test_every_command_in_a_block_is_run_or_it_is_said_why_not()
