"""The web server of an embedded instance, with its own arguments but several workers, on a database that is there."""

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
from gateway.embedded.banks import HOST
from gateway.embedded.instance import Instance, make_secrets
from gateway.embedded.plan import plan
from gateway.embedded.processes import Lifeline
from gateway.embedded.readiness import answers

ROOT = Path(__file__).resolve().parents[2]
READY_SECONDS = 60.0


def instance_in(data: Path) -> Instance:
    """An instance with secrets and a free port; its banks are never started."""
    data.mkdir(mode=0o700, exist_ok=True)
    with socket.create_server((HOST, 0)) as probe:
        port = probe.getsockname()[1]
    instance = Instance(data, port, 0, 0)
    make_secrets(instance.secrets)
    return instance


#: Who is refused for asking too often proves nothing about consents.
_NO_LIMITS = {f"SLUICE_{whose}_CALLS_PER_MINUTE": "100000000" for whose in ("PLATFORM", "USER", "TOKEN", "FAILED")}


class Server:
    """Serves while the block runs; `log` is what it wrote. `mutant`: one of tests.race.mutants, or empty."""

    def __init__(
        self, instance: Instance, *, workers: int, mutant: str = "", environment: Mapping[str, str] | None = None
    ) -> None:
        self.instance = instance
        self.log = instance.data / "web.log"
        self._lifeline = Lifeline()
        self._environment = {
            **instance.environment(),
            **_NO_LIMITS,
            **(environment or {}),
            "SLUICE_RACE_MUTANT": mutant,
        }
        self._arguments = plan(instance).web
        self._arguments[self._arguments.index("--workers") + 1] = str(workers)
        if mutant:
            self._arguments[self._arguments.index("gateway.wsgi:application")] = "tests.race.wsgi:application"

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
        deadline = time.monotonic() + READY_SECONDS
        while not answers(f"{self.instance.issuer}/livez"):  # its database may have no migrations to be ready with
            if self._process.poll() is not None or time.monotonic() > deadline:
                self._stop()
                raise RuntimeError(f"the server did not start: {self.log.read_text()[-2000:]}")
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
