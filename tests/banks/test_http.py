"""What a bank, or somebody in its place, can do to us over HTTP; real sockets on loopback, TLS too."""

import logging
import re
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from email.utils import format_datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from banks.errors import (
    AddressForbidden,
    After,
    AnswerTooLarge,
    BankError,
    BankFormatChanged,
    BankMisconfigured,
    BankRateLimited,
    BankTimeout,
    BankUnavailable,
    PagingBroken,
)
from banks.http.answers import Answer, retry_after_seconds
from banks.http.client import BankClient
from banks.http.exchanges import Exchange, HttpLimits
from banks.pinned import KeptConnections
from tests.support.hostile_server import MIB, HostileServer, answer, json_answer

#: Only for tests that wait for the deadline; a busy machine may need longer than this for an honest answer.
SHORT = HttpLimits(total_deadline_seconds=0.3)
AMPLE = HttpLimits(total_deadline_seconds=20, decoded_bytes_max=MIB)
#: The short deadline is kept if nothing takes this long.
SOON = 10.0


@pytest.fixture
def server() -> Iterator[HostileServer]:
    with HostileServer() as running:
        yield running


def client_of(server: HostileServer, limits: HttpLimits = AMPLE, **arguments: object) -> BankClient:
    origins = frozenset({server.origin})
    return BankClient(allowed_origins=origins, allowed_loopback_origins=origins, limits=limits, **arguments)  # type: ignore[arg-type]


def failure(server: HostileServer, path: str, limits: HttpLimits = AMPLE) -> BankError:
    with client_of(server, limits) as client, pytest.raises(BankError) as caught:
        client.get_json(server.origin + path)
    return caught.value


# -- time --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    ["/slow_headers", "/slow_status_line", "/slow_body", "/slow_chunks", "/endless_continue", "/silence"],
)
def test_t11_a_server_that_drips_is_cut_off_at_the_total_deadline(server: HostileServer, path: str) -> None:
    started = time.monotonic()

    error = failure(server, path, SHORT)

    assert type(error) is BankTimeout
    assert 0.2 < time.monotonic() - started < SOON


def test_the_jobs_own_deadline_is_the_nearer_one(server: HostileServer) -> None:
    limits = HttpLimits(total_deadline_seconds=60)
    started = time.monotonic()

    with client_of(server, limits, job_deadline_monotonic=time.monotonic() + 0.3) as client:
        with pytest.raises(BankTimeout):
            client.get_json(f"{server.origin}/slow_headers")

        assert time.monotonic() - started < SOON
        with pytest.raises(BankTimeout):
            client.get_json(f"{server.origin}/good")
    assert len(server.requests) == 1


def test_a_resolver_that_hangs_is_cut_off_too() -> None:
    release = threading.Event()

    def hang(host: str, port: int) -> list[str]:
        release.wait(20)
        return ["127.0.0.1"]

    client = BankClient(allowed_origins=frozenset({"https://bank.example"}), limits=SHORT, resolve=hang)
    started = time.monotonic()
    try:
        with client, pytest.raises(BankTimeout):
            client.get_json("https://bank.example/")
        assert time.monotonic() - started < SOON
    finally:
        release.set()


def test_a_tls_handshake_that_hangs_is_cut_off() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        origin = f"https://127.0.0.1:{listener.getsockname()[1]}"
        origins = frozenset({origin})
        started = time.monotonic()

        client = BankClient(allowed_origins=origins, allowed_loopback_origins=origins, limits=SHORT)
        with client, pytest.raises(BankTimeout):
            client.get_json(f"{origin}/")

        assert time.monotonic() - started < SOON


def test_the_deadline_starts_anew_with_each_exchange(server: HostileServer) -> None:
    with client_of(server, HttpLimits(total_deadline_seconds=1)) as client:
        with pytest.raises(BankTimeout):
            client.get_json(f"{server.origin}/slow_body")

        assert client.get_json(f"{server.origin}/good").status == 200


# -- size --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path", ["/endless_body", "/endless_chunks", "/gzip_bomb", "/gzip_bomb_chunked", "/continue_flood"]
)
def test_t11_an_answer_without_end_is_cut_off_at_the_cap(server: HostileServer, path: str) -> None:
    error = failure(server, path)

    assert type(error) is AnswerTooLarge


@pytest.mark.parametrize("path", ["/huge_header", "/many_headers", "/endless_chunk_extension"])
def test_headers_and_framing_have_caps_of_their_own(server: HostileServer, path: str) -> None:
    error = failure(server, path, HttpLimits(total_deadline_seconds=20))

    assert type(error) is BankFormatChanged


def test_a_body_of_exactly_the_cap_is_taken_and_one_byte_more_is_not(server: HostileServer) -> None:
    server.scripted["/fits"] = answer(b'"' + b"a" * 998 + b'"')
    server.scripted["/over"] = answer(b'"' + b"a" * 999 + b'"')
    limits = HttpLimits(decoded_bytes_max=1000)

    with client_of(server, limits) as client:
        assert client.get_json(f"{server.origin}/fits").json == "a" * 998
        with pytest.raises(AnswerTooLarge):
            client.get_json(f"{server.origin}/over")


# -- form --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        *("/truncated", "/truncated_chunk", "/chunk_garbage", "/negative_chunk", "/not_http", "/gzip_twice"),
        *("/gzip_broken", "/brotli", "/redirect"),
    ],
)
def test_what_is_not_sound_http_is_a_changed_format(server: HostileServer, path: str) -> None:
    error = failure(server, path)

    assert type(error) is BankFormatChanged


def test_a_redirect_is_not_followed(server: HostileServer) -> None:
    error = failure(server, "/redirect")

    assert error.upstream_status == 302
    assert len(server.requests) == 1


def test_a_connection_closed_without_an_answer_is_the_banks_absence_and_is_tried_once(server: HostileServer) -> None:
    error = failure(server, "/hang_up")

    assert type(error) is BankUnavailable
    assert len(server.requests) == 1


def test_a_port_nobody_listens_on_is_the_banks_absence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        origin = f"http://127.0.0.1:{listener.getsockname()[1]}"
    origins = frozenset({origin})

    client = BankClient(allowed_origins=origins, allowed_loopback_origins=origins)
    with client, pytest.raises(BankUnavailable) as caught:
        client.get_json(f"{origin}/")

    assert type(caught.value) is BankUnavailable


@pytest.mark.parametrize(
    ("content_type", "taken"),
    [
        ("application/json", True),
        ("application/json; charset=utf-8", True),
        ('Application/JSON;charset="UTF-8"', True),
        ("application/json; charset=iso-8859-1", False),
        ("text/html", False),
        ("text/html; x=application/json", False),
        ("application/jose+jwe", False),
        (None, False),
    ],
)
def test_only_the_expected_content_type_is_read(server: HostileServer, content_type: str | None, taken: bool) -> None:
    server.scripted["/typed"] = answer(b"{}", content_type=content_type)

    with client_of(server) as client:
        if taken:
            assert client.get_json(f"{server.origin}/typed").json == {}
        else:
            with pytest.raises(BankFormatChanged):
                client.get_json(f"{server.origin}/typed")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"NaN",
        b'{"a": Infinity}',
        b'{"a": -Infinity}',
        b'{"a": 1, "a": 2}',
        b'{"a": 1, "\\u0061": 2}',
        b'{"a": "\\ud800"}',
        b'{"\\udfff": 1}',
        b'{"a": "\\u0000"}',
        b'{"a": "\x00"}',
        b'"\xff"',
        b'\xef\xbb\xbf{"a": 1}',
        '{"a": "ü"}'.encode("latin-1"),
        '{"a": 1}'.encode("utf-16"),
        b"1" * 5000,
        b"1." + b"0" * 5000,
        b"1e400",
        b"1e999999999999999999999",
        b"-1e-400",
        b"{'a': 1}",
        b'{"a": 01}',
        b"[1,]",
        b"{} {}",
        b"[" * 100_000,
        b"[" * 33 + b"]" * 33,
        b'{"a":' * 40 + b"1" + b"}" * 40,
        b"[" * 5000 + b"]" * 5000,
        b'"' + b'\\"' * 100_000,
        b"]" * 1000,
    ],
)
def test_t12_json_that_two_parsers_could_read_differently_is_refused(server: HostileServer, body: bytes) -> None:
    server.scripted["/json"] = answer(body)

    assert type(failure(server, "/json", HttpLimits(total_deadline_seconds=20))) is BankFormatChanged


def test_json_numbers_keep_their_digits(server: HostileServer) -> None:
    server.scripted["/json"] = answer(b'{"rate": 1.10, "count": 3, "big": 1e3, "text": "\\u00e9\\ud83d\\ude00[["}')

    with client_of(server) as client:
        parsed = client.get_json(f"{server.origin}/json").json

    assert isinstance(parsed, dict)
    assert str(parsed["rate"]) == "1.10"
    assert isinstance(parsed["rate"], Decimal)
    assert parsed["count"] == 3
    assert type(parsed["count"]) is int
    assert isinstance(parsed["big"], Decimal)
    assert parsed["text"] == "é😀[["


def test_nesting_up_to_the_cap_is_fine(server: HostileServer) -> None:
    server.scripted["/deep"] = answer(b'{"a":[' * 16 + b"]}" * 16)

    with client_of(server) as client:
        assert client.get_json(f"{server.origin}/deep").status == 200


def test_more_values_than_we_take_are_refused_before_they_are_built(server: HostileServer) -> None:
    server.scripted["/values"] = answer(b"[" + b"{}," * 600_000 + b"{}]")

    error = failure(server, "/values", HttpLimits(total_deadline_seconds=20))

    assert type(error) is AnswerTooLarge


# -- who is at fault ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [500, 502, 503, 504, 599])
def test_5xx_is_the_banks_absence(server: HostileServer, status: int) -> None:
    server.scripted["/down"] = json_answer({"error": "canary"}, status=status)

    error = failure(server, "/down")

    assert type(error) is BankUnavailable
    assert error.upstream_status == status


def test_retry_after_reaches_the_caller(server: HostileServer) -> None:
    server.scripted["/limit"] = json_answer({}, status=429, headers="Retry-After: 120\r\n")
    server.scripted["/down"] = json_answer({}, status=503, headers="Retry-After: 7\r\n")

    limited, down = failure(server, "/limit"), failure(server, "/down")

    assert type(limited) is BankRateLimited
    assert limited.retry == After(120)
    assert down.retry == After(7)


NOW = datetime(2026, 11, 20, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        (None, None),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("٣", None),
        ("0", 1),
        ("1", 1),
        (" 120 ", 120),
        ("86400", 86400),
        ("86401", 86400),
        ("9" * 50, 86400),
        (format_datetime(NOW + timedelta(seconds=90), usegmt=True), 90),
        (format_datetime(NOW - timedelta(days=1), usegmt=True), 1),
        (format_datetime(NOW + timedelta(days=30), usegmt=True), 86400),
        ("Fri, 99 Nov 2026 12:00:00 GMT", None),
        ("Fri, 20 Nov 99999999999 12:00:00 GMT", None),
    ],
)
def test_retry_after_is_read_in_both_forms_and_kept_within_a_day(text: str | None, seconds: int | None) -> None:
    assert retry_after_seconds(text, now=NOW.timestamp()) == seconds


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 422])
def test_other_refusals_are_the_dialects_to_read(server: HostileServer, status: int) -> None:
    server.scripted["/refused"] = json_answer({"error": "invalid_grant"}, status=status)
    server.scripted["/page"] = answer(b"<html>", status=status, content_type="text/html")
    server.scripted["/broken"] = answer(b"{", status=status)
    server.scripted["/empty"] = answer(b"", status=status, content_type=None)

    with client_of(server) as client:
        assert client.get_json(f"{server.origin}/refused").json == {"error": "invalid_grant"}
        for path in ("/page", "/broken", "/empty"):
            answered = client.get_json(server.origin + path)
            assert (answered.status, answered.json) == (status, None)


def test_no_content_is_an_answer(server: HostileServer) -> None:
    server.scripted["/gone"] = b"HTTP/1.1 204 No Content\r\n\r\n"

    with client_of(server) as client:
        answered = client.delete(f"{server.origin}/gone")

    assert (answered.status, answered.json) == (204, None)


# -- what is sent ------------------------------------------------------------------------------------------------------


def test_only_gzip_is_asked_for_and_connections_are_kept(server: HostileServer) -> None:
    with client_of(server) as client:
        client.get_json(f"{server.origin}/good", headers={"Authorization": "Bearer x", "accept-encoding": "br"})
        client.get_json(f"{server.origin}/good")

    assert server.connections == 1
    assert re.findall(r"(?mi)^accept-encoding: (.*?)\r?$", server.requests[1]) == ["gzip"]
    assert "User-Agent: Sluice" in server.requests[0]


def test_gzip_is_read(server: HostileServer) -> None:
    with client_of(server) as client:
        assert client.get_json(f"{server.origin}/gzip_good").json == {"amount": Decimal("1.10")}


def test_forms_and_json_are_posted(server: HostileServer) -> None:
    server.scripted["/token"] = json_answer({"ok": True})

    with client_of(server) as client:
        client.post_form(f"{server.origin}/token", {"code": "a&b", "x": "1"})
        client.post_json(f"{server.origin}/token", {"b": [Decimal("1.10"), None], "a": "ü"})

    form, body = server.requests
    assert form.startswith("POST /token HTTP/1.1")
    assert "Content-Type: application/x-www-form-urlencoded" in form
    assert f"Content-Length: {len('code=a%26b&x=1')}" in form
    assert "Content-Type: application/json" in body


@pytest.mark.parametrize("value", ["a\r\nX-Injected: 1", "a\nb", "a\x00", "ü"])
def test_a_header_with_a_line_break_is_never_sent_and_never_quoted(server: HostileServer, value: str) -> None:
    with client_of(server) as client, pytest.raises(BankMisconfigured) as caught:
        client.get_json(f"{server.origin}/good", headers={"Authorization": value})

    assert server.connections == 0
    assert value not in str(caught.value)


def test_the_environments_proxies_are_not_used(server: HostileServer, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)

    with client_of(server) as client:
        assert client.get_json(f"{server.origin}/good").status == 200


# -- pages -------------------------------------------------------------------------------------------------------------


def next_of(answer: Answer) -> str | None:
    assert isinstance(answer.json, dict)
    link = answer.json.get("next")
    assert link is None or isinstance(link, str)
    return link


def walk(server: HostileServer, limits: HttpLimits = AMPLE) -> list[int]:
    with client_of(server, limits) as client:
        pages = client.pages(
            f"{server.origin}/aisp/v4/list", next_of, root_url=f"{server.origin}/aisp/v4", headers=lambda: {}
        )
        return [answer.status for answer in pages]


def test_pages_are_followed_to_the_last_absolute_or_relative(server: HostileServer) -> None:
    server.scripted["/aisp/v4/list"] = json_answer({"next": f"{server.origin}/aisp/v4/list?page=2"})
    server.scripted["/aisp/v4/list?page=2"] = json_answer({"next": "/aisp/v4/list?page=3"})
    server.scripted["/aisp/v4/list?page=3"] = json_answer({"next": "?page=4"})
    server.scripted["/aisp/v4/list?page=4"] = json_answer({})

    assert walk(server) == [200, 200, 200, 200]


@pytest.mark.parametrize(
    "link",
    [
        "https://127.0.0.1:{port}/aisp/v4/list?page=2",
        "http://127.0.0.1:9/aisp/v4/list?page=2",
        "http://localhost:{port}/aisp/v4/list?page=2",
        "http://127.0.0.1:{port}@evil.example/aisp/v4/list",
        "http://evil.example@127.0.0.1:{port}/aisp/v4/list",
        "//evil.example/aisp/v4/list",
        "\\\\evil.example/aisp/v4/list",
        "http:\\\\evil.example/",
        "file:///etc/passwd",
        "ftp://127.0.0.1/aisp/v4/list",
        "javascript:1",
        "/admin",
        "/aisp/v4",
        "/aisp/v41/list",
        "/aisp/v4/../../admin",
        "/aisp/v4/%2e%2e/%2e%2e/admin",
        "/aisp/v4/.%2E/admin",
        "/aisp/v4/..%2fadmin",
        "/aisp/v4/list?page=2\r\nX-Injected: 1",
        "/aisp/v4/list page",
        "/aisp/v4/ü",
        "/aisp/v4/list?page=2#fragment",
        "http://[::1/aisp",
    ],
)
def test_a_next_link_that_leads_elsewhere_is_not_followed(server: HostileServer, link: str) -> None:
    server.scripted["/aisp/v4/list"] = json_answer({"next": link.format(port=server.port)})

    with pytest.raises(PagingBroken) as caught:
        walk(server)

    assert len(server.requests) == 1
    assert "evil" not in str(caught.value)


@pytest.mark.parametrize("link", ["?page=1", "", "/aisp/v4/list", "http://127.0.0.1:{port}/aisp/v4/list"])
def test_t11_a_circle_of_links_is_noticed(server: HostileServer, link: str) -> None:
    server.scripted["/aisp/v4/list"] = json_answer({"next": "?page=1"})
    server.scripted["/aisp/v4/list?page=1"] = json_answer({"next": link.format(port=server.port)})

    with pytest.raises(PagingBroken):
        walk(server)

    assert len(server.requests) == 2


def test_a_last_page_at_the_cap_is_success_and_one_link_more_is_not(server: HostileServer) -> None:
    for page in range(1, 6):
        query = f"?page={page}" if page > 1 else ""
        server.scripted[f"/aisp/v4/list{query}"] = json_answer({"next": f"?page={page + 1}"} if page < 5 else {})

    assert len(walk(server, HttpLimits(pages_max=5))) == 5
    with pytest.raises(AnswerTooLarge):
        walk(server, HttpLimits(pages_max=4))


def test_paging_stops_at_a_refusal(server: HostileServer) -> None:
    server.scripted["/aisp/v4/list"] = json_answer({"next": "?page=2"})
    server.scripted["/aisp/v4/list?page=2"] = json_answer({"next": "?page=3"}, status=403)

    assert walk(server) == [200, 403]


# -- what is told ------------------------------------------------------------------------------------------------------


def test_an_exchange_names_neither_ids_nor_secrets(server: HostileServer) -> None:
    seen: list[Exchange] = []
    path = "/open-banking/v4.0/aisp/accounts/canary-account/transactions?from=canary-query"
    server.scripted[path] = json_answer({"Name": "canary-content"})

    with client_of(server, on_exchange=seen.append) as client:
        client.get_json(server.origin + path, headers={"Authorization": "Bearer canary-token"})
    with client_of(server, SHORT, on_exchange=seen.append) as client, pytest.raises(BankTimeout):
        client.get_json(f"{server.origin}/silence")

    first, second = seen
    assert first.path == "/open-banking/v4.0/aisp/accounts/{id}/transactions"
    assert (first.method, first.host, first.status, first.code) == ("GET", "127.0.0.1", 200, None)
    assert first.bytes == len('{"Name": "canary-content"}')
    assert (second.status, second.code, second.path) == (None, "upstream_timeout", "/{id}")
    assert second.milliseconds >= 200
    assert "canary" not in repr(seen)


@pytest.mark.parametrize("path", ["/not_http", "/truncated", "/bad_header", "/chunk_garbage", "/hang_up", "/silence"])
def test_t14_neither_logs_nor_exceptions_quote_url_token_or_answer(
    server: HostileServer, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)

    with client_of(server, SHORT if path == "/silence" else AMPLE) as client:
        try:
            answered = client.get_json(f"{server.origin}{path}?q=canary", headers={"Authorization": "Bearer canary"})
        except BankError as error:
            seen = f"{error} {error.reason} {error.__cause__} {error.__context__}"
        else:
            seen = repr(answered)

    assert "canary" not in caplog.text
    assert "canary" not in seen


def test_an_answers_repr_shows_no_content(server: HostileServer) -> None:
    server.scripted["/json"] = json_answer({"Name": "canary"}, headers="X-Canary: canary\r\n")

    with client_of(server) as client:
        assert "canary" not in repr(client.get_json(f"{server.origin}/json"))


# -- TLS ---------------------------------------------------------------------------------------------------------------


class Authority:
    """A certificate authority of a test; writes PEM files into one directory."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Test authority")])
        self.file = directory / "authority.pem"
        self.file.write_bytes(self._sign(self.name, self.key, "authority", is_authority=True))

    def issue(self, dns_name: str) -> tuple[str, str]:
        """Certificate file, key file."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, dns_name)])
        certificate, private = self.directory / f"{dns_name}.pem", self.directory / f"{dns_name}.key"
        certificate.write_bytes(self._sign(subject, key, dns_name, is_authority=False))
        private.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return str(certificate), str(private)

    def _sign(self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, dns: str, *, is_authority: bool) -> bytes:
        now = datetime.now(UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(hours=1))
            .not_valid_after(now + timedelta(hours=1))
            .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(dns)]), critical=False)
        )
        signed = builder.sign(self.key, hashes.SHA256())
        return signed.public_bytes(serialization.Encoding.PEM)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def tls_server(authority: Authority) -> Iterator[HostileServer]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.issue("bank.example"))
    context.load_verify_locations(authority.file)
    context.verify_mode = ssl.CERT_OPTIONAL
    names: list[str] = []

    def remember(sock: ssl.SSLObject | ssl.SSLSocket, name: str | None, _context: ssl.SSLContext) -> None:
        names.append(name or "")

    context.sni_callback = remember
    with HostileServer(tls=context) as running:
        running.names = names  # type: ignore[attr-defined]
        yield running


def tls_client(
    server: HostileServer,
    name: str,
    authority: Authority | None,
    limits: HttpLimits = AMPLE,
    certificate: tuple[str, str] | None = None,
) -> BankClient:
    origins = frozenset({f"https://{name}:{server.port}"})
    return BankClient(
        allowed_origins=origins,
        allowed_loopback_origins=origins,
        limits=limits,
        certificate=certificate,
        certificate_authorities=str(authority.file) if authority else None,
        resolve=lambda host, port: ["127.0.0.1"],
    )


def test_tls_names_and_checks_the_host_though_it_connects_to_an_address(
    tls_server: HostileServer, authority: Authority
) -> None:
    with tls_client(tls_server, "bank.example", authority) as client:
        answered = client.get_json(f"https://bank.example:{tls_server.port}/good")

    assert answered.status == 200
    assert tls_server.names == ["bank.example"]  # type: ignore[attr-defined]
    assert f"Host: bank.example:{tls_server.port}" in tls_server.requests[0]


def test_a_certificate_of_another_name_or_authority_is_refused(tls_server: HostileServer, authority: Authority) -> None:
    for name, trusted in (("other.example", authority), ("bank.example", None)):
        with tls_client(tls_server, name, trusted) as client, pytest.raises(BankUnavailable) as caught:
            client.get_json(f"https://{name}:{tls_server.port}/good")
        assert caught.value.reason == "tls"
    assert tls_server.requests == []


def test_a_kept_connection_saves_the_next_job_its_handshake(tls_server: HostileServer, authority: Authority) -> None:
    origin = f"https://bank.example:{tls_server.port}"
    kept = KeptConnections(
        connections_max=1, connect_timeout=5, certificate=None, certificate_authorities=str(authority.file)
    )
    for _ in range(2):
        with BankClient(
            allowed_origins=frozenset({origin}),
            allowed_loopback_origins=frozenset({origin}),
            limits=AMPLE,
            kept=kept,
            resolve=lambda host, port: ["127.0.0.1"],
        ) as client:
            assert client.get_json(f"{origin}/good").status == 200

    assert tls_server.names == ["bank.example"]  # type: ignore[attr-defined]
    kept.close()


@pytest.mark.parametrize("path", ["/slow_headers", "/slow_body", "/silence"])
def test_the_deadline_holds_inside_tls(tls_server: HostileServer, authority: Authority, path: str) -> None:
    started = time.monotonic()

    with tls_client(tls_server, "bank.example", authority, SHORT) as client, pytest.raises(BankTimeout):
        client.get_json(f"https://bank.example:{tls_server.port}{path}")

    assert time.monotonic() - started < SOON


def test_the_cap_holds_inside_tls(tls_server: HostileServer, authority: Authority) -> None:
    with tls_client(tls_server, "bank.example", authority) as client, pytest.raises(AnswerTooLarge):
        client.get_json(f"https://bank.example:{tls_server.port}/endless_body")


def test_a_client_certificate_is_shown(authority: Authority) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.issue("bank.example"))
    context.load_verify_locations(authority.file)
    context.verify_mode = ssl.CERT_REQUIRED
    with HostileServer(tls=context) as server:
        url = f"https://bank.example:{server.port}/good"

        with tls_client(server, "bank.example", authority, certificate=authority.issue("us.example")) as client:
            assert client.get_json(url).status == 200
        with tls_client(server, "bank.example", authority) as client, pytest.raises(BankError):
            client.get_json(url)


def test_an_origin_that_is_none_is_refused_at_once() -> None:
    with pytest.raises(AddressForbidden):
        BankClient(allowed_origins=frozenset({"bank.example"}))
