"""How many requests a minute: of a platform, of one of its users, and of an address that fails to say who it is.

Fixed windows of a minute, counted where every process sees it: in Redis when there is one, else in a table. A request
that is refused is counted too.
"""

import hashlib
import logging
import math
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from ipaddress import IPv6Address, ip_address
from typing import Any
from uuid import UUID

import redis
from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.http import HttpRequest
from django.utils.crypto import salted_hmac

from gateway.identity.pages import address_of
from gateway.oauth.models import RequestCount

log = logging.getLogger(__name__)

WINDOW = timedelta(minutes=1)
_IPV6_PREFIX_BITS = 64


@dataclass(frozen=True, slots=True)
class Subject:
    """Whom a policy counts. `policy` is its name in the headers; `quota`, requests of one window."""

    policy: str
    key: str
    quota: int


@dataclass(frozen=True, slots=True)
class Standing:
    """How a subject stands after this request. `reset_seconds`: until its window ends, at least 1."""

    policy: str
    quota: int
    calls: int
    reset_seconds: int

    @property
    def is_exceeded(self) -> bool:
        return self.calls > self.quota

    @property
    def remaining(self) -> int:
        return max(0, self.quota - self.calls)


def of_platform(platform_id: UUID) -> Subject:
    """Its requests to the API, of all its users together."""
    return Subject("platform", platform_id.hex, settings.CALLS_PER_MINUTE["platform"])


def of_user(platform_id: UUID, user_id: UUID) -> Subject:
    """One user's data, read by one platform."""
    return Subject("user", f"{platform_id.hex}:{user_id.hex}", settings.CALLS_PER_MINUTE["user"])


def of_client(platform_id: UUID) -> Subject:
    """Its requests to the authorization server."""
    return Subject("token", platform_id.hex, settings.CALLS_PER_MINUTE["token"])


def of_address(request: HttpRequest) -> Subject:
    """Requests from one address that came to nobody; it is kept as a keyed digest. Of IPv6 a /64 counts as one."""
    text = address_of(request) or ""
    if text and isinstance(address := ip_address(text), IPv6Address):
        text = str(IPv6Address(int(address) >> _IPV6_PREFIX_BITS << _IPV6_PREFIX_BITS))
    return Subject("failed", salted_hmac("limits", text).hexdigest()[:32], settings.CALLS_PER_MINUTE["failed"])


def count(subjects: Sequence[Subject], *, now: datetime) -> list[Standing]:
    """Count one request against each of `subjects`; how they stand now, in their order.

    One round trip to Redis; without it one transaction of one UPDATE for each and one SELECT. Locks are taken in the
    order given: the finer subject first, so that the coarser, which everybody wants, is held the shortest.
    """
    window_at, reset_seconds = _window(now)
    names = [f"{subject.policy}:{subject.key}" for subject in subjects]
    calls = _counted(names, window_at)
    return [
        Standing(subject.policy, subject.quota, number, reset_seconds)
        for subject, number in zip(subjects, calls, strict=True)
    ]


def headers(standings: Sequence[Standing]) -> dict[str, str]:
    """RateLimit-Policy and RateLimit (draft-ietf-httpapi-ratelimit-headers-10, sections 3 and 4)."""
    if not standings:
        return {}
    window_seconds = int(WINDOW.total_seconds())
    return {
        "RateLimit-Policy": ", ".join(f'"{one.policy}";q={one.quota};w={window_seconds}' for one in standings),
        "RateLimit": ", ".join(f'"{one.policy}";r={one.remaining};t={one.reset_seconds}' for one in standings),
    }


def retry_after(standings: Sequence[Standing]) -> int | None:
    """Seconds, when one of them is exceeded; None: go on."""
    exceeded = [one.reset_seconds for one in standings if one.is_exceeded]
    return max(exceeded, default=None)


def _window(now: datetime) -> tuple[datetime, int]:
    seconds = WINDOW.total_seconds()
    begun = math.floor(now.timestamp() / seconds) * seconds
    return datetime.fromtimestamp(begun, UTC), max(1, math.ceil(begun + seconds - now.timestamp()))


def _counted(names: Sequence[str], window_at: datetime) -> list[int]:
    if settings.REDIS_URL:
        try:
            return _in_redis(names, window_at)
        except redis.RedisError:
            # Limits must outlive Redis, and so must the API: the table counts meanwhile.
            log.warning("request counts fell back to the database")
    return _in_database(names, window_at)


# -- in Redis ----------------------------------------------------------------------------------------------------------

_SCRIPT = """
local counted = {}
for number, key in ipairs(KEYS) do
    counted[number] = redis.call('INCR', key)
    if counted[number] == 1 then redis.call('EXPIRE', key, ARGV[1]) end
end
return counted
"""


_SCRIPT_DIGEST = hashlib.sha1(_SCRIPT.encode()).hexdigest()  # noqa: S324 -- how Redis names a script


def _in_redis(names: Sequence[str], window_at: datetime) -> list[int]:
    begun = int(window_at.timestamp())
    keys = [f"sluice:calls:{name}:{begun}" for name in names]
    arguments: tuple[str | int, ...] = (len(keys), *keys, int(2 * WINDOW.total_seconds()))
    try:
        counted = _asked("EVALSHA", _SCRIPT_DIGEST, *arguments)
    except redis.exceptions.NoScriptError:
        counted = _asked("EVAL", _SCRIPT, *arguments)
    return [int(number) for number in counted]


def _asked(*command: str | int) -> list[int]:
    """On this thread's connection, which may have been closed while it lay idle: then on a new one."""
    kept = getattr(_connections, "kept", None)
    if kept is not None and kept[0] is _client():
        try:
            return _told(kept[1], command)
        except redis.ConnectionError:
            pass
    _connections.kept = _client(), _client().connection_pool.make_connection()
    return _told(_connections.kept[1], command)


def _told(connection: Any, command: Sequence[str | int]) -> list[int]:
    """Without a pool and its locks, which cost more than the command."""
    try:
        connection.send_command(*command)
        counted: list[int] = connection.read_response()
    except redis.ResponseError:
        raise
    except BaseException:
        # Half an answer may be left on it: never to be taken for the next one's.
        connection.disconnect()
        raise
    return counted


_connections = threading.local()


@lru_cache(maxsize=1)
def _client() -> redis.Redis:
    # Short: a request waits for it.
    return redis.Redis.from_url(settings.REDIS_URL, socket_timeout=1, socket_connect_timeout=1)


# -- in the database ---------------------------------------------------------------------------------------------------


def _in_database(names: Sequence[str], window_at: datetime) -> list[int]:
    with transaction.atomic():
        for name in names:
            _add(name, window_at)
        found = dict(RequestCount.objects.filter(subject__in=names).values_list("subject", "calls"))
    return [found[name] for name in names]


def _add(name: str, window_at: datetime) -> None:
    rows = RequestCount.objects.filter(subject=name)
    # A window that is later than ours is a faster clock's: its count goes on, or two hosts would begin anew in turn.
    running = rows.filter(window_at__gte=window_at)
    if running.update(calls=F("calls") + 1) or rows.filter(window_at__lt=window_at).update(
        window_at=window_at, calls=1
    ):
        return
    # The first request ever, or somebody else's began the window in between.
    RequestCount.objects.bulk_create([RequestCount(subject=name, window_at=window_at)], ignore_conflicts=True)
    running.update(calls=F("calls") + 1)
