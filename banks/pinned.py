"""Connections to addresses already verified, each socket call cut off by one budget. For banks.http.

The time limit that sockets offer is per call: a server sending one byte a second never meets it, neither in the headers
nor in the body. Here each call is given what is *left* of the exchange, and every received byte is counted before
decoding, so headers, chunk framing and 1xx answers are bounded too. No watchdog thread is needed.

Connections are kept for the next exchange, be it another job's: they carry no cookie and no header of their own. One
that leads to an address which is no longer allowed, that was idle for long, or on which something came unasked is
closed instead.
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

from banks.address_guard import Target
from banks.errors import AddressForbidden, AnswerTooLarge, BankTimeout

T = TypeVar("T")


#: Servers hang up on idle connections, the common ones after 5 seconds or more: one that is about to go is not used.
IDLE_SECONDS_MAX = 4.0


class Budget(threading.local):
    """What the exchange under way may still cost: seconds, and bytes off the wire; and where it may go.

    One object for all sockets that are kept together; what it holds is each thread's own.
    """

    def __init__(self) -> None:
        self.deadline = 0.0  #: time.monotonic()
        self.received_max = 0
        self.received = 0
        self.addresses: tuple[str, ...] = ()  #: verified for this exchange
        self.may_reuse = False  #: whether a connection that was used before will do
        self.has_reused = False  #: whether it is used

    def start(self, *, deadline: float, received_max: int, may_reuse: bool) -> None:
        self.deadline, self.received_max, self.received = deadline, received_max, 0
        self.addresses, self.may_reuse, self.has_reused = (), may_reuse, False

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
    """Host header of the name, socket of a verified address."""

    def __init__(
        self, *args: Any, budget: Budget, connect_timeout: float, **kwargs: Any
    ) -> None:  # Any: urllib3's own arguments, passed through
        super().__init__(*args, **kwargs)
        self._budget, self._connect_timeout = budget, connect_timeout
        self.peer = ""  #: the address that it leads to
        self.used_at = 0.0  #: time.monotonic()

    def _new_conn(self) -> socket.socket:
        try:
            opened = _open(self._budget.addresses, self.port, self._budget, self._connect_timeout)
        except TimeoutError:
            raise ConnectTimeoutError(self, "timed out") from None
        except OSError:
            raise NewConnectionError(self, "failed") from None
        self.peer = opened.getpeername()[0]
        return opened

    @property
    def is_fit(self) -> bool:
        """Whether it will do for the exchange of this thread."""
        unasked = isinstance(self.sock, ssl.SSLSocket) and self.sock.pending() > 0
        is_fresh = time.monotonic() - self.used_at < IDLE_SECONDS_MAX
        return self._budget.may_reuse and is_fresh and not unasked and self.peer in self._budget.addresses


class PinnedTLSConnection(PinnedConnection, HTTPSConnection):
    """Host header, SNI and certificate check of the name, socket of a verified address."""

    def connect(self) -> None:
        super().connect()
        if isinstance(self.sock, BudgetedTLSSocket):
            self.sock.budget = self._budget


class _Keeping(HTTPConnectionPool):
    """Hands out what is fit, and nothing else."""

    def __init__(self, *args: Any, budget: Budget, **kwargs: Any) -> None:  # Any: as above
        super().__init__(*args, budget=budget, **kwargs)
        self._budget = budget

    def _get_conn(self, timeout: float | None = None) -> Any:  # Any: urllib3 types its connections by protocols
        # urllib3 itself has closed one that the other side left, or on which bytes wait that nobody asked for.
        conn: Any = super()._get_conn(timeout)
        if conn.sock is not None and not conn.is_fit:
            conn.close()  # it connects anew, to an address of now
        self._budget.has_reused = conn.sock is not None
        return conn

    def _put_conn(self, conn: Any) -> None:
        if conn is not None:
            conn.used_at = time.monotonic()
        super()._put_conn(conn)


class _Pool(_Keeping):
    ConnectionCls = PinnedConnection


class _TLSPool(_Keeping, HTTPSConnectionPool):
    ConnectionCls = PinnedTLSConnection


class KeptConnections:
    """Connections to the origins of one institution, for any number of threads; at most `connections_max` wait idle.

    `certificate`: (certificate file, key file) for mutual TLS; `certificate_authorities`: PEM file.
    """

    def __init__(
        self,
        *,
        connections_max: int,
        connect_timeout: float,
        certificate: tuple[str, str] | None,
        certificate_authorities: str,
    ) -> None:
        self.budget = Budget()
        self.connections_max = connections_max
        self._connect_timeout = connect_timeout
        self._certificate = certificate
        self._certificate_authorities = certificate_authorities
        self._pools: dict[str, HTTPConnectionPool] = {}
        self._lock = threading.Lock()

    def to(self, target: Target) -> HTTPConnectionPool:
        """The pool of one origin. Whoever takes a connection has set `budget.addresses` first."""
        with self._lock:
            if target.origin not in self._pools:
                self._pools[target.origin] = self._new_pool(target)
            return self._pools[target.origin]

    def close(self) -> None:
        """Close what is idle; what is in use is closed when it comes back."""
        with self._lock:
            pools, self._pools = list(self._pools.values()), {}
        for pool in pools:
            pool.close()

    def _new_pool(self, target: Target) -> HTTPConnectionPool:
        pinned: dict[str, Any] = {  # Any: urllib3 hands on to its connection what it does not know
            "budget": self.budget,
            "connect_timeout": self._connect_timeout,
            "timeout": Timeout(total=None),
            "maxsize": self.connections_max,
        }
        if target.scheme != "https":
            return _Pool(target.host, target.port, **pinned)
        context = tls_context(certificate=self._certificate, certificate_authorities=self._certificate_authorities)
        return _TLSPool(target.host, target.port, ssl_context=context, **pinned)


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
