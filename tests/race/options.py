"""What may be typed after `run.py race`. Standard library only: run.py judges it before anything is installed."""

import argparse

from tests.race.mutants import MUTANTS

SQLITE, POSTGRESQL = "sqlite", "postgresql"


def positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text} is no number from 1 on")
    return int(text)


def parser(of: type[argparse.ArgumentParser] = argparse.ArgumentParser) -> argparse.ArgumentParser:
    top = of(
        prog="run.py race",
        description="Read as fast as possible while each of the four hands (user, platform, bank, operator) stops "
        "consents, and look for an answer with data whose read began after the stop was acknowledged.",
        epilog="The last line is `L leaks in N reads`. The exit code is 0 only when L is 0 and the race was sound. "
        "For example: python3 run.py race --database sqlite --reads 2000",
    )
    top.add_argument("--reads", type=positive, default=20_000, metavar="N", help="on each database (default: 20000)")
    top.add_argument("--revocations", type=positive, default=200, metavar="N", help="by each hand (default: 200)")
    top.add_argument("--database", choices=[SQLITE, POSTGRESQL, "both"], default="both", help="default: both")
    top.add_argument("--mutant", choices=sorted(MUTANTS), default="", help="a server with a hole: must leak")
    top.add_argument("--readers", type=positive, default=6, metavar="N", help="reading processes (default: 6)")
    top.add_argument("--workers", type=positive, default=2, metavar="N", help="of the web server (default: 2)")
    return top
