"""What an embedded instance made up once and must print again, in one file that only this user may read."""

import base64
import json
import os
import secrets
from pathlib import Path

from django.conf import settings


class Kept:
    """Values by name. What is asked for and missing is made up; `save` writes the file."""

    def __init__(self, path: Path, values: dict[str, str]) -> None:
        self.path = path
        self.values = values

    @classmethod
    def load(cls) -> "Kept":
        # Not where the other secrets are: those may be mounted, and then nothing can be written beside them.
        path: Path = settings.DATA_DIRECTORY / "secrets" / "embedded_credentials.json"
        return cls(path, json.loads(path.read_text()) if path.exists() else {})

    def get(self, name: str) -> str:
        return self.values.setdefault(name, secrets.token_urlsafe(12))

    def totp_secret(self, name: str) -> str:
        """160 random bits in base32, as apps for one-time codes take them (RFC 6238, RFC 4226 section 4)."""
        return self.values.setdefault(name, base64.b32encode(secrets.token_bytes(20)).decode())

    def save(self) -> None:
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            json.dump(self.values, file)
