"""What is called a leak, and what is not."""

import pytest

from tests.race import judging
from tests.race.judging import Stop, Tally
from tests.race.messages import NO_ANSWER, Read

STOP = Stop("user", 100, 200, True)


def judge(began_at: int, ended_at: int, status: int = 200, *, of: Stop = STOP, other: bool = False) -> Tally:
    read = Read(0, other, began_at, ended_at, status, status == 200)
    return judging.judged([read], [of])["user"]


@pytest.mark.parametrize(
    ("began_at", "ended_at", "leaks", "straddling"),
    [(10, 90, 0, 0), (150, 199, 0, 0), (199, 250, 0, 1), (200, 250, 1, 0), (900, 950, 1, 0)],
)
def test_data_leaks_when_its_read_began_at_or_after_the_acknowledgement(
    began_at: int, ended_at: int, leaks: int, straddling: int
) -> None:
    tally = judge(began_at, ended_at)

    assert (tally.leaks, tally.straddling, tally.straddling_served) == (leaks, straddling, straddling)


def test_a_refusal_after_the_acknowledgement_is_what_must_be() -> None:
    tally = judge(300, 350, 401)

    assert (tally.reads, tally.after, tally.leaks, tally.odd) == (1, 1, 0, 0)


def test_an_answer_of_another_kind_is_odd() -> None:
    assert [judge(300, 350, status).odd for status in (NO_ANSWER, 404, 500, 503)] == [1, 1, 1, 1]


def test_a_refusal_before_anybody_asked_is_odd() -> None:
    assert judge(10, 90, 403).odd == 1
    assert judge(10, 110, 403).odd == 0


def test_another_platform_must_go_on_reading_unless_everything_was_stopped() -> None:
    everything = STOP._replace(spares_others=False)

    assert judge(300, 350, other=True).others_refused == 0
    assert judge(300, 350, 401, other=True).others_refused == 1
    assert judge(300, 350, 401, other=True, of=everything).others == 0


def test_a_race_in_which_nothing_was_read_is_no_proof() -> None:
    assert judging.troubles([Tally()]) == ["no read began after an acknowledgement", "no read was served"]


def test_percentiles_are_by_nearest_rank() -> None:
    tally = Tally(acknowledgements_ms=[float(number) for number in range(1, 21)])

    assert [tally.acknowledged_ms(percent) for percent in (50, 95, 100)] == [10.0, 19.0, 20.0]
