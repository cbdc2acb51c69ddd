"""Web servers to measure: each the same granian with the same arguments as an instance's, and another application."""

import os
import socket
from collections.abc import Mapping
from typing import Self

from gateway.embedded.instance import Instance
from gateway.embedded.plan import plan
from tests.benchmarks import processor
from tests.benchmarks.asks import HOST
from tests.benchmarks.errors import CannotMeasure
from tests.support.served import Served

OURS = "gateway.wsgi:application"


class Web(Served):
    """Serves `application` in the place of an instance's own while the block runs. Raises CannotMeasure."""

    def __init__(self, name: str, instance: Instance, application: str, environment: Mapping[str, str]) -> None:
        self.name = name
        self.port = instance.port
        # As an instance is served, so that contestants differ in nothing but the application.
        arguments = plan(instance).web
        arguments[arguments.index(OURS)] = application
        super().__init__(
            arguments, environment, log=instance.data / "web.log", is_ready=self._listens, begun=_apart_from_the_client
        )

    def __enter__(self) -> Self:
        try:
            return super().__enter__()
        except RuntimeError as error:
            raise CannotMeasure(f"{self.name}: {error}") from error

    def _listens(self) -> bool:
        try:
            socket.create_connection((HOST, self.port), timeout=1).close()
        except OSError:
            return False
        return True


def _apart_from_the_client(process_id: int) -> None:
    """Before it starts its workers, which inherit it."""
    processors, _ = processor.apart()
    os.sched_setaffinity(process_id, processors)


def free_port() -> int:
    with socket.create_server((HOST, 0)) as probe:
        port: int = probe.getsockname()[1]
        return port
