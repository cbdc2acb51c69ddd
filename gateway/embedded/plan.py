"""Which processes make up an instance, as the arguments of `python -m`."""

from dataclasses import dataclass

from gateway.embedded.banks import HOST
from gateway.embedded.instance import Instance

#: What the preparation says, on a line of its own, as soon as the servers can be started; it goes on to the seed.
TABLES_ARE_THERE = "tables are there"


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do once, the preparation, and what to keep running. A bank makes its own tables before it answers."""

    preparation: list[str]  # its stdout: TABLES_ARE_THERE, and last the seed's description
    banks: dict[str, list[str]]  # by PretendBank.process
    web: list[str]
    worker: list[str]
    example: tuple[str, ...] = ("examples.budget",)


def plan(instance: Instance) -> Plan:
    return Plan(
        preparation=["gateway.embedded.prepare"],
        banks={bank.process: ["banks.sandbox", "serve", "--port", str(bank.port)] for bank in instance.banks()},
        web=[
            *("granian", "--interface", "wsgi", "--host", HOST, "--port", str(instance.port)),
            *("--workers", "1", "--blocking-threads", "8", "--no-ws", "--log-level", "warning"),
            "gateway.wsgi:application",
        ],
        worker=[
            *("celery", "-q", "-A", "gateway", "worker", "-P", "threads", "-l", "WARNING"),
            *("--without-gossip", "--without-mingle", "--without-heartbeat"),
        ],
    )


#: Beat runs as a thread of the worker, and SIGTERM lets a running task end within the soft shutdown's seconds instead
#: of waiting for it without limit.
WORKER_ENVIRONMENT = {"SLUICE_BEAT_THREAD": "1", "REMAP_SIGTERM": "SIGQUIT"}
