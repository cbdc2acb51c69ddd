"""Spreads what would happen all at once. The same ids always give the same spread, so that a test can tell it."""

import hashlib
from datetime import timedelta


def jittered(wait: timedelta, *ids: object, percent: int) -> timedelta:
    """`wait`, made longer by less than `percent` of itself; never shorter."""
    digest = hashlib.sha256(":".join(map(str, ids)).encode()).digest()
    thousandths = int.from_bytes(digest[:4], "big") % 1000
    return wait + wait * thousandths * percent / 100_000
