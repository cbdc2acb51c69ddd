"""One attempt per call: it never retries, never sleeps, follows no redirect, keeps no cookie and reads no environment
(proxies, netrc, key logs), which is why it stands on urllib3's connection pools and not on a requests.Session. Who may
be called is decided by `banks.address_guard`; how long a socket may take, and which connection may serve once more, by
`banks.pinned`.
"""

import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from http.client import HTTPException
from types import TracebackType
from typing import Self
from urllib.parse import urlencode, urljoin

import certifi
from urllib3 import BaseHTTPResponse
from urllib3.exceptions import HTTPError, ProtocolError

from banks.address_guard import Resolver, Target, origin_of, parse_url, resolve_system, verified_addresses
from banks.errors import (
    AddressForbidden,
    After,
    AnswerTooLarge,
    BankError,
    BankFormatChanged,
    BankMisconfigured,
    BankUnavailable,
    PagingBroken,
)
from banks.http.answers import JSON_TYPES, Answer, failure_of, json_of, raise_for_status
from banks.http.exchanges import Exchange, HttpLimits, path_template
from banks.pinned import KeptConnections, within
from banks.strict_json import JsonValue, canonical

_HEADER_NAME = re.compile(r"[A-Za-z0-9-]+")
_HEADER_VALUE = re.compile(r"[\t -~]*")
_HEADERS_BYTES_ALLOWED = 1024 * 1024
_CHUNK_BYTES = 64 * 1024


class BankClient:
    """HTTP to one institution. For one job and one thread; closes its own connections as a context manager.

    `allowed_origins`: the institution's own, exactly (`https://bank.example`, `https://bank.example:8443`): nothing in
    an answer can lead elsewhere. `allowed_loopback_origins`: those among them that are pretend banks on this machine;
    they may speak http and must resolve to loopback addresses only. `job_deadline_monotonic` is on time.monotonic()'s
    clock and caps every exchange's own deadline; a function is asked before each, for a job that renews its lease.
    `certificate`: (certificate file, key file) for mutual TLS.
    `certificate_authorities`: PEM file instead of certifi's. `kept`: connections of this institution that outlive the
    client, with certificates of their own; None: it makes and closes its own. `on_exchange` is told of every exchange,
    failed ones too.

    Raises AddressForbidden when an origin is no origin.
    """

    def __init__(
        self,
        *,
        allowed_origins: frozenset[str],
        allowed_loopback_origins: frozenset[str] = frozenset(),
        limits: HttpLimits | None = None,
        job_deadline_monotonic: float | Callable[[], float] | None = None,
        certificate: tuple[str, str] | None = None,
        certificate_authorities: str | None = None,
        kept: KeptConnections | None = None,
        on_exchange: Callable[[Exchange], None] | None = None,
        resolve: Resolver = resolve_system,
    ) -> None:
        self.limits = limits or HttpLimits()
        self._origins = frozenset(origin_of(origin) for origin in allowed_origins)
        self._loopback_origins = frozenset(origin_of(origin) for origin in allowed_loopback_origins)
        self._job_deadline = job_deadline_monotonic
        self._on_exchange = on_exchange
        self._resolve = resolve
        self._own = kept is None
        self._connections = kept or KeptConnections(
            connections_max=1,
            connect_timeout=self.limits.connect_timeout,
            certificate=certificate,
            certificate_authorities=certificate_authorities or certifi.where(),
        )
        self._budget = self._connections.budget
        #: By origin, as its name was resolved and verified when this client first called it.
        self._addresses: dict[str, tuple[str, ...]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections but kept ones. The client may be used again; names are then resolved afresh."""
        if self._own:
            self._connections.close()
        self._addresses.clear()

    def get_json(
        self, url: str, *, headers: Mapping[str, str] | None = None, content_types: frozenset[str] = JSON_TYPES
    ) -> Answer:
        """GET an absolute URL.

        Raises AddressForbidden, BankTimeout, BankUnavailable, BankRateLimited, AnswerTooLarge, BankFormatChanged.
        """
        return self._exchange("GET", url, headers, None, content_types)

    def post_form(
        self,
        url: str,
        form: Mapping[str, str],
        *,
        headers: Mapping[str, str] | None = None,
        content_types: frozenset[str] = JSON_TYPES,
    ) -> Answer:
        """POST application/x-www-form-urlencoded. Raises as get_json."""
        sent = {**(headers or {}), "Content-Type": "application/x-www-form-urlencoded"}
        return self._exchange("POST", url, sent, urlencode(form).encode(), content_types)

    def post_json(
        self,
        url: str,
        body: JsonValue,
        *,
        headers: Mapping[str, str] | None = None,
        content_types: frozenset[str] = JSON_TYPES,
    ) -> Answer:
        """POST application/json. Raises as get_json."""
        sent = {**(headers or {}), "Content-Type": "application/json"}
        return self._exchange("POST", url, sent, canonical(body), content_types)

    def delete(
        self, url: str, *, headers: Mapping[str, str] | None = None, content_types: frozenset[str] = JSON_TYPES
    ) -> Answer:
        """DELETE an absolute URL. Raises as get_json."""
        return self._exchange("DELETE", url, headers, None, content_types)

    def pages(
        self,
        first_url: str,
        next_of: Callable[[Answer], str | None],
        *,
        root_url: str,
        headers: Callable[[], Mapping[str, str]],
        content_types: frozenset[str] = JSON_TYPES,
    ) -> Iterator[Answer]:
        """GET `first_url` and what `next_of` names, page by page, while the status is 200.

        `headers` is asked anew for each page. Next links may be relative; they must stay under `root_url`.
        Raises PagingBroken for a link that leaves it or was followed before, AnswerTooLarge when a link remains after
        `limits.pages_max` pages, and as get_json.
        """
        root, url, seen = parse_url(root_url), first_url, set[str]()
        for _page in range(self.limits.pages_max):
            seen.add(parse_url(url).url)
            answer = self.get_json(url, headers=headers(), content_types=content_types)
            yield answer
            link = next_of(answer) if answer.status == 200 else None
            del answer  # two pages at once would cost twice
            if link is None:
                return
            url = _next_url(url, link, root)
            if url in seen:
                raise PagingBroken("loop")
        raise AnswerTooLarge("pages")

    def _exchange(
        self, method: str, url: str, headers: Mapping[str, str] | None, body: bytes | None, types: frozenset[str]
    ) -> Answer:
        target = self._checked(url)
        sent = _checked_headers(headers or {}, types)
        started = time.monotonic()
        seen = _Seen()
        failure: BankError | None = None
        answer: Answer | None = None
        try:
            answer = self._attempt(method, target, sent, body, types, started, seen)
        except BankError as error:
            failure = error
        except (HTTPError, HTTPException, OSError, ValueError) as error:
            failure = failure_of(error)
        if self._on_exchange is not None:
            self._on_exchange(
                Exchange(
                    method=method,
                    host=target.host,
                    path=path_template(target.path),
                    status=seen.status,
                    milliseconds=round((time.monotonic() - started) * 1000),
                    bytes=seen.bytes,
                    code=failure.code if failure else None,
                    retry_after=failure.retry.seconds if failure and isinstance(failure.retry, After) else None,
                )
            )
        if answer is None:
            # Raised out here: exceptions of the libraries quote URLs and the bank's bytes.
            raise failure or BankUnavailable("no_answer")
        return answer

    def _checked(self, url: str) -> Target:
        target = parse_url(url)
        if target.origin not in self._origins:
            raise AddressForbidden("origin_not_allowed")
        if target.scheme != "https" and target.origin not in self._loopback_origins:
            raise AddressForbidden("not_https")
        return target

    def _attempt(
        self,
        method: str,
        target: Target,
        headers: Mapping[str, str],
        body: bytes | None,
        types: frozenset[str],
        started: float,
        seen: "_Seen",
    ) -> Answer:
        deadline = started + self.limits.total_deadline_seconds
        if self._job_deadline is not None:
            job_deadline = self._job_deadline() if callable(self._job_deadline) else self._job_deadline
            deadline = min(deadline, job_deadline)
        self._budget.start(
            deadline=deadline,
            received_max=self.limits.decoded_bytes_max + _HEADERS_BYTES_ALLOWED,
            # A bank that hangs up on an old connection leaves open whether it heard a POST: each has a new one.
            may_reuse=method == "GET",
        )
        self._budget.seconds_left()
        self._budget.addresses = self._verified(target)
        response = self._sent(method, target, body, headers)
        clean = False
        try:
            seen.status = response.status
            answered = {name.lower(): value for name, value in response.headers.items()}
            raise_for_status(response.status, answered)
            content = self._read(response, answered, seen)
            clean = True
        finally:
            if not clean:
                response.close()  # a half-read connection must not serve the next exchange
            response.release_conn()
        read = json_of(response.status, answered, content, types, self.limits)
        return Answer(response.status, answered, read, target.origin)

    def _sent(self, method: str, target: Target, body: bytes | None, headers: Mapping[str, str]) -> BaseHTTPResponse:
        """The answer, its body not yet read."""
        send = partial(
            self._connections.to(target).urlopen,
            *(method, target.target),
            body=body,
            headers=headers,
            retries=False,
            redirect=False,
            preload_content=False,
        )
        try:
            return send()
        except ProtocolError:
            if not self._budget.has_reused or self._budget.received:
                raise
        # The bank had left the old connection, and the call never began (RFC 9112 section 9.3.1): on a new one, in the
        # seconds that are left.
        self._budget.may_reuse = False
        return send()

    def _verified(self, target: Target) -> tuple[str, ...]:
        """Where the origin may be called: the addresses that its name had when this client first called it."""
        if target.origin not in self._addresses:
            find = partial(verified_addresses, target, self._resolve, loopback=target.origin in self._loopback_origins)
            # Only a name is looked up, which may take its time.
            self._addresses[target.origin] = find() if target.is_literal else within(self._budget.seconds_left(), find)
        return self._addresses[target.origin]

    def _read(self, response: BaseHTTPResponse, headers: Mapping[str, str], seen: "_Seen") -> bytearray:
        # A chain of encodings multiplies; we asked for one.
        if headers.get("content-encoding", "identity").strip().lower() not in ("gzip", "identity"):
            raise BankFormatChanged("content_encoding", upstream_status=response.status)
        content = bytearray()
        for chunk in response.stream(_CHUNK_BYTES, decode_content=True):
            content += chunk
            seen.bytes = len(content)
            if len(content) > self.limits.decoded_bytes_max:
                raise AnswerTooLarge("decoded_bytes", upstream_status=response.status)
            self._budget.seconds_left()
        return content


@dataclass(slots=True)
class _Seen:
    """What is known of the answer so far, should the exchange fail."""

    status: int | None = None
    bytes: int = 0


def _checked_headers(headers: Mapping[str, str], types: frozenset[str]) -> dict[str, str]:
    # http.client refuses line breaks as well, but with a message that quotes the value: a token.
    for name, value in headers.items():
        if not _HEADER_NAME.fullmatch(name) or not _HEADER_VALUE.fullmatch(value):
            raise BankMisconfigured("request_header")
    return {
        "Accept": ", ".join(sorted(types)),
        "User-Agent": "Sluice",
        **headers,
        "Accept-Encoding": "gzip",
    }


def _next_url(current: str, link: str, root: Target) -> str:
    try:
        target = parse_url(urljoin(current, link))
    except (AddressForbidden, ValueError):
        raise PagingBroken("malformed_link") from None
    if target.origin != root.origin:
        raise PagingBroken("other_origin")
    if not target.path.startswith(root.path.rstrip("/") + "/"):
        raise PagingBroken("outside_root")
    return target.url
