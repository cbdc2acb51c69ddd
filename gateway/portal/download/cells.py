"""Cells of a CSV file that a spreadsheet takes for what they are. Pure."""

import json
import re
from collections.abc import Mapping, Sequence

#: What makes a spreadsheet run a cell (OWASP, CSV injection), also in the full width that some of them accept.
_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
_NUMBER = re.compile(r"-?\d+(\.\d+)?", re.ASCII)


def cell(value: object) -> str:
    """Empty for unknown; lists of words joined by "; ", deeper values as JSON."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Sequence) and not isinstance(value, str):
        joined = all(isinstance(one, str) for one in value)
        return harmless("; ".join(map(str, value)) if joined else json.dumps(value, ensure_ascii=False))
    if isinstance(value, Mapping):
        return harmless(json.dumps(value, ensure_ascii=False))
    return harmless(str(value))


def harmless(text: str) -> str:
    """With an apostrophe in front where a spreadsheet would otherwise run it. Numbers stay numbers."""
    if _NUMBER.fullmatch(text) or not text.lstrip(" ").startswith(_STARTS):
        return text
    return f"'{text}"
