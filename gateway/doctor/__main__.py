"""`python -m gateway.doctor`, which `python3 run.py doctor` runs with the best Python it has."""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from gateway.doctor import machine, service
from gateway.doctor.finding import Finding, Verdict
from gateway.doctor.machine import Installation

ROOT = Path(__file__).resolve().parents[2]


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(
        prog="run.py doctor",
        description="Look at everything an instance needs, and say of each whether it is well and what to type.",
        epilog="For example: python3 run.py doctor --json. Exit code 1: there is a problem.",
    )
    top.add_argument("--json", action="store_true", help="one JSON object: verdict, and every finding")
    top.add_argument("--data-directory", type=Path, metavar="DIR", help="of which instance (default: var)")
    top.add_argument("--packages", default="current", choices=("current", "stale", "missing"), help=argparse.SUPPRESS)
    return top


def examine(options: argparse.Namespace) -> list[Finding]:
    if options.data_directory:
        os.environ["SLUICE_DATA_DIRECTORY"] = str(options.data_directory.absolute())
        os.environ.pop("SLUICE_SECRETS_DIRECTORY", None)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "gateway.settings")
    data = Path(os.environ.get("SLUICE_DATA_DIRECTORY") or ROOT / "var")
    secrets = Path(os.environ.get("SLUICE_SECRETS_DIRECTORY") or data / "secrets")
    seen = list(machine.examined(Installation(data=data, secrets=secrets, packages=options.packages)))
    if not _nothing_here_yet(data, seen):
        seen += service.examined(machine.issuer_of(machine.running_instance(data)))
    return seen


def _nothing_here_yet(data: Path, seen: Sequence[Finding]) -> bool:
    """Before the first start there are no settings to load, and loading them would make directories."""
    no_secrets = any(one.subject == "secrets" and one.verdict == Verdict.WARNING for one in seen)
    return no_secrets and not (data / "sluice.sqlite3").exists()


def as_text(seen: Sequence[Finding]) -> str:
    width = max(len(one.subject) for one in seen)
    lines = []
    for one in seen:
        lines.append(f"{one.verdict:<8} {one.subject:<{width}}  {one.text}")
        if one.advice:
            lines.append(f"{'':<8} {'':<{width}}  -> {one.advice}")
    return "\n".join(lines)


def main(arguments: list[str]) -> int:
    options = parser().parse_args(arguments)
    seen = examine(options)
    verdict = next(
        (each for each in (Verdict.PROBLEM, Verdict.WARNING) if any(one.verdict == each for one in seen)), Verdict.OK
    )
    if options.json:
        sys.stdout.write(json.dumps({"verdict": verdict, "findings": [asdict(one) for one in seen]}) + "\n")
    else:
        sys.stdout.write(as_text(seen) + "\n")
    return 1 if verdict == Verdict.PROBLEM else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
