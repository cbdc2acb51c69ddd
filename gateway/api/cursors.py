"""Cursors: where a page ended, sealed, and good for one consent, one account and one set of filters only.

AES-SIV (RFC 5297): the binding is its associated data, so a cursor used anywhere else fails to open; without a nonce,
equal pages carry equal cursors.
"""

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

from banks.errors import CursorInvalid
from banks.read import Position
from banks.types import TransactionStatus
from consents.models import Consent

_VERSION = b"\x01"
_TAG_BYTES = 16
_PLAIN_BYTES = 4 + 16  # day, id


@dataclass(frozen=True, slots=True, kw_only=True)
class Binding:
    """All that must be the same on the next page. `revision`: any change of the consent starts the list again."""

    platform_id: UUID
    consent_id: UUID
    revision: int
    account_id: UUID
    start_on: date | None
    end_on: date | None
    status: TransactionStatus | None

    def parts(self) -> Sequence[bytes]:
        words = (self.revision, self.start_on or "", self.end_on or "", self.status or "")
        return [
            _VERSION,
            self.platform_id.bytes,
            self.consent_id.bytes,
            self.account_id.bytes,
            *(str(word).encode() for word in words),
        ]


def binding(
    consent: Consent,
    account_id: UUID,
    *,
    start_on: date | None,
    end_on: date | None,
    status: TransactionStatus | None,
) -> Binding:
    return Binding(
        platform_id=consent.platform_id,
        consent_id=consent.id,
        revision=consent.revision,
        account_id=account_id,
        start_on=start_on,
        end_on=end_on,
        status=status,
    )


def seal(position: Position, bound: Binding) -> str:
    """An opaque string of 71 characters, safe in an address."""
    plain = position.listed_on.toordinal().to_bytes(4, "big") + position.id.bytes
    return seal_bytes(_VERSION, plain, bound.parts())


def open_sealed(text: str, bound: Binding) -> Position:
    """Raises CursorInvalid: not ours, changed, or made for something else."""
    plain = open_bytes(_VERSION, text, bound.parts())
    if len(plain) != _PLAIN_BYTES:
        raise CursorInvalid
    return Position(date.fromordinal(int.from_bytes(plain[:4], "big")), UUID(bytes=plain[4:]))


def seal_bytes(version: bytes, plain: bytes, parts: Sequence[bytes]) -> str:
    """`parts` must be the same when it is opened. `version`, one byte, tells kinds of cursors apart."""
    return _text(version + _cipher().encrypt(plain, list(parts)))


def open_bytes(version: bytes, text: str, parts: Sequence[bytes]) -> bytes:
    """Raises CursorInvalid."""
    sealed = _bytes(text)
    if sealed[:1] != version or len(sealed) <= len(version) + _TAG_BYTES:
        raise CursorInvalid
    try:
        return _cipher().decrypt(sealed[1:], list(parts))
    except InvalidTag:
        raise CursorInvalid from None


def _text(sealed: bytes) -> str:
    return base64.urlsafe_b64encode(sealed).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    try:
        sealed = base64.b64decode(text.encode("ascii") + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return b""
    # One cursor, one spelling: the last character of base64 has bits to spare.
    return sealed if _text(sealed) == text else b""


@lru_cache(maxsize=1)
def _cipher() -> AESSIV:
    return AESSIV(HKDF(hashes.SHA256(), 64, None, b"api-cursor").derive(settings.SECRET_KEY.encode()))
