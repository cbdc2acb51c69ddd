"""Which processes make up an instance, as the arguments of `python -m`."""

from dataclasses import dataclass

from gateway.embedded.banks import HOST
from gateway.embedded.instance import Instance


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do once, each bank's migration and the preparation, then what to keep running."""

    bank_migration: list[str]  # the same for every bank, in its own environment
    preparation: list[str]  # its stdout is the seed's description
    banks: dict[str, list[str]]  # by PretendBank.process
    web: list[str]
    worker: list[str]
    example: tuple[str, ...] = ("examples.budget",)


def plan(instance: Instance) -> Plan:
    return Plan(
        bank_migration=["banks.sandbox", "migrate", "--noinput", "--verbosity", "0"],
        preparation=["gateway.embedded.prepare"],
        banks={bank.process: _granian("banks.sandbox.wsgi:application", bank.port) for bank in instance.banks()},
        web=_granian("gateway.wsgi:application", instance.port),
        worker=[
            *("celery", "-q", "-A", "gateway", "worker", "-P", "threads", "-l", "WARNING"),
            *("--without-gossip", "--without-mingle", "--without-heartbeat"),
        ],
    )


def _granian(application: str, port: int) -> list[str]:
    return [
        *("granian", "--interface", "wsgi", "--host", HOST, "--port", str(port)),
        *("--workers", "1", "--blocking-threads", "8", "--no-ws", "--log-level", "warning", application),
    ]


#: Beat runs as a thread of the worker, and SIGTERM lets a running task end within the soft shutdown's seconds instead
#: of waiting for it without limit.
WORKER_ENVIRONMENT = {"SLUICE_BEAT_THREAD": "1", "REMAP_SIGTERM": "SIGQUIT"}
