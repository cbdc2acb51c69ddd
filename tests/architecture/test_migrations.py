"""A database that was migrated step by step, before each app's steps became one, does none of them again.

And an embedded instance's quick way to its first tables makes the tables that Django's own way makes.
"""

import re
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import pytest
from django.apps import apps
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.db.migrations.state import ProjectState

from gateway import settings as real_settings
from gateway.embedded.tables import new_models_alone

#: How many steps there were.
BEFORE = {"banks": 24, "consents": 17, "identity": 3, "notify": 1, "oauth": 2, "portal": 1}

Name = tuple[str, str]
_INSTANT = re.compile(r"'\d{4}-\d\d-\d\d \d\d:[^']+'")


@pytest.fixture(autouse=True)
def real_migrations(settings: Any) -> None:
    """This process may have put them aside to make its tables."""
    settings.MIGRATION_MODULES = real_settings.MIGRATION_MODULES


def _on_disk() -> dict[Name, Any]:
    return dict(MigrationLoader(None).disk_migrations)


def _replaced() -> list[Name]:
    return [name for migration in _on_disk().values() for name in migration.replaces if name[0] in BEFORE]


def _plan(monkeypatch: pytest.MonkeyPatch, applied: set[Name]) -> list[Name]:
    monkeypatch.setattr(MigrationRecorder, "applied_migrations", lambda self: dict.fromkeys(applied))
    executor = MigrationExecutor(connection)
    planned = executor.migration_plan(executor.loader.graph.leaf_nodes())
    return [(migration.app_label, migration.name) for migration, _ in planned]


@pytest.mark.parametrize("app", BEFORE)
def test_each_step_of_before_is_replaced_once(app: str) -> None:
    numbers = [name.partition("_")[0] for label, name in _replaced() if label == app]

    assert sorted(numbers) == [f"{number:04}" for number in range(1, BEFORE[app] + 1)]


def test_a_database_of_before_has_only_what_came_since_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    of_others = {name for name in _on_disk() if name[0] not in BEFORE}
    since = [name for name, migration in _on_disk().items() if name[0] in BEFORE and not migration.replaces]

    assert sorted(_plan(monkeypatch, of_others | set(_replaced()))) == sorted(since)


def test_an_empty_one_gets_every_app_once(monkeypatch: pytest.MonkeyPatch) -> None:
    planned = _plan(monkeypatch, set())

    assert {name for name in planned if name[0] in BEFORE} == {name for name in _on_disk() if name[0] in BEFORE}
    assert len(planned) == len(set(planned))


def test_the_toolkit_has_no_table_to_migrate() -> None:
    """Or leaving its migrations out would leave that table out too."""
    assert real_settings.MIGRATION_MODULES == {"oauth2_provider": None}
    assert [model for model in apps.get_app_config("oauth2_provider").get_models() if not model._meta.swapped] == []
    assert len(list(apps.get_app_config("oauth2_provider").get_models(include_swapped=True))) == 6


def _statements(way: Callable[[], Any]) -> list[str]:
    """What migrating an empty database sends to it, in order."""
    apart = connection.copy()  # SQLite makes no table within a transaction that checks foreign keys
    try:
        executor = MigrationExecutor(apart)
        plan = executor.migration_plan(executor.loader.graph.leaf_nodes(), clean_start=True)
        with way():
            collected: list[str] = executor.loader.collect_sql(plan)
        return [_INSTANT.sub("now", statement) for statement in collected]
    finally:
        apart.close()


@pytest.mark.django_db
def test_the_quick_way_to_the_first_tables_sends_what_djangos_own_way_sends() -> None:
    quick = _statements(new_models_alone)

    assert sum("CREATE TABLE" in statement for statement in quick) > 50
    assert quick == _statements(nullcontext)


def test_the_quick_way_ends_with_its_block() -> None:
    before = ProjectState.add_model

    with pytest.raises(RuntimeError), new_models_alone():
        assert ProjectState.add_model is not before
        raise RuntimeError

    assert ProjectState.add_model is before
