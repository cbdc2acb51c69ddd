"""A pretend bank, and workers that are real processes."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests import environment
from tests.banks.conftest import alice, bob, budget, chat, sandbox, world
from tests.support.worker import Worker

__all__ = ["alice", "bob", "budget", "chat", "sandbox", "world"]

Workers = Callable[..., Worker]


def _transports() -> list[str]:
    """As they are used: the file system beside SQLite, Redis beside PostgreSQL; a run by itself, or `--full`: both."""
    if not environment.shared_run() or os.environ.get("SLUICE_TEST_FULL") == "1":
        return ["filesystem", "redis"]
    return ["filesystem" if environment.database() == environment.SQLITE else "redis"]


@pytest.fixture(params=_transports())
def transport(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Which broker wakes the workers."""
    return {"redis_url": _empty_redis(request)} if request.param == "redis" else {}


@pytest.fixture
def redis(request: pytest.FixtureRequest) -> str:
    return _empty_redis(request)


@pytest.fixture
def workers(tmp_path: Path, transactional_db: None) -> Iterator[Workers]:
    """workers(lease_seconds=4): a worker that is not started yet. All are dead before the database is emptied."""
    with ExitStack() as stack:
        made: list[Worker] = []

        def make(directory: str = "worker", **options: Any) -> Worker:
            worker = Worker(tmp_path / directory, **options)
            made.append(worker)
            stack.callback(worker.kill)
            return worker

        yield make


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """What the workers wrote, beside a failure."""
    outcome: Any = yield
    report = outcome.get_result()
    if report.when == "call" and report.failed and "tmp_path" in getattr(item, "funcargs", {}):
        for log in sorted(item.funcargs["tmp_path"].glob("*/worker.log")):  # type: ignore[attr-defined]
            report.sections.append((str(log.parent.name), log.read_text(encoding="utf-8", errors="replace")[-6000:]))


def _empty_redis(request: pytest.FixtureRequest) -> str:
    import redis

    url: str = request.getfixturevalue("redis_url")
    redis.Redis.from_url(url).flushdb()  # this side's own logical database
    return url
