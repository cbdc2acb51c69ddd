"""Processes of the embedded instance: each in a group of its own, restarted when it dies, gone when we are."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import IO, BinaryIO

from gateway.child import LIFELINE
from gateway.embedded.errors import CannotStart, KeepsDying
from gateway.embedded.logs import Log

ROOT = Path(__file__).resolve().parent.parent.parent
DEATHS_ALLOWED = 5
DEATHS_WINDOW_SECONDS = 60.0
BACKOFF_SECONDS = (0.2, 0.5, 1.0, 2.0, 4.0)
STOP_SECONDS = 8.5  # Ctrl-C promises ten


class Lifeline:
    """A pipe whose far end the children watch: it closes when this process ends, even by kill -9."""

    def __init__(self) -> None:
        # The write end is never inherited and never written to.
        self.descriptor, self._held = os.pipe()


def spawn(
    arguments: list[str], environment: dict[str, str], lifeline: Lifeline, *, merge_stderr: bool
) -> subprocess.Popen[bytes]:
    """Start `python -m <arguments>` tied to the lifeline, its output in pipes."""
    return subprocess.Popen(
        [sys.executable, "-m", "gateway.child", *arguments],
        cwd=ROOT,
        env={**environment, LIFELINE: str(lifeline.descriptor)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT if merge_stderr else subprocess.PIPE,
        pass_fds=(lifeline.descriptor,),
        process_group=0,
    )


def signal_group(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    try:
        os.killpg(process.pid, number)
    except (ProcessLookupError, PermissionError):  # gone; macOS says EPERM for a group of zombies
        return


class Service:
    """A process that is to run for ever."""

    def __init__(
        self, name: str, arguments: list[str], environment: dict[str, str], lifeline: Lifeline, log: Log
    ) -> None:
        self.name = name
        self.log = log
        self._arguments = arguments
        self._environment = environment
        self._lifeline = lifeline
        self._process: subprocess.Popen[bytes] | None = None
        self._deaths: deque[float] = deque(maxlen=DEATHS_ALLOWED)
        self._start_at = 0.0

    @property
    def process_id(self) -> int | None:
        """None while it is not running."""
        return None if self._process is None else self._process.pid

    def tend(self) -> None:
        """Start the process if it is due, notice its death. Raises KeepsDying, CannotStart."""
        now = time.monotonic()
        if self._process is None:
            if now >= self._start_at:
                self._start()
        elif self._process.poll() is not None:
            self._bury(self._process, now)

    def _start(self) -> None:
        self._process = spawn(self._arguments, self._environment, self._lifeline, merge_stderr=True)
        _in_background(self.log.follow, self._process.stdout)

    def _bury(self, process: subprocess.Popen[bytes], now: float) -> None:
        # What it started may still hold its port.
        signal_group(process, signal.SIGKILL)
        self._process = None
        if process.returncode == os.EX_CONFIG:  # its own word that starting it again would bring nothing
            raise CannotStart(f"Setting up failed in {self.name}. See {self.log.file}.")
        self._deaths.append(now)
        recent = sum(1 for death in self._deaths if now - death <= DEATHS_WINDOW_SECONDS)
        if recent >= DEATHS_ALLOWED:
            raise KeepsDying(
                f"{self.name} died {recent} times within a minute (last: {ending(process.returncode)}). "
                f"See {self.log.file}."
            )
        delay = BACKOFF_SECONDS[recent - 1]
        self._start_at = now + delay
        self.log.line(f"ended unexpectedly ({ending(process.returncode)}); starting again in {delay} s")

    def terminate(self) -> None:
        if self._process is not None:
            signal_group(self._process, signal.SIGTERM)

    def kill(self) -> None:
        """Kill what is left of the group, whether or not its first process still lives."""
        if self._process is not None:
            signal_group(self._process, signal.SIGKILL)

    def ended(self) -> bool:
        return self._process is None or self._process.poll() is not None


class Task:
    """A process that does one thing and ends; its stdout is kept in memory and never logged."""

    def __init__(
        self, name: str, arguments: list[str], environment: dict[str, str], lifeline: Lifeline, log: Log
    ) -> None:
        self.name = name
        self.log = log
        self._process = spawn(arguments, environment, lifeline, merge_stderr=False)
        self._kept: list[bytes] = []
        self._readers = [
            _in_background(log.follow, self._process.stderr),
            _in_background(self._keep, self._process.stdout),
        ]

    def _keep(self, stream: BinaryIO) -> None:
        self._kept.extend(stream)

    def has_said(self, line: str) -> bool:
        """Whether `line` is among what it printed so far."""
        return f"{line}\n".encode() in self._kept

    def returncode(self) -> int | None:
        return self._process.poll()

    def output(self) -> str:
        """All of stdout, once the process has ended."""
        for reader in self._readers:
            reader.join(5)
        return b"".join(self._kept).decode(errors="replace")

    def kill(self) -> None:
        signal_group(self._process, signal.SIGKILL)


def _in_background(work: Callable[[BinaryIO], None], stream: IO[bytes] | None) -> threading.Thread:
    thread = threading.Thread(target=work, args=(stream,), daemon=True)
    thread.start()
    return thread


def ending(returncode: int) -> str:
    """`signal 9` or `exit code 1`."""
    return f"signal {-returncode}" if returncode < 0 else f"exit code {returncode}"


def stop_all(services: list[Service], in_a_hurry: Callable[[], bool]) -> None:
    """Ask every service to end, and kill what has not within STOP_SECONDS, or as soon as someone is in a hurry."""
    for service in services:
        service.terminate()
    deadline = time.monotonic() + STOP_SECONDS
    while not all(service.ended() for service in services):
        if time.monotonic() > deadline or in_a_hurry():
            break
        time.sleep(0.05)
    for service in services:
        if not service.ended():
            service.log.line("did not stop in time; killed")
        service.kill()
