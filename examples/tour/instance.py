"""An instance of its own: free ports, a temporary directory, gone afterwards."""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
STOP_SECONDS = 20


class DidNotStart(Exception):
    """The instance ended before it was ready; its log says why."""


@contextmanager
def running(*options: str) -> Iterator[dict[str, Any]]:
    """Start an instance with these options; what it printed with --json, and `directory`, in which its `var` is.

    Raises DidNotStart.
    """
    with tempfile.TemporaryDirectory(prefix="sluice-tour-") as directory:
        command = [
            *(sys.executable, "-m", "gateway.supervisor", "--json"),
            *("--data-directory", f"{directory}/var", "--port", str(_free_port())),
            *options,  # of an option given twice the last counts
        ]
        log = Path(directory) / "instance.log"
        with log.open("wb") as errors:
            process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=errors, env=_environment())
        try:
            yield {**_described(process, log), "directory": directory}
        finally:
            _stop(process)


def _environment() -> dict[str, str]:
    """The tour shows the embedded default, whatever servers the caller has configured.

    Only the lease is shorter, so that one need not wait a minute for the worker that takes over from a killed one.
    """
    kept = {name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "REDIS_URL")}
    return {**kept, "SLUICE_JOB_LEASE_SECONDS": "12"}


def _described(process: subprocess.Popen[bytes], log: Path) -> dict[str, Any]:
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line.strip():
        raise DidNotStart(log.read_text(errors="replace")[-2000:])
    described: dict[str, Any] = json.loads(line)
    return described


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGINT)
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _free_port() -> int:
    """One whose two successors are free too: the pretend banks take them."""
    while True:
        with socket.socket() as first, socket.socket() as second, socket.socket() as third:
            first.bind(("127.0.0.1", 0))
            port: int = first.getsockname()[1]
            try:
                second.bind(("127.0.0.1", port + 1))
                third.bind(("127.0.0.1", port + 2))
            except (OSError, OverflowError):
                continue
            return port
