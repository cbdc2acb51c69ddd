"""Is it alive, and may it be sent work? For supervisors and load balancers; says nothing about why."""

from collections.abc import Callable

import redis
from django.conf import settings
from django.contrib.contenttypes.models import ContentType
from django.db import DatabaseError, connections
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from gateway import metrics

#: Set once this process has seen every migration applied: they are not taken back under a running release.
_migrated = False


class ProbeMiddleware:
    """Answers health checks and Prometheus before anything looks at the Host: they ask for a container, by its number
    or its name, and not for SLUICE_ISSUER.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response
        self._probes: dict[str, Callable[[HttpRequest], HttpResponse]] = {
            "/livez": livez,
            "/readyz": readyz,
            "/metrics": metrics.metrics,
        }

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self._probes.get(request.path, self.get_response)(request)


@never_cache
@require_safe
def livez(request: HttpRequest) -> HttpResponse:
    """200 as long as this process answers at all."""
    return JsonResponse({"status": "ok"})


@never_cache
@require_safe
def readyz(request: HttpRequest) -> HttpResponse:
    """200 when the database answers, every migration is applied and SLUICE_READY_FILE, if set, is there; else 503.

    A Redis that does not answer is `degraded`, and 200: tokens, reads and stops go on without it, and a balancer that
    took every host out at once would end those too.
    """
    if not (_is_set_up() and _database_is_ready()):
        return JsonResponse({"status": "unavailable"}, status=503)
    return JsonResponse({"status": "ok" if _redis_answers() else "degraded"})


def _is_set_up() -> bool:
    return settings.READY_FILE is None or settings.READY_FILE.exists()


def _database_is_ready() -> bool:
    global _migrated
    connection = connections["default"]
    try:
        if not _migrated:
            executor = MigrationExecutor(connection)
            _migrated = not executor.migration_plan(executor.loader.graph.leaf_nodes())
            return _migrated
        return ContentType.objects.exists()  # a small table that is never empty
    except DatabaseError:
        return False


def _redis_answers() -> bool:
    if not settings.REDIS_URL:
        return True
    try:
        with redis.Redis.from_url(settings.REDIS_URL, socket_timeout=1, socket_connect_timeout=1) as client:
            return bool(client.ping())
    except redis.RedisError:
        return False
