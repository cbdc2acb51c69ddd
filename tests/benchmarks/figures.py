"""What a benchmark says: figures, each beside its baseline of the same run and its goal."""

from dataclasses import dataclass
from enum import StrEnum


class Sense(StrEnum):
    AT_MOST = "at most"
    AT_LEAST = "at least"


@dataclass(frozen=True, kw_only=True)
class Goal:
    """`value` bounds the ratio measured/baseline where the figure has a baseline and `of_ratio` is set, else the value
    measured itself, in the figure's unit."""

    sense: Sense
    value: float
    of_ratio: bool = False

    def holds(self, value: float) -> bool:
        return value <= self.value if self.sense is Sense.AT_MOST else value >= self.value


@dataclass(frozen=True, kw_only=True)
class Baseline:
    """What the figure is held against, measured in the same run, in the same unit."""

    name: str
    value: float


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One line of the report. `name` is unique in a run; `unit` as in `us CPU`, `per second`, `MiB PSS`, `s`, `rows`.

    `parts`: what `value` is the sum of, where that tells something (`web`, `PostgreSQL`, `Redis`).
    """

    name: str
    value: float
    unit: str
    baseline: Baseline | None = None
    goal: Goal | None = None
    parts: dict[str, float] | None = None
    note: str = ""

    @property
    def ratio(self) -> float | None:
        return None if self.baseline is None or not self.baseline.value else self.value / self.baseline.value

    @property
    def is_met(self) -> bool | None:
        """None: there is no goal."""
        if self.goal is None:
            return None
        judged = self.ratio if self.goal.of_ratio else self.value
        return judged is not None and self.goal.holds(judged)
