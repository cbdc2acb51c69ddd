"""Processor time and memory of process trees, from /proc. Linux only.

A reading counts what has ended and been reaped too, so that a database backend that went away is not forgotten. The
kernel tells it in ticks of 10 ms: what lies between two readings should be seconds.
"""

import os
from collections import defaultdict
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Stat:
    """One process: `ticks` of its own and of its reaped children, user and system."""

    parent: int
    ticks: int


def stats() -> dict[int, Stat]:
    """Every process there is, by id."""
    found: dict[int, Stat] = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            line = (entry / "stat").read_text(encoding="ascii", errors="replace")
        except (FileNotFoundError, ProcessLookupError):
            continue  # it ended while we looked
        # The name stands in brackets and may hold anything, brackets too.
        fields = line.rpartition(")")[2].split()
        found[int(entry.name)] = Stat(parent=int(fields[1]), ticks=sum(map(int, fields[11:15])))
    return found


def tree(root: int, found: Mapping[int, Stat]) -> list[int]:
    """`root` and all its descendants that live."""
    children: dict[int, list[int]] = defaultdict(list)
    for process_id, stat in found.items():
        children[stat.parent].append(process_id)
    members, waiting = [], [root]
    while waiting:
        process_id = waiting.pop()
        members.append(process_id)
        waiting += children[process_id]
    return members


def seconds(roots: Mapping[str, int]) -> dict[str, float]:
    """Processor seconds so far of each named tree."""
    found = stats()
    return {
        name: sum(found[one].ticks for one in tree(root, found) if one in found) / TICKS_PER_SECOND
        for name, root in roots.items()
    }


def seconds_of(root: int) -> float:
    """Processor seconds so far of one tree."""
    return seconds({"": root})[""]


def pss_mebibytes(root: int) -> float:
    """Memory of the tree; a page that several share counts once."""
    found = 0
    for process_id in tree(root, stats()):
        with suppress(psutil.NoSuchProcess):  # it ended while we looked
            found += psutil.Process(process_id).memory_full_info().pss
    return found / 1024**2


def parent_of(process_id: int) -> int:
    """Raises FileNotFoundError."""
    return int(Path(f"/proc/{process_id}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[1])


def apart() -> tuple[set[int], set[int]]:
    """Processors for the server and for who calls it: different ones where there are two."""
    mine = sorted(os.sched_getaffinity(0))
    return ({mine[0]}, set(mine[1:])) if len(mine) > 1 else (set(mine), set(mine))
