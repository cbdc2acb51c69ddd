"""What Sluice makes of a lost login, a consent that ends at the bank, and one that is shorter than was asked for."""

from datetime import timedelta
from typing import Any

import pytest

from banks import clocks, connections, renewal, schedule
from banks.models import Connection
from banks.standing import CHECK_AFTER
from consents import clock
from consents.errors import Denied
from consents.models import Consent
from consents.states import ConnectionStatus, ConsentStatus
from tests.banks.scenarios.conftest import Play
from tests.banks.scenarios.register import outcome_of
from tests.banks.scenarios.scene import ASKS_THE_USER, Scene
from tests.support import linked
from tests.support.linked import SESSION

pytestmark = pytest.mark.django_db


def renew(scene: Scene) -> None:
    """The user logs in at the bank again, from Sluice's own page."""
    address = renewal.start_renewal(
        user_id=scene.user.id, connection_id=scene.connection_id, session_key=SESSION, now=clock.now()
    )
    back = scene.world.at_the_bank(address, scene.customer)
    connections.finish_link(
        user_id=scene.user.id, slug=scene.world.slug, session_key=SESSION, parameters=back, now=clock.now()
    )


@outcome_of("login_lost")
def test_a_lost_login_is_asked_for_once_serves_what_is_stored_and_comes_back_in_place(play: Play) -> None:
    scene = play("login_lost")
    scene.sync()
    before, rows, as_of = scene.ids(), scene.served(), scene.account.transactions_as_of
    scene.turn(1)

    job = scene.sync()

    assert (job.status, job.error_code) == ("FAILED", "reauth_required")
    assert scene.standing() == ("REAUTH_REQUIRED", "reauth_required")
    scene.sync()
    assert scene.told() == [ASKS_THE_USER]
    assert rows and scene.served() == rows
    assert scene.account.transactions_as_of == as_of

    renew(scene)
    job = scene.sync()

    assert (job.status, scene.standing()) == ("COMMITTED", ("ACTIVE", ""))
    assert scene.ids() == before
    assert Connection.objects.count() == 1
    assert scene.account.transactions_as_of != as_of


@pytest.mark.parametrize("paused", [False, True], ids=["shared", "paused"])
@outcome_of("consent_revoked")
def test_access_that_the_customer_ended_at_the_bank_is_noticed_and_no_longer_served(play: Play, paused: bool) -> None:
    scene = play("consent_revoked")
    scene.sync()
    assert scene.served()
    if paused:
        Consent.objects.update(status=ConsentStatus.PAUSED)
    scene.turn(1)
    assert schedule.enqueue_checks(now=clock.now()) == 0
    Connection.objects.update(checked_at=clock.now() - CHECK_AFTER)
    mark = scene.world.mark()

    assert schedule.enqueue_checks(now=clock.now()) == 1
    job = linked.run()

    assert scene.seen(mark).resources == []
    assert (job.status, job.error_code) == ("FAILED", "bank_consent_ended")
    assert scene.standing() == ("REVOKED", "bank_consent_ended")
    assert scene.told() == [ASKS_THE_USER]
    with pytest.raises(Denied):
        scene.served()


@outcome_of("short_consent")
def test_a_consent_that_is_shorter_than_asked_is_told_to_expire_and_then_has(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = play("short_consent")
    job = scene.sync()
    ends_at = scene.connection.consent_expires_at

    assert job.status == "COMMITTED"
    assert ends_at is not None and ends_at - clock.now() <= timedelta(seconds=60)
    assert state(scene, clock.now()) == ConnectionStatus.EXPIRING
    assert scene.served()

    assert state(scene, ends_at) == ConnectionStatus.EXPIRED
    later = ends_at + timedelta(seconds=1)
    monkeypatch.setattr(clock, "now", lambda: later)
    with pytest.raises(Denied):
        scene.served()
    mark = scene.world.mark()
    assert scene.sync().status in ("CANCELLED", "FAILED")
    assert scene.seen(mark).resources == []


def state(scene: Scene, now: Any) -> ConnectionStatus:
    link = scene.connection
    return clocks.connection_state(
        ConnectionStatus(link.status), link.consent_expires_at, link.authentication_expires_at, now
    )
