"""`python3 run.py bench`: every figure beside its baseline of the same run and its goal.

The exit code is 0 when all was measured, whether or not each goal is met; `--strict` makes a missed goal exit 1.
"""

import argparse
import os
import shutil
import signal
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from tests.benchmarks import document, machine, stores
from tests.benchmarks.bench import Bench, Size
from tests.benchmarks.cases import CASES
from tests.benchmarks.errors import CannotMeasure, Unsound
from tests.benchmarks.figures import Figure
from tests.benchmarks.load import Client
from tests.benchmarks.options import parser
from tests.benchmarks.report import Report, heading, table

ROOT = Path(__file__).resolve().parents[2]


def parse(arguments: list[str]) -> argparse.Namespace:
    options = parser().parse_args(arguments)
    options.json = options.origin / (options.json or ROOT / "var" / "benchmarks.json")
    options.chart = options.origin / (options.chart or ROOT / "var" / "benchmark.svg")
    return options


class Progress:
    """A line on standard error for each thing that takes its time."""

    def __init__(self) -> None:
        self._began = time.monotonic()

    def __call__(self, text: str) -> None:
        print(f"[{time.monotonic() - self._began:4.0f} s] {text}", file=sys.stderr, flush=True)


def run(options: argparse.Namespace, say: Progress) -> Report:
    """Measure what was asked for. Raises CannotMeasure."""
    load = machine.load()
    if machine.is_loaded(load):
        say(f"the load of this machine is {load}: others are at work, and what is measured now is only roughly right")
    size = Size.of(is_quick=options.quick, rows=options.rows)
    directory = Path(tempfile.mkdtemp(prefix="sluice-bench-"))
    try:
        with ExitStack() as stack:
            say("starting PostgreSQL and Redis")
            servers = stores.running(os.environ.get("DATABASE_URL", ""), os.environ.get("REDIS_URL", ""))
            postgresql, redis = stack.enter_context(servers)
            client = stack.enter_context(Client())
            bench = Bench(size, postgresql=postgresql, redis=redis, client=client, directory=directory, say=say)
            stack.callback(bench.stop_serving)
            figures, missing = _measured(bench, options.only or list(CASES), say)
            return Report(
                machine=machine.described(postgresql=postgresql.version, redis=redis.version),
                run={
                    "rows": size.rows,
                    "rounds": size.pace.rounds,
                    "seconds": size.pace.seconds,
                    "is_quick": size.is_quick,
                    "load_at_start": load,
                    "was_loaded": machine.is_loaded(load),
                },
                figures=figures,
                missing=missing,
            )
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _measured(bench: Bench, names: list[str], say: Progress) -> tuple[list[Figure], dict[str, str]]:
    """A case that cannot be measured does not take the others' figures with it."""
    figures: list[Figure] = []
    missing: dict[str, str] = {}
    for name in [name for name in CASES if name in names]:
        say(f"{name}:")
        try:
            figures += CASES[name](bench)
        except (CannotMeasure, Unsound) as trouble:
            missing[name] = str(trouble)
            say(f"{name} was not measured: {trouble}")
    return figures, missing


def publish(report: Report, options: argparse.Namespace) -> None:
    report.write(options.json)
    drawn = document.picture(report)
    if drawn:
        options.chart.parent.mkdir(parents=True, exist_ok=True)
        options.chart.write_text(drawn)
    if options.docs:
        document.renew(report)


def _terminated(*_: object) -> None:
    raise SystemExit(143)  # unwinds: the servers stop, the databases and the directory go


def main(arguments: list[str]) -> int:
    options = parse(arguments)
    signal.signal(signal.SIGTERM, _terminated)
    try:
        report = run(options, Progress())
    except CannotMeasure as trouble:
        print(trouble, file=sys.stderr)
        return 1
    publish(report, options)
    print(f"{heading(report)}\n\n{table(report)}\n\n{options.json}", flush=True)
    if report.missing:
        return 1
    return 1 if options.strict and report.missed else 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
