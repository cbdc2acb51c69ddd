"""A worker's thread keeps its connection to PostgreSQL from one task to the next, as long as it may and it lives."""

import pytest
from celery.fixups.django import DjangoWorkerFixup
from django.core import checks
from django.db import connection

from gateway import celery
from tests import environment

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(environment.database() == environment.SQLITE, reason="SQLite opens its file for each task"),
]


def worker_fixup() -> DjangoWorkerFixup:
    (fixup,) = celery.app._fixups
    found: DjangoWorkerFixup = fixup.worker_fixup
    return found


def test_a_connection_outlives_a_task() -> None:
    connection.close()
    connection.ensure_connection()
    before = connection.connection

    worker_fixup().close_database()

    assert connection.connection is before
    DjangoWorkerFixup.close_database(worker_fixup())  # what Celery itself would do
    assert connection.connection is None


def test_one_that_is_too_old_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    connection.ensure_connection()
    monkeypatch.setattr(connection, "close_at", 0.0)

    worker_fixup().close_database()

    assert connection.connection is None


def test_one_that_died_meanwhile_is_opened_anew() -> None:
    connection.close()
    connection.ensure_connection()
    worker_fixup().close_database()
    assert connection.connection is not None
    connection.connection.close()  # as the server would

    worker_fixup().close_database()

    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        assert cursor.fetchone() == (1,)


def test_a_worker_that_begins_imports_no_page(monkeypatch: pytest.MonkeyPatch) -> None:
    def asked(*_: object, **__: object) -> None:
        raise AssertionError("system checks import every address of the service")

    monkeypatch.setattr(checks, "run_checks", asked)

    worker_fixup().validate_models()
    with pytest.raises(AssertionError):
        DjangoWorkerFixup.validate_models(worker_fixup())  # what Celery itself would do
