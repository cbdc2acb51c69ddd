"""A real Celery worker on this process's test database, with beat as its thread: started, killed and started again.

    with Worker(spool) as worker:            on the file system; Worker(spool, redis_url=...) on Redis
        worker.kill()                        SIGKILL to its whole group, as a machine that dies
        worker.start()

It works on what it finds: rows must be committed (django_db(transaction=True)), and nobody calls a task.
"""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

from django.db import connections

from gateway.embedded.instance import MEMORY
from tests.support.sandbox_bank import ROOT


class Worker:
    """One worker process. `directory` is its own data directory: spool, and the log that a failure prints."""

    def __init__(
        self,
        directory: Path,
        *,
        redis_url: str = "",
        lease_seconds: int = 4,
        tick_seconds: float = 0.2,
        threads: int = 2,
        beat: bool = True,
        reconcile_seconds: float = 30,
        queues: str = "",
    ) -> None:
        self.directory = directory
        self.redis_url = redis_url
        self.lease_seconds = lease_seconds
        self.tick_seconds = tick_seconds
        self.threads = threads
        self.beat = beat
        self.reconcile_seconds = reconcile_seconds
        self.queues = queues
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def spool(self) -> Path:
        return self.directory / "spool"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.kill()
        if error is not None:
            print(self.log_tail(), file=sys.stderr)

    def start(self) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        command = [
            *(sys.executable, "-m", "celery", "-q", "-A", "gateway", "worker", "-P", "threads"),
            *("-c", str(self.threads), "-l", "WARNING"),
            *("--without-gossip", "--without-mingle", "--without-heartbeat"),
            *(("-Q", self.queues) if self.queues else ()),
        ]
        with (self.directory / "worker.log").open("ab") as log:
            self.process = subprocess.Popen(
                command, cwd=ROOT, env=self._environment(), stdout=log, stderr=log, start_new_session=True
            )

    def kill(self) -> None:
        """SIGKILL to the whole group; safe to call twice."""
        if self.process is None:
            return
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()
        self.process = None

    def tick(self, *, times: int = 1) -> None:
        """Beats of a process that then is gone: what is due is dispatched, whether or not a worker hears it.

        Each of them finds everything undispatched.
        """
        program = (
            "import django; django.setup(); import gateway.celery\n"
            "from banks.models import SyncJob\n"
            "from banks.tasks import tick\n"
            f"for _ in range({times}): SyncJob.objects.update(dispatched_at=None); tick()"
        )
        self.directory.mkdir(parents=True, exist_ok=True)
        subprocess.run([sys.executable, "-c", program], cwd=ROOT, env=self._environment(), check=True)

    def messages(self) -> int:
        """How many wait in the spool."""
        return sum(1 for _ in (self.spool / "messages").glob("*")) if self.spool.exists() else 0

    def lose_messages(self) -> None:
        """Empty the spool, as a disk that was restored from yesterday."""
        for folder in ("messages", "control"):
            shutil.rmtree(self.spool / folder, ignore_errors=True)
            (self.spool / folder).mkdir(parents=True, exist_ok=True)

    def memory_mib(self) -> float:
        """The most it ever held (VmHWM)."""
        assert self.process is not None
        for line in Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii").splitlines():
            if line.startswith("VmHWM"):
                return int(line.split()[1]) / 1024
        return 0.0

    def cpu_seconds(self) -> float:
        assert self.process is not None
        fields = Path(f"/proc/{self.process.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def log_tail(self) -> str:
        file = self.directory / "worker.log"
        return file.read_text(encoding="utf-8", errors="replace")[-6000:] if file.exists() else ""

    def _environment(self) -> dict[str, str]:
        return {
            **os.environ,
            **MEMORY,
            "DATABASE_URL": database_url(),
            "REDIS_URL": self.redis_url,
            "SLUICE_DATA_DIRECTORY": str(self.directory),
            "SLUICE_BEAT_THREAD": "1" if self.beat else "0",
            "SLUICE_RECONCILE_SECONDS": str(self.reconcile_seconds),
            "SLUICE_JOB_LEASE_SECONDS": str(self.lease_seconds),
            "SLUICE_TICK_SECONDS": str(self.tick_seconds),
            "DJANGO_SETTINGS_MODULE": "gateway.settings",
        }


def database_url() -> str:
    """This process's test database, for another process."""
    settings = connections["default"].settings_dict
    if settings["ENGINE"].endswith("sqlite3"):
        return f"sqlite://{quote(str(settings['NAME']))}"
    user, password = quote(settings["USER"]), quote(settings["PASSWORD"])
    port = f":{settings['PORT']}" if settings["PORT"] else ""
    return f"postgresql://{user}:{password}@{port}/{quote(settings['NAME'])}?host={quote(settings['HOST'])}"


def until(condition: Callable[[], bool], *, seconds: float = 20.0) -> float:
    """Wait for it; how long that took. Fails after `seconds`."""
    started = time.monotonic()
    while not condition():
        assert time.monotonic() - started < seconds, "it did not come about"
        time.sleep(0.02)
    return time.monotonic() - started
