"""Where a platform stands in its own log of events, sealed for it alone."""

from uuid import UUID

from banks.errors import CursorInvalid
from gateway.api.cursors import open_bytes, seal_bytes

_VERSION = b"\x03"
_NUMBER_BYTES = 8


def seal(sequence: int, platform_id: UUID) -> str:
    """An opaque string of 34 characters, safe in an address."""
    return seal_bytes(_VERSION, sequence.to_bytes(_NUMBER_BYTES, "big"), [_VERSION, platform_id.bytes])


def open_sealed(text: str, platform_id: UUID) -> int:
    """Raises CursorInvalid: not ours, changed, or another platform's."""
    plain = open_bytes(_VERSION, text, [_VERSION, platform_id.bytes])
    if len(plain) != _NUMBER_BYTES:
        raise CursorInvalid
    return int.from_bytes(plain, "big")
