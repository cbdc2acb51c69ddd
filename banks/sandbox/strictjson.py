"""JSON from strangers, read strictly. Pure."""

import json
from typing import Any


def read(data: bytes | str) -> Any:
    """The value, or ValueError for whatever is not exactly one plain JSON text.

    Refused beyond bad syntax: members given twice (parsers differ in which one they keep), NaN and Infinity (no JSON),
    nesting that exhausts the stack, and lone surrogates (they pass `json.loads` and break every writer after it).
    """
    try:
        value = json.loads(data, object_pairs_hook=_no_doubles, parse_constant=_no_constants)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    # UnicodeEncodeError is a ValueError.
    json.dumps(value, ensure_ascii=False).encode()
    return value


def _no_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member is given twice")
    return members


def _no_constants(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")
