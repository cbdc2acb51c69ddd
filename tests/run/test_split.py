"""No test is lost between the processes that share a run, and what a database can change runs on both."""

from itertools import product

import pytest

from tests import split
from tests.command import ROOT
from tests.split import APART, POSTGRESQL, SQLITE, Traits, may_run, processes

WHOLE = {"is_whole": True, "is_full": False}
FULL = {"is_whole": True, "is_full": True}
PART = {"is_whole": False, "is_full": False}
RUNS = [WHOLE, FULL, PART, {"is_whole": False, "is_full": True}]

FILES = sorted(file.relative_to(ROOT).as_posix() for file in ROOT.glob("tests/**/test_*.py"))
LISTED = [*split._APART, *split._SHARED_OUT, *split._ON_EITHER, split._SPLIT]


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

    assert {len(processes(page, **WHOLE)) for page in pages} == {1}
    assert {process for page in pages for process in processes(page, **WHOLE)} == {SQLITE, POSTGRESQL, APART}
    for page in pages:
        assert processes(page, **PART) == processes(page, **FULL) == {SQLITE, POSTGRESQL}


def test_what_knows_no_database_runs_once() -> None:
    for file, run in product(FILES, RUNS):
        assert len(processes(Traits(f"{file}::test", uses_database=False), **run)) == 1
        assert POSTGRESQL not in processes(Traits(f"{file}::test", uses_database=True, is_sqlite_only=True), **run)


def test_a_process_reads_no_file_that_is_anothers() -> None:
    assert not may_run(APART, "tests/architecture/test_seam.py", **WHOLE)
    assert not may_run(SQLITE, "tests/journeys/test_tour.py", **WHOLE)
    assert may_run(SQLITE, "tests/journeys/test_tour.py", **PART)


@pytest.mark.parametrize("listed", LISTED)
def test_what_is_listed_is_there(listed: str) -> None:
    file, _, test = listed.partition("::")

    found = [each for each in FILES if each.startswith(file)]
    assert found
    assert not test or f"def {test}" in (ROOT / found[0]).read_text()
