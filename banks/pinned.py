"""Connections to addresses already verified, each socket call cut off by one budget. Used by banks.http alone.

The time limit that sockets offer is per call: a server sending one byte a second never meets it, neither in the headers
nor in the body. Here each call is given what is *left* of the exchange, and every received byte is counted before
decoding, so headers, chunk framing and 1xx answers are bounded too. No watchdog thread is needed.
"""

import socket
import ssl
import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

from urllib3 import Timeout
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

from banks.errors import AddressForbidden, AnswerTooLarge, BankTimeout

T = TypeVar("T")


class Budget:
    """What the exchange under way may still cost: seconds, and bytes off the wire. One for all sockets of a client."""

    def __init__(self) -> None:
        self.deadline = 0.0  #: time.monotonic()
        self.received_max = 0
        self.received = 0

    def start(self, *, deadline: float, received_max: int) -> None:
        self.deadline, self.received_max, self.received = deadline, received_max, 0

    def seconds_left(self) -> float:
        """Raises TimeoutError once nothing is left: what a socket raises, so callers see one kind of timeout."""
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("deadline")
        return left

    def take(self, count: int) -> None:
        """Raises AnswerTooLarge."""
        self.received += count
        if self.received > self.received_max:
            raise AnswerTooLarge("wire_bytes")


class BudgetedSocket(socket.socket):
    """A TCP socket that spends `budget`."""

    budget: Budget

    def recv_into(self, *args: Any, **kwargs: Any) -> int:  # Any: http.client's buffers, passed through
        self.settimeout(self.budget.seconds_left())
        count = super().recv_into(*args, **kwargs)
        self.budget.take(count)
        return count

    def sendall(self, *args: Any, **kwargs: Any) -> None:
        self.settimeout(self.budget.seconds_left())
        super().sendall(*args, **kwargs)


class BudgetedTLSSocket(ssl.SSLSocket):
    """A TLS socket that spends `budget` once the handshake is done. One TLS read obeys its timeout as a whole."""

    budget: Budget | None = None

    def recv_into(self, *args: Any, **kwargs: Any) -> int:  # Any: http.client's buffers, passed through
        if self.budget is None:
            return super().recv_into(*args, **kwargs)
        self.settimeout(self.budget.seconds_left())
        count = super().recv_into(*args, **kwargs)
        self.budget.take(count)
        return count

    def sendall(self, *args: Any, **kwargs: Any) -> None:
        if self.budget is not None:
            self.settimeout(self.budget.seconds_left())
        super().sendall(*args, **kwargs)


def tls_context(*, certificate: tuple[str, str] | None, certificate_authorities: str) -> ssl.SSLContext:
    """TLS 1.2 or later, names and chains verified, `certificate` (certificate file, key file) shown when asked for."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_verify_locations(cafile=certificate_authorities)
    context.sslsocket_class = BudgetedTLSSocket
    if certificate is not None:
        context.load_cert_chain(*certificate)
    return context


def _open(addresses: tuple[str, ...], port: int, budget: Budget, connect_timeout: float) -> BudgetedSocket:
    """Connect to the first verified address that answers. Raises TimeoutError, OSError, AddressForbidden."""
    failure: OSError | None = None
    for address in addresses:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        sock = BudgetedSocket(family, socket.SOCK_STREAM)
        sock.budget = budget
        try:
            sock.settimeout(min(connect_timeout, budget.seconds_left()))
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.connect((address, port))
            if sock.getpeername()[0] != address:  # a transparent detour would undo the guard
                raise AddressForbidden("peer_differs")
        except OSError as error:
            sock.close()
            failure = error
        except AddressForbidden:
            sock.close()
            raise
        else:
            sock.settimeout(budget.seconds_left())  # bounds the TLS handshake, as a whole
            return sock
    raise failure or OSError("no address")


class PinnedConnection(HTTPConnection):
    """Host header of the name, socket of the verified address."""

    def __init__(
        self, *args: Any, addresses: tuple[str, ...], budget: Budget, connect_timeout: float, **kwargs: Any
    ) -> None:  # Any: urllib3's own arguments, passed through
        super().__init__(*args, **kwargs)
        self._addresses, self._budget, self._connect_timeout = addresses, budget, connect_timeout

    def _new_conn(self) -> socket.socket:
        try:
            return _open(self._addresses, self.port, self._budget, self._connect_timeout)
        except TimeoutError:
            raise ConnectTimeoutError(self, "timed out") from None
        except OSError:
            raise NewConnectionError(self, "failed") from None


class PinnedTLSConnection(PinnedConnection, HTTPSConnection):
    """Host header, SNI and certificate check of the name, socket of the verified address."""

    def connect(self) -> None:
        super().connect()
        if isinstance(self.sock, BudgetedTLSSocket):
            self.sock.budget = self._budget


class _Pool(HTTPConnectionPool):
    ConnectionCls = PinnedConnection


class _TLSPool(HTTPSConnectionPool):
    ConnectionCls = PinnedTLSConnection


def pinned_pool(
    host: str,
    port: int,
    *,
    context: ssl.SSLContext | None,
    addresses: tuple[str, ...],
    budget: Budget,
    connect_timeout: float,
) -> HTTPConnectionPool:
    """Connections to one origin; with a context they speak TLS. They know no timeout but `budget`."""
    pinned: dict[str, Any] = {  # Any: urllib3 hands on to its connection what it does not know
        "addresses": addresses,
        "budget": budget,
        "connect_timeout": connect_timeout,
        "timeout": Timeout(total=None),
    }
    if context is None:
        return _Pool(host, port, **pinned)
    return _TLSPool(host, port, ssl_context=context, **pinned)


def within(seconds: float, work: Callable[[], T]) -> T:
    """Run `work`, which has no timeout of its own (the system's resolver), and wait this long for it.

    Raises BankTimeout, or what `work` raised. A late answer is dropped with its thread.
    """
    answers: list[T] = []
    failures: list[BaseException] = []

    def run() -> None:
        try:
            answers.append(work())
        except BaseException as error:  # noqa: BLE001 - handed to the caller below
            failures.append(error)

    thread = threading.Thread(target=run, daemon=True, name="bank-resolver")
    thread.start()
    thread.join(seconds)
    if failures:
        raise failures[0]
    if not answers:
        raise BankTimeout("resolver")
    return answers[0]
