"""What a race and its readers tell each other. Standard library only, as the readers are."""

from collections.abc import Sequence
from typing import NamedTuple

#: A read that got no answer at all, where an HTTP status would stand.
NO_ANSWER = 0
WARM = "warm"
STOPPED = "stopped"
#: Stands in every answer with balances or transactions, and in no refusal.
DATA = b'"amount"'


class Ask(NamedTuple):
    """One address and the token to read it with. `target`: whose data it is."""

    target: int
    is_bystander: bool
    path: str
    token: str


class Round(NamedTuple):
    """Read all of `asks` in turn: of each target at least `reads`, and `reads_after` once told that all is stopped."""

    asks: Sequence[Ask]
    reads: int
    reads_after: int


class Read(NamedTuple):
    """Instants in nanoseconds of the machine's monotonic clock, which all its processes share."""

    target: int
    is_bystander: bool
    began_at: int
    ended_at: int
    status: int
    has_data: bool
