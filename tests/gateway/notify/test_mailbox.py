"""Mail of an embedded instance is kept in files that only its owner's folder shows."""

import stat
from pathlib import Path
from typing import Any

import pytest
from django.core.mail import EmailMessage

from gateway.notify import mailbox
from gateway.notify.mailbox import FileBackend


@pytest.fixture(autouse=True)
def folder(settings: Any, tmp_path: Path) -> Path:
    settings.MAIL_DIRECTORY = tmp_path / "mail"
    return tmp_path / "mail"


def post(subject: str, to: str = "alice@mail.example", body: str = "Grüße\n") -> None:
    FileBackend().send_messages([EmailMessage(subject, body, "sluice@sluice.example", [to])])


def test_a_mail_is_read_as_it_was_written_newest_first() -> None:
    post("First")
    post("Zweite: ä", body="Line one\n\nLine two ü\n")

    second, first = mailbox.of("Alice@mail.example")

    assert (first.subject, second.subject) == ("First", "Zweite: ä")
    assert second.text.split() == ["Line", "one", "Line", "two", "ü"]
    assert (second.sender, second.to) == ("sluice@sluice.example", "alice@mail.example")
    assert second.sent_at is not None


def test_nobody_sees_anothers() -> None:
    post("For Alice")

    assert mailbox.of("bob@mail.example") == []
    assert mailbox.of("") == []
    assert mailbox.of("../alice@mail.example") == []


def test_files_are_for_this_user_of_the_machine_alone(folder: Path) -> None:
    post("Private")

    (file,) = folder.glob("*/*.eml")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert not list(folder.glob("*/.*")), "nothing half-written is left"


def test_the_oldest_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mailbox, "KEPT", 3)
    for number in range(5):
        post(f"Mail {number}")

    assert [mail.subject for mail in mailbox.of("alice@mail.example")] == ["Mail 4", "Mail 3", "Mail 2"]
