"""The race: round after round, readers read some targets while each hand stops one of them at some instant."""

import math
import random
import time
from collections.abc import Callable
from dataclasses import dataclass

from consents import clock
from tests.race import hands, judging, targets
from tests.race.hands import Service, Way
from tests.race.judging import Stop, Tally
from tests.race.messages import Ask, Round
from tests.race.readers import Readers
from tests.race.targets import Target

#: Seconds at most between two stops of a round, so that they fall anywhere in the life of a read.
PAUSE_MAX = 0.03


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """`reads` in all, at least; `stops` by each hand; `readers` are processes."""

    reads: int
    stops: int
    readers: int

    @property
    def reads_a_round(self) -> int:
        """Of one target, by one reader."""
        return math.ceil(self.reads / self.stops / len(hands.HANDS) / self.readers)


Progress = Callable[[int, dict[str, Tally]], None]


def race(size: Size, service: Service, progress: Progress = lambda number, tallies: None) -> dict[str, Tally]:
    """By hand. `progress` is called after every round with its number, from 1, and what there is so far."""
    tallies = {hand: Tally() for hand in hands.HANDS}
    other = targets.bystander(clock.now())
    with Readers(size.readers, service.host, service.port) as readers:
        for number in range(size.stops):
            ways = [hands.way_of(hand, number) for hand in hands.HANDS]
            aims = [targets.make(index, other, clock.now()) for index, _ in enumerate(ways)]
            for hand, tally in _round(ways, aims, size, service, readers).items():
                tallies[hand].add(tally)
            progress(number + 1, tallies)
    return tallies


def _round(ways: list[Way], aims: list[Target], size: Size, service: Service, readers: Readers) -> dict[str, Tally]:
    asks: list[Ask] = [ask for target in aims for ask in target.asks]
    readers.begin(Round(asks, size.reads_a_round, 2))
    stops: dict[int, Stop] = {}
    for index in random.sample(range(len(ways)), len(ways)):
        time.sleep(random.uniform(0, PAUSE_MAX))
        stops[index] = _stop(ways[index], aims[index], service)
    return judging.judged(readers.finish(), [stops[index] for index in range(len(ways))])


def _stop(way: Way, target: Target, service: Service) -> Stop:
    began_at = time.monotonic_ns()
    way.do(target, service)
    return Stop(way.hand, began_at, time.monotonic_ns(), way.spares_others)
