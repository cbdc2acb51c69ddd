"""Log lines of the instance's processes: plain in a file each, and prefixed on stderr unless they are routine.

What was printed when the instance was ready must not scroll away under a line for every request.
"""

import os
import re
import sys
import threading
from pathlib import Path
from typing import BinaryIO

ROTATE_BYTES = 5_000_000
KEPT = 3
#: Only what it is certain of: a traceback, or a line of a program that nobody thought of, is no routine.
_ROUTINE = re.compile(
    r"""
    \{"at":[ ]"[^"]*",[ ]"level":[ ]"(?:DEBUG|INFO)"       # gateway/logs.py
    | \[(?:DEBUG|INFO)\][ ]                               # granian
    | \[WARNING\][ ]Configuration[ ]allows[ ]spawning[ ]   # granian, of threads that mostly wait for a database
    | [A-Z]+[ ]/\S*[ ][1-4]\d\d$                          # a request of the sample platform
    """,
    re.VERBOSE,
)


class Log:
    """One process's lines, in `<directory>/<name>.log` and, but for routine, on stderr.

    Safe to use from several threads.
    """

    _terminal = threading.Lock()  # stderr is shared by all logs

    def __init__(self, directory: Path, name: str) -> None:
        directory.mkdir(mode=0o700, exist_ok=True)
        self.file = directory / f"{name}.log"
        self._writing = threading.Lock()
        self._open()
        self._prefix = f"{name:<6} | "

    def _open(self) -> None:
        _rotate(self.file)
        self._output = self.file.open("ab", buffering=0)

    def line(self, text: str) -> None:
        text = text.rstrip("\n")
        with self._writing:
            if self._output.tell() >= ROTATE_BYTES:
                self._output.close()
                self._open()
            self._output.write(text.encode(errors="replace") + b"\n")
        if not _ROUTINE.match(text):
            with self._terminal:
                to_terminal(self._prefix + text)

    def follow(self, stream: BinaryIO) -> None:
        """Copy `stream` line by line until it ends."""
        for line in stream:
            self.line(line.decode(errors="replace"))


def to_terminal(text: str) -> None:
    """Write a line to stderr; when nobody listens any more, the log files still have it."""
    try:
        print(text, file=sys.stderr, flush=True)
    except OSError:  # the terminal was closed
        nobody_listens(2)
    except ValueError:  # stderr was closed, and its descriptor may be another file's by now
        return


def nobody_listens(descriptor: int) -> None:
    """Point a standard stream at nothing. What it still holds fails again at exit: Python ends with 120."""
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, descriptor)
    os.close(nothing)


def flush_or_forget() -> None:
    """Print what is left of stdout and stderr, if anybody listens: called last, so that the exit code is ours."""
    for descriptor, stream in ((1, sys.stdout), (2, sys.stderr)):
        try:
            stream.flush()
        except OSError:
            nobody_listens(descriptor)
        except ValueError:
            continue


def _rotate(file: Path) -> None:
    if not file.exists() or file.stat().st_size < ROTATE_BYTES:
        return
    for number in range(KEPT, 0, -1):
        older = file.with_name(f"{file.name}.{number}")
        newer = file.with_name(f"{file.name}.{number - 1}") if number > 1 else file
        if newer.exists():
            newer.replace(older)
