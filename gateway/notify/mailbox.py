"""Mail of an embedded instance: files under the data directory, a folder for each address, shown by /dev/mail."""

import hashlib
import os
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from email import message_from_bytes
from email.policy import default
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.mail import EmailMessage
from django.core.mail.backends.base import BaseEmailBackend

from consents import clock

#: Mails kept of one address; the oldest go.
KEPT = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """One mail as its reader sees it."""

    id: str
    sent_at: datetime | None
    sender: str
    to: str
    subject: str
    text: str


class FileBackend(BaseEmailBackend):
    """Writes each message whole or not at all."""

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        for message in email_messages:
            raw = message.message().as_bytes()
            for address in message.recipients():
                _write(_folder(address), raw)
        return len(email_messages)


def of(address: str) -> list[Mail]:
    """What was sent to this address, newest first."""
    folder = _folder(address)
    return [_read(file) for file in _newest_first(folder)] if address and folder.is_dir() else []


def _folder(address: str) -> Path:
    """Named by a digest: an address may hold what no file name may."""
    directory: Path = settings.MAIL_DIRECTORY
    return directory / hashlib.sha256(address.lower().encode()).hexdigest()[:32]


def _write(folder: Path, raw: bytes) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    name = f"{clock.now():%Y%m%dT%H%M%S.%f}-{uuid.uuid4().hex[:8]}"
    fresh = folder / f".{name}"
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(raw)
    fresh.rename(folder / f"{name}.eml")
    for old in _newest_first(folder)[KEPT:]:
        old.unlink(missing_ok=True)


def _newest_first(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.eml"), reverse=True)


def _read(file: Path) -> Mail:
    message: Any = message_from_bytes(file.read_bytes(), policy=default)
    date = message["Date"]
    return Mail(
        id=file.stem,
        sent_at=parsedate_to_datetime(date) if date else None,
        sender=str(message["From"]),
        to=str(message["To"]),
        subject=str(message["Subject"]),
        text=str(message.get_content()),
    )
