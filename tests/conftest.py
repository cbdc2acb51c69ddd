"""What every test shares: which of the two databases, which tests belong on it, and the servers they may use."""

import gc
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from tests import environment, servers, split

_MARKERS = {
    "browser": "drives a real browser; runs beside SQLite only",
    "full": "long; runs only with SLUICE_TEST_FULL=1 (`run.py test --full`)",
    "sqlite_only": "says something about SQLite or the embedded instance",
}
_DATABASE_FIXTURES = {"db", "transactional_db", "live_server"}
#: The first ones are left to programs that are given the server alone.
_LOGICAL_DATABASES = {split.SQLITE: 4, split.POSTGRESQL: 8, split.APART: 12}
_COLLECTED = pytest.StashKey[int]()
#: Young objects there may be before the collector looks: with Python's own 700 it takes a tenth of a run.
_YOUNG_OBJECTS = 50_000


def pytest_configure(config: pytest.Config) -> None:
    for name, meaning in _MARKERS.items():
        config.addinivalue_line("markers", f"{name}: {meaning}")
    from django.conf import settings

    from tests.support import emptying

    settings.PASSWORD_HASHERS = ["tests.support.hashing.OneRound"]
    emptying.install()


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Ten thousand tests are kept to the end: to look through them for garbage, again and again, is a third of this."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.collect()
        gc.freeze()
        gc.enable()
        gc.set_threshold(_YOUNG_OBJECTS, 20, 50)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave what another process runs unread: reading all of it takes a process a quarter of a minute."""
    if not (collection_path.name.startswith("test_") and collection_path.is_relative_to(config.rootpath)):
        return None
    file = collection_path.relative_to(config.rootpath).as_posix()
    return None if split.may_run(environment.process(), file, **_run()) else True


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep what belongs in this process."""
    kept: list[pytest.Item] = []
    dropped: list[pytest.Item] = []
    for item in items:
        (kept if _belongs(item) else dropped).append(item)
    if dropped:
        config.hook.pytest_deselected(items=dropped)
        items[:] = kept


def _belongs(item: pytest.Item) -> bool:
    if item.get_closest_marker("full") and not environment.full_run():
        return False
    is_sqlite_only = any(map(item.get_closest_marker, ("browser", "sqlite_only")))
    test = split.Traits(item.nodeid, _uses_database(item), is_sqlite_only)
    return environment.process() in split.processes(test, **_run())


def _run() -> dict[str, bool]:
    return {"is_whole": environment.shared_run(), "is_full": environment.full_run()}


def _uses_database(item: pytest.Item) -> bool:
    from django.test import TransactionTestCase

    if item.get_closest_marker("django_db") or _DATABASE_FIXTURES & set(getattr(item, "fixturenames", ())):
        return True
    owner: Any = getattr(item, "cls", None)
    return owner is not None and issubclass(owner, TransactionTestCase)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_node_collection_finished(node: Any, ids: list[str]) -> None:
    node.config.stash[_COLLECTED] = node.config.stash.get(_COLLECTED, 0) + len(ids)


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Pass a run in which only PostgreSQL had nothing to do.

    xdist takes the number of tests from whichever process reported last; from PostgreSQL's it may rightly be none.
    """
    if exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED and session.config.stash.get(_COLLECTED, 0):
        session.exitstatus = pytest.ExitCode.OK


@pytest.fixture(scope="session")
def django_db_use_migrations() -> bool:
    """They take some seconds. SQLite gets its tables from the models, unless everything runs on both.

    The instances that tests/run and tests/journeys start migrate SQLite, and a check holds migrations to the models.
    """
    return environment.database() == environment.POSTGRESQL or environment.full_run()


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings_parallel_suffix: None) -> None:
    """Give SQLite a file of this process: a real worker process cannot open an in-memory test database."""
    from django.db import connections

    default = connections.databases["default"]
    if default["ENGINE"].endswith("sqlite3"):
        default.setdefault("TEST", {})["NAME"] = str(environment.DIRECTORY / "test.sqlite3")


@pytest.fixture(scope="session")
def redis_url() -> str:
    """URL of a running Redis (Valkey), in a range of logical databases that the other processes do not use.

    The next logical database (for a cache) is free too.
    """
    url = environment.server_url(servers.REDIS, "SLUICE_TEST_REDIS")
    return f"{url}/{_LOGICAL_DATABASES[environment.process()]}"
