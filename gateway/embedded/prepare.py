"""Bring the gateway's database up to date and seed it, in one process: `python -m gateway.embedded.prepare`.

Prints TABLES_ARE_THERE when they are, and last the seed's description of what there is to use, as JSON. That holds
passwords: whoever reads it must not log it.
"""

import sys
import time

import django
from django.core.management import CommandError, call_command

from gateway.embedded import banks
from gateway.embedded.plan import TABLES_ARE_THERE
from gateway.embedded.readiness import answers, bank_ready_url
from gateway.embedded.tables import new_models_alone

BANK_SECONDS = 60.0


def wait_for_the_bank(bank: str) -> None:
    """The seed speaks to a bank that is there, not to one that is still making its tables."""
    deadline = time.monotonic() + BANK_SECONDS
    while not answers(bank_ready_url(bank)):
        if time.monotonic() > deadline:
            raise SystemExit(f"the bank at {bank} did not answer within {BANK_SECONDS:.0f} s")
        time.sleep(0.05)


def main() -> None:
    django.setup()
    try:
        with new_models_alone():
            call_command("migrate", interactive=False, verbosity=0)
        call_command("createcachetable", verbosity=0)
        print(TABLES_ARE_THERE, flush=True)
        for bank in banks.heard():
            wait_for_the_bank(bank.issuer)
        call_command("seed_embedded", "--json", stdout=sys.stdout)
    except CommandError as error:
        raise SystemExit(f"{error}") from None


if __name__ == "__main__":
    main()
