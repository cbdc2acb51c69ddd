"""Cursors of /v1/transactions/sync: how far each connection has been told, sealed for one platform and one consent.

The permit's fingerprint is inside: a cursor that opens and no longer fits is stale, which is not the same as forged.
"""

from collections.abc import Sequence
from uuid import UUID

from banks.errors import CursorInvalid
from banks.read import ChangePosition, Stretch
from consents.models import Consent
from gateway.api.cursors import open_bytes, seal_bytes

_VERSION = b"\x02"
_FINGERPRINT_BYTES = 16
_NUMBER_BYTES = 8
_STRETCH_BYTES = 16 + 3 * _NUMBER_BYTES


def seal(position: ChangePosition, consent: Consent) -> str:
    """An opaque string, safe in an address: 46 characters and 54 for each connection, about."""
    plain = position.fingerprint + b"".join(_packed(*item) for item in sorted(position.stretches.items()))
    return seal_bytes(_VERSION, plain, _bound(consent))


def open_sealed(text: str, consent: Consent) -> ChangePosition:
    """Raises CursorInvalid: not ours, changed, or made for another consent."""
    plain = open_bytes(_VERSION, text, _bound(consent))
    fingerprint, rest = plain[:_FINGERPRINT_BYTES], plain[_FINGERPRINT_BYTES:]
    if len(fingerprint) != _FINGERPRINT_BYTES or len(rest) % _STRETCH_BYTES:
        raise CursorInvalid
    pieces = [rest[start : start + _STRETCH_BYTES] for start in range(0, len(rest), _STRETCH_BYTES)]
    return ChangePosition(fingerprint=fingerprint, stretches=dict(_unpacked(piece) for piece in pieces))


def _bound(consent: Consent) -> Sequence[bytes]:
    return [_VERSION, consent.platform_id.bytes, consent.id.bytes]


def _packed(connection_id: UUID, stretch: Stretch) -> bytes:
    numbers = (stretch.since, stretch.at, stretch.until)
    return connection_id.bytes + b"".join(number.to_bytes(_NUMBER_BYTES, "big", signed=True) for number in numbers)


def _unpacked(piece: bytes) -> tuple[UUID, Stretch]:
    starts = range(16, _STRETCH_BYTES, _NUMBER_BYTES)
    since, at, until = (int.from_bytes(piece[one : one + _NUMBER_BYTES], "big", signed=True) for one in starts)
    return UUID(bytes=piece[:16]), Stretch(since, at, until)
