"""A race that finds nothing proves something only if it finds what is there."""

import pytest

from consents.lifecycle import changing
from tests.race import judging
from tests.race.conftest import Served
from tests.race.mutants import CACHED, NO_CHECK
from tests.race.racing import Size, race

#: Of each hand one stop.
ONCE = Size(reads=48, stops=1, readers=2)

pytestmark = pytest.mark.django_db(transaction=True)


def test_t20_without_the_check_of_the_consent_every_hand_leaks(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changing, "end_tokens", lambda *_: None)  # the stops that happen here, not in the server

    tallies = race(ONCE, served(NO_CHECK))

    assert all(tally.leaks for tally in tallies.values()), judging.table(tallies)


def test_t20_with_the_check_kept_for_a_second_there_are_leaks(served: Served) -> None:
    tallies = race(Size(reads=96, stops=2, readers=2), served(CACHED))

    # Not of every hand: what was looked up a second before the stop is looked up again right after it.
    assert judging.total(tallies.values()).leaks
