"""Contestants in turn, round after round: a loaded or throttled machine is so to all of them."""

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from tests.benchmarks import processor
from tests.benchmarks.asks import Ask, send
from tests.benchmarks.errors import Unsound
from tests.benchmarks.load import Client, Outcome
from tests.benchmarks.web import Web

WEB = "web"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """`seconds` of one turn; the clock of the kernel ticks every 10 ms."""

    rounds: int
    seconds: float
    warm_up_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Contestant:
    """`once`: each ask is good for one request."""

    name: str
    web: Web
    asks: Sequence[Ask]
    once: bool = False


@dataclass(slots=True)
class _Course:
    """A contestant on its way: what was not yet asked, and what each turn came to."""

    contestant: Contestant
    asks: list[Ask]
    turns: list["Cost"] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Of one request: processor time in us by part (the web tree, PostgreSQL, Redis), and what a client saw."""

    parts: Mapping[str, float]
    requests: int
    per_second: float
    p50_ms: float
    p99_ms: float

    @property
    def total(self) -> float:
        return sum(self.parts.values())

    @property
    def web(self) -> float:
        return self.parts[WEB]


class Rounds:
    """`stores`: part -> root of a process tree that every contestant uses."""

    def __init__(
        self, client: Client, stores: Mapping[str, int], pace: Pace, say: Callable[[str], None] = lambda text: None
    ) -> None:
        self._client = client
        self._stores = stores
        self._pace = pace
        self._say = say

    def measure(self, contestants: Sequence[Contestant]) -> dict[str, Cost]:
        """By name: each one's median turn. Raises Unsound when any answer was not the one seen before."""
        courses = [_Course(one, _learned(one)) for one in contestants]
        for course in courses:
            self._turn(course, self._pace.warm_up_seconds)
        for number in range(1, self._pace.rounds + 1):
            for course in courses:
                course.turns.append(self._turn(course, self._pace.seconds))
            told = ", ".join(f"{course.contestant.name} {course.turns[-1].total:.0f}" for course in courses)
            self._say(f"round {number} of {self._pace.rounds}, us CPU: {told}")
        return {course.contestant.name: _median(course.turns) for course in courses}

    def _turn(self, course: _Course, seconds: float) -> Cost:
        contestant = course.contestant
        roots = {WEB: contestant.web.process_id, **self._stores}
        before = processor.seconds(roots)
        outcome = self._client.ask(contestant.web.port, course.asks, seconds=seconds, once=contestant.once)
        after = processor.seconds(roots)
        if contestant.once:
            del course.asks[: outcome.requests]
        _require_sound(contestant, outcome)
        return Cost(
            parts={name: (after[name] - before[name]) / outcome.requests * 1_000_000 for name in roots},
            requests=outcome.requests,
            per_second=outcome.requests / outcome.seconds,
            p50_ms=outcome.p50_ms,
            p99_ms=outcome.p99_ms,
        )


def _learned(contestant: Contestant) -> list[Ask]:
    """Every ask with the length of its answer; where each is good for once, the first is spent on it."""
    if not contestant.once:
        return [_seen(contestant, ask) for ask in contestant.asks]
    sample, *others = contestant.asks
    length = _seen(contestant, sample).length
    return [replace(ask, length=length) for ask in others]


def _seen(contestant: Contestant, ask: Ask) -> Ask:
    answer = send(ask, contestant.web.port)
    if answer.status != ask.status:
        raise Unsound(f"{contestant.name}: {ask.method} {ask.path} was answered {answer.status}: {answer.body[:300]!r}")
    return ask.seen(answer)


def _require_sound(contestant: Contestant, outcome: Outcome) -> None:
    if outcome.bad:
        raise Unsound(f"{contestant.name}: {outcome.bad} of {outcome.requests} answers were wrong: {outcome.why[0]}")
    if not outcome.requests:
        raise Unsound(f"{contestant.name}: nothing was left to ask; its pool is too small for this pace")


def _median(turns: Sequence[Cost]) -> Cost:
    """A turn that was, so that its parts add up."""
    middle = statistics.median_low([turn.total for turn in turns])
    return next(turn for turn in turns if turn.total == middle)
