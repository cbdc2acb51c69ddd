"""ETags: what a platform holds already need not be read and sent again (RFC 9110 sections 8.8.3 and 13.1.2).

A tag is a keyed digest of all that an answer depends on, so it tells nothing, and nobody else's fits. It is weak: a
page that changes while it is read goes out under the tag of before, and is new under the next one.
"""

import base64
from collections.abc import Sequence
from functools import lru_cache
from hashlib import blake2b
from importlib.metadata import version

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.utils.http import parse_etags

from banks.read import Fingerprint
from consents.models import Consent

#: Another release may write the same rows in another form.
_RELEASE = version("sluice")
_DIGEST_BYTES = 16


class Copies:
    """The copies that one request says are held, and the tag of the answer that is made for it."""

    def __init__(self, if_none_match: str | None, consent: Consent) -> None:
        """`if_none_match` is the header as it came; what is no list of tags names none."""
        self.etag: str | None = None  #: of the answer, once it is known; None: it has none
        self._held = {_opaque(tag) for tag in parse_etags(if_none_match)} if if_none_match else set()
        self._parts = [_RELEASE, str(consent.platform_id), str(consent.id), str(consent.revision)]

    def depends_on(self, parts: Sequence[str]) -> None:
        """What else the answer says, beside what was read under the permit."""
        self._parts += parts

    def include(self, fingerprint: Fingerprint) -> bool:
        """Whether one of them is the answer with this fingerprint. `*` is whatever there is."""
        digest = blake2b(key=_key(), digest_size=_DIGEST_BYTES)
        digest.update(repr(self._parts).encode())
        digest.update(fingerprint)
        self.etag = f'W/"{base64.urlsafe_b64encode(digest.digest()).rstrip(b"=").decode()}"'
        return "*" in self._held or _opaque(self.etag) in self._held


def _opaque(tag: str) -> str:
    """For the weak comparison of RFC 9110 section 8.8.3.2, which is If-None-Match's."""
    return tag.removeprefix("W/")


@lru_cache(maxsize=1)
def _key() -> bytes:
    return HKDF(hashes.SHA256(), 32, None, b"api-etag").derive(settings.SECRET_KEY.encode())
