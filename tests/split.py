"""Which process of a run runs which test.

`run.py test` runs three: one on SQLite, one on PostgreSQL, and one apart, on a SQLite of its own, for tests that mostly
wait for processes they start, so that two can compute meanwhile. What a database can change runs on both; what it
cannot runs once: in whichever of the two comes to its file first (tests/claims.py), so that both are done at the same
time. `run.py test PATH` has no process apart, and runs on both all that uses a database.
"""

from typing import NamedTuple

#: The processes.
SQLITE, POSTGRESQL, APART = "sqlite", "postgresql", "apart"

#: What these run on SQLite, they run apart: with a browser, an instance, workers or a slow server. All of it starts
#: there, one after the other: no two instances look for a free port at once.
_APART = (
    "tests/banks/dialects/test_hostile_sizes.py",
    "tests/banks/sandbox/test_browser.py",
    "tests/benchmarks/",
    "tests/docs/test_api_guide.py",
    "tests/docs/test_quickstart.py",
    "tests/docs/test_sample_platform.py",
    "tests/faults/",
    "tests/gateway/api/test_docs.py",
    "tests/journeys/",
    "tests/run/",
)
#: Of these, tests that know no database are for whoever comes first.
_ON_NEITHER = (
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
    "tests/banks/test_dry_run.py",
    "tests/banks/test_institutions.py",
    "tests/banks/test_plan.py",
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
    "tests/gateway/api/test_refreshes.py",
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
    "tests/gateway/test_download_content.py",
    "tests/gateway/test_metrics.py",
    "tests/gateway/test_problems.py",
    "tests/gateway/test_request_ids.py",
    "tests/gateway/test_session_store.py",
    "tests/gateway/test_wsgi.py",
    "tests/race/test_mutants.py",
)


class Traits(NamedTuple):
    """What of a test the choice hangs on. `is_sqlite_only`: as marked, or because one run with a browser is enough."""

    nodeid: str
    uses_database: bool
    is_sqlite_only: bool = False


def processes(test: Traits, *, is_whole: bool, is_full: bool) -> frozenset[str]:
    """Those that may run `test`: at least one. `is_whole`: a run of everything; `is_full`: `--full`.

    Each of them does, unless it is anyone's: then one of them. A test that knows no database and is not anyone's stays
    with SQLite: it starts an instance or reads the environment of its process.
    """
    on_sqlite = APART if is_whole and test.nodeid.startswith(_APART) else SQLITE
    if test.is_sqlite_only:
        return frozenset({on_sqlite})
    if is_anyones(test, is_whole=is_whole, is_full=is_full):
        return frozenset({SQLITE, POSTGRESQL})
    is_once = is_whole and _needs_one_run(test, is_full=is_full)
    return frozenset({on_sqlite, POSTGRESQL} if test.uses_database and not is_once else {on_sqlite})


def is_anyones(test: Traits, *, is_whole: bool, is_full: bool) -> bool:
    """Whether one run is enough, and either of the two may make it: whoever comes to its file first."""
    is_tied = test.is_sqlite_only or test.nodeid.startswith(_APART)
    return is_whole and not is_tied and _needs_one_run(test, is_full=is_full)


def may_run(process: str, file: str, *, is_whole: bool, is_full: bool) -> bool:
    """Whether `process` could have a test of `file` to run: else it need not even read it."""
    of_every_kind = [Traits(f"{file}::", uses, only) for uses in (True, False) for only in (True, False)]
    return any(process in processes(test, is_whole=is_whole, is_full=is_full) for test in of_every_kind)


def _needs_one_run(test: Traits, *, is_full: bool) -> bool:
    if test.nodeid.startswith(_ON_EITHER):
        return not is_full
    return test.nodeid.startswith(_ON_NEITHER) and not test.uses_database
