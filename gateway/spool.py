"""kombu's file system transport, with files that are whole from the moment a reader can see them.

kombu opens a message under its final name and then writes it. A reader that comes between takes it empty: the message
is lost, and the worker ends with a JSONDecodeError. An exchange's table has the same gap. Here both are written under a
name that no reader looks for and renamed into place.
"""

import contextlib
import fcntl
import logging
import os
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import Empty
from time import monotonic
from typing import Any

from kombu.exceptions import ChannelError
from kombu.transport import filesystem
from kombu.transport.filesystem import exchange_queue_t
from kombu.utils.json import dumps, loads

logger = logging.getLogger(__name__)

Table = list[exchange_queue_t]


class Channel(filesystem.Channel):
    """Messages are `<milliseconds>_<uuid>.<queue>.msg` as in kombu; a leading dot hides those unfinished or taken."""

    def _put(self, queue: str, payload: Any, **kwargs: Any) -> None:  # type: ignore[override]  # its name, in the stubs
        name = f"{round(monotonic() * 1000)}_{uuid.uuid4()}.{queue}.msg"
        write_whole(Path(self.data_folder_out) / name, dumps(payload))

    def _get(self, queue: str, timeout: float | None = None) -> Any:
        """The next message. Raises Empty.

        Of several readers only one can rename a file. It stays in its folder: kombu moves it to the system's temporary
        directory, which may be another file system, where moving is copying and two readers may both succeed.
        """
        for file in sorted(Path(self.data_folder_in).iterdir()):
            if file.name.partition(".")[2] != f"{queue}.msg":
                continue
            taken = file.with_name(f".{file.name}")
            try:
                file.rename(taken)
            except FileNotFoundError:
                continue  # another reader was faster
            text = taken.read_bytes()
            taken.unlink()
            try:
                return loads(text)
            except ValueError:  # after a power cut, say; the worker must outlive it
                logger.warning("An unreadable message was dropped; the database still knows what is due.")
        raise Empty

    def _queue_bind(self, exchange: str, routing_key: str, pattern: str | None, queue: str) -> None:
        entry = exchange_queue_t(routing_key or "", pattern or "", queue or "")
        self._change_table(exchange, lambda table: table if entry in table else [entry, *table])

    def _delete(self, queue: str, exchange: str, routing_key: str, pattern: str, *args: Any, **kwargs: Any) -> None:
        # Past kombu's own: it rewrites the table in place, and would lock a file that is about to be replaced.
        super(filesystem.Channel, self)._delete(queue, exchange, routing_key, pattern, *args, **kwargs)
        entry = exchange_queue_t(routing_key or "", pattern or "", queue or "")
        self._change_table(exchange, lambda table: [each for each in table if each != entry])

    def _change_table(self, exchange: str, change: Callable[[Table], Table]) -> None:
        file: Path = self._exchange_file(exchange)  # type: ignore[attr-defined]  # the stubs lag behind; it checks the name
        self.control_folder.mkdir(exist_ok=True)
        with locked(self.control_folder):
            table = self.get_table(exchange)
            changed = change(table)
            if changed != table:
                write_whole(file, dumps(changed))


class Transport(filesystem.Transport):
    """The file system transport over that channel."""

    Channel = Channel

    @property
    def default_connection_params(self) -> dict[str, Any]:
        """None: a directory has no host, and kombu would warn at every start that none was given."""
        return {}


def sweep(folder: Path, *, before: float) -> int:
    """Remove hidden files last written before that second of the epoch; how many. Their writer or reader died with
    half a message; a living one holds such a file for an instant."""
    removed = 0
    for file in folder.glob(".*"):
        try:
            if file.stat().st_mtime < before:
                file.unlink()
                removed += 1
        except FileNotFoundError:
            continue  # it was a living one's
    return removed


def write_whole(file: Path, text: str) -> None:
    """Write `text` so that `file` is never seen in part. Raises ChannelError, and leaves nothing behind then."""
    unfinished = file.with_name(f".{uuid.uuid4()}.new")
    try:
        unfinished.write_text(text, encoding="utf-8")
        unfinished.replace(file)
    except OSError as error:
        unfinished.unlink(missing_ok=True)
        raise ChannelError(f"Cannot write {file}") from error


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold a lock on the folder itself: its files are replaced, and a lock on one of them would be on its past."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
