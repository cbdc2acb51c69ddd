"""What one response holds and the other does not, member by member."""

from typing import Any

#: Ids are the same for one platform, so whole responses can be compared; only the moment of the fetch may differ.
MOMENTS = frozenset({"as_of"})


def paths(value: Any, prefix: str = "") -> dict[str, Any]:
    """Every leaf of a JSON value under its path; list elements under their index."""
    if isinstance(value, dict):
        members = [(f"{prefix}.{name}" if prefix else name, member) for name, member in value.items()]
    elif isinstance(value, list):
        members = [(f"{prefix}[{index}]", member) for index, member in enumerate(value)]
    else:
        return {prefix: value}
    found: dict[str, Any] = {}
    for path, member in members:
        found.update(paths(member, path))
    return found


def difference(wider: Any, narrower: Any) -> tuple[set[str], set[str]]:
    """(names of members only the wider has, paths that contradict). Names are paths without list indexes."""
    left, right = paths(wider), paths(narrower)
    only = {_name(path) for path in left.keys() - right.keys()}
    contradicting = {
        path
        for path in right
        if path.rsplit(".", 1)[-1] not in MOMENTS and (path not in left or left[path] != right[path])
    }
    return only, contradicting


def _name(path: str) -> str:
    return "".join(part for part in _parts(path))


def _parts(path: str) -> list[str]:
    kept: list[str] = []
    inside = False
    for character in path:
        inside = inside or character == "["
        if not inside:
            kept.append(character)
        if character == "]":
            inside = False
    return kept
