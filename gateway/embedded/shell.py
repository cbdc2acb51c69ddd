"""The first platform's registration as shell variables, for whoever tries the API by hand (docs/quickstart.md).

Written when people and platforms are there, so its file is also what says that an instance is ready.
"""

import os
import shlex
from collections.abc import Mapping
from typing import Any

from gateway.embedded.instance import Instance

FILE = "platform.env"


def forget(instance: Instance) -> None:
    """Remove what an earlier start wrote: from here on the web server is not ready until `write`."""
    (instance.data / FILE).unlink(missing_ok=True)


def write(instance: Instance, seed: Mapping[str, Any]) -> None:
    """`platform.env` in the data directory, for its owner alone: SLUICE, CLIENT_ID, CLIENT_SECRET, REDIRECT_URI."""
    platforms = seed.get("platforms") or [{}]
    values = {
        "SLUICE": instance.issuer,
        **{name.upper(): platforms[0].get(name, "") for name in ("client_id", "client_secret", "redirect_uri")},
    }
    text = "".join(f"export {name}={shlex.quote(value)}\n" for name, value in values.items())
    fresh = instance.data / f"{FILE}.new"
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    fresh.replace(instance.data / FILE)  # whoever sees it sees all of it
