"""What Sluice makes of banks that are slow, hang, drip, fail, or want to be left alone: it waits, and asks no user."""

from functools import partial

import pytest

from banks import sessions
from banks.http.exchanges import HttpLimits
from banks.models import Balance
from banks.sandbox.people import SCENARIOS
from consents import clock
from tests.banks.scenarios.conftest import Play
from tests.banks.scenarios.register import outcome_of
from tests.banks.scenarios.scene import kept
from tests.support import linked

pytestmark = pytest.mark.django_db


@outcome_of("slow")
def test_a_slow_bank_is_waited_for(play: Play) -> None:
    scene = play("slow", seconds=0.1)

    assert scene.sync().status == "COMMITTED"

    assert kept(scene.account) == scene.books(SCENARIOS["slow"].accounts[0])
    assert (scene.standing(), scene.told()) == (("ACTIVE", ""), [])


@pytest.mark.parametrize(("customer", "seconds"), [("hanging", 5.0), ("dripping", 0.2)])
@outcome_of("hanging", "dripping")
def test_an_answer_that_does_not_come_is_given_up_at_our_deadline(
    play: Play, monkeypatch: pytest.MonkeyPatch, customer: str, seconds: float
) -> None:
    scene = play(customer, seconds=seconds)
    # Of a whole answer; 30 seconds as a rule.
    monkeypatch.setattr(sessions, "HttpLimits", partial(HttpLimits, total_deadline_seconds=1.5))

    job = scene.sync()

    assert (job.status, job.error_code) == ("RETRY_WAIT", "upstream_timeout")
    assert scene.standing() == ("DEGRADED", "upstream_timeout")
    assert scene.told() == ["connection.degraded"]
    assert (kept(scene.account), Balance.objects.for_sync().count()) == ({}, 0)
    scene.nobody_was_asked()


@outcome_of("hanging")
def test_a_bank_that_gives_up_on_itself_is_tried_again(play: Play) -> None:
    scene = play("hanging", seconds=0.0)

    job = scene.sync()

    assert (job.status, job.error_code, job.upstream_status) == ("RETRY_WAIT", "institution_down", 504)
    scene.nobody_was_asked()


@pytest.mark.parametrize(("customer", "least", "most"), [("limited", 2, 2), ("limited_silent", 20, 80)])
@outcome_of("limited", "limited_silent")
def test_a_bank_that_lets_every_second_call_wait_is_read_to_the_end(
    play: Play, customer: str, least: int, most: int
) -> None:
    scene = play(customer)

    began, waits = clock.now(), []
    job = scene.sync()
    while job.status == "RETRY_WAIT":
        assert (job.error_code, job.upstream_status) == ("upstream_rate_limited", 429)
        assert scene.connection.status == "RATE_LIMITED"
        waits.append((job.next_attempt_at - began).total_seconds())
        began, job = clock.now(), linked.later(job)

    assert (job.status, job.error_code) == ("COMMITTED", "")
    assert waits and all(least <= wait < most + 20 for wait in waits)
    assert kept(scene.account) == scene.books(SCENARIOS[customer].accounts[0])
    assert scene.account.balances_as_of is not None
    assert scene.standing() == ("ACTIVE", "")
    assert scene.told() == ["connection.degraded", "connection.recovered"]
    scene.nobody_was_asked()


@outcome_of("failing")
def test_a_bank_that_fails_twice_is_tried_again_and_is_complete(play: Play) -> None:
    scene = play("failing")

    job, upstream = scene.sync(), []
    while job.status == "RETRY_WAIT":
        upstream.append((job.error_code, job.upstream_status))
        assert scene.standing() == ("DEGRADED", "institution_down")
        job = linked.later(job)

    assert upstream == [("institution_down", 500), ("institution_down", 503)]
    assert job.status == "COMMITTED"
    assert kept(scene.account) == scene.books(SCENARIOS["failing"].accounts[0])
    assert scene.told() == ["connection.degraded", "connection.recovered"]
    scene.nobody_was_asked()
