"""What a job writes is written under its lease and a live consent, or not at all; and locks are taken in one order."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import connections, transaction
from django.db.utils import OperationalError

from banks import fences, job_requests, leases, store
from banks.errors import StaleLease
from banks.held_jobs import Claim
from banks.models import Connection, SyncJob, SyncJobStatus, SyncTrigger
from banks.types import Resource
from consents import lifecycle
from consents.models import Consent
from consents.scopes import Presence, Scope
from tests import environment
from tests.support import cast
from tests.support.cast import NOW
from tests.support.purchases import additions, linked_account, rows

pytestmark = pytest.mark.django_db

ROWS = frozenset({Scope.ACCOUNTS, Scope.BALANCES, Scope.TRANSACTIONS})


class Scene:
    """A consent over one account, and a job that somebody holds."""

    def __init__(self) -> None:
        self.account = linked_account()
        self.bank = self.account.institution
        cast.permissive_policy(self.bank, now=NOW)
        self.platform = cast.platform("chat", now=NOW).platform
        self.consent = self.shared()

    def shared(self) -> Consent:
        return cast.authorised_consent(
            self.account.user, self.platform, ROWS, accounts=[cast.choice(self.account)], now=NOW
        )

    def held(self) -> Claim:
        job_id = job_requests.enqueue(self.account.connection_id, trigger=SyncTrigger.USER_PRESENT, now=NOW)
        held = leases.claim(job_id, now=NOW)
        assert held is not None
        return held

    def write(self, held: Claim, first: int, count: int = 1) -> None:
        """As sync does it. Raises StaleLease, NoLongerNeeded."""
        for chunk in store.writes(self.account.id, additions(first, count), now=NOW):
            with fences.fenced(held, stage="TRANSACTIONS", presence=Presence.PRESENT, now=lambda: NOW) as (
                connection,
                needs,
            ):
                fences.require(needs, self.account.id, Resource.TRANSACTIONS)
                chunk(connection)


def test_a_write_under_a_live_consent_and_lease_is_kept() -> None:
    scene = Scene()

    scene.write(scene.held(), 0)

    assert len(rows(scene.account)) == 1
    assert SyncJob.objects.get().stage == "TRANSACTIONS"


def test_a_write_after_the_consent_ended_leaves_no_trace() -> None:
    scene = Scene()
    held = scene.held()
    cast.revoke(scene.consent, now=NOW)

    with pytest.raises(fences.NoLongerNeeded):
        scene.write(held, 0)

    assert rows(scene.account) == []
    assert (SyncJob.objects.get().stage, Connection.objects.get().change_sequence) == ("ACCOUNTS", 0)


def test_a_write_after_the_lease_was_lost_leaves_no_trace() -> None:
    scene = Scene()
    held = scene.held()
    later = NOW + timedelta(hours=1)
    assert leases.claim(held.job_id, now=later) is not None

    with pytest.raises(StaleLease):
        scene.write(held, 0)

    assert rows(scene.account) == []


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(environment.database() == environment.SQLITE, reason="SQLite has one writer at a time")
def test_writes_and_revocations_never_wait_for_one_another_in_a_circle() -> None:
    """Everyone locks consent, then connection: sync, the user who ends a consent, and who also ends its link."""
    scene, trouble, outcomes = Scene(), list[Exception](), list[str]()

    for number in range(30):
        consent = scene.shared() if number else scene.consent
        held = scene.held()
        _at_once(
            trouble,
            lambda held=held, number=number: outcomes.append(_outcome(lambda: scene.write(held, number * 10, 5))),
            lambda consent=consent: _end(consent, scene.account.connection_id),
        )
        leases.finish(held, SyncJobStatus.COMMITTED, counts={}, error=None, now=NOW)

    assert trouble == []
    assert len(outcomes) == 30
    assert len(rows(scene.account)) == 5 * outcomes.count("written")


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(environment.database() == environment.SQLITE, reason="SQLite has one writer at a time")
def test_in_the_other_order_they_would() -> None:
    """The test above can fail: the connection first, and the first meeting of the two is a deadlock."""
    scene, trouble = Scene(), list[Exception]()
    met = threading.Barrier(2)

    def connection_first() -> None:
        with transaction.atomic():
            Connection.objects.select_for_update(no_key=True).get(id=scene.account.connection_id)
            met.wait()
            Consent.objects.select_for_update(no_key=True).get(id=scene.consent.id)

    def consent_first() -> None:
        with transaction.atomic():
            cast.revoke(scene.consent, now=NOW)
            met.wait()
            Connection.objects.select_for_update(no_key=True).get(id=scene.account.connection_id)

    _at_once(trouble, connection_first, consent_first)

    assert [type(error) for error in trouble] == [OperationalError]
    assert "deadlock" in str(trouble[0])


def _end(consent: Consent, connection_id: UUID) -> None:
    with transaction.atomic():
        lifecycle.revoke(consent_id=consent.id, reason="test", actor=cast.BY_USER, now=NOW)
        Connection.objects.select_for_update(no_key=True).get(id=connection_id)


def _outcome(write: Callable[[], None]) -> str:
    try:
        write()
    except fences.NoLongerNeeded:
        return "not needed"
    return "written"


def _at_once(trouble: list[Exception], *hands: Callable[[], Any]) -> None:
    gate = threading.Barrier(len(hands))

    def pull(hand: Callable[[], Any]) -> None:
        try:
            connections["default"].ensure_connection()
            gate.wait()
            hand()
        except Exception as error:
            trouble.append(error)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(hands)) as pool:
        list(pool.map(pull, hands))
