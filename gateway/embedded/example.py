"""The sample platform beside an embedded instance: a third party, in a process that is told what a third party is told.

`examples/budget/` is its code. Nothing of the service's environment reaches it: no secret, no directory, no database.
"""

import os
from collections.abc import Mapping
from typing import Any

from gateway.embedded.banks import HOST
from gateway.embedded.instance import Instance

NAME = "Pocket Budget"
CLIENT_ID = "pocket-budget"
PROCESS = "budget"
VARIABLE = "SLUICE_EMBEDDED_EXAMPLE"
_PASSED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR")


def origin(instance: Instance) -> str | None:
    """Where people's browsers reach it; None: the instance runs without one."""
    return None if instance.example_port is None else f"http://{HOST}:{instance.example_port}"


def told(instance: Instance) -> dict[str, str]:
    """What tells the seed to register it."""
    address = origin(instance)
    return {} if address is None else {VARIABLE: address}


def heard() -> str | None:
    """Its origin, where this process was told of it."""
    return os.environ.get(VARIABLE)


def redirect_uri(address: str) -> str:
    return f"{address}/callback"


def environment(instance: Instance, seed: Mapping[str, Any]) -> dict[str, str]:
    """Of its process; `seed` knows the secret it was given. Raises StopIteration when the seed did not register it."""
    registered = next(one for one in seed["platforms"] if one["client_id"] == CLIENT_ID)
    return {
        **{name: os.environ[name] for name in _PASSED_ON if name in os.environ},
        "PYTHONUNBUFFERED": "1",
        "BUDGET_ISSUER": instance.issuer,
        "BUDGET_CLIENT_ID": CLIENT_ID,
        "BUDGET_CLIENT_SECRET": registered["client_secret"],
        "BUDGET_ORIGIN": origin(instance) or "",
        "BUDGET_DATA_DIRECTORY": str(instance.data / PROCESS),
    }
