"""Text as banks write it, safe to store, compare and show. Pure."""

import unicodedata

# Cc controls, Cf format characters (zero width, directions, tags), Cs surrogates, Co private use, Cn unassigned.
_INVISIBLE = frozenset(("Cc", "Cf", "Cs", "Co", "Cn"))
# They separate words, so they become a space before the rest of their category goes.
_SEPARATORS = frozenset("\t\n\v\f\r\x1c\x1d\x1e\x1f\x85")


def clean(text: str | None, *, length_max: int) -> str | None:
    """NFC, one line, single spaces, nothing invisible, at most `length_max` characters. Nothing left is None.

    Zero-width and direction characters (U+200B.., U+202A.., U+2066..) go: with them two names look alike and differ, or
    a line reads backwards. NUL goes: PostgreSQL refuses it and SQLite does not.
    """
    if text is None:
        return None
    if text.isascii() and text.isprintable():
        visible = text
    else:
        spaced = "".join(" " if character in _SEPARATORS else character for character in text)
        kept = "".join(character for character in spaced if unicodedata.category(character) not in _INVISIBLE)
        visible = unicodedata.normalize("NFC", kept)
    return " ".join(visible.split())[:length_max].rstrip() or None
