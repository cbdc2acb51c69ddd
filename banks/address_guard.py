"""Which addresses the server may call: the guard against server-side request forgery. Pure but for `resolve_system`.

It decides on text and on resolved addresses; it opens no connection. `banks.pinned` connects to what it lets through,
so that a name which changes its mind between check and connection gains nothing.
"""

import ipaddress
import re
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from banks.errors import AddressForbidden

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolver = Callable[[str, int], Sequence[str]]

DEFAULT_PORTS = {"https": 443, "http": 80}

# Stricter than RFC 3986 on purpose: no userinfo, no fragment, no backslash, printable ASCII only, dotted names only.
_URL = re.compile(
    r"(?P<scheme>https?)://(?P<host>[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:.]+\])(?::(?P<port>[1-9][0-9]{0,4}))?"
    r"(?P<target>/[!-~]*)?",
    re.IGNORECASE,
)
_NAME = re.compile(r"(?!.*--\.)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*")
_FORBIDDEN_IN_TARGET = re.compile(r"[\\#\"<>^`{|}]|%(?![0-9a-fA-F]{2})|%0[0-9a-f]|%1[0-9a-f]|%7f", re.IGNORECASE)
# "." and ".." in every spelling a server might undo (RFC 3986 section 5.2.4), and encoded separators.
_DOT_SEGMENT = re.compile(r"/(?:\.|%2e){1,2}(?:/|$)|%2f|%5c", re.IGNORECASE)
# The last label of a name that a resolver may read as a number (WHATWG URL, "ends in a number").
_NUMERIC_LABEL = re.compile(r"[0-9]+|0x[0-9a-f]*", re.IGNORECASE)

# IANA special-purpose registries (RFC 6890 and updates), beside what `is_global` says: that answer has changed between
# Python releases, and it calls some translated addresses global which lead to whatever they embed.
_NEVER_V4 = tuple(
    ipaddress.IPv4Network(net)
    for net in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",  # carrier-grade NAT, RFC 6598
        "127.0.0.0/8",
        "169.254.0.0/16",  # link-local, and the clouds' metadata services
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.31.196.0/24",
        "192.52.193.0/24",
        "192.88.99.0/24",  # 6to4 relay, RFC 7526
        "192.168.0.0/16",
        "192.175.48.0/24",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
    )
)
# Global unicast is 2000::/3 (RFC 4291 section 2.4); these lie inside it and are not a bank's own address.
_UNICAST_V6 = ipaddress.IPv6Network("2000::/3")
_NEVER_V6 = tuple(
    ipaddress.IPv6Network(net)
    for net in (
        "2001::/23",  # IETF protocol assignments; Teredo 2001::/32, ORCHID, benchmarking
        "2001:db8::/32",
        "2002::/16",  # 6to4, RFC 3056
        "2620:4f:8000::/48",
        "3ffe::/16",  # the 6bone, returned, RFC 3701
        "3fff::/20",  # documentation, RFC 9637
    )
)


@dataclass(frozen=True, slots=True)
class Target:
    """A URL taken apart. `origin` is lower case and carries a port only where it is not the scheme's own."""

    scheme: str
    host: str  #: without brackets
    port: int
    origin: str
    path: str
    target: str  #: path and query, as sent

    @property
    def url(self) -> str:
        return self.origin + self.target

    @property
    def is_literal(self) -> bool:
        """Whether the host is an address, and no name that has to be resolved."""
        return _literal(self.host) is not None


def parse_url(url: str) -> Target:
    """Take an absolute http(s) URL apart, refusing every spelling that two parsers could read differently.

    Raises AddressForbidden(reason): malformed_url, malformed_host, malformed_port or dot_segment. The reason never
    quotes the URL.
    """
    match = _URL.fullmatch(url)
    if match is None or len(url) > 8_000:
        raise AddressForbidden("malformed_url")
    target = match["target"] or "/"
    path = target.partition("?")[0]
    if _FORBIDDEN_IN_TARGET.search(target):
        raise AddressForbidden("malformed_url")
    if _DOT_SEGMENT.search(path):
        raise AddressForbidden("dot_segment")
    scheme, host = match["scheme"].lower(), match["host"].lower()
    _check_host(host)
    port = int(match["port"] or DEFAULT_PORTS[scheme])
    if port > 65_535:
        raise AddressForbidden("malformed_port")
    origin = f"{scheme}://{host}" + ("" if port == DEFAULT_PORTS[scheme] else f":{port}")
    return Target(scheme, host.strip("[]"), port, origin, path, target)


@lru_cache(maxsize=1024)
def origin_of(url: str) -> str:
    """The origin of a URL as `BankClient` compares it: `https://bank.example`, `http://127.0.0.1:9001`.

    Raises AddressForbidden as `parse_url` does.
    """
    return parse_url(url).origin


def _check_host(host: str) -> None:
    if host.startswith("["):
        if _literal(host.strip("[]")) is None:
            raise AddressForbidden("malformed_host")
        return
    if _NUMERIC_LABEL.fullmatch(host.rpartition(".")[2]):
        # 2130706433, 0x7f.1, 0177.0.0.1 and 127.1 are all 127.0.0.1 to some resolver; only four plain decimals pass.
        if _literal(host) is None:
            raise AddressForbidden("malformed_host")
        return
    if len(host) > 253 or not _NAME.fullmatch(host):
        raise AddressForbidden("malformed_host")


@lru_cache(maxsize=1024)
def _literal(host: str) -> Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def is_public(address: Address) -> bool:
    """True for addresses that lead to the public Internet and nowhere else.

    IPv4-mapped, NAT64 (RFC 6052), 6to4 and Teredo addresses are refused whatever they embed.
    """
    if isinstance(address, ipaddress.IPv4Address):
        return address.is_global and not any(address in net for net in _NEVER_V4)
    if address.scope_id is not None or address not in _UNICAST_V6:
        return False
    return address.is_global and not any(address in net for net in _NEVER_V6)


def verified_addresses(target: Target, resolve: Resolver, *, loopback: bool) -> tuple[str, ...]:
    """Resolve once and return the addresses to connect to, in the resolver's order.

    One bad address among good ones refuses them all: which of them is used would otherwise be the attacker's choice.
    `loopback`: an origin allowed by name to be on this machine; then every address must be a loopback address.
    Raises AddressForbidden(not_public | not_loopback | no_address).
    """
    literal = _literal(target.host)
    texts = [target.host] if literal is not None else list(resolve(target.host, target.port))
    addresses = [_literal(text) for text in texts]
    if not addresses:
        raise AddressForbidden("no_address")
    for address in addresses:
        if address is None or (not address.is_loopback if loopback else not is_public(address)):
            raise AddressForbidden("not_loopback" if loopback else "not_public")
    return tuple(dict.fromkeys(str(address) for address in addresses))


def resolve_system(host: str, port: int) -> list[str]:
    """The system's resolver. Raises OSError (socket.gaierror). It has no timeout of its own: see `banks.pinned`."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    return [str(sockaddr[0]) for _family, _type, _proto, _name, sockaddr in found]
