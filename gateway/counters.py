"""What this host's web processes count as it happens: requests and refusals, for /metrics (gateway.metrics).

Labels are closed lists: method, route name, class of status, problem code. No id, nothing of a customer.
"""

import os
from functools import cache
from pathlib import Path

from django.http import HttpRequest

if _shared := os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
    Path(_shared).mkdir(mode=0o700, exist_ok=True)  # before the import, which looks for it

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.multiprocess import MultiProcessCollector

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
#: Around what is promised: a page of data within 0.1 s, a token within 0.3 s.
_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

_registry = CollectorRegistry()
_requests = Histogram(
    "sluice_request_seconds",
    "Seconds from the first middleware to the answer.",
    ("method", "route", "status"),
    registry=_registry,
    buckets=_BUCKETS,
)
_refused = Counter(
    "sluice_problems", "Answers that were a problem (RFC 9457), by its code.", ("code",), registry=_registry
)


def method_of(request: HttpRequest) -> str:
    """A method is whatever a caller writes; what is none of HTTP's own is OTHER."""
    return request.method if request.method in METHODS else "OTHER"


def observe(method: str, route: str, status: int, seconds: float, code: str) -> None:
    """One request. `route`: name of the view, empty where none was found; `code`: of the problem, empty where none."""
    _of(method, route or "none", status // 100).observe(seconds)
    if code:
        _refused.labels(code).inc()


@cache
def _of(method: str, route: str, status_class: int) -> Histogram:
    """Looking a labelled child up costs as much as counting; there are as many as methods, routes and classes."""
    return _requests.labels(method, route, f"{status_class}xx")


def collected() -> CollectorRegistry:
    """What was counted: by all processes that share PROMETHEUS_MULTIPROC_DIR, else by this one."""
    if not _shared:
        return _registry
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return registry
