"""The code that an app for one-time codes would show (RFC 6238: SHA-1, 6 digits, steps of 30 seconds)."""

import base64
import hashlib
import hmac
import struct
import time

STEP_SECONDS = 30
DIGITS = 6


def code(secret: str, at: float | None = None) -> str:
    """`secret` in Base32, as it is shown beside the picture that an app scans; `at` in seconds since 1970."""
    counter = int((time.time() if at is None else at) // STEP_SECONDS)
    key = base64.b32decode(secret + "=" * (-len(secret) % 8), casefold=True)
    digest = hmac.new(key, struct.pack(">Q", counter), hashlib.sha1).digest()
    # Dynamic truncation (RFC 4226 section 5.3).
    offset = digest[-1] & 0x0F
    number: int = struct.unpack(">I", digest[offset : offset + 4])[0] & 0x7FFF_FFFF
    return f"{number % 10**DIGITS:0{DIGITS}d}"
