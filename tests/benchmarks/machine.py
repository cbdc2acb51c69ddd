"""On what a run was measured."""

import os
import platform
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

_PACKAGES = ("Django", "djangorestframework", "django-oauth-toolkit", "granian", "psycopg", "celery")


def described(*, postgresql: str, redis: str) -> dict[str, Any]:
    """JSON-ready. `load` is that of the last minute, before anything of the run was started."""
    return {
        "processor": _processor(),
        "processors": len(os.sched_getaffinity(0)),
        "memory_mib": os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 1024**2,
        "system": f"{platform.system()} {platform.release().partition('-')[0]}",  # without a builder's own name for it
        "versions": {
            "Python": platform.python_version(),
            "PostgreSQL": postgresql,
            "Redis or Valkey": redis,
            **{name: version(name) for name in _PACKAGES},
        },
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
    }


def load() -> float:
    """How many processes wanted to run, over the last minute."""
    return round(os.getloadavg()[0], 2)


def is_loaded(value: float) -> bool:
    """More than a quarter of the processors are somebody else's."""
    return value > len(os.sched_getaffinity(0)) / 4


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        name, _, value = line.partition(":")
        if name.strip() in ("model name", "Model"):
            return value.strip()
    return platform.machine()
