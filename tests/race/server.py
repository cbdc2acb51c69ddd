"""The web server of an embedded instance, with its own arguments but several workers, on a database that is there."""

import socket
from collections.abc import Mapping
from pathlib import Path

from gateway.embedded.banks import HOST
from gateway.embedded.instance import Instance, make_secrets
from gateway.embedded.plan import plan
from gateway.embedded.readiness import answers
from tests.support.served import Served


def instance_in(data: Path) -> Instance:
    """An instance with secrets and a free port; its banks are never started."""
    data.mkdir(mode=0o700, exist_ok=True)
    with socket.create_server((HOST, 0)) as probe:
        port = probe.getsockname()[1]
    instance = Instance(data, port, 0, 0)
    make_secrets(instance.secrets)
    return instance


#: Who is refused for asking too often proves nothing about consents.
_NO_LIMITS = {f"SLUICE_{whose}_CALLS_PER_MINUTE": "100000000" for whose in ("PLATFORM", "USER", "TOKEN", "FAILED")}


class Server(Served):
    """`mutant`: one of tests.race.mutants, or empty."""

    def __init__(
        self, instance: Instance, *, workers: int, mutant: str = "", environment: Mapping[str, str] | None = None
    ) -> None:
        self.instance = instance
        arguments = plan(instance).web
        arguments[arguments.index("--workers") + 1] = str(workers)
        if mutant:
            arguments[arguments.index("gateway.wsgi:application")] = "tests.race.wsgi:application"
        extra = {**_NO_LIMITS, **(environment or {}), "SLUICE_RACE_MUTANT": mutant}
        super().__init__(
            arguments,
            {**instance.environment(), **extra},
            log=instance.data / "web.log",
            # Its database may have no migrations to be ready with.
            is_ready=lambda: answers(f"{instance.issuer}/livez"),
        )
