"""The tests of the seam, run against a seam with one check taken out: each time, some of them must fail.

A mutant is one assignment, made by a plugin in a process of its own after Django is up; no file is changed.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.source import ROOT

_PLUGIN = """
import pytest

@pytest.fixture(scope="session", autouse=True)
def mutant(django_db_modify_db_settings):
    {body}
"""

#: What is taken out -> how.
MUTANTS: dict[str, str] = {
    "the consent is not looked at again": (
        "import banks.permitted as p; from consents.models import Consent; "
        "p.holding = lambda consent_id, now: Consent.objects.filter(id=consent_id)"
    ),
    "the permit's clock is not looked at": "import banks.permitted as p; p.still_valid = lambda *a: None",
    "no usage row is written": "import banks.permitted as p; p.commit_usage = lambda *a, **k: None",
    "the window lets everything through": (
        "import banks.permitted as p; from django.db.models import Q; "
        "p.in_window = lambda part: Q(listed_on__isnull=False)"
    ),
    "no group is hidden": "import banks.permitted as p; from django.db.models import Q; p.not_hidden = lambda *a: Q()",
    "on-platform lets everything through": (
        "import banks.permitted as p; from django.db.models import Q; p.on_platform = lambda *a: Q()"
    ),
    "the account's owner is not checked": (
        "import banks.models as m; m.Account.within = staticmethod(lambda user, ids: {'id__in': ids})"
    ),
    "every field of a record is open": (
        "import consents.policy as p, consents.scopes as s; p.opened_fields = "
        "lambda record, scopes, precision: tuple(rule.name for rule in s.FIELD_RULES[record])"
    ),
    "coverage is not clipped": (
        "import banks.permitted as p; p.coverage = lambda state, part: p.Coverage("
        "first_on=state.coverage_first_on, last_on=state.coverage_last_on)"
    ),
}
#: The same of the delta: how, and a word in the names of the tests that must see it (all of them would take long).
DELTA_MUTANTS: dict[str, tuple[str, str]] = {
    "the consent is not looked at again": (MUTANTS["the consent is not looked at again"], "stop or revoked"),
    "the permit's clock is not looked at": (MUTANTS["the permit's clock is not looked at"], "own_clock"),
    "no usage row is written": (MUTANTS["no usage row is written"], "logged"),
    "the window lets everything through": (MUTANTS["the window lets everything through"], "withheld_all_along"),
    "no group is hidden": (MUTANTS["no group is hidden"], "withheld_all_along"),
    "on-platform lets everything through": (MUTANTS["on-platform lets everything through"], "withheld_all_along"),
    "the account's owner is not checked": (MUTANTS["the account's owner is not checked"], "another_persons"),
    "every field of a record is open": (MUTANTS["every field of a record is open"], "coarse"),
    "coverage is not clipped": (MUTANTS["coverage is not clipped"], "clipped"),
    "a withheld row's id is told": (
        "import banks.changes as c; c._withheld = lambda rows, stretch: rows.filter(is_known=True, is_shown=False, "
        "change_sequence__gt=stretch.at, change_sequence__lte=stretch.until).values_list('id', 'change_sequence')",
        "withheld_all_along",
    ),
    "a row that is withheld goes by its last change": (
        "import banks.changes as c; kept = c._withheld; "
        "c._withheld = lambda rows, stretch: kept(rows.filter(change_sequence__lte=stretch.until), stretch)",
        "however_it_changes or wherever_writes_fall",
    ),
    "a row that came and went is told": (
        "import banks.changes as c; c._changed = lambda rows, stretch: rows.filter(is_shown=True, "
        "change_sequence__gt=stretch.at).values_list('id', 'change_sequence', 'is_live', 'is_known')",
        "changed_and_went",
    ),
    "removals are not told": (
        "import banks.changes as c; kept = c._changed; "
        "c._changed = lambda rows, stretch: kept(rows.filter(is_live=True), stretch)",
        "changed_and_went",
    ),
    "a cursor fits every permit": ("import banks.change_positions as c; c.fingerprint = lambda *a: bytes(16)", "stale"),
    "a cursor fits whatever merchants are approved": (
        "import banks.change_positions as c; c._approved = lambda *a: []",
        "stale_when",
    ),
    "rows beyond the walk are told": (
        "import banks.changes as c; from dataclasses import replace; kept = c._changes_in; c._changes_in = "
        "lambda permit, opened, stretch, count: kept(permit, opened, replace(stretch, until=2**62), count)",
        "walk_ends or during_a_walk",
    ),
}


def _run(
    tmp_path: Path, body: str, tests: str = "tests/banks/test_read.py", words: str = ""
) -> subprocess.CompletedProcess[str]:
    (tmp_path / "mutant.py").write_text(_PLUGIN.format(body=body))
    environment = {
        **os.environ,
        "SLUICE_TEST_DATABASE": "sqlite",
        "SLUICE_TEST_SHARED": "",  # nor is any of it another process'
        "SLUICE_TEST_APART": "",
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(tmp_path)]),
    }
    return subprocess.run(
        [
            sys.executable,
            *("-m", "pytest", "-p", "tests.environment", "-p", "mutant", "-p", "no:cacheprovider", "-q", "-x"),
            *("-k", words),
            str(ROOT / tests),
        ],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )


@pytest.mark.full
def test_without_a_mutant_the_tests_of_the_seam_pass(tmp_path: Path) -> None:
    for tests in ("tests/banks/test_read.py", "tests/banks/test_changes.py"):
        result = _run(tmp_path, "pass", tests)

        assert result.returncode == 0, result.stdout


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[] if name == "the consent is not looked at again" else [pytest.mark.full])
        for name in MUTANTS
    ],
)
def test_a_seam_without_one_of_its_checks_is_noticed(tmp_path: Path, name: str) -> None:
    result = _run(tmp_path, MUTANTS[name])

    assert result.returncode == 1, f"{name}: no test failed\n{result.stdout}{result.stderr}"
    assert "1 failed" in result.stdout


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[] if name == "a withheld row's id is told" else [pytest.mark.full])
        for name in DELTA_MUTANTS
    ],
)
def test_a_delta_without_one_of_its_checks_is_noticed(tmp_path: Path, name: str) -> None:
    body, words = DELTA_MUTANTS[name]

    result = _run(tmp_path, body, "tests/banks/test_changes.py", words)

    assert result.returncode == 1, f"{name}: no test failed\n{result.stdout}{result.stderr}"
    assert "1 failed" in result.stdout
