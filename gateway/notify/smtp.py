"""The way to the operator's mail server: EMAIL_BACKEND outside an embedded instance."""

import smtplib
import threading
from typing import Any

from django.conf import settings
from django.core.mail.backends import smtp

#: Seconds for one connection, all told: EMAIL_TIMEOUT alone starts anew with each byte of a server that drips.
TOTAL_SECONDS = 60.0
_BOTH_WAYS = 2  # socket.SHUT_RDWR


class NoMailServer(OSError):
    """SLUICE_MAIL_HOST is not set: nothing is sent, and nothing pretends that it was."""


class BoundedBackend(smtp.EmailBackend):
    """Django's own, cut off after TOTAL_SECONDS: the reader then finds the end of the stream, an SMTPException."""

    def __init__(self, *args: Any, total_seconds: float = TOTAL_SECONDS, **words: Any) -> None:
        super().__init__(*args, **words)
        self._total_seconds = total_seconds
        self._cut: threading.Timer | None = None

    @property
    def connection_class(self) -> Any:
        """Makes the connection known before its server has said a word: the greeting may drip too."""
        backend, base = self, smtplib.SMTP_SSL if self.use_ssl else smtplib.SMTP

        class Watched(base):  # type: ignore[valid-type, misc]
            def _get_socket(self, host: str, port: int, timeout: float) -> Any:
                opened = super()._get_socket(host, port, timeout)
                backend._watch(self, opened)
                return opened

        return Watched

    def open(self) -> bool | None:
        if not self.host:
            raise NoMailServer
        try:
            return super().open()
        except BaseException:
            self._unwatch()
            raise

    def close(self) -> None:
        try:
            super().close()
        finally:
            self._unwatch()

    def _watch(self, connection: Any, opened: Any) -> None:
        def cut() -> None:
            # STARTTLS puts another socket in the first one's place.
            try:
                (connection.sock or opened).shutdown(_BOTH_WAYS)
            except OSError:
                pass  # it had ended by itself in that moment

        self._cut = threading.Timer(self._total_seconds, cut)
        self._cut.daemon = True
        self._cut.start()

    def _unwatch(self) -> None:
        if self._cut is not None:
            self._cut.cancel()
            self._cut = None


def is_configured() -> bool:
    return bool(settings.MAIL_FROM)


def code_of(error: OSError) -> str:
    """Of a mail that did not go out (every SMTPException is an OSError): what a notice remembers of it."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return "address_refused"
    if isinstance(error, smtplib.SMTPAuthenticationError):
        return "mail_login_refused"
    if isinstance(error, smtplib.SMTPResponseException):
        return "mail_refused"
    return "mail_unreachable"
