"""What came of a race: pure. A leak is an answer with data whose read began after the stop was acknowledged."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any, NamedTuple

from tests.race.messages import Read

_MILLISECOND = 1_000_000
#: Design section 4: the acknowledgement of a stop comes within a second.
ACKNOWLEDGED_WITHIN_MS = 1000.0
REFUSED = frozenset({401, 403})


class Stop(NamedTuple):
    """One stop by one hand; instants as in Read. `spares_others`: another platform of the person goes on reading."""

    hand: str
    began_at: int
    acknowledged_at: int
    spares_others: bool


@dataclass(slots=True)
class Tally:
    """Of one hand. Waits are in milliseconds."""

    reads: int = 0
    served: int = 0  #: with data
    after: int = 0  #: began after the acknowledgement
    leaks: int = 0
    straddling: int = 0  #: began before it, ended after it
    straddling_served: int = 0
    tail_ms: float = 0.0  #: from the acknowledgement to the end of the last answer that still carried data
    odd: int = 0  #: neither data nor a refusal
    others: int = 0  #: reads of another platform, which goes on
    others_refused: int = 0
    acknowledgements_ms: list[float] = field(default_factory=list)

    def add(self, other: "Tally") -> None:
        for one in fields(self):
            mine, theirs = getattr(self, one.name), getattr(other, one.name)
            setattr(self, one.name, max(mine, theirs) if one.name == "tail_ms" else mine + theirs)

    def acknowledged_ms(self, percent: int) -> float:
        """The percentile by nearest rank."""
        ranked = sorted(self.acknowledgements_ms) or [0.0]
        return ranked[max(0, -(-len(ranked) * percent // 100) - 1)]

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def judged(reads: Iterable[Read], stops: Sequence[Stop]) -> dict[str, Tally]:
    """By hand. `stops` stand where `Read.target` points."""
    tallies: dict[str, Tally] = {}
    for stop in stops:
        waited = (stop.acknowledged_at - stop.began_at) / _MILLISECOND
        tallies.setdefault(stop.hand, Tally()).acknowledgements_ms.append(waited)
    for read in reads:
        stop = stops[read.target]
        tally = tallies[stop.hand]
        if read.is_bystander:
            _count_other(tally, read, stop)
        else:
            _count(tally, read, stop)
    return tallies


def _count(tally: Tally, read: Read, stop: Stop) -> None:
    is_served = read.status == 200
    tally.reads += 1
    tally.served += is_served
    tally.odd += read.status not in REFUSED and not (is_served and read.has_data)
    if read.began_at >= stop.acknowledged_at:
        tally.after += 1
        tally.leaks += is_served
    elif read.ended_at > stop.acknowledged_at:
        tally.straddling += 1
        tally.straddling_served += is_served
        if is_served:
            tally.tail_ms = max(tally.tail_ms, (read.ended_at - stop.acknowledged_at) / _MILLISECOND)
    else:
        # Before anybody asked for a stop there is no reason to refuse.
        tally.odd += not is_served and read.ended_at < stop.began_at


def _count_other(tally: Tally, read: Read, stop: Stop) -> None:
    if stop.spares_others:
        tally.others += 1
        tally.others_refused += read.status != 200


def total(tallies: Iterable[Tally]) -> Tally:
    summed = Tally()
    for tally in tallies:
        summed.add(tally)
    return summed


_HEAD = (
    f"{'hand':<10}{'reads':>8}{'served':>8}{'after':>8}{'leaks':>7}{'stops':>7}{'straddling':>12}{'served':>8}"
    f"{'tail':>7}{'acknowledged p50':>19}{'p95':>7}{'max ms':>8}"
)


def table(tallies: dict[str, Tally]) -> str:
    rows = [*tallies.items(), ("all", total(tallies.values()))]
    return "\n".join([_HEAD, *(_line(name, tally) for name, tally in rows)])


def _line(name: str, tally: Tally) -> str:
    waits = [tally.acknowledged_ms(percent) for percent in (50, 95, 100)]
    return (
        f"{name:<10}{tally.reads:>8}{tally.served:>8}{tally.after:>8}{tally.leaks:>7}"
        f"{len(tally.acknowledgements_ms):>7}{tally.straddling:>12}{tally.straddling_served:>8}{tally.tail_ms:>7.0f}"
        f"{waits[0]:>19.0f}{waits[1]:>7.0f}{waits[2]:>8.0f}"
    )


def troubles(tallies: Iterable[Tally]) -> list[str]:
    """What makes a run worthless or wrong beside a leak, as lines; empty when it is sound."""
    found = total(tallies)
    checks = {
        f"{found.odd} reads got neither data nor a refusal": found.odd,
        f"{found.others_refused} of {found.others} reads of another platform were refused": found.others_refused,
        "one acknowledgement in twenty took a second or longer": found.acknowledged_ms(95) >= ACKNOWLEDGED_WITHIN_MS,
        "no read began after an acknowledgement": not found.after,
        "no read was served": not found.served,
    }
    return [line for line, is_so in checks.items() if is_so]


def verdict(leaks: int, reads: int) -> str:
    return f"{leaks} leaks in {reads} reads"
