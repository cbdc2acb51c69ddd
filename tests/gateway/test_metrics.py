"""/metrics: closed unless opened, few labels, and nothing of a customer in any of them."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from prometheus_client.parser import text_string_to_metric_families

from banks.admission import BreakerStatus
from banks.models import Connection, InstitutionGate, SyncJob, SyncJobStatus
from consents import clock
from gateway import heartbeat
from tests.support import cast, everything
from tests.support.everything import SPOILT

pytestmark = pytest.mark.django_db

TOKEN = "a-token-of-the-operators-prometheus"
WITH_TOKEN = {"Authorization": f"Bearer {TOKEN}"}

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


@pytest.fixture
def scraped(settings: Any) -> Callable[[], Samples]:
    settings.METRICS_TOKEN = TOKEN

    def scrape() -> Samples:
        answer = Client().get("/metrics", headers=WITH_TOKEN)
        assert answer.status_code == 200
        families = text_string_to_metric_families(answer.content.decode())
        return {
            (one.name, tuple(sorted(one.labels.items()))): one.value for family in families for one in family.samples
        }

    return scrape


# -- who gets in -------------------------------------------------------------------------------------------------------


def test_with_a_token_only_the_token_opens_it(settings: Any) -> None:
    settings.METRICS_TOKEN = TOKEN

    for given in ({}, {"Authorization": "Bearer other"}, {"Authorization": TOKEN}, {"Authorization": "Bearer é"}):
        answer = Client().get("/metrics", headers=given)
        assert (answer.status_code, answer["WWW-Authenticate"], answer.content) == (401, "Bearer", b"")
    assert Client().get("/metrics", headers=WITH_TOKEN).status_code == 200


@pytest.mark.parametrize(
    ("issuer", "address", "headers", "status"),
    [
        ("http://127.0.0.1:8000", "127.0.0.1", {}, 200),
        ("http://localhost:8000", "::1", {}, 200),
        ("http://127.0.0.1:8000", "192.0.2.7", {}, 404),
        ("http://127.0.0.1:8000", "", {}, 404),
        ("http://127.0.0.1:8000", "127.0.0.1", {"X-Forwarded-For": "192.0.2.7"}, 404),
        ("http://127.0.0.1:8000", "127.0.0.1", {"Forwarded": "for=192.0.2.7"}, 404),
        ("https://sluice.bank.example", "127.0.0.1", {}, 404),  # a proxy on this machine speaks for everybody
    ],
)
def test_without_a_token_it_is_of_this_machine_alone(
    settings: Any, issuer: str, address: str, headers: dict[str, str], status: int
) -> None:
    settings.METRICS_TOKEN, settings.ISSUER = "", issuer

    assert Client(REMOTE_ADDR=address).get("/metrics", headers=headers).status_code == status


def test_it_is_only_read(settings: Any) -> None:
    settings.METRICS_TOKEN = TOKEN

    assert Client().post("/metrics", headers=WITH_TOKEN).status_code == 405
    assert Client().get("/metrics", headers=WITH_TOKEN)["Cache-Control"].count("no-store") == 1


def test_prometheus_asks_a_container_by_whatever_name(settings: Any) -> None:
    settings.METRICS_TOKEN, settings.SECURE_SSL_REDIRECT = TOKEN, True
    client = Client(headers={"Host": "10.1.2.3:8000", **WITH_TOKEN})

    assert client.get("/metrics").status_code == 200
    assert Client(headers={"Host": "10.1.2.3:8000"}).get("/readyz").status_code == 200
    assert Client(headers={"Host": "10.1.2.3:8000"}).get("/", secure=True).status_code == 400


# -- what is in it -----------------------------------------------------------------------------------------------------


def test_requests_are_counted_by_route_and_refusals_by_code(scraped: Callable[[], Samples]) -> None:
    request = ("sluice_request_seconds_count", (("method", "GET"), ("route", "none"), ("status", "4xx")))
    refused = ("sluice_problems_total", (("code", "not_found"),))
    before = scraped()

    Client().get("/v1/nothing-of-the-kind/4111111111111111")

    after = scraped()
    assert after[request] - before.get(request, 0) == 1
    assert after[refused] - before.get(refused, 0) == 1


def test_work_that_waits_and_banks_that_are_paused_are_seen(scraped: Callable[[], Samples]) -> None:
    bank = cast.institution()
    link, now = cast.connection(cast.alice(), bank), clock.now()
    calm = scraped()
    assert calm["sluice_jobs_due", ()] == 0
    assert calm["sluice_bank_breaker", (("bank", bank.slug), ("state", "CLOSED"))] == 1

    SyncJob.objects.create(
        connection=link,
        institution=bank,
        trigger="SCHEDULE",
        next_attempt_at=now - timedelta(seconds=90),
        created_at=now,
    )
    InstitutionGate.objects.create(
        institution=bank, bucket_thousandths=0, bucket_at=now, window_at=now, breaker=BreakerStatus.OPEN, calls=20,
        failures=15,
    )  # fmt: skip

    seen = scraped()
    assert seen["sluice_jobs_due", ()] == 1
    assert 90 <= seen["sluice_oldest_due_job_seconds", ()] < 150
    assert seen["sluice_bank_breaker", (("bank", bank.slug), ("state", "OPEN"))] == 1
    assert seen["sluice_bank_breaker", (("bank", bank.slug), ("state", "CLOSED"))] == 0
    assert seen["sluice_bank_window_calls", (("bank", bank.slug), ("outcome", "failed"))] == 15


def test_what_jobs_came_to_lately_is_counted_and_what_was_long_ago_is_not(scraped: Callable[[], Samples]) -> None:
    bank = cast.institution()
    link, now = cast.connection(cast.alice(), bank), clock.now()
    for minutes in (1, 40):
        at = now - timedelta(minutes=minutes)
        SyncJob.objects.create(
            connection=link, institution=bank, trigger="SCHEDULE", status=SyncJobStatus.FAILED, next_attempt_at=at,
            created_at=at, finished_at=at, error_code="upstream_timeout",
        )  # fmt: skip

    assert scraped()["sluice_jobs_ended_5m", (("code", "upstream_timeout"), ("status", "FAILED"))] == 1


def test_the_last_sign_of_life_of_a_worker_is_told(
    scraped: Callable[[], Samples], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heartbeat, "_cached_at", -1000.0)
    assert scraped()["sluice_worker_alive_seconds", ()] == -1

    heartbeat.give(now=clock.now() - timedelta(seconds=40))

    assert 40 <= scraped()["sluice_worker_alive_seconds", ()] < 60


#: A new label is a new column of every query there is: it needs a closed list of values.
LABELS = {"method", "route", "status", "le", "code", "kind", "bank", "state", "outcome"}


def test_no_label_and_no_value_names_anybody(scraped: Callable[[], Samples]) -> None:
    consent = everything.shared(everything.person())
    everything.happened(consent, Connection.objects.get())
    Client().get(f"/v1/accounts/{everything.CANARY}", headers={"Authorization": f"Bearer {everything.CANARY}"})
    Client().generic(everything.CANARY, "/v1/accounts")

    samples = scraped()

    told = repr(list(samples))
    assert {name for _, labels in samples for name, _ in labels} <= LABELS
    assert [word for word in SPOILT if word in told] == []
    assert not re.search(r"[0-9a-f]{8}-[0-9a-f]{4}-", told), "an id is a label"
    assert ("sluice_findings_open", (("kind", "BALANCE_DRIFT"),)) in samples, "or nothing was there to be told"
    assert any(("method", "OTHER") in labels for _, labels in samples)
