"""One id from a request to the lines of the job it asked for, and lines that hold ids and codes alone."""

import json
import logging
from collections.abc import Iterator
from io import StringIO
from typing import Any
from uuid import UUID

import pytest
import redis
from django.test import Client

from banks import job_requests
from banks.models import SyncJob, SyncTrigger
from banks.tasks import run_job
from consents import clock
from gateway import request_ids
from gateway.celery import app, send_the_request_id, take_the_request_id
from gateway.logs import ALLOWED, LineFormatter
from tests.support import cast

REQUEST_ID = "req_of-a-person-who-asked"


@pytest.fixture
def lines() -> Iterator[list[dict[str, Any]]]:
    """What the service writes from now on, line by line; filled when it is looked at."""
    written = StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(LineFormatter())
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.INFO)

    class Lines(list[dict[str, Any]]):
        def written(self) -> str:
            return written.getvalue()

        def all(self) -> list[dict[str, Any]]:
            return [json.loads(line) for line in written.getvalue().splitlines()]

        def said(self, message: str) -> list[dict[str, Any]]:
            return [line for line in self.all() if line["message"] == message]

    yield Lines()
    root.removeHandler(handler)
    root.setLevel(level)
    request_ids.end()


# -- a line for each request -------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_a_request_is_one_line_of_ids_and_codes(lines: Any) -> None:
    member = cast.chat()
    tokens = cast.tokens(cast.alice(), member, ["accounts"])
    headers = {"Authorization": tokens.authorization, "X-Request-Id": REQUEST_ID}

    Client(headers=headers).get("/v1/accounts?cursor=somebodys-own-words")

    line = lines.said("request")[-1]
    assert {name: line[name] for name in ("method", "route", "status", "request_id")} == {
        "method": "GET", "route": "v1/accounts", "status": 400, "request_id": REQUEST_ID,
    }  # fmt: skip
    assert line["platform_id"] == str(member.platform.id)
    assert line["consent_id"] == str(tokens.consent.id)
    assert line["milliseconds"] > 0
    assert set(line) <= {*ALLOWED, "at", "level", "logger", "message"}
    assert "somebodys-own-words" not in json.dumps(line)


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/v1/accounts", "/v1/consent"])
def test_a_request_beyond_the_limit_is_told_with_whose_it_was(lines: Any, settings: Any, path: str) -> None:
    """On the short way of the hot reads and on the long one."""
    member = cast.chat()
    tokens = cast.tokens(cast.alice(), member, ["accounts"])
    settings.CALLS_PER_MINUTE = {**settings.CALLS_PER_MINUTE, "platform": 0}

    Client(headers={"Authorization": tokens.authorization}).get(path)

    line = lines.said("request")[-1]
    assert (line["code"], line["platform_id"]) == ("rate_limited", str(member.platform.id))


@pytest.mark.django_db
def test_t14_a_host_that_is_not_ours_is_told_without_its_name(lines: Any, settings: Any) -> None:
    settings.ALLOWED_HOSTS = ["sluice.example"]

    for host in ("alice-4111111111111111.example", "!4111111111111111"):
        assert Client().get("/", headers={"Host": host}).status_code == 400

    assert "4111" not in lines.written()
    refused = [line for line in lines.all() if line["logger"] == "django.security.DisallowedHost"]
    assert len(refused) == 2
    assert {line["message"] for line in refused} == {"a request was refused"}


@pytest.mark.django_db
def test_what_is_not_there_is_told_without_its_address(lines: Any) -> None:
    Client().get("/v1/4111111111111111?name=alice")

    (line,) = lines.said("request")
    assert (line["route"], line["status"], line["code"]) == ("", 404, "not_found")
    assert "4111" not in json.dumps(line)


def test_health_checks_are_no_requests_to_tell(lines: Any) -> None:
    Client().get("/livez")

    assert lines.said("request") == []


# -- into the job ------------------------------------------------------------------------------------------------------


def _headers_of(job_id: UUID) -> dict[str, Any]:
    headers: dict[str, Any] = {"task": "banks.run_job"}
    send_the_request_id(headers=headers, body=((str(job_id),), {}, {}))
    return headers


@pytest.mark.django_db
def test_the_message_for_a_job_carries_the_id_of_the_request_that_wrote_it(
    lines: Any, django_capture_on_commit_callbacks: Any
) -> None:
    link = cast.connection(cast.alice(), cast.institution())
    with django_capture_on_commit_callbacks(execute=True):
        request_ids.begin(REQUEST_ID, is_request=True)
        job_id = job_requests.enqueue(link.id, trigger=SyncTrigger.USER_PRESENT, now=clock.now())
        request_ids.end()

    (asked,) = lines.said("job asked for")
    assert (asked["job_id"], asked["request_id"]) == (str(job_id), REQUEST_ID)
    assert _headers_of(job_id)["request_id"] == REQUEST_ID


@pytest.mark.django_db
def test_a_job_that_nobody_asked_for_has_an_id_of_its_own(django_capture_on_commit_callbacks: Any) -> None:
    link = cast.connection(cast.alice(), cast.institution())
    with django_capture_on_commit_callbacks(execute=True):
        request_ids.begin("job_of-the-schedule")
        job_id = job_requests.enqueue(link.id, trigger=SyncTrigger.SCHEDULE, now=clock.now())
        request_ids.end()

    assert _headers_of(job_id)["request_id"].startswith("job_")
    assert _headers_of(job_id)["request_id"] != "job_of-the-schedule"


@pytest.mark.django_db
def test_the_lines_of_a_job_carry_it(lines: Any) -> None:
    link = cast.connection(cast.alice(), cast.institution())
    job_id = job_requests.enqueue(link.id, trigger=SyncTrigger.USER_PRESENT, now=clock.now())
    task = app.tasks["banks.run_job"]
    task.push_request(request_id=REQUEST_ID)
    try:
        take_the_request_id(task=task)
        run_job(str(job_id))  # no live consent needs it
    finally:
        task.pop_request()

    (line,) = lines.said("job ended")
    assert line["request_id"] == REQUEST_ID
    assert (line["job_id"], line["connection_id"]) == (str(job_id), str(link.id))
    assert line["institution"] == str(link.institution_id)
    assert (line["status"], line["code"]) == ("CANCELLED", "not_needed")
    assert line["milliseconds"] >= 0
    assert SyncJob.objects.get().status == "CANCELLED"


@pytest.mark.parametrize("given", [None, "", "short", "x" * 65, "a\nline of its own", 17, {"a": 1}])
def test_an_id_that_no_request_could_have_is_none(given: Any) -> None:
    request_ids.begin(given)

    assert request_ids.current() == ""


def test_without_a_cache_a_message_still_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(*_: object) -> None:
        raise redis.ConnectionError("redis.internal")

    monkeypatch.setattr(request_ids.cache, "get", gone)

    assert _headers_of(UUID(int=1))["request_id"].startswith("job_")


# -- what libraries say ------------------------------------------------------------------------------------------------


def test_of_a_librarys_message_the_placeholders_are_written_and_not_the_values(lines: Any) -> None:
    logging.getLogger("some.library").error("could not reach %s", "redis://:password@host")
    try:
        raise ValueError("4111111111111111")
    except ValueError:
        logging.getLogger("some.library").exception("failed for %(name)s", {"name": "alice"})

    (first,) = lines.said("could not reach %s")
    (second,) = lines.said("failed for %(name)s")
    assert "password" not in json.dumps(first)
    assert second["exception"] == "ValueError"
    assert "4111" not in json.dumps(second) and "alice" not in json.dumps(second)


def test_celery_configures_no_logging_of_its_own() -> None:
    from celery import signals

    assert signals.setup_logging.receivers


@pytest.mark.django_db
def test_a_platform_may_not_write_into_the_log_by_its_header(lines: Any) -> None:
    Client(headers={"X-Request-Id": "x" * 500}).get("/problems/")

    (line,) = lines.said("request")
    assert line["request_id"].startswith("req_")
