"""Where a URL could lead: every spelling we know of an address that is not a bank's, and a resolver that lies."""

import socket
from collections.abc import Iterator, Sequence
from ipaddress import ip_address
from typing import Any

import pytest

from banks import pinned
from banks.address_guard import is_public, origin_of, parse_url
from banks.errors import AddressForbidden, BankUnavailable
from banks.http.client import BankClient
from banks.http.exchanges import HttpLimits
from tests.support.hostile_server import HostileServer

PUBLIC = "93.184.216.34"
QUICK = HttpLimits(total_deadline_seconds=2, connect_timeout=0.2)


def _words(text: str) -> list[str]:
    return text.split()


#: Addresses that lead to ourselves, to a neighbour, to a cloud's metadata, or nowhere a bank could be.
NOT_PUBLIC_V4 = _words("""
0.0.0.0 0.0.0.1 0.255.255.255 10.0.0.1 10.255.255.255 100.64.0.1 100.100.100.200 100.127.255.255 127.0.0.1 127.0.0.2
127.1.2.3 127.255.255.255 169.254.0.1 169.254.169.254 169.254.170.2 172.16.0.1 172.20.10.1 172.31.255.255 192.0.0.1
192.0.0.192 192.0.2.1 192.88.99.1 192.168.0.1 192.168.255.255 198.18.0.1 198.19.255.255 198.51.100.1 203.0.113.1
224.0.0.1 239.255.255.250 240.0.0.1 255.255.255.255
""")
NOT_PUBLIC_V6 = _words("""
:: ::1 ::127.0.0.1 ::ffff:127.0.0.1 ::ffff:10.0.0.1 ::ffff:169.254.169.254 ::ffff:93.184.216.34 ::ffff:0:127.0.0.1
64:ff9b::7f00:1 64:ff9b::a9fe:a9fe 64:ff9b::5db8:d822 64:ff9b:1::1 100::1 2001::1 2001:0:4136:e378:8000:63bf:3fff:fdd2
2001:2::1 2001:10::1 2001:20::1 2001:db8::1 2002:7f00:1:: 2002:a9fe:a9fe::1 2002:5db8:d822:: 3fff::1 3ffe::1 4000::1
5f00::1 fc00::1 fd00:ec2::254 fd12:3456:789a::1 fe80::1 febf::1 fec0::1 ff02::1 ff05::2
""")

#: URLs that are refused whatever their names resolve to.
HOSTILE_URLS = [
    *_words("""
http://127.0.0.1/ http://bank.example/ https://127.0.0.1/ https://127.1/ https://127.0.1/ https://2130706433/
https://0x7f000001/ https://0x7f.0.0.1/ https://0x7f.1/ https://0177.0.0.1/ https://017700000001/ https://0/
https://127.0.0.01/ https://127.0.0.1./ https://1.1.1.1.1/ https://256.256.256.256/ https://0xa9fea9fe/
https://2852039166/ https://169.254.43518/ https://0251.0376.0251.0376/ https://169.254.169.254/latest/meta-data/
https://bank.0x7f/ https://bank.1/ https://[::1]/ https://[::]/ https://[::ffff:127.0.0.1]/ https://[::ffff:7f00:1]/
https://[0:0:0:0:0:ffff:7f00:1]/ https://[64:ff9b::7f00:1]/ https://[2002:7f00:1::]/ https://[fe80::1%25eth0]/
https://[fe80::1%eth0]/ https://[::1/ https://::1/ https://[127.0.0.1]/ https://[v1.x]/ https://user@bank.example/
https://user:password@bank.example/ https://bank.example@127.0.0.1/ https://127.0.0.1@bank.example/
https://bank.example%40evil.example/ https://bank.example:@evil.example/ https://bank.example\\@evil.example/
https://bank.example\\.evil.example/ https:\\\\bank.example/ https:/bank.example/ https:bank.example //bank.example/
bank.example /relative https:///bank.example/ https:// https://./ https://../ https://.bank.example/
https://bank.example./ https://bank..example/ https://-bank.example/ https://bank-.example/ https://bank_.example/
https://bank.example:22/ https://bank.example:25/ https://bank.example:80/ https://bank.example:6379/
https://bank.example:0/ https://bank.example:00443/ https://bank.example:65536/ https://bank.example:443443/
https://bank.example:-1/ https://bank.example:4a3/ https://bank.example:/ https://bank.example:443:443/
ftp://bank.example/ file:///etc/passwd gopher://bank.example/ javascript:alert(1) data:text/html,x ws://bank.example/
jar:https://bank.example!/ HTTP://bank.example/ https://bank.example/#fragment https://bank.example/a/../b
https://bank.example/a/./b https://bank.example/.. https://bank.example/%2e%2e/a https://bank.example/a/%2E./b
https://bank.example/a/..%2fb https://bank.example/a%2fb https://bank.example/a%5cb https://bank.example/a\\b
https://bank.example/%00 https://bank.example/%0d%0aX:1 https://bank.example/?a=%0a https://bank.example/%zz
https://bank.example/% https://bank.example/{a} https://bank.example/<a> https://bank.example/"a"
https://bank.example?x https://bank.example.evil.example/ https://evil.example/ https://evilbank.example/
https://bank.example.:443/ https://BANK.example.evil.example/ https://xn--bcher-kva.example/ https://localhost/
https://localhost.localdomain/ https://metadata.google.internal/ https://127.0.0.1.nip.io/
"""),
    "",
    " https://bank.example/",
    "https://bank.example/ ",
    "https://bank.example/a b",
    "https://bank.example/\r\nX-Injected: 1",
    "https://bank.example\r\n.evil.example/",
    "https://bank.example/\n",
    "https://bank.example/\t",
    "https://bank.example/\x00",
    "https://bank\x00.example/",
    "https://bank。example/",  # an ideographic full stop, which IDNA maps to a dot
    "https://ⓑank.example/",
    "https://bаnk.example/",  # a Cyrillic letter
    "https://①②⑦.⓪.⓪.①/",
    "https://１２７.０.０.１/",
    "https://bank.example/ü",
    "https://bank.example/" + "a" * 9000,
    "https://" + "a" * 64 + ".example/",
    "https://" + "a." * 200 + "example/",
]


@pytest.fixture(autouse=True)
def connected(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Every address that a socket of ours was told to connect to."""
    seen: list[Any] = []
    real = socket.socket.connect

    def connect(self: socket.socket, address: Any) -> None:
        seen.append(address)
        real(self, address)

    monkeypatch.setattr(pinned.BudgetedSocket, "connect", connect)
    return seen


def client_for(origin: str, *addresses: str) -> BankClient:
    return BankClient(allowed_origins=frozenset({origin}), limits=QUICK, resolve=lambda host, port: list(addresses))


def test_the_corpus_is_as_large_as_promised() -> None:
    assert len({*HOSTILE_URLS, *NOT_PUBLIC_V4, *NOT_PUBLIC_V6}) >= 160


@pytest.mark.parametrize("url", HOSTILE_URLS)
def test_t10_a_hostile_url_opens_no_connection(url: str, connected: list[Any]) -> None:
    with client_for("https://bank.example", PUBLIC) as client, pytest.raises(AddressForbidden) as caught:
        client.get_json(url)

    assert connected == []
    assert not url or len(url) < 3 or url not in str(caught.value)


@pytest.mark.parametrize("url", [url for url in HOSTILE_URLS if url.lower().startswith(("https://", "http://"))])
def test_it_opens_none_even_if_somebody_configured_it_as_the_banks(url: str, connected: list[Any]) -> None:
    scheme, _, rest = url.partition("://")
    origin = f"{scheme}://{rest.split('/')[0]}"

    def resolve(host: str, port: int) -> Sequence[str]:
        return ["127.0.0.1"]  # what such spellings stand for, to some resolver

    def reach() -> None:
        with BankClient(allowed_origins=frozenset({origin}), limits=QUICK, resolve=resolve) as client:
            client.get_json(url)

    with pytest.raises(AddressForbidden):
        reach()

    assert connected == []


@pytest.mark.parametrize("address", [*NOT_PUBLIC_V4, *NOT_PUBLIC_V6])
def test_t10_a_name_that_resolves_to_it_is_refused(address: str, connected: list[Any]) -> None:
    assert not is_public(ip_address(address))
    for answered in ([address], [PUBLIC, address], [address, PUBLIC]):
        with client_for("https://bank.example", *answered) as client, pytest.raises(AddressForbidden):
            client.get_json("https://bank.example/")
    assert connected == []


@pytest.mark.parametrize("address", [*NOT_PUBLIC_V4, *NOT_PUBLIC_V6])
def test_it_is_refused_as_a_literal_too(address: str, connected: list[Any]) -> None:
    origin = f"https://[{address}]" if ":" in address else f"https://{address}"

    with client_for(origin) as client, pytest.raises(AddressForbidden):
        client.get_json(f"{origin}/")

    assert connected == []


@pytest.mark.parametrize("answered", [[], ["nonsense"], ["fe80::1%eth0"], [f"{PUBLIC}%1"], ["::ffff:8.8.8.8"]])
def test_a_resolver_that_answers_nothing_usable_is_refused(answered: list[str], connected: list[Any]) -> None:
    with client_for("https://bank.example", *answered) as client, pytest.raises(AddressForbidden):
        client.get_json("https://bank.example/")

    assert connected == []


def test_a_name_that_is_not_known_is_the_banks_absence() -> None:
    def unknown(host: str, port: int) -> list[str]:
        raise socket.gaierror(socket.EAI_NONAME, "canary")

    client = BankClient(allowed_origins=frozenset({"https://bank.example"}), limits=QUICK, resolve=unknown)
    with client, pytest.raises(BankUnavailable) as caught:
        client.get_json("https://bank.example/")

    assert "canary" not in str(caught.value)


@pytest.mark.parametrize("address", [PUBLIC, "8.8.8.8", "1.1.1.1", "2606:4700::1111", "2a00:1450:4009::200e"])
def test_public_addresses_pass(address: str) -> None:
    assert is_public(ip_address(address))


class Flipping:
    """Answers with a good address first, and with a loopback one whenever asked again."""

    def __init__(self, first: str) -> None:
        self.calls = 0
        self._first = first

    def __call__(self, host: str, port: int) -> list[str]:
        self.calls += 1
        return [self._first] if self.calls == 1 else ["127.0.0.1"]


def test_t10_a_name_that_changes_its_mind_is_asked_once_and_called_where_it_was_checked(connected: list[Any]) -> None:
    resolve = Flipping("192.0.2.1")
    client = BankClient(allowed_origins=frozenset({"https://bank.example"}), limits=QUICK, resolve=resolve)

    with client, pytest.raises(AddressForbidden):
        client.get_json("https://bank.example/")
    assert resolve.calls == 1
    assert connected == []


def test_the_connection_goes_to_the_checked_address_and_no_other(
    monkeypatch: pytest.MonkeyPatch, connected: list[Any]
) -> None:
    resolve = Flipping(PUBLIC)
    asked: list[Any] = []

    def no_network(self: socket.socket, address: Any) -> None:
        asked.append(address)
        raise OSError("unreachable")

    monkeypatch.setattr(pinned.BudgetedSocket, "connect", no_network)
    monkeypatch.setattr(socket, "getaddrinfo", lambda *arguments, **named: pytest.fail("resolved a second time"))
    client = BankClient(allowed_origins=frozenset({"https://bank.example"}), limits=QUICK, resolve=resolve)

    with client:
        for _ in range(3):
            with pytest.raises(BankUnavailable):
                client.get_json("https://bank.example/")

    assert asked == [(PUBLIC, 443)] * 3
    assert resolve.calls == 1


def test_a_peer_that_is_not_the_checked_address_is_hung_up_on(monkeypatch: pytest.MonkeyPatch) -> None:
    with HostileServer() as server:

        def detour(self: socket.socket, address: Any) -> None:
            socket.socket.connect(self, ("127.0.0.1", server.port))

        monkeypatch.setattr(pinned.BudgetedSocket, "connect", detour)

        with client_for("https://bank.example", PUBLIC) as client, pytest.raises(AddressForbidden):
            client.get_json("https://bank.example/")

        assert server.requests == []


# -- loopback ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def sandbox() -> Iterator[HostileServer]:
    with HostileServer() as server:
        yield server


def test_loopback_opens_for_exactly_the_named_origin(sandbox: HostileServer, connected: list[Any]) -> None:
    here = frozenset({sandbox.origin})
    other = f"http://127.0.0.1:{sandbox.port + 1 if sandbox.port < 65535 else 1}"

    with BankClient(allowed_origins=here | {other}, allowed_loopback_origins=here, limits=QUICK) as client:
        assert client.get_json(f"{sandbox.origin}/good").status == 200
        for url in (f"{other}/", f"https://127.0.0.1:{sandbox.port}/", f"http://localhost:{sandbox.port}/good"):
            with pytest.raises(AddressForbidden):
                client.get_json(url)

    assert {address for address, _port in connected} == {"127.0.0.1"}


def test_a_loopback_origin_that_is_not_the_institutions_is_refused(sandbox: HostileServer) -> None:
    client = BankClient(
        allowed_origins=frozenset({"https://bank.example"}), allowed_loopback_origins=frozenset({sandbox.origin})
    )
    with client, pytest.raises(AddressForbidden):
        client.get_json(f"{sandbox.origin}/good")


@pytest.mark.parametrize("address", ["10.0.0.1", "169.254.169.254", "192.168.1.1", PUBLIC, "fe80::1"])
def test_a_loopback_origin_leads_nowhere_but_to_loopback(address: str, connected: list[Any]) -> None:
    origins = frozenset({"http://pretend.example:9001"})
    client = BankClient(
        allowed_origins=origins,
        allowed_loopback_origins=origins,
        limits=QUICK,
        resolve=lambda host, port: [address],
    )
    with client, pytest.raises(AddressForbidden):
        client.get_json("http://pretend.example:9001/")

    assert connected == []


# -- what is fine ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://bank.example", "https://bank.example"),
        ("https://BANK.example:443/a", "https://bank.example"),
        ("HTTPS://bank.example/a?b=c&d=%20e", "https://bank.example"),
        ("https://xn--bcher-kva.example/", "https://xn--bcher-kva.example"),
        ("https://api-1.bank.example:8443/open-banking/v4.0/aisp", "https://api-1.bank.example:8443"),
        ("http://127.0.0.1:9001/a", "http://127.0.0.1:9001"),
        ("http://[::1]:9001/a", "http://[::1]:9001"),
        ("https://8.8.8.8/", "https://8.8.8.8"),
        ("https://bank.example/a..b/...", "https://bank.example"),
        ("https://bank.example/?next=/../x", "https://bank.example"),
    ],
)
def test_ordinary_urls_have_one_origin(url: str, origin: str) -> None:
    assert origin_of(url) == origin
    assert origin_of(parse_url(url).url) == origin
