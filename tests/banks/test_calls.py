"""What is counted of a bank's day: the calls that were made, though some are counted before others that fail."""

from collections import Counter
from datetime import timedelta

import pytest

from banks import calls
from banks.connector import Credentials
from banks.errors import BankUnavailable
from banks.models import Account, Connection, FetchRecord, SyncJob, SyncJobStatus, SyncTrigger
from tests.support import linked
from tests.support.scripted_bank import NOW, Scene, ScriptedConnector, ago, purchase

pytestmark = pytest.mark.django_db

RENEWED = Credentials(access_token="new", access_expires_at=NOW + timedelta(days=9), refresh_token="second")


@pytest.fixture
def scene(monkeypatch: pytest.MonkeyPatch) -> Scene:
    """One account, of which the bank has something to say; it has just been asked for its consent."""
    made = Scene(monkeypatch, history_days=60)
    made.bank.book(*(purchase(number, day=ago(number)) for number in range(1, 9)))
    Connection.objects.update(checked_at=made.now)
    return made


class TokenEndpoint:
    """Of the bank: down until it is mended."""

    def __init__(self, scene: Scene, monkeypatch: pytest.MonkeyPatch, *, is_down: bool) -> None:
        self.is_down = is_down
        expired = Credentials(access_token="old", access_expires_at=scene.now, refresh_token="first")
        linked.replace_credentials(scene.connection, expired)

        def refresh(connector: ScriptedConnector) -> Credentials:
            connector.books.called("refresh")
            if self.is_down:
                raise BankUnavailable("5xx", upstream_status=503)
            return RENEWED

        monkeypatch.setattr(ScriptedConnector, "refresh", refresh, raising=False)


def counted() -> Counter[str]:
    return Counter(FetchRecord.objects.values_list("resource", flat=True))


def made(scene: Scene) -> Counter[str]:
    return Counter(verb for verb in scene.bank.verbs() if verb != "refresh")


def test_a_token_endpoint_that_is_down_costs_nothing_of_the_day(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    endpoint = TokenEndpoint(scene, monkeypatch, is_down=True)
    for _ in range(5):
        Connection.objects.update(checked_at=scene.now)
        scene.run(SyncTrigger.SCHEDULE)
        SyncJob.objects.filter(status=SyncJobStatus.RETRY_WAIT).update(
            status=SyncJobStatus.FAILED, finished_at=scene.now
        )
        scene.later(hours=1)
    assert (set(scene.bank.verbs()), counted()) == ({"refresh"}, Counter())

    endpoint.is_down = False
    Connection.objects.update(checked_at=scene.now)

    assert scene.run(SyncTrigger.SCHEDULE).status == SyncJobStatus.COMMITTED
    assert counted() == made(scene)


def test_what_was_counted_ahead_of_a_bank_that_fails_is_given_back(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the call that is counted and the counted call something else is asked, and the bank fails as a whole."""
    allow = calls.Calls.allow

    def failing(asking: calls.Calls, call: calls.Call) -> None:
        if call != calls.LIST:
            raise BankUnavailable("5xx", upstream_status=503)
        allow(asking, call)

    monkeypatch.setattr(calls.Calls, "allow", failing)
    job = scene.run(SyncTrigger.SCHEDULE)

    assert job.status == SyncJobStatus.RETRY_WAIT
    assert scene.bank.verbs() == ["accounts"]
    assert counted() == Counter(accounts=1)
    assert set(Account.objects.for_sync().values_list("next_refresh_after", flat=True)) == {None}


@pytest.mark.parametrize("ready_seconds", [0.0, calls.READY_SECONDS])
@pytest.mark.parametrize("is_renewed", [True, False])
def test_where_each_page_counts_a_call_asked_for_twice_is_counted_once(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, ready_seconds: float, is_renewed: bool
) -> None:
    monkeypatch.setattr(calls, "READY_SECONDS", ready_seconds)
    scene.bank.counts_pages = True
    if is_renewed:
        TokenEndpoint(scene, monkeypatch, is_down=False)

    scene.run(SyncTrigger.SCHEDULE)

    assert counted() == made(scene) != Counter()
