"""A case that needs our models: measured in a process of its own, on a database with tables and nothing in them.

    "ingest": alone.case("ingest"),       a row of tests.benchmarks.cases: tests/benchmarks/ingest.py

The module has `measure(*, is_quick: bool) -> list[Figure]`, called with Django ready. What it writes to standard error
is progress. PostgreSQL is at settings.DATABASES, Redis at settings.REDIS_URL.
"""

import argparse
import importlib
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from tests.benchmarks import report
from tests.benchmarks.bench import ROOT, Bench
from tests.benchmarks.errors import CannotMeasure
from tests.benchmarks.figures import Figure


def case(name: str) -> Callable[[Bench], list[Figure]]:
    """That module's figures."""

    def measure(bench: Bench) -> list[Figure]:
        result = bench.directory / f"{name}.json"
        quick = ["--quick"] if bench.size.is_quick else []
        done = subprocess.run(
            [sys.executable, "-m", "tests.benchmarks.alone", name, "--result", str(result), *quick],
            cwd=ROOT,
            env=bench.database(name),
            stdin=subprocess.DEVNULL,
            stdout=sys.stderr,
        )
        if done.returncode:
            raise CannotMeasure(f"its process ended with {done.returncode}; the reason is printed above")
        return [report.figure(one) for one in json.loads(result.read_text())]

    return measure


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.alone")
    parser.add_argument("name")
    parser.add_argument("--result", type=Path, required=True)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    import django

    django.setup()
    figures: list[Figure] = importlib.import_module(f"tests.benchmarks.{options.name}").measure(is_quick=options.quick)
    options.result.write_text(json.dumps([report.as_json(one) for one in figures]))


if __name__ == "__main__":
    main()
