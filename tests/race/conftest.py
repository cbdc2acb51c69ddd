"""A server of its own on this process's test database."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from gateway.embedded.banks import HOST
from tests.race.hands import Service
from tests.race.server import Server, instance_in
from tests.support.worker import database_url

Served = Callable[..., Service]


@pytest.fixture
def served(tmp_path: Path, transactional_db: None, settings: Any) -> Iterator[Served]:
    """served(mutant="no_check"): a started server; it has ended before the database is emptied."""
    with ExitStack() as stack:

        def start(mutant: str = "", workers: int = 1) -> Service:
            instance = instance_in(tmp_path / "data")
            environment = {"DATABASE_URL": database_url(), "REDIS_URL": "", "SLUICE_ISSUER": settings.ISSUER}
            stack.enter_context(Server(instance, workers=workers, mutant=mutant, environment=environment))
            return Service(HOST, instance.port)

        yield start
