"""The real supervisor over stand-ins: `python -m tests.run.stand_in_instance WORKER_ROLE SEED_ROLE [OPTION ...]`."""

import sys

from gateway import supervisor
from gateway.embedded.instance import Instance
from gateway.embedded.plan import Plan

STAND_IN = "tests.run.stand_in"


def main(worker: str, seed: str, *options: str) -> int:
    def plan(instance: Instance) -> Plan:
        return Plan(
            preparation=[STAND_IN, seed],
            banks={bank.process: [STAND_IN, "serve", str(bank.port)] for bank in instance.banks()},
            web=[STAND_IN, "serve", str(instance.port)],
            worker=[STAND_IN, worker],
        )

    return supervisor.main(list(options), plan)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
