"""The first platform's registration as shell variables, for whoever tries the API by hand (docs/quickstart.md)."""

import os
import shlex
from collections.abc import Mapping
from typing import Any

from gateway.embedded.instance import Instance

FILE = "platform.env"


def write(instance: Instance, seed: Mapping[str, Any]) -> None:
    """`platform.env` in the data directory, for its owner alone: SLUICE, CLIENT_ID, CLIENT_SECRET, REDIRECT_URI."""
    platforms = seed.get("platforms") or [{}]
    values = {
        "SLUICE": instance.issuer,
        **{name.upper(): platforms[0].get(name, "") for name in ("client_id", "client_secret", "redirect_uri")},
    }
    text = "".join(f"export {name}={shlex.quote(value)}\n" for name, value in values.items())
    descriptor = os.open(instance.data / FILE, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
