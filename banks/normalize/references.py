"""Payment references: how one a platform lodged is recognised in a bank's row. Pure."""

import hashlib

#: Shorter ones ("1", "RENT") would match payments that have nothing to do with the platform.
LENGTH_MIN = 8


def reference_digest(reference: str | None) -> str | None:
    """SHA-256, hex, of the reference's letters and digits in one case; None when fewer than LENGTH_MIN of them."""
    if reference is None:
        return None
    kept = "".join(character for character in reference.casefold() if character.isalnum())
    return hashlib.sha256(kept.encode()).hexdigest() if len(kept) >= LENGTH_MIN else None
