"""The web server of an embedded instance as a process of its own, with an instance's own way of starting it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from gateway.child import LIFELINE
from gateway.embedded.processes import Lifeline

ROOT = Path(__file__).resolve().parents[2]
READY_SECONDS = 60.0


class Served:
    """Serves while the block runs; `log` is what it wrote.

    `begun` is told of the process before it has workers; `is_ready` is asked until it says so. Raises RuntimeError,
    with the end of the log, when it does not start.
    """

    def __init__(
        self,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        *,
        log: Path,
        is_ready: Callable[[], bool],
        begun: Callable[[int], None] = lambda process_id: None,
    ) -> None:
        self.log = log
        self._arguments, self._environment = list(arguments), dict(environment)
        self._is_ready, self._begun = is_ready, begun
        self._lifeline = Lifeline()

    @property
    def process_id(self) -> int:
        """Root of the tree of its processes."""
        return self._process.pid

    def __enter__(self) -> Self:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "gateway.child", *self._arguments],
                cwd=ROOT,
                env={**self._environment, LIFELINE: str(self._lifeline.descriptor)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=(self._lifeline.descriptor,),
                process_group=0,
            )
        self._begun(self._process.pid)
        deadline = time.monotonic() + READY_SECONDS
        while not self._is_ready():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self._stop()
                raise RuntimeError(f"the server did not start: {self.log.read_text(errors='replace')[-2000:]}")
            time.sleep(0.05)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stop()

    def _stop(self) -> None:
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self._process.wait()
