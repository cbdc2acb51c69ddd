"""A page of the documentation, as the tests read it: fenced blocks, inline code, links and headings."""

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = tuple(
    sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *ROOT.glob("docs/**/*.md")], key=lambda file: file.as_posix())
)

_FENCE = re.compile(r"^( *)```(\S*)\s*$")
_CODE = re.compile(r"`([^`\n]+)`")
_LINK = re.compile(r"!?\[(?:[^\]\\]|\\.)*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^(#{1,6}) +(.+?) *#*$")
#: What a fence that holds commands is called; without a word it is one too.
SHELL = frozenset({"", "sh", "shell", "bash", "console"})


@dataclass(frozen=True, slots=True)
class Block:
    """`label`: the words in bold at the beginning of the line before, as **curl** is."""

    language: str
    text: str
    line: int
    label: str


@dataclass(frozen=True, slots=True)
class Markdown:
    """`codes`: inline. `links`: where they lead, as written."""

    name: str  #: path inside the repository
    blocks: tuple[Block, ...]
    codes: tuple[str, ...]
    links: tuple[str, ...]
    anchors: frozenset[str]

    def __str__(self) -> str:
        return self.name

    def commands(self) -> list[str]:
        """Of every shell block: one line each, continued lines joined, what is said about them left out."""
        found = []
        for block in self.blocks:
            if block.language in SHELL:
                found += [line for raw in _joined(block.text) if (line := _bare(raw))]
        return found


def read(file: Path) -> Markdown:
    blocks: list[Block] = []
    prose: list[str] = []
    inside: list[str] | None = None
    language, begun, indent, before = "", 0, 0, ""
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1):
        fence = _FENCE.match(line)
        if fence and inside is None:
            language, begun, indent, inside = fence[2], number, len(fence[1]), []
        elif fence and inside is not None:
            blocks.append(Block(language, "\n".join(inside), begun, _label(before)))
            inside = None
        elif inside is not None:
            inside.append(line[indent:])
        else:
            prose.append(line)
            before = line if line.strip() else before
    assert inside is None, f"{file.name}: the block of line {begun} is never closed"
    text = "\n".join(prose)
    bare = _CODE.sub("", text)
    return Markdown(
        name=file.relative_to(ROOT).as_posix(),
        blocks=tuple(blocks),
        codes=tuple(_CODE.findall(text)),
        links=tuple(_LINK.findall(bare)),
        anchors=_anchors(prose),
    )


def _label(line: str) -> str:
    found = re.match(r"\*\*([^*]+)\*\*", line.strip())
    return found[1] if found else ""


def _joined(text: str) -> list[str]:
    return re.sub(r" *\\\n\s*", " ", text).splitlines()


def _bare(line: str) -> str:
    """Without a comment, and without the words that stand far to the right of some commands."""
    return re.split(r"\s{3,}|\s#\s", line.strip())[0].strip() if not line.strip().startswith("#") else ""


def _anchors(lines: list[str]) -> frozenset[str]:
    """As GitHub makes them: lower case, spaces to dashes, no punctuation; a second one of a name gets a number."""
    counted: dict[str, int] = {}
    found = set()
    for line in lines:
        if heading := _HEADING.match(line):
            words = re.sub(r"[`*]|!?\[|\]\([^)]*\)", "", heading[2]).strip().lower()
            slug = re.sub(r"[^\w\- ]", "", words).replace(" ", "-")
            found.add(slug if slug not in counted else f"{slug}-{counted[slug]}")
            counted[slug] = counted.get(slug, 0) + 1
    return frozenset(found)
