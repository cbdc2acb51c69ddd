"""The environment of one test process, complete before Django reads its settings.

Loaded by `addopts = "-p tests.environment"`: pytest-django loads the settings before any conftest.py is imported, so a
conftest is too late to choose the database. SLUICE_TEST_DATABASE is `sqlite` (default) or `postgresql`;
SLUICE_TEST_APART=1 makes it the process apart (tests/split.py); SLUICE_TEST_POSTGRESQL and SLUICE_TEST_REDIS name
running servers, which otherwise start when first needed.
"""

import atexit
import base64
import json
import os
import secrets
import shutil
import sys
import tempfile
from pathlib import Path

import pytest

from tests import servers, split

SQLITE, POSTGRESQL = split.SQLITE, split.POSTGRESQL


def database() -> str:
    """Which database this process tests on: `sqlite` or `postgresql`."""
    name = os.environ.get("SLUICE_TEST_DATABASE", SQLITE)
    if name not in (SQLITE, POSTGRESQL):
        raise pytest.UsageError(f"SLUICE_TEST_DATABASE is {name!r}; it must be {SQLITE} or {POSTGRESQL}")
    return name


def process() -> str:
    """Which of the processes of a run this one is (`split.processes`): its database's, or the one apart."""
    return split.APART if os.environ.get("SLUICE_TEST_APART") == "1" else database()


def shared_run() -> bool:
    """Whether other processes run the other parts of the same run (`run.py test`)."""
    return os.environ.get("SLUICE_TEST_SHARED") == "1"


def full_run() -> bool:
    """Whether the long tests run too, and everything on both databases (`run.py test --full`)."""
    return os.environ.get("SLUICE_TEST_FULL") == "1"


def server_url(name: str, variable: str) -> str:
    """URL of the server that `variable` names; starts a throw-away one for this process when it names none."""
    if not os.environ.get(variable):
        started = servers.Servers(name)
        atexit.register(started.stop)
        os.environ[variable] = started.urls[name]
    return os.environ[variable]


#: A whole run keeps less than a tenth of it there.
_MEMORY_BYTES = 2 * 1024**3


def data_directory() -> Path:
    """A directory of this process alone, inside one that the first process of the run removes at its end."""
    if not os.environ.get("SLUICE_TEST_DIRECTORY"):
        root = tempfile.mkdtemp(prefix="sluice-tests-", dir=_memory())
        os.environ["SLUICE_TEST_DIRECTORY"] = root
        atexit.register(shutil.rmtree, root, ignore_errors=True)
    return Path(tempfile.mkdtemp(prefix=f"{process()}-", dir=os.environ["SLUICE_TEST_DIRECTORY"]))


def claims_directory() -> Path:
    """Where the processes of a run tell each other what they took."""
    return Path(os.environ["SLUICE_TEST_DIRECTORY"]) / "claims"


def _memory() -> str | None:
    """Where files are in memory, if there is room: SQLite waits for the disk at each of ten thousands of commits."""
    memory = Path("/dev/shm")
    if os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > _MEMORY_BYTES:
        return str(memory)
    return None


def generated_secrets() -> dict[str, str]:
    """Fresh random secrets by variable name: nothing secret is ever written in the tests."""
    return {
        "SLUICE_SECRET_KEY": secrets.token_urlsafe(50),
        "SLUICE_VAULT_KEYS": json.dumps({"test": _random_key()}),
        "SLUICE_PAIRWISE_ROOT_KEY": _random_key(),
        "SLUICE_METRICS_TOKEN": secrets.token_urlsafe(32),
        "SANDBOX_CONTROL_TOKEN": secrets.token_urlsafe(32),
    }


def _random_key() -> str:
    return base64.b64encode(secrets.token_bytes(32)).decode()


def _keep_bytecode() -> None:
    """Whatever the shell says: hundreds of processes start, and each would compile all of Sluice for itself."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    sys.dont_write_bytecode = False


def _prepare() -> Path:
    _keep_bytecode()
    directory = data_directory()
    (directory / "secrets").mkdir(mode=0o700)
    # A developer's own instance must never be touched by a test, whatever the shell exports.
    for variable in ("DATABASE_URL", "REDIS_URL"):
        os.environ.pop(variable, None)
    if database() == POSTGRESQL:
        os.environ["DATABASE_URL"] = server_url(servers.POSTGRESQL, "SLUICE_TEST_POSTGRESQL")
    os.environ.update(generated_secrets())
    os.environ.update(
        SLUICE_DATA_DIRECTORY=str(directory),
        SLUICE_SECRETS_DIRECTORY=str(directory / "secrets"),
        SANDBOX_BANK="first",
        SANDBOX_DATA_DIRECTORY=str(directory / "bank"),
    )
    return directory


DIRECTORY = _prepare()
