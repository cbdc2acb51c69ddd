"""Text that is safe to keep and to show."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from banks.normalize.text import clean


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        (None, None),
        ("", None),
        ("   ", None),
        ("\x00", None),
        ("\u200b\u200d\ufeff", None),
        ("  TESCO   STORES  ", "TESCO STORES"),
        ("TESCO\tSTORES\r\nLONDON", "TESCO STORES LONDON"),
        ("a\x00b", "ab"),
        ("a\x1bb", "ab"),
        ("a\u200bb", "ab"),
        ("a\u00adb", "ab"),
        ("\u202eevil\u202c", "evil"),
        ("\u2066a\u2069", "a"),
        ("a\u00a0b\u2003c", "a b c"),
        ("a\u2028b\u2029c", "a b c"),
        ("e\u0301", "é"),
        ("\U000e0041a", "a"),
        ("a\ud800b", "ab"),
        ("😀 ok", "😀 ok"),
        ("ﬁ", "ﬁ"),
    ],
)
def test_what_is_left(text: str | None, cleaned: str | None) -> None:
    assert clean(text, length_max=100) == cleaned


def test_text_is_cut_off_at_the_cap_without_a_space_at_the_end() -> None:
    assert clean("abc def", length_max=4) == "abc"
    assert clean("abcdef", length_max=4) == "abcd"


@given(st.text(st.characters(exclude_categories=())), st.integers(1, 50))
def test_cleaned_text_has_nothing_invisible_fits_and_stays_as_it_is(text: str, length_max: int) -> None:
    cleaned = clean(text, length_max=length_max)
    if cleaned is None:
        return

    assert 0 < len(cleaned) <= length_max
    assert not {unicodedata.category(character) for character in cleaned} & {"Cc", "Cf", "Cs", "Co", "Cn"}
    assert cleaned == cleaned.strip()
    assert "  " not in cleaned
    cleaned.encode("utf-8")
    assert clean(cleaned, length_max=length_max) == cleaned
