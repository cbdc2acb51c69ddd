"""Files of tests that any process of a run may take: whoever comes to one first takes all that is anyone's in it.

A claim is a file made where none may be yet, in the directory that the processes of a run share.
"""

import hashlib
from pathlib import Path
from typing import Any

import pytest


class Claims:
    """Of one process, which asks again for each test of a file."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(exist_ok=True)
        self._directory = directory
        self._answers: dict[str, bool] = {}

    def take(self, file: str) -> bool:
        """Whether `file`, a path, is this process' to run: nobody took it before."""
        if file not in self._answers:
            self._answers[file] = self._is_first(file)
        return self._answers[file]

    def _is_first(self, file: str) -> bool:
        try:
            (self._directory / hashlib.sha256(file.encode()).hexdigest()).touch(exist_ok=False)
        except FileExistsError:
            return False
        return True


class Roll:
    """Plugin of the process that others report to: of all tests that they collected, which one nobody ran.

    Also passes a run in which only PostgreSQL had nothing to do: xdist takes the number of tests from whichever process
    reported last, and from PostgreSQL's it may rightly be none.
    """

    def __init__(self) -> None:
        self._collected: set[str] = set()
        self._reported: set[str] = set()

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, node: Any, ids: list[str]) -> None:
        self._collected.update(ids)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._reported.add(report.nodeid)

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        if exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED and self._collected:
            session.exitstatus = pytest.ExitCode.OK
        elif exitstatus == pytest.ExitCode.OK and self.missing:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter, exitstatus: int) -> None:
        """Also names them when all others passed: `exitstatus` is what the run had before `pytest_sessionfinish`."""
        is_whole = exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED)
        for nodeid in self.missing if is_whole else []:
            terminalreporter.write_line(f"NOT RUN by any process: {nodeid}", red=True)

    @property
    def missing(self) -> list[str]:
        return sorted(self._collected - self._reported)
