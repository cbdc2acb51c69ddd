"""What fell out of a view, or never reached one."""

from pathlib import Path
from typing import Any

import pytest
from django.db import OperationalError
from django.test import Client

from banks import read
from gateway import health
from tests.gateway.api.world import Api


def raising(error: Exception) -> Any:
    def fail(*arguments: Any, **named: Any) -> None:
        raise error

    return fail


def test_a_bug_is_a_500_that_says_nothing(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read, "accounts", raising(ZeroDivisionError("alice owes 12.50")))

    answer = api.get("/v1/accounts")

    assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
    assert answer.json()["request_id"] == answer["X-Request-Id"]
    assert "alice" not in answer.content.decode() and "ZeroDivision" not in answer.content.decode()


def test_a_database_that_does_not_answer_is_a_503(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read, "accounts", raising(OperationalError("could not connect to db.internal")))

    answer = api.get("/v1/accounts")

    assert (answer.status_code, answer.json()["code"]) == (503, "service_unavailable")
    assert (answer["Retry-After"], answer.json()["retry_after"]) == ("5", 5)
    assert "db.internal" not in answer.content.decode()


def test_a_database_that_fails_before_the_view_is_a_503_too(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    from gateway.api import caller

    monkeypatch.setattr(caller.bearer, "find", raising(OperationalError("gone")))

    assert Api(None).get("/v1/accounts", Authorization="Bearer x").status_code == 503


def test_a_forbidden_host_is_a_problem(db: None) -> None:
    answer = Client().get("/v1/accounts", headers={"Host": "evil.example"})

    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request")


@pytest.mark.parametrize("path", ["/nothing", "/problems/nothing", "/docs"])
def test_elsewhere_a_page_says_it(db: None, path: str) -> None:
    answer = Client().get(path)

    assert answer.status_code == 404
    assert answer["Content-Type"].startswith("text/html")
    assert path not in answer.content.decode().partition("<main")[2]


def test_a_bug_in_a_page_needs_nothing_to_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.problems.PROBLEMS", None)

    answer = Client(raise_request_exception=False).get("/problems/")

    assert (answer.status_code, answer["Content-Type"]) == (500, "text/html; charset=utf-8")


def test_alive_and_ready(db: None) -> None:
    assert Client().get("/livez").json() == {"status": "ok"}
    assert (Client().get("/readyz").status_code, Client().get("/readyz").json()) == (200, {"status": "ok"})


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that has not seen its migrations yet."""
    monkeypatch.setattr(health, "_migrated", False)


@pytest.mark.usefixtures("fresh")
def test_not_ready_without_a_database_and_no_reason_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "MigrationExecutor", raising(OperationalError("could not connect to db.internal")))

    answer = Client().get("/readyz")

    assert (answer.status_code, answer.json()) == (503, {"status": "unavailable"})
    assert Client().get("/livez").status_code == 200


def test_ready_no_longer_when_the_database_went_away(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    assert Client().get("/readyz").status_code == 200
    monkeypatch.setattr(health.ContentType.objects, "exists", raising(OperationalError("could not connect")))

    assert Client().get("/readyz").status_code == 503


def test_once_all_migrations_were_seen_they_are_not_looked_for_again(
    db: None, monkeypatch: pytest.MonkeyPatch, django_assert_num_queries: Any
) -> None:
    Client().get("/readyz")
    monkeypatch.setattr(health, "MigrationExecutor", raising(AssertionError("it reads every file of every migration")))

    with django_assert_num_queries(1):
        assert Client().get("/readyz").status_code == 200


def test_not_ready_before_it_is_set_up_where_a_file_is_to_say_so(db: None, settings: Any, tmp_path: Path) -> None:
    settings.READY_FILE = tmp_path / "set-up"
    assert Client().get("/readyz").status_code == 503
    assert Client().get("/livez").status_code == 200

    settings.READY_FILE.touch()

    assert Client().get("/readyz").status_code == 200


def test_without_its_redis_it_is_degraded_and_goes_on(db: None, settings: Any, redis_url: str) -> None:
    settings.REDIS_URL = redis_url
    assert Client().get("/readyz").json() == {"status": "ok"}

    settings.REDIS_URL = "redis://127.0.0.1:1/0"

    answer = Client().get("/readyz")
    assert (answer.status_code, answer.json()) == (200, {"status": "degraded"})


@pytest.mark.usefixtures("fresh")
def test_not_ready_before_the_last_migration(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health.MigrationExecutor, "migration_plan", lambda self, targets: ["one"])

    assert Client().get("/readyz").status_code == 503
