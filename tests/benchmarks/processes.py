"""CPU and memory of process trees, as Linux tells them in /proc."""

import os
from collections.abc import Iterator
from pathlib import Path

_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


def tree(pid: int) -> Iterator[int]:
    """`pid` and all that came of it and lives."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (parts := _stat(int(entry.name))):
            children.setdefault(int(parts[1]), []).append(int(entry.name))
    waiting = [pid]
    while waiting:
        found = waiting.pop()
        yield found
        waiting += children.get(found, [])


def cpu_seconds(pid: int) -> float:
    """utime and stime of the tree, with those of its dead whom their parents have waited for."""
    ticks = 0
    for one in tree(pid):
        if parts := _stat(one):
            ticks += sum(int(part) for part in parts[11:15])
    return ticks / _TICKS_PER_SECOND


def parent(pid: int) -> int:
    parts = _stat(pid)
    if parts is None:
        raise ProcessLookupError(pid)
    return int(parts[1])


def pss_mib(pid: int) -> float:
    """Memory of the tree; a page that several share counts once."""
    kib = 0
    for one in tree(pid):
        try:
            lines = Path(f"/proc/{one}/smaps_rollup").read_text(encoding="ascii").splitlines()
        except (OSError, ValueError):
            continue
        kib += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return kib / 1024


def _stat(pid: int) -> list[str] | None:
    """Fields of /proc/PID/stat from the third on: state, parent ... utime [11], stime, cutime, cstime [14]."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
