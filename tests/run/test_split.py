"""No test is lost between the processes that share a run, and what a database can change runs on both."""

from itertools import product
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pytest import ExitCode

from tests import split
from tests.claims import Claims, Roll
from tests.command import ROOT
from tests.split import APART, POSTGRESQL, SQLITE, Traits, is_anyones, may_run, processes

WHOLE = {"is_whole": True, "is_full": False}
FULL = {"is_whole": True, "is_full": True}
PART = {"is_whole": False, "is_full": False}
RUNS = [WHOLE, FULL, PART, {"is_whole": False, "is_full": True}]

FILES = sorted(file.relative_to(ROOT).as_posix() for file in ROOT.glob("tests/**/test_*.py"))
LISTED = [*split._APART, *split._ON_NEITHER, *split._ON_EITHER]


def of_every_kind(nodeid: str) -> list[Traits]:
    return [Traits(nodeid, uses_database, only) for uses_database, only in product([True, False], repeat=2)]


@pytest.mark.parametrize("run", RUNS)
def test_every_test_has_a_process_that_runs_it_and_reads_its_file(run: dict[str, bool]) -> None:
    assert len(FILES) > 200
    for file in FILES:
        for number, test in product(range(4), of_every_kind(file)):
            chosen = processes(test._replace(nodeid=f"{file}::test_{number}"), **run)

            assert chosen
            assert all(may_run(process, file, **run) for process in chosen), (file, chosen)


def test_only_a_whole_run_has_a_process_apart() -> None:
    for file, run in product(FILES, RUNS):
        for test in of_every_kind(f"{file}::test"):
            assert run["is_whole"] or APART not in processes(test, **run)


def test_what_a_database_can_change_runs_on_both() -> None:
    for file, apart in (("tests/banks/test_leases.py", SQLITE), ("tests/faults/test_worker.py", APART)):
        test = Traits(f"{file}::test_t23_one", uses_database=True)

        assert processes(test, **WHOLE) == {apart, POSTGRESQL}
        assert processes(test, **PART) == {SQLITE, POSTGRESQL}


def test_what_it_cannot_change_runs_once_and_on_both_when_asked_for() -> None:
    listed = [file for file in FILES if file.startswith(split._ON_EITHER) and not file.startswith(split._APART)]
    pages = [Traits(f"{file}::test", uses_database=True) for file in listed]

    assert len(pages) > 80
    for page in pages:
        assert is_anyones(page, **WHOLE)
        assert not is_anyones(page, **PART) and not is_anyones(page, **FULL)
        assert processes(page, **PART) == processes(page, **FULL) == {SQLITE, POSTGRESQL}


def test_what_starts_processes_and_runs_once_runs_apart() -> None:
    test = Traits("tests/faults/test_banks_apart.py::test_without_any_beat_the_work_is_found", uses_database=True)

    assert processes(test, **WHOLE) == {APART}
    assert not is_anyones(test, **WHOLE)


def test_what_knows_no_database_runs_once() -> None:
    for file, run in product(FILES, RUNS):
        for test in (Traits(f"{file}::test", False), Traits(f"{file}::test", True, is_sqlite_only=True)):
            assert len(processes(test, **run)) == 1 or is_anyones(test, **run)
        assert POSTGRESQL not in processes(Traits(f"{file}::test", uses_database=True, is_sqlite_only=True), **run)


def test_what_is_anyones_may_be_run_by_either() -> None:
    for file, run in product(FILES, RUNS):
        for test in of_every_kind(f"{file}::test"):
            assert not is_anyones(test, **run) or processes(test, **run) == {SQLITE, POSTGRESQL}


def test_a_process_reads_no_file_that_is_anothers() -> None:
    assert not may_run(APART, "tests/architecture/test_seam.py", **WHOLE)
    assert not may_run(SQLITE, "tests/journeys/test_tour.py", **WHOLE)
    assert may_run(SQLITE, "tests/journeys/test_tour.py", **PART)


def test_a_file_is_taken_once(tmp_path: Path) -> None:
    one, other = Claims(tmp_path / "claims"), Claims(tmp_path / "claims")

    assert one.take("tests/a.py") and one.take("tests/a.py")
    assert not other.take("tests/a.py")
    assert other.take("tests/b.py") and not one.take("tests/b.py")


@pytest.mark.parametrize(
    ("collected", "reported", "before", "after"),
    [
        (["a", "b"], ["b", "a", "a"], ExitCode.OK, ExitCode.OK),
        (["a", "b"], ["a"], ExitCode.OK, ExitCode.TESTS_FAILED),
        (["a", "b"], ["a"], ExitCode.INTERRUPTED, ExitCode.INTERRUPTED),
        (["a"], ["a"], ExitCode.NO_TESTS_COLLECTED, ExitCode.OK),
        ([], [], ExitCode.NO_TESTS_COLLECTED, ExitCode.NO_TESTS_COLLECTED),
    ],
)
def test_a_run_that_lost_a_test_fails(
    collected: list[str], reported: list[str], before: ExitCode, after: ExitCode
) -> None:
    roll: Any = Roll()
    session = SimpleNamespace(exitstatus=before)
    roll.pytest_xdist_node_collection_finished(None, collected)
    for nodeid in reported:
        roll.pytest_runtest_logreport(SimpleNamespace(nodeid=nodeid))

    roll.pytest_sessionfinish(session, before)

    assert session.exitstatus == after


@pytest.mark.parametrize(("before", "told"), [(ExitCode.OK, 1), (ExitCode.TESTS_FAILED, 1), (ExitCode.INTERRUPTED, 0)])
def test_a_run_that_lost_a_test_says_which(before: ExitCode, told: int) -> None:
    """pytest's report is told the exit code from before, so a run lost to nothing else must name the test too."""
    roll: Any = Roll()
    lines: list[str] = []
    roll.pytest_xdist_node_collection_finished(None, ["a", "tests/b.py::test_c"])
    roll.pytest_runtest_logreport(SimpleNamespace(nodeid="a"))

    roll.pytest_terminal_summary(SimpleNamespace(write_line=lambda line, red: lines.append(line)), before)

    assert lines == ["NOT RUN by any process: tests/b.py::test_c"] * told


@pytest.mark.parametrize("listed", LISTED)
def test_what_is_listed_is_there(listed: str) -> None:
    file, _, test = listed.partition("::")

    found = [each for each in FILES if each.startswith(file)]
    assert found
    assert not test or f"def {test}" in (ROOT / found[0]).read_text()
