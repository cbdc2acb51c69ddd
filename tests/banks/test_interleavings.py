"""What comes between two steps of a worker: another one, its user, a sweep. At one point each, and without chance."""

from collections.abc import Callable
from typing import Any

import pytest

from banks import job_requests, leases
from banks.errors import BankUnavailable
from banks.models import SyncJob, SyncJobStatus, SyncTrigger
from consents.scopes import Scope
from tests.support.scripted_bank import ROWS, Scene

pytestmark = pytest.mark.django_db

IBAN = "GB29NWBK60161331926819"


@pytest.fixture
def scene(monkeypatch: pytest.MonkeyPatch) -> Scene:
    return Scene(monkeypatch, history_days=90)


def once(monkeypatch: pytest.MonkeyPatch, module: Any, name: str, meanwhile: Callable[[], Any]) -> None:
    """`meanwhile` comes right before the next call of this function, and no other."""
    real, waiting = getattr(module, name), [meanwhile]

    def call(*arguments: Any, **members: Any) -> Any:
        if waiting:
            waiting.pop()()
        return real(*arguments, **members)

    monkeypatch.setattr(module, name, call)


# -- the user allows more while a job runs -----------------------------------------------------------------------------


def test_what_is_allowed_during_an_attempt_that_fails_is_fetched_by_the_next_one(scene: Scene) -> None:
    """The list of accounts was asked for before the numbers were allowed: it must be asked for once more."""
    scene.bank.numbers["current"] = IBAN

    def allows_and_fails(call: tuple[Any, ...]) -> None:
        if call[0] == "balances":
            scene.bank.on_call = lambda call: None
            scene.later(seconds=1)
            scene.share(ROWS | {Scope.ACCOUNT_NUMBERS})
            job_requests.enqueue(scene.connection_id, trigger=SyncTrigger.USER_PRESENT, now=scene.now)
            raise BankUnavailable(upstream_status=503)

    scene.bank.on_call = allows_and_fails
    assert scene.run().status == SyncJobStatus.RETRY_WAIT
    assert scene.account.identifications == []
    scene.later(minutes=1)
    held = leases.claim(SyncJob.objects.get().id, now=scene.now)
    assert held is not None

    assert scene.work(held).status == SyncJobStatus.COMMITTED

    assert [one["value"] for one in scene.account.identifications] == [IBAN]
