"""Web servers to measure: each the same granian with the same arguments as an instance's, and another application."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from gateway.child import LIFELINE
from gateway.embedded.instance import Instance
from gateway.embedded.plan import plan
from gateway.embedded.processes import Lifeline
from tests.benchmarks import processor
from tests.benchmarks.asks import HOST
from tests.benchmarks.errors import CannotMeasure

ROOT = Path(__file__).resolve().parents[2]
READY_SECONDS = 60.0
OURS = "gateway.wsgi:application"


class Web:
    """Serves `application` in the place of an instance's own while the block runs."""

    def __init__(self, name: str, instance: Instance, application: str, environment: Mapping[str, str]) -> None:
        self.name = name
        self.port = instance.port
        self.log = instance.data / "web.log"
        self._lifeline = Lifeline()
        self._environment = dict(environment)
        # As an instance is served, so that contestants differ in nothing but the application.
        self._arguments = plan(instance).web
        self._arguments[self._arguments.index(OURS)] = application

    @property
    def process_id(self) -> int:
        """Root of the tree of its processes."""
        return self._process.pid

    def __enter__(self) -> Self:
        processors, _ = processor.apart()
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
        os.sched_setaffinity(self._process.pid, processors)  # before it starts its workers, which inherit it
        self._wait()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stop()

    def _wait(self) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while not self._listens():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self._stop()
                raise CannotMeasure(f"{self.name} did not start: {self.log.read_text(errors='replace')[-2000:]}")
            time.sleep(0.05)

    def _listens(self) -> bool:
        try:
            socket.create_connection((HOST, self.port), timeout=1).close()
        except OSError:
            return False
        return True

    def _stop(self) -> None:
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self._process.wait()


def free_port() -> int:
    with socket.create_server((HOST, 0)) as probe:
        port: int = probe.getsockname()[1]
        return port
