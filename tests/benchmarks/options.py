"""What may be typed after `run.py bench`. Standard library only: run.py judges it before anything is installed."""

import argparse
from pathlib import Path

#: Of tests.benchmarks.cases, which need what they measure.
CASES = ("page", "growth", "token", "ingest", "fanout", "start")
ROWS_MIN = 2_000


def row_count(text: str) -> int:
    if not text.isdecimal() or int(text) < ROWS_MIN:
        raise argparse.ArgumentTypeError(f"{text} is no number from {ROWS_MIN} on, which fill a page")
    return int(text)


def parser(of: type[argparse.ArgumentParser] = argparse.ArgumentParser) -> argparse.ArgumentParser:
    top = of(
        prog="run.py bench",
        description="Measure Sluice beside what it is to be held against: a stock Django app, and the limit.",
        epilog="PostgreSQL and Redis are started for the run, unless DATABASE_URL and REDIS_URL name servers on this "
        "machine; its own databases there are named sluice_bench_* and dropped again. docs/benchmarks.md says how it "
        "is measured. The exit code is 0 when all was measured. For example: python3 run.py bench --quick --only page",
    )
    top.add_argument("--quick", action="store_true", help="to see that it works: no figures to quote")
    top.add_argument("--only", nargs="+", choices=CASES, metavar="NAME", help=f"of {', '.join(CASES)}")
    top.add_argument("--rows", type=row_count, metavar="N", help="transactions in the table (default: 1000000)")
    top.add_argument("--json", type=Path, metavar="FILE", help="where the figures go (default: var/benchmarks.json)")
    top.add_argument("--chart", type=Path, metavar="FILE", help="where the chart goes (default: var/benchmark.svg)")
    top.add_argument("--docs", action="store_true", help="renew docs/benchmarks.md, its JSON and its picture")
    top.add_argument("--strict", action="store_true", help="exit with 1 when a goal is missed")
    top.add_argument("--from", dest="origin", type=Path, default=Path.cwd(), help=argparse.SUPPRESS)
    return top
