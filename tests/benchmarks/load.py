"""The client from the side that gives the orders."""

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.benchmarks import processor
from tests.benchmarks.asks import Ask

ROOT = Path(__file__).resolve().parents[2]
CONNECTIONS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What one order came to. `why`: of the first bad answer."""

    requests: int
    bad: int
    why: list[str]
    seconds: float
    p50_ms: float
    p99_ms: float


class Client:
    """One client process while the block runs, on processors of its own where there are two."""

    def __enter__(self) -> Self:
        _, processors = processor.apart()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.benchmarks.client", ",".join(map(str, sorted(processors)))],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def ask(self, port: int, asks: Sequence[Ask], *, seconds: float, once: bool = False) -> Outcome:
        """Ask in turn for that long; `once`: each at most one time. Raises RuntimeError when the client died."""
        order: dict[str, Any] = {
            "port": port,
            "asks": [ask.as_json() for ask in asks],
            "seconds": seconds,
            "connections": CONNECTIONS,
            "once": once,
        }
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("the client process ended; the reason is printed above")
        return Outcome(**json.loads(line))
