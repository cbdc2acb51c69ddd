"""What every test shares: which of the two databases, which tests belong on it, and the servers they may use."""

import gc
from collections.abc import Generator
from pathlib import Path
from typing import Any

import hypothesis
import pytest

from tests import environment, servers, split
from tests.claims import Claims, Roll

_MARKERS = {
    "browser": "drives a real browser; runs beside SQLite only",
    "full": "long; runs only with SLUICE_TEST_FULL=1 (`run.py test --full`)",
    "sqlite_only": "says something about SQLite or the embedded instance",
}
#: What `repr` and `str` say of a function or an object without a name.
_HAS_ADDRESS = " at 0x"
_DATABASE_FIXTURES = {"db", "transactional_db", "live_server"}
#: The first ones are left to programs that are given the server alone.
_LOGICAL_DATABASES = {split.SQLITE: 4, split.POSTGRESQL: 8, split.APART: 12}
_CLAIMS = pytest.StashKey[Claims]()
_IS_ANYONES = pytest.StashKey[bool]()
#: Young objects there may be before the collector looks: with Python's own 700 it takes a tenth of a run.
_YOUNG_OBJECTS = 50_000


def pytest_configure(config: pytest.Config) -> None:
    for name, meaning in _MARKERS.items():
        config.addinivalue_line("markers", f"{name}: {meaning}")
    from django.conf import settings

    from tests.support import emptying

    settings.PASSWORD_HASHERS = ["tests.support.hashing.OneRound"]
    emptying.install()
    _allow_any_machine()
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Roll())


def _allow_any_machine() -> None:
    """No property fails because the machine is busy. With CI=true its examples are the same each time."""
    hypothesis.settings.register_profile(
        "sluice",
        hypothesis.settings(),
        deadline=None,
        suppress_health_check=[hypothesis.HealthCheck.too_slow],
        database=None,
    )
    hypothesis.settings.load_profile("sluice")


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
    """Keep what belongs in this process.

    Raises UsageError for a test that no other process knows by the same name.
    """
    kept: list[pytest.Item] = []
    dropped: list[pytest.Item] = []
    for item in items:
        if _HAS_ADDRESS in item.nodeid:
            raise pytest.UsageError(f"{item.nodeid} is named after an address in memory, another one in each process")
        (kept if _belongs(item) else dropped).append(item)
    if dropped:
        config.hook.pytest_deselected(items=dropped)
        items[:] = kept


def _belongs(item: pytest.Item) -> bool:
    if item.get_closest_marker("full") and not environment.full_run():
        return False
    is_sqlite_only = any(map(item.get_closest_marker, ("browser", "sqlite_only")))
    test = split.Traits(item.nodeid, _uses_database(item), is_sqlite_only)
    item.stash[_IS_ANYONES] = split.is_anyones(test, **_run())
    return environment.process() in split.processes(test, **_run())


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
    """Pass over what another process took. True: nothing is left to do for this test."""
    if not item.stash[_IS_ANYONES] or _claims(item.config).take(item.nodeid.split("::")[0]):
        return None
    item.session._setupstate.teardown_exact(nextitem)  # what the test before left standing for this one
    return True


def _claims(config: pytest.Config) -> Claims:
    if _CLAIMS not in config.stash:
        config.stash[_CLAIMS] = Claims(environment.claims_directory())
    return config.stash[_CLAIMS]


def _run() -> dict[str, bool]:
    return {"is_whole": environment.shared_run(), "is_full": environment.full_run()}


def _uses_database(item: pytest.Item) -> bool:
    from django.test import TransactionTestCase

    if item.get_closest_marker("django_db") or _DATABASE_FIXTURES & set(getattr(item, "fixturenames", ())):
        return True
    owner: Any = getattr(item, "cls", None)
    return owner is not None and issubclass(owner, TransactionTestCase)


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
