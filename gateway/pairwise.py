"""Ids as one platform sees them: a keyed permutation of our UUID, so that two platforms' ids join nothing.

One AES block, key by HKDF (RFC 5869) per platform and kind from a root key that never rotates. Opaque strings on
purpose: nine of ten results are no RFC 9562 UUID, and strict clients would reject them as such.
"""

import base64
import re
from collections.abc import Iterable
from functools import lru_cache
from uuid import UUID

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

_SHAPE = re.compile(r"[a-z]{3}_([0-9a-f]{32})\Z")


def encode(kind: str, platform_id: UUID, value: UUID) -> str:
    """`kind` (acc, txn, con) + "_" + 32 hex digits."""
    return encode_all(kind, platform_id, [value])[0]


def encode_all(kind: str, platform_id: UUID, values: Iterable[UUID]) -> list[str]:
    """Many at once: one call into the cipher instead of one each."""
    blocks = b"".join([value.int.to_bytes(16, "big") for value in values])  # as `.bytes`, one call less for each
    if not blocks:
        return []
    text = _cipher(kind, platform_id).encryptor().update(blocks).hex(" ", 16)
    # One pass over all of them instead of a slice for each.
    return f"{kind}_{text.replace(' ', f' {kind}_')}".split(" ")


def decode(kind: str, platform_id: UUID, text: str) -> UUID | None:
    """The UUID behind `text`; None for another shape or kind. A foreign id decodes to a UUID that does not exist."""
    match = _SHAPE.match(text)
    if match is None or not text.startswith(f"{kind}_"):
        return None
    return UUID(bytes=_cipher(kind, platform_id).decryptor().update(bytes.fromhex(match[1])))


@lru_cache(maxsize=4096)
def _cipher(kind: str, platform_id: UUID) -> Cipher[modes.ECB]:
    root = base64.b64decode(settings.PAIRWISE_ROOT_KEY)
    key = HKDF(hashes.SHA256(), 16, None, b"pairwise:" + kind.encode() + platform_id.bytes).derive(root)
    # ECB is right here: one block is one id, and equal ids must give equal strings.
    return Cipher(algorithms.AES(key), modes.ECB())  # noqa: S305
