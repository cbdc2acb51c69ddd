"""/metrics for Prometheus: this host's requests, and from the database how work, banks and events stand everywhere.

Never open by default: with SLUICE_METRICS_TOKEN it wants that as a bearer token; without, it is there on loopback
alone, and only where the whole service is (behind a proxy everybody comes from loopback).
"""

from collections.abc import Iterator
from datetime import datetime
from hmac import compare_digest
from ipaddress import ip_address
from urllib.parse import urlsplit

from django.conf import settings
from django.db.models import Count, Min
from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from banks import workload
from banks.workload import BREAKER_STATES, Workload
from consents import clock
from consents.models import Event
from gateway import counters, heartbeat
from gateway.notify.models import Notice, NoticeStatus

_CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_FORWARDED = ("X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "Forwarded", "X-Real-Ip")


@never_cache
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """200 with text format 0.0.4; 401 without the token; 404 where there is none and the caller is not on loopback."""
    if settings.METRICS_TOKEN:
        given = request.headers.get("Authorization", "")
        if not compare_digest(given.encode(), f"Bearer {settings.METRICS_TOKEN}".encode()):
            return HttpResponse(status=401, headers={"WWW-Authenticate": "Bearer"})
    elif not _is_all_on_loopback(request):
        return HttpResponse(status=404)
    standing = CollectorRegistry()
    standing.register(Standing(clock.now()))
    return HttpResponse(generate_latest(counters.collected()) + generate_latest(standing), content_type=_CONTENT_TYPE)


def _is_all_on_loopback(request: HttpRequest) -> bool:
    """Whether no proxy can be in between: the service itself is of this machine alone, and so is the caller."""
    if any(name in request.headers for name in _FORWARDED):
        return False
    return _is_loopback(urlsplit(settings.ISSUER).hostname or "") and _is_loopback(request.META.get("REMOTE_ADDR", ""))


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class Standing(Collector):
    """How things stand at `now`; a handful of queries for each scrape."""

    def __init__(self, now: datetime) -> None:
        self._now = now

    def describe(self) -> list[Metric]:
        """Nothing: registering asks no database."""
        return []

    def collect(self) -> Iterator[Metric]:
        load = workload.workload(now=self._now)
        yield _gauge("sluice_jobs_due", "Jobs whose time has come and that nobody does.", load.jobs_due)
        yield _gauge("sluice_jobs_running", "Jobs under a lease.", load.jobs_running)
        yield _gauge(
            "sluice_oldest_due_job_seconds", "How long the oldest due job waits.", self._age(load.oldest_due_at)
        )
        yield _gauge("sluice_endings_due", "Consents at banks that are to be ended now.", load.endings_waiting)
        yield from _of_jobs_and_banks(load)
        yield from self._outbox()
        yield _gauge(
            "sluice_worker_alive_seconds",
            "Since a worker was last seen to do something; -1: never.",
            self._age(heartbeat.last(), never=-1),
        )

    def _outbox(self) -> Iterator[Metric]:
        events = Event.objects.filter(spread_at=None).aggregate(waiting=Count("id"), oldest=Min("occurred_at"))
        yield _gauge("sluice_events_waiting", "Events that are in no platform's log yet.", events["waiting"])
        yield _gauge("sluice_oldest_event_seconds", "How long the oldest of them waits.", self._age(events["oldest"]))
        due = Notice.objects.filter(
            status__in=(NoticeStatus.PENDING, NoticeStatus.LEASED), next_attempt_at__lte=self._now
        )
        yield _gauge("sluice_notices_due", "Notices that are to be mailed now.", due.count())

    def _age(self, since: datetime | None, *, never: float = 0) -> float:
        return never if since is None else max(0.0, (self._now - since).total_seconds())


def _of_jobs_and_banks(load: Workload) -> Iterator[Metric]:
    ended = GaugeMetricFamily(
        "sluice_jobs_ended_5m", "Jobs that ended in the last 5 minutes.", labels=("status", "code")
    )
    for (status, code), jobs in load.ended.items():
        ended.add_metric((status, code), jobs)
    findings = GaugeMetricFamily("sluice_findings_open", "Open findings.", labels=("kind",))
    for kind, count in load.findings.items():
        findings.add_metric((kind,), count)
    breaker = GaugeMetricFamily("sluice_bank_breaker", "1 for the state the breaker is in.", labels=("bank", "state"))
    running = GaugeMetricFamily("sluice_bank_jobs_running", "Jobs of this bank under a lease.", labels=("bank",))
    calls = GaugeMetricFamily(
        "sluice_bank_window_calls", "Calls in the breaker's current minute.", labels=("bank", "outcome")
    )
    for bank in load.banks:
        running.add_metric((bank.bank,), bank.jobs_running)
        calls.add_metric((bank.bank, "failed"), bank.failures)
        calls.add_metric((bank.bank, "answered"), bank.calls - bank.failures)
        for state in BREAKER_STATES:
            breaker.add_metric((bank.bank, state), float(bank.breaker == state))
    yield from (ended, findings, breaker, running, calls)


def _gauge(name: str, meaning: str, value: float) -> Metric:
    return GaugeMetricFamily(name, meaning, value=value)
