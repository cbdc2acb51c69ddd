"""Secrets the bank makes for itself on first start and keeps in its data directory, mode 0600. No Django."""

import os
import secrets
from collections.abc import Callable
from pathlib import Path


def keep(path: Path, make: Callable[[], str]) -> str:
    """The text kept at `path`; made once when missing.

    Two processes may start at the same moment: each writes a file of its own and `link` lets exactly one of them win,
    so that nobody ever reads a half-written secret.
    """
    if not path.exists():
        draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(make())
            os.link(draft, path)
        except FileExistsError:
            return path.read_text(encoding="utf-8")
        finally:
            draft.unlink()
    return path.read_text(encoding="utf-8")
