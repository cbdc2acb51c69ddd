"""The race in small, on both databases; `run.py race` runs it at full size."""

from collections import Counter

import pytest

from consents.models import AuditEntry
from tests.race import hands, judging
from tests.race.conftest import Served
from tests.race.racing import Size, race

#: So many that every way of every hand has its turn.
ROUNDS = max(Counter(way.hand for way in hands.WAYS).values())


@pytest.mark.django_db(transaction=True)
def test_t20_no_read_that_begins_after_a_stop_was_acknowledged_gets_data(served: Served) -> None:
    tallies = race(Size(reads=400, stops=ROUNDS, readers=3), served(workers=2))

    found = judging.total(tallies.values())
    assert found.leaks == 0
    assert found.reads >= 400
    assert list(tallies) == ["user", "platform", "bank", "operator"]
    for tally in tallies.values():
        assert tally.served and tally.after
        assert len(tally.acknowledgements_ms) == ROUNDS
    assert (found.odd, found.others_refused) == (0, 0)
    assert found.others
    assert AuditEntry.objects.filter(action="consent.revoked").count() >= ROUNDS
