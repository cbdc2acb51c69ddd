"""How many years of school a text takes."""

import re
from collections.abc import Sequence
from html.parser import HTMLParser

_BLOCKS = frozenset({"p", "li", "dt", "dd", "h1", "h2", "h3", "legend", "label", "small", "summary", "button", "a"})


def grade(sentences: Sequence[str]) -> float:
    """Flesch-Kincaid grade level, syllables counted as groups of vowels."""
    found = [word for sentence in sentences for word in re.findall(r"[A-Za-z]+", sentence)]
    syllables = sum(max(len(re.findall(r"[aeiouy]+", re.sub(r"e$", "", word.lower()))), 1) for word in found)
    return 0.39 * len(found) / len(sentences) + 11.8 * syllables / len(found) - 15.59


class _Main(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.blocks: list[str] = []
        self._is_inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "main":
            self._is_inside = True
        if tag in _BLOCKS:
            self.blocks.append("")

    def handle_endtag(self, tag: str) -> None:
        if tag == "main":
            self._is_inside = False
        if tag in _BLOCKS:
            self.blocks.append("")

    def handle_data(self, data: str) -> None:
        if self._is_inside and self.blocks:
            self.blocks[-1] += data


def sentences(html: str) -> list[str]:
    """Of the page's main part: a heading, a label and an item of a list count as sentences too."""
    reader = _Main()
    reader.feed(html)
    parts = [part for block in reader.blocks for part in re.split(r"[.!?:;]", block)]
    return [" ".join(part.split()) for part in parts if re.search(r"[A-Za-z]", part)]
