"""A sign of life of worker and beat: a file for the health check of its container, and the last one anywhere.

SLUICE_HEARTBEAT_FILE names the file; `python -m gateway.heartbeat FILE` asks whether it is fresh, without Django.
"""

import argparse
import logging
import os
import sys
import time
from datetime import datetime
from pathlib import Path

log = logging.getLogger(__name__)

VARIABLE = "SLUICE_HEARTBEAT_FILE"
#: A worker gives one after each task and with each round of its own (SLUICE_RECONCILE_SECONDS, 30 by default).
FRESH_SECONDS = 90.0
_CACHE_KEY = "sluice.worker_alive_at"
_CACHE_EVERY_SECONDS = 10.0

_cached_at = -_CACHE_EVERY_SECONDS


def touch() -> None:
    """Of this process, for its own health check; without the variable, nothing."""
    name = os.environ.get(VARIABLE)
    if name:
        Path(name).touch()


def give(*, now: datetime) -> None:
    """A worker has done something: told to its health check, and now and then to everybody."""
    global _cached_at  # one number a process; two threads at once write the same twice
    touch()
    if time.monotonic() - _cached_at >= _CACHE_EVERY_SECONDS:
        _cached_at = time.monotonic()
        _tell(now)


def _tell(now: datetime) -> None:
    import redis  # here: the health check wants neither these nor Django
    from django.core.cache import cache
    from django.db import DatabaseError

    try:
        cache.set(_CACHE_KEY, now.isoformat(), timeout=None)
    except (redis.RedisError, DatabaseError):
        log.warning("the sign of life of a worker was not kept")


def last() -> datetime | None:
    """When any worker was last seen to do something; None: never, or the cache was emptied since."""
    from django.core.cache import cache

    text = cache.get(_CACHE_KEY)
    return datetime.fromisoformat(text) if text else None


def is_fresh(file: Path, *, seconds: float) -> bool:
    try:
        return time.time() - file.stat().st_mtime <= seconds
    except OSError:
        return False


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(
        prog="python -m gateway.heartbeat",
        description="Exit 0 when FILE was touched lately, 1 otherwise: the health check of worker and beat.",
        epilog="For example: python -m gateway.heartbeat /tmp/heartbeat --seconds 120",
    )
    top.add_argument("file", type=Path, metavar="FILE", help="as SLUICE_HEARTBEAT_FILE names it")
    top.add_argument(
        "--seconds",
        type=float,
        default=FRESH_SECONDS,
        metavar="N",
        help=f"how long ago is lately ({FRESH_SECONDS:.0f})",
    )
    return top


if __name__ == "__main__":
    options = parser().parse_args()
    sys.exit(0 if is_fresh(options.file, seconds=options.seconds) else 1)
