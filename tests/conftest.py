"""What every test shares: which of the two databases, which tests belong on it, and the servers they may use."""

import os
from typing import Any
from zlib import crc32

import pytest

from tests import environment, servers

_MARKERS = {
    "browser": "drives a real browser; runs on one side only",
    "full": "long; runs only with SLUICE_TEST_FULL=1 (`run.py test --full`)",
    "sqlite_only": "says something about SQLite or the embedded instance",
}
_DATABASE_FIXTURES = {"db", "transactional_db", "live_server"}
#: Of these, tests that know no database are shared out by file.
_SHARED_OUT = (
    "tests/banks/",
    "tests/consents/",
    "tests/corpus/",
    "tests/docs/test_connector.py",
    "tests/examples/",
    "tests/gateway/oauth/",
    "tests/gateway/test_",
    "tests/race/",
)
#: Of these too, tests that know one: pages, answers and decisions over the same few queries. What races, locks, writes
#: in bulk or reads by its own SQL runs on both; `--full` runs everything on both.
_ON_EITHER = (
    "tests/architecture/test_mutants.py",
    "tests/architecture/test_routes.py",
    "tests/banks/scenarios/",
    "tests/banks/test_balances.py",
    "tests/banks/test_connections.py",
    "tests/banks/test_disconnect.py",
    "tests/banks/test_institutions.py",
    "tests/banks/test_renewal.py",
    "tests/banks/test_standing.py",
    "tests/banks/test_sync_trouble.py",
    "tests/banks/test_windows.py",
    "tests/consents/test_lifecycle_at_banks.py",
    "tests/consents/test_lifecycle_clock.py",
    "tests/consents/test_lifecycle_hands.py",
    "tests/consents/test_platform_status.py",
    "tests/consents/test_proposals.py",
    "tests/consents/test_reports.py",
    "tests/consents/test_stops.py",
    "tests/consents/test_taken_away.py",
    "tests/consents/test_withdrawal.py",
    "tests/docs/test_commands.py",
    # What a broker or a queue does is the same beside either database.
    "tests/faults/test_banks_apart.py::test_a_bank_with_a_queue_of_its_own",
    "tests/faults/test_banks_apart.py::test_without_any_beat",
    "tests/faults/test_banks_apart.py::test_without_any_broker",
    "tests/faults/test_worker.py::test_a_message_that_comes_three_times",
    "tests/faults/test_worker.py::test_messages_lost_with",
    "tests/gateway/api/test_bad_input.py",
    "tests/gateway/api/test_ending.py",
    "tests/gateway/api/test_etags.py",
    "tests/gateway/api/test_events.py",
    "tests/gateway/api/test_fallbacks.py",
    "tests/gateway/api/test_foreign_ids.py",
    "tests/gateway/api/test_generated_client.py",
    "tests/gateway/api/test_headers.py",
    "tests/gateway/api/test_management.py",
    "tests/gateway/api/test_platform_status.py",
    "tests/gateway/api/test_presence.py",
    "tests/gateway/api/test_purposes.py",
    "tests/gateway/api/test_openapi.py",
    "tests/gateway/api/test_refusals.py",
    "tests/gateway/api/test_refused_calls.py",
    "tests/gateway/api/test_refused_counts.py",
    "tests/gateway/api/test_scopes.py",
    "tests/gateway/api/test_shapes.py",
    "tests/gateway/backoffice/",
    "tests/gateway/commands/",
    "tests/gateway/identity/",
    "tests/gateway/notify/test_mailbox.py",
    "tests/gateway/notify/test_smtp.py",
    "tests/gateway/notify/test_summaries.py",
    "tests/gateway/notify/test_writing.py",
    "tests/gateway/oauth/test_answers.py",
    "tests/gateway/oauth/test_authorize.py",
    "tests/gateway/oauth/test_bearer.py",
    "tests/gateway/oauth/test_exposure.py",
    "tests/gateway/oauth/test_grants.py",
    "tests/gateway/oauth/test_housekeeping.py",
    "tests/gateway/oauth/test_introspect.py",
    "tests/gateway/oauth/test_logs.py",
    "tests/gateway/oauth/test_platform_tokens.py",
    "tests/gateway/oauth/test_revoke.py",
    "tests/gateway/oauth/test_token.py",
    "tests/gateway/operator/",
    "tests/gateway/portal/",
    "tests/gateway/test_canary.py",
    "tests/gateway/test_checks.py",
    "tests/gateway/test_doctor.py",
    "tests/gateway/test_metrics.py",
    "tests/gateway/test_problems.py",
    "tests/gateway/test_request_ids.py",
    "tests/gateway/test_session_store.py",
    "tests/gateway/test_wsgi.py",
    "tests/race/test_mutants.py",
)
#: Of what one run is enough for, these stand beside PostgreSQL's, so that both sides are done at about the same time.
_BESIDE_POSTGRESQL = (
    "tests/banks/sandbox/test_browser.py",
    # They share one instance, so all of them stand on one side.
    "tests/docs/test_api_guide.py",
    "tests/docs/test_quickstart.py",
    "tests/docs/test_sample_platform.py",
    "tests/gateway/api/test_docs.py",
    "tests/journeys/test_consent_flow.py",
    # The other groups share a face, and so the titles of their pages.
    "tests/journeys/test_every_page.py::test_every_page_is_accessible_and_keeps_to_itself[bank]",
    "tests/journeys/test_tour.py",
)
#: So long that not its file as a whole is put on one side, but each of its tests.
_SPLIT = "tests/architecture/test_routes.py"
_COLLECTED = pytest.StashKey[int]()


def pytest_configure(config: pytest.Config) -> None:
    for name, meaning in _MARKERS.items():
        config.addinivalue_line("markers", f"{name}: {meaning}")
    from django.conf import settings

    from tests.support import emptying

    settings.PASSWORD_HASHERS = ["tests.support.hashing.OneRound"]
    emptying.install()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep what belongs in this process: both run only the tests whose outcome can differ between the databases."""
    kept: list[pytest.Item] = []
    dropped: list[pytest.Item] = []
    for item in items:
        (kept if _belongs(item) else dropped).append(item)
    if dropped:
        config.hook.pytest_deselected(items=dropped)
        items[:] = kept


def _belongs(item: pytest.Item) -> bool:
    if item.get_closest_marker("full") and os.environ.get("SLUICE_TEST_FULL") != "1":
        return False
    beside_postgresql = item.nodeid.startswith(_BESIDE_POSTGRESQL)
    if environment.shared_run() and (beside_postgresql or item.get_closest_marker("browser")):
        return beside_postgresql == (environment.database() == environment.POSTGRESQL)
    if environment.shared_run() and _is_anyones(item):
        shared = item.nodeid if item.nodeid.startswith(_SPLIT) else item.nodeid.split("::")[0]
        return (crc32(shared.encode()) % 2 == 0) == (environment.database() == environment.SQLITE)
    if environment.database() == environment.SQLITE:
        return True
    if item.get_closest_marker("browser") or item.get_closest_marker("sqlite_only"):
        return False
    return _uses_database(item)


def _is_anyones(item: pytest.Item) -> bool:
    """Whether one run is enough, on whichever side.

    Other tests that know no database stay on SQLite's: they start instances or read the environment of their process.
    """
    if item.get_closest_marker("sqlite_only"):
        return False
    if item.nodeid.startswith(_ON_EITHER):
        return os.environ.get("SLUICE_TEST_FULL") != "1"
    return item.nodeid.startswith(_SHARED_OUT) and not _uses_database(item)


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
    return environment.database() == environment.POSTGRESQL or os.environ.get("SLUICE_TEST_FULL") == "1"


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings_parallel_suffix: None) -> None:
    """Give SQLite a file of this process: a real worker process cannot open an in-memory test database."""
    from django.db import connections

    default = connections.databases["default"]
    if default["ENGINE"].endswith("sqlite3"):
        default.setdefault("TEST", {})["NAME"] = str(environment.DIRECTORY / "test.sqlite3")


@pytest.fixture(scope="session")
def redis_url() -> str:
    """URL of a running Redis (Valkey), in a range of logical databases that the other process does not use.

    The next logical database (for a cache) is free too.
    """
    url = environment.server_url(servers.REDIS, "SLUICE_TEST_REDIS")
    return f"{url}/{8 if environment.database() == environment.POSTGRESQL else 0}"
