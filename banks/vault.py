"""Sealing at rest: a data key per connection, wrapped by a ring of keys that can be rotated.

AES-256-GCM everywhere. The associated data names the row and the field, so that a ciphertext moved to another place
does not open. Destroying a connection's wrapped key destroys everything it sealed.
"""

import base64
import hashlib
import hmac
import os
from dataclasses import dataclass, field
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings

_NONCE_BYTES = 12


class Unsealable(Exception):
    """The ciphertext was altered or moved, or its key is not in the ring."""


def wrap_new_key(owner_id: UUID) -> bytes:
    """A fresh data key for `owner_id`, wrapped by the newest key of the ring: `key id NUL nonce ciphertext`."""
    return _wrap(os.urandom(32), owner_id)


def rewrap(wrapped: bytes, owner_id: UUID) -> bytes:
    """The same data key under the newest key of the ring. Raises Unsealable."""
    return _wrap(_unwrap(wrapped, owner_id), owner_id)


@dataclass(frozen=True, slots=True)
class Vault:
    """Opens and closes what belongs to one owner (a connection or an institution)."""

    owner_id: UUID
    key: bytes = field(repr=False)
    #: Set up once, however many rows are sealed with it.
    _cipher: AESGCM = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_cipher", AESGCM(self.key))

    @classmethod
    def of(cls, owner_id: UUID, wrapped: bytes | memoryview) -> "Vault":
        """Raises Unsealable."""
        return cls(owner_id, _unwrap(bytes(wrapped), owner_id))

    def seal(self, field: str, plain: bytes) -> bytes:
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, plain, self._bound_to(field))

    def open(self, field: str, sealed: bytes | memoryview) -> bytes:
        """Raises Unsealable."""
        kept = bytes(sealed)  # PostgreSQL hands out a memoryview
        try:
            return self._cipher.decrypt(kept[:_NONCE_BYTES], kept[_NONCE_BYTES:], self._bound_to(field))
        except (InvalidTag, ValueError) as error:
            raise Unsealable(field) from error

    def _bound_to(self, field: str) -> bytes:
        return self.owner_id.bytes + field.encode()


def seal_alone(owner_id: UUID, field: str, plain: bytes) -> bytes:
    """For a row without a data key of its own (an institution's signing key): straight under the ring."""
    name, key = _newest()
    nonce = os.urandom(_NONCE_BYTES)
    return name.encode() + b"\0" + nonce + AESGCM(key).encrypt(nonce, plain, owner_id.bytes + field.encode())


def open_alone(owner_id: UUID, field: str, sealed: bytes | memoryview) -> bytes:
    """Raises Unsealable."""
    name, _, rest = bytes(sealed).partition(b"\0")
    try:
        key = _ring()[name.decode()]
        return AESGCM(key).decrypt(rest[:_NONCE_BYTES], rest[_NONCE_BYTES:], owner_id.bytes + field.encode())
    except (KeyError, InvalidTag, ValueError) as error:
        raise Unsealable(field) from error


def reseal(owner_id: UUID, field: str, sealed: bytes | memoryview) -> bytes:
    """What `seal_alone` made, under the newest key of the ring. Raises Unsealable."""
    return seal_alone(owner_id, field, open_alone(owner_id, field, sealed))


def is_under_newest(sealed: bytes) -> bool:
    """Whether it was wrapped or sealed by the newest key of the ring."""
    return sealed.partition(b"\0")[0].decode(errors="replace") == _newest()[0]


def keyed_digest(purpose: str, value: str) -> str:
    """HMAC-SHA-256, hex, under a key derived from the oldest of the ring: recognises a value, tells nothing of it.

    The oldest, because a digest must stay the same after a rotation; so the first key of the ring is never dropped.
    """
    oldest = next(iter(_ring().values()))
    key = hmac.new(oldest, b"digest:" + purpose.encode(), hashlib.sha256).digest()
    return hmac.new(key, value.encode(), hashlib.sha256).hexdigest()


def _wrap(key: bytes, owner_id: UUID) -> bytes:
    return seal_alone(owner_id, "data_key", key)


def _unwrap(wrapped: bytes, owner_id: UUID) -> bytes:
    return open_alone(owner_id, "data_key", wrapped)


def _ring() -> dict[str, bytes]:
    return {name: base64.b64decode(key) for name, key in settings.VAULT_KEYS.items()}


def _newest() -> tuple[str, bytes]:
    return list(_ring().items())[-1]
