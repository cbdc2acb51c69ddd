"""The data directory of one embedded instance: its secrets, its lock, its ports and the environment it hands on."""

import base64
import fcntl
import json
import os
import secrets
import shutil
import socket
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from gateway.embedded.banks import HOST, PretendBank
from gateway.embedded.errors import CannotStart

LOCK = "lock"
FIRST_PORT = 8000
PORTS_TRIED = 100


def _key() -> str:
    return base64.b64encode(secrets.token_bytes(32)).decode()


#: File name (the variable's name in lower case, as pydantic-settings reads a secrets folder) and how it is made.
SECRETS: dict[str, Callable[[], str]] = {
    "sluice_secret_key": lambda: secrets.token_urlsafe(64),
    "sluice_vault_keys": lambda: json.dumps({secrets.token_hex(4): _key()}),
    "sluice_pairwise_root_key": _key,
    "sandbox_control_token": lambda: secrets.token_urlsafe(32),
    "sandbox_card_control_token": lambda: secrets.token_urlsafe(32),
}


#: Whoever tries something out asks again and again: more than a platform in use is allowed, unless the caller says.
_CALLS_PER_MINUTE = {"SLUICE_PLATFORM_CALLS_PER_MINUTE": "6000", "SLUICE_USER_CALLS_PER_MINUTE": "3000"}

#: How many heaps the C library makes for the threads of a process, each of which keeps what it once took. With as many
#: as it likes a worker of 64 threads holds 24 MiB more, and is no faster.
MEMORY = {"MALLOC_ARENA_MAX": "2"}


@dataclass(frozen=True, slots=True)
class Instance:
    data: Path
    port: int
    bank_port: int
    card_port: int
    example_port: int | None = None  #: of the sample platform; None: it does not run

    @property
    def issuer(self) -> str:
        return f"http://{HOST}:{self.port}"

    def banks(self) -> tuple[PretendBank, ...]:
        """Both pretend banks; their control tokens are read from the secrets."""
        return (
            self._bank("first", "bank", self.bank_port, "sandbox_control_token"),
            self._bank("card", "card", self.card_port, "sandbox_card_control_token"),
        )

    def _bank(self, kind: str, process: str, port: int, secret: str) -> PretendBank:
        return PretendBank(
            kind=kind,
            process=process,
            port=port,
            data_directory=str(self.data / process),
            control_token=(self.secrets / secret).read_text(),
        )

    @property
    def logs(self) -> Path:
        return self.data / "logs"

    @property
    def secrets(self) -> Path:
        return self.data / "secrets"

    def environment(self) -> dict[str, str]:
        """What every process of the instance is started with; DATABASE_URL and REDIS_URL pass through.

        Nothing of the banks: each bank's own processes are given its own variables, the service's none.
        """
        return {
            **{name: value for name, value in os.environ.items() if not name.startswith("SANDBOX_")},
            "DJANGO_SETTINGS_MODULE": "gateway.settings",
            "PYTHONUNBUFFERED": "1",  # log lines appear when they are written
            "SLUICE_EMBEDDED": "1",
            "SLUICE_ISSUER": self.issuer,
            "SLUICE_DATA_DIRECTORY": str(self.data),
            "SLUICE_SECRETS_DIRECTORY": str(self.secrets),
            **{name: os.environ.get(name, calls) for name, calls in _CALLS_PER_MINUTE.items()},
            **{name: os.environ.get(name, value) for name, value in MEMORY.items()},
        }


def unwritable(place: Path, error: OSError, option: str) -> str:
    """What a person is told of a place that `option` chose and that cannot be made or written."""
    why = "it is not a directory" if isinstance(error, (FileExistsError, NotADirectoryError)) else error.strerror
    return f"{place} cannot be written: {why}. Choose another {option}."


def lock(data: Path) -> int:
    """Create `data` and lock it until this process ends. Raises CannotStart when another instance holds it.

    Returns the lock's descriptor: it is not inherited, so no child keeps the lock alive.
    """
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    data.chmod(0o700)
    descriptor = os.open(data / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.read(descriptor, 200).decode(errors="replace").strip() or "just starting"
        os.close(descriptor)
        raise CannotStart(
            f"An instance already uses {data} ({holder}). Stop it with Ctrl-C, or choose another --data-directory."
        ) from None
    return descriptor


def sign_lock(descriptor: int, instance: Instance) -> None:
    """Say in the lock file who holds it, for the message the next one gets."""
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"process {os.getpid()}, {instance.issuer}\n".encode(), 0)


def is_ours(data: Path) -> bool:
    """Whether `data` may be emptied: absent, empty, or a data directory that an instance has locked before."""
    return not data.exists() or not any(data.iterdir()) or (data / LOCK).is_file()


def wipe(data: Path) -> None:
    """Delete everything in a locked `data` but the lock, which must stay the same file to keep others out."""
    for entry in data.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        elif entry.name != LOCK:
            entry.unlink()


def make_secrets(directory: Path) -> None:
    """Generate the secrets that are missing; existing ones are never replaced."""
    directory.mkdir(mode=0o700, exist_ok=True)
    directory.chmod(0o700)
    for name, make in SECRETS.items():
        file = directory / name
        if not file.exists():
            write_private(file, make())
        file.chmod(0o600)


def write_private(file: Path, text: str) -> None:
    """A file that only its owner reads; it appears whole or not at all."""
    fresh = file.with_name(f".{file.name}")  # renamed when complete: a half-written key would be taken for a key
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as output:
        output.write(text)
        os.fsync(output.fileno())
    fresh.replace(file)


def choose_ports(wanted: Mapping[str, int | None], first: int) -> dict[str, int]:
    """A port for each option: the wanted one, else the next free one from `first` on. Raises CannotStart.

    What is wanted for one is never given to another, whatever their order.
    """
    asked = [port for port in wanted.values() if port is not None]
    if len(set(asked)) < len(asked):
        raise CannotStart(f"Each needs a port of its own: {', '.join(f'{option} N' for option in wanted)}.")
    chosen: dict[str, int] = {}
    for option, port in wanted.items():
        chosen[option] = choose_port(port, first, option, taken=asked)
        first = chosen[option] + 1
    return chosen


def choose_port(wanted: int | None, first: int, option: str, taken: Collection[int] = ()) -> int:
    """`wanted` when free, else the first free port from `first` on that is not `taken`. Raises CannotStart."""
    if wanted is not None:
        if not 1 <= wanted <= 65535:
            raise CannotStart(f"{option} {wanted} is not a port; choose one between 1 and 65535.")
        if not is_free(wanted):
            raise CannotStart(f"Port {wanted} is in use. Choose another with {option} N.")
        return wanted
    for port in range(first, min(first + PORTS_TRIED, 65536)):
        if port not in taken and is_free(port):
            return port
    raise CannotStart(f"No free port from {first} on. Choose one with {option} N.")


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        # As the servers do: a port that only lingers in TIME_WAIT is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True
