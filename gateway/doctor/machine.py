"""What can be seen without Django: Python, packages, disk, data directory, secrets, ports, another instance."""

import fcntl
import os
import platform
import shutil
import stat
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from gateway.doctor.finding import Finding, ok, problem, warning
from gateway.embedded.instance import FIRST_PORT, LOCK, SECRETS, is_free

PYTHON_MIN = (3, 11)
FREE_BYTES_MIN = 100 * 2**20
FREE_BYTES_LOW = 2**30
#: Without these no process starts; each is a variable or a file.
NEEDED_SECRETS = tuple(name for name in SECRETS if name.startswith("sluice_"))
_OF_OTHERS = stat.S_IRWXG | stat.S_IRWXO


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """Where things are. `packages`: `current`, `stale` or `missing`, as run.py found the environment."""

    data: Path
    secrets: Path
    packages: str


def examined(installation: Installation) -> Iterator[Finding]:
    yield _python()
    yield _packages(installation.packages)
    yield _disk(installation.data)
    yield _data_directory(installation.data)
    yield from _secrets(installation)
    holder = running_instance(installation.data)
    if holder:
        yield ok("instance", f"runs: {holder}")
    else:
        yield _leftovers(installation.data)
        yield from _ports()


def _python() -> Finding:
    if sys.version_info < PYTHON_MIN:
        return problem("python", f"{platform.python_version()} is too old.", "apt install python3.11")
    return ok("python", platform.python_version())


def _packages(state: str) -> Finding:
    if state == "current":
        return ok("packages", "as the lock file says")
    if state == "stale":
        return warning("packages", "not as the lock file says; the next start installs them.", "python3 run.py")
    return warning("packages", "none are installed yet; the first start does it.", "python3 run.py")


def _disk(data: Path) -> Finding:
    there = next(folder for folder in (data, *data.parents) if folder.is_dir())
    free = shutil.disk_usage(there).free
    text = f"{free / 2**30:.1f} GiB free at {there}"
    if free < FREE_BYTES_MIN:
        return problem("disk", f"{text}: too little to write anything.", f"du -sh {there}/* | sort -h | tail")
    if free < FREE_BYTES_LOW:
        return warning("disk", f"{text}.", f"du -sh {there}/* | sort -h | tail")
    return ok("disk", text)


def _data_directory(data: Path) -> Finding:
    if any(place.is_file() for place in (data, *data.parents)):
        advice = "choose another: python3 run.py --data-directory DIR"
        return problem("data directory", f"{data} is not a directory, and none can be made there.", advice)
    if not data.is_dir():
        return warning("data directory", f"{data} is not there; the first start makes it.", "python3 run.py")
    if not os.access(data, os.W_OK | os.X_OK):
        return problem("data directory", f"{data} cannot be written by you.", f"sudo chown -R $(id -u) {data}")
    if data.stat().st_mode & _OF_OTHERS:
        return warning("data directory", f"others may look into {data}.", f"chmod 700 {data}")
    return ok("data directory", str(data))


def _secrets(installation: Installation) -> Iterator[Finding]:
    folder = installation.secrets
    try:
        missing = [
            name for name in NEEDED_SECRETS if not os.environ.get(name.upper()) and not (folder / name).is_file()
        ]
    except PermissionError:
        yield problem("secrets", f"{folder} cannot be read by you.", f"sudo chown -R $(id -u) {folder}")
        return
    if missing:
        names = ", ".join(name.upper() for name in missing)
        if (installation.data / "sluice.sqlite3").exists() or os.environ.get("DATABASE_URL"):
            advice = f"put them back into {folder} from your backup: without them the data there is stays closed"
            yield problem("secrets", f"{names}: neither set nor in {folder}.", advice)
        else:
            yield warning("secrets", f"{names}: not made yet.", "python3 run.py")
        return
    unreadable = [
        name for name in NEEDED_SECRETS if (folder / name).is_file() and not os.access(folder / name, os.R_OK)
    ]
    if unreadable:
        yield problem("secrets", f"{', '.join(unreadable)} cannot be read by you.", f"sudo chown -R $(id -u) {folder}")
    elif open_to_others := _open_to_others(folder):
        advice = f"chmod 700 {folder} && chmod 600 {folder}/*"
        yield problem("secrets", f"others may read {', '.join(open_to_others)}.", advice)
    else:
        yield ok("secrets", "there, and yours alone" if folder.is_dir() else "set as variables")


def _open_to_others(folder: Path) -> list[str]:
    if not folder.is_dir() or not folder.stat().st_mode & _OF_OTHERS:
        return []
    return sorted(file.name for file in folder.iterdir() if file.is_file() and file.stat().st_mode & _OF_OTHERS)


# -- another instance --------------------------------------------------------------------------------------------------


def running_instance(data: Path) -> str:
    """What the holder of the lock wrote into it (`process 17, http://127.0.0.1:8000`); empty: nobody holds it."""
    try:
        descriptor = os.open(data / LOCK, os.O_RDWR)
    except OSError:
        return ""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return os.read(descriptor, 200).decode(errors="replace").strip() or "just starting"
    finally:
        os.close(descriptor)
    return ""


def issuer_of(holder: str) -> str:
    return holder.rpartition(", ")[2] if "http" in holder else ""


def _leftovers(data: Path) -> Finding:
    lock = data / LOCK
    if lock.is_file() and lock.stat().st_size:
        told = lock.read_text(errors="replace").strip()
        return ok("instance", f"none runs; the lock of the last one ({told}) is nobody's, and the next start takes it")
    return ok("instance", "none runs here")


def _ports() -> Iterator[Finding]:
    for port in range(FIRST_PORT, FIRST_PORT + 3):
        if is_free(port):
            yield ok("port", f"{port} is free")
        else:
            whose = holder_of(port) or "another program"
            yield warning("port", f"{port} is taken by {whose}; a start takes the next.", "python3 run.py --port 8100")


def holder_of(port: int) -> str:
    """`process 17 (nginx)`, where the kernel lets us see it: Linux, and a program of ours; else empty."""
    sockets = {f"socket:[{inode}]" for inode in _listening_inodes(port)}
    for process in Path("/proc").glob("[0-9]*") if sockets else ():
        try:
            if any(str(link.readlink()) in sockets for link in (process / "fd").iterdir()):
                return f"process {process.name} ({(process / 'comm').read_text().strip()})"
        except OSError:
            continue
    return ""


_LISTENING = "0A"


def _listening_inodes(port: int) -> Iterator[str]:
    for table in (Path("/proc/net/tcp"), Path("/proc/net/tcp6")):
        if not table.exists():
            continue
        for line in table.read_text().splitlines()[1:]:
            columns = line.split()
            if columns[3] == _LISTENING and int(columns[1].rpartition(":")[2], 16) == port:
                yield columns[9]
