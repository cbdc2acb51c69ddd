"""The ledger of fetches: counted before the call, one a run, per resource of one account and rolling 24 hours."""

import threading
from datetime import timedelta
from typing import Any

import pytest
from django.db import connections

from banks import held_jobs, leases, quota
from banks.errors import (
    BankError,
    BankFormatChanged,
    BankRateLimited,
    BankTimeout,
    BankUnavailable,
    QuotaSpent,
    StaleLease,
)
from banks.held_jobs import Claim
from banks.models import Account, FetchRecord, SyncJobStatus, SyncTrigger
from banks.types import Resource
from consents.scopes import Presence
from tests.support import jobs
from tests.support.scripted_bank import NOW, Scene, raising

pytestmark = pytest.mark.django_db

MINUTE = timedelta(minutes=1)


@pytest.fixture
def scene(monkeypatch: pytest.MonkeyPatch) -> Scene:
    return Scene(monkeypatch, accounts=("current", "savings"))


def spend(
    scene: Scene, held: Claim, *, account: int | None = 0, resource: Resource = Resource.BALANCES, counts: bool = False
) -> None:
    account_id = None if account is None else scene.accounts[account].id
    jobs.spend(held, account_id=account_id, resource=resource, now=scene.now, counts_pages=counts)


def ended(scene: Scene, held: Claim) -> None:
    leases.finish(held, SyncJobStatus.COMMITTED, counts={}, error=None, now=scene.now)


def spent(scene: Scene, times: int, trigger: SyncTrigger = SyncTrigger.SCHEDULE) -> None:
    for _ in range(times):
        scene.later(minutes=1)
        held = scene.claim(trigger)
        spend(scene, held)
        ended(scene, held)


def test_a_fifth_access_within_a_day_is_refused_with_when_it_may_be_tried(scene: Scene) -> None:
    spent(scene, 4)
    scene.later(minutes=1)
    held = scene.claim()

    with pytest.raises(QuotaSpent) as refusal:
        spend(scene, held)

    assert refusal.value.retry_at == NOW + MINUTE + timedelta(hours=24)
    assert FetchRecord.objects.count() == 4
    scene.now = refusal.value.retry_at
    spend(scene, held)


def test_accounts_and_resources_are_counted_apart(scene: Scene) -> None:
    spent(scene, 4)
    held = scene.claim()

    spend(scene, held, account=1)
    spend(scene, held, resource=Resource.TRANSACTIONS)
    spend(scene, held, account=None, resource=Resource.ACCOUNTS)


def test_whoever_is_present_is_never_refused_and_uses_up_nothing(scene: Scene) -> None:
    spent(scene, 6, SyncTrigger.USER_PRESENT)
    spent(scene, 4)

    assert FetchRecord.objects.filter(presence=Presence.PRESENT).count() == 6


def test_an_attested_presence_has_a_quota_of_its_own(scene: Scene) -> None:
    scene.institution.attested_fetches_max = 2
    scene.institution.save()
    spent(scene, 2, SyncTrigger.USER_ATTESTED)
    spent(scene, 4)

    with pytest.raises(QuotaSpent):
        spent(scene, 1, SyncTrigger.USER_ATTESTED)


def test_one_run_is_one_access_and_its_next_attempt_is_another(scene: Scene) -> None:
    held = scene.claim()
    for _ in range(3):
        spend(scene, held)
    assert FetchRecord.objects.count() == 1

    leases.retry(held, error=held_jobs.JobError(code="upstream_timeout"), counts={}, now=scene.now)
    scene.later(minutes=5)
    again = leases.claim(held.job_id, now=scene.now)
    assert again is not None
    spend(scene, again)

    assert FetchRecord.objects.count() == 2


def test_where_pages_count_every_one_does(scene: Scene) -> None:
    held = scene.claim()
    for _ in range(4):
        spend(scene, held, counts=True)

    with pytest.raises(QuotaSpent):
        spend(scene, held, counts=True)


def test_who_lost_the_job_spends_nothing(scene: Scene) -> None:
    held = scene.claim()
    scene.later(hours=1)
    assert leases.claim(held.job_id, now=scene.now) is not None

    with pytest.raises(StaleLease):
        spend(scene, held)

    assert FetchRecord.objects.count() == 0


def test_the_account_says_from_when_it_will_be_refreshed_again(scene: Scene) -> None:
    spent(scene, 3)
    assert scene.account.next_refresh_after is None

    spent(scene, 1)

    assert scene.account.next_refresh_after == NOW + MINUTE + timedelta(hours=24)
    assert quota.next_allowed(
        scene.connection_id, scene.institution, [scene.account.id], presence=Presence.ABSENT, now=scene.now
    ) == NOW + MINUTE + timedelta(hours=24)


def test_old_records_are_forgotten_and_those_that_count_are_kept(scene: Scene) -> None:
    spent(scene, 1)
    scene.later(hours=49)
    spent(scene, 1)

    assert quota.forget(now=scene.now, batch=10) == 1
    assert FetchRecord.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_eight_at_once_spend_no_more_than_is_allowed(scene: Scene) -> None:
    """Under the connection's lock: nobody counts while another writes."""
    held, outcomes = scene.claim(), list[str]()

    def one() -> None:
        try:
            spend(scene, held, counts=True)
            outcomes.append("spent")
        except QuotaSpent:
            outcomes.append("refused")
        finally:
            connections.close_all()

    threads = [threading.Thread(target=one) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(outcomes) == ["refused"] * 4 + ["spent"] * 4
    assert FetchRecord.objects.count() == 4


# -- what counts as one access -----------------------------------------------------------------------------------------


def test_a_job_that_goes_on_in_another_turn_is_still_one_access(scene: Scene) -> None:
    held = scene.claim()
    spend(scene, held)
    leases.go_on(held, counts={}, now=scene.now)
    scene.later(minutes=5)

    spend(scene, scene.claim())

    assert FetchRecord.objects.count() == 1


def test_a_turn_much_later_is_another_access(scene: Scene) -> None:
    held = scene.claim()
    spend(scene, held)
    leases.go_on(held, counts={}, now=scene.now)
    scene.later(minutes=61)

    spend(scene, scene.claim())

    assert FetchRecord.objects.count() == 2


@pytest.mark.parametrize("verb", ["accounts", "balances", "transactions"])
@pytest.mark.parametrize(
    "error",
    [BankUnavailable("5xx", upstream_status=503), BankRateLimited("429", upstream_status=429)],
    ids=lambda error: error.code,
)
def test_a_bank_that_turned_us_away_has_given_no_access(scene: Scene, verb: str, error: BankError) -> None:
    scene.bank.on_call = raising(verb, error)

    scene.run(SyncTrigger.SCHEDULE)

    assert not FetchRecord.objects.filter(resource=verb).exists()


@pytest.mark.parametrize("verb", ["accounts", "balances", "transactions"])
@pytest.mark.parametrize(
    "error",
    [BankTimeout("deadline"), BankFormatChanged("truncated", upstream_status=200)],
    ids=lambda error: error.code,
)
def test_an_answer_that_was_lost_or_spoilt_was_an_access(scene: Scene, verb: str, error: BankError) -> None:
    scene.bank.on_call = raising(verb, error)

    scene.run(SyncTrigger.SCHEDULE)

    assert FetchRecord.objects.filter(resource=verb).exists()


def test_what_was_told_before_the_bank_turned_us_away_was_an_access(scene: Scene) -> None:
    def second_window(call: tuple[Any, ...]) -> None:
        if call[0] == "transactions" and len(scene.bank.windows()) > 1:
            raise BankUnavailable("5xx", upstream_status=503)

    scene.bank.on_call = second_window

    scene.run(SyncTrigger.SCHEDULE)

    assert FetchRecord.objects.filter(resource="transactions", account_id=scene.accounts[0].id).count() == 1


def test_a_bank_down_for_an_hour_leaves_the_day_its_four_accesses(scene: Scene) -> None:
    scene.bank.on_call = raising("accounts", BankUnavailable("5xx", upstream_status=503))
    for _ in range(leases.ATTEMPTS_MAX):
        scene.run(SyncTrigger.SCHEDULE)
        scene.later(minutes=20)
    scene.bank.on_call = lambda call: None

    job = scene.run(SyncTrigger.SCHEDULE)

    assert (job.status, job.error_code) == ("COMMITTED", "")
    assert not Account.objects.for_sync().exclude(next_refresh_after=None).exists()
