"""Who is at the other end of the socket. Pure."""

from ipaddress import IPv6Address, ip_address


def is_loopback(address: str) -> bool:
    """Whether the peer is on this machine; False for what is no address. An IPv4 address inside IPv6 is taken out."""
    try:
        peer = ip_address(address)
    except ValueError:
        return False
    mapped = peer.ipv4_mapped if isinstance(peer, IPv6Address) else None
    return (mapped or peer).is_loopback
