"""A run as JSON and as the table that is printed."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tests.benchmarks.figures import Baseline, Figure, Goal, Sense


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """`missing`: case -> why it has no figures."""

    machine: Mapping[str, Any]
    run: Mapping[str, Any]
    figures: Sequence[Figure]
    missing: Mapping[str, str]

    @property
    def missed(self) -> list[str]:
        return [one.name for one in self.figures if one.is_met is False]

    def as_json(self) -> dict[str, Any]:
        return {
            "machine": dict(self.machine),
            "run": dict(self.run),
            "figures": [as_json(one) for one in self.figures],
            "missing": dict(self.missing),
        }

    def write(self, file: Path) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(self.as_json(), indent=2, ensure_ascii=False) + "\n")


def read(file: Path) -> Report:
    """What `write` wrote."""
    told = json.loads(file.read_text())
    return Report(
        machine=told["machine"],
        run=told["run"],
        figures=[figure(one) for one in told["figures"]],
        missing=told["missing"],
    )


def as_json(one: Figure) -> dict[str, Any]:
    """With what follows from it: `ratio` and `is_met`."""
    return {**asdict(one), "ratio": one.ratio, "is_met": one.is_met}


def figure(told: dict[str, Any]) -> Figure:
    """What `as_json` told."""
    given = {name: value for name, value in told.items() if name not in ("ratio", "is_met")}
    baseline, goal = given.pop("baseline"), given.pop("goal")
    return Figure(
        **given,
        baseline=None if baseline is None else Baseline(**baseline),
        goal=None if goal is None else Goal(**{**goal, "sense": Sense(goal["sense"])}),
    )


# -- the table ---------------------------------------------------------------------------------------------------------

_TITLES = ("", "measured", "baseline", "ratio", "goal", "")


def table(report: Report) -> str:
    rows = [_TITLES, *(_row(one) for one in report.figures)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_TITLES))]
    lines = [_line(rows[0], widths)]
    for one, row in zip(report.figures, rows[1:], strict=True):
        lines += [_line(row, widths), *(f"    {detail}" for detail in _details(one))]
    lines += [f"{name}: not measured: {why}" for name, why in report.missing.items()]
    return "\n".join(lines)


def heading(report: Report) -> str:
    """Where, when and how it was measured, in three lines."""
    machine, run = report.machine, report.run
    versions = ", ".join(f"{name} {number}" for name, number in machine["versions"].items())
    loaded = " (others were at work: see the ratios, not the figures)" if run["was_loaded"] else ""
    quick = "; a quick run, which shows that it works and nothing else" if run["is_quick"] else ""
    return (
        f"{machine['processor']}, {machine['processors']} processors, {machine['memory_mib']} MiB, "
        f"{machine['system']}\n"
        f"{versions}\n"
        f"{machine['measured_at']}, load {run['load_at_start']} at the start{loaded}; "
        f"{run['rounds']} rounds of {run['seconds']} s each{quick}"
    )


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    """Names to the left, numbers to the right."""
    cells = [
        cell.rjust(width) if column in (1, 3) else cell.ljust(width)
        for column, (cell, width) in enumerate(zip(row, widths, strict=True))
    ]
    return "  ".join(cells).rstrip()


def _row(one: Figure) -> tuple[str, ...]:
    baseline = one.baseline
    return (
        one.name,
        amount(one.value, one.unit),
        "" if baseline is None else f"{baseline.name}: {amount(baseline.value, one.unit)}",
        "" if one.ratio is None else f"{one.ratio:.3f}",
        "" if one.goal is None else _goal(one.goal, one.unit),
        {True: "met", False: "MISSED", None: ""}[one.is_met],
    )


def _goal(goal: Goal, unit: str) -> str:
    return f"{goal.sense} {f'{goal.value:.3f}' if goal.of_ratio else amount(goal.value, unit)}"


def _details(one: Figure) -> list[str]:
    parts = [] if not one.parts else [", ".join(f"{name} {value:.0f}" for name, value in one.parts.items())]
    return [*parts, *([one.note] if one.note else [])]


def amount(value: float, unit: str) -> str:
    """`1 234 us CPU`, `8.2 s`: three digits that say something."""
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2
    number = f"{value:,.{digits}f}".replace(",", " ")
    return f"{number.rstrip('0').rstrip('.') if digits else number} {unit}"
