"""The way to a mail server: what it carries, and that a server that drips or hangs holds nobody for long."""

import contextlib
import smtplib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.core.mail import EmailMessage

from gateway.notify.smtp import BoundedBackend, NoMailServer

Talk = Callable[[socket.socket], None]


@contextlib.contextmanager
def server(talk: Talk) -> Iterator[int]:
    """A port on loopback whose first caller is given to `talk`."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(10)

        def serve() -> None:
            with contextlib.suppress(OSError):
                caller, _ = listening.accept()
                caller.settimeout(10)
                with caller:
                    talk(caller)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listening.getsockname()[1]
        thread.join(10)


def backend(port: int, **words: Any) -> BoundedBackend:
    return BoundedBackend(
        host="127.0.0.1", port=port, use_tls=False, use_ssl=False, **{"timeout": 2, "total_seconds": 30.0, **words}
    )


def message() -> EmailMessage:
    return EmailMessage("Receipt", "You said yes. Grüße", "sluice@sluice.example", ["alice@mail.example"])


def dripping(caller: socket.socket) -> None:
    """A greeting that never ends, a byte at a time: no single read ever times out."""
    while True:
        caller.sendall(b"2")
        time.sleep(0.05)


def test_a_mail_reaches_the_server_whole() -> None:
    heard: list[bytes] = []

    def talk(caller: socket.socket) -> None:
        lines = caller.makefile("rb")
        caller.sendall(b"220 ready\r\n")
        in_data = False
        for line in lines:
            heard.append(line)
            if in_data:
                if line == b".\r\n":
                    in_data = False
                    caller.sendall(b"250 taken\r\n")
            elif line.upper().startswith(b"DATA"):
                in_data = True
                caller.sendall(b"354 go on\r\n")
            elif line.upper().startswith(b"QUIT"):
                caller.sendall(b"221 bye\r\n")
                return
            else:
                caller.sendall(b"250 ok\r\n")

    with server(talk) as port:
        before = threading.active_count()
        assert backend(port).send_messages([message()]) == 1

    text = b"".join(heard)
    assert b"rcpt to:<alice@mail.example>" in text.lower()
    assert b"Subject: Receipt" in text
    assert threading.active_count() <= before, "the watch over the connection has ended"


def test_a_server_that_drips_is_cut_off_in_time() -> None:
    started = time.monotonic()

    with server(dripping) as port, pytest.raises(OSError):
        backend(port, total_seconds=0.5).send_messages([message()])

    assert time.monotonic() - started < 10


def test_a_server_that_says_nothing_times_out() -> None:
    with server(lambda caller: time.sleep(1)) as port, pytest.raises(OSError):
        backend(port, timeout=0.3).send_messages([message()])


def test_no_server_is_an_error_and_not_a_success() -> None:
    with pytest.raises(NoMailServer):
        BoundedBackend(host="").send_messages([message()])


def test_every_error_of_the_dialogue_is_an_oserror() -> None:
    """sending.attempt catches OSError and nothing wider."""
    assert issubclass(smtplib.SMTPException, OSError)
