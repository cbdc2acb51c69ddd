"""Fresh data on request: what is begun, what is refused and why, and what two hands at once come to."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import connections, transaction

from banks import job_requests, leases, outcomes, refreshes
from banks.errors import AccountNotFound, IdempotencyKeyReused, RefreshNotFound, RefreshRefused
from banks.held_jobs import Claim, JobError
from banks.models import LIVE_JOBS, Account, Connection, FetchRecord, RefreshRequest, SyncJob, SyncJobStatus
from banks.plan import plan
from banks.refresh_status import Refresh, RefreshStatus
from consents import lifecycle
from consents.errors import Denied, PermitExpired
from consents.models import Consent
from consents.policy import Permit
from consents.scopes import Presence, Purpose, Scope
from tests.support import ledger
from tests.support.ledger import BY_USER, NOW

pytestmark = pytest.mark.django_db

ADDRESS = "203.0.113.7"
LATER = NOW + timedelta(minutes=1)


class World:
    """Alice has a current account at Acorn and a card at Birch, both under one consent for Chat."""

    def __init__(self) -> None:
        self.alice = ledger.user("alice")
        self.chat = ledger.platform("Chat")
        self.acorn, self.birch = ledger.institution("acorn"), ledger.institution("birch")
        self.policies = [ledger.policy(bank.id) for bank in (self.acorn, self.birch)]
        self.links = [ledger.connection(self.alice, bank) for bank in (self.acorn, self.birch)]
        self.current, self.card = (ledger.account(link) for link in self.links)
        self.consent = ledger.consent(self.alice, self.chat, [self.current, self.card])

    def permit(self, **words: Any) -> Permit:
        return ledger.permit(self.consent, **words)

    def ask(self, permit: Permit | None = None, **words: Any) -> Refresh:
        return refreshes.request(permit or self.permit(), **{"now": NOW, **words})

    def look(self, refresh: Refresh, *, now: datetime = NOW) -> Refresh:
        return refreshes.status(self.permit(now=now), refresh.id, now=now)

    def spend(self, account: Account, count: int, *, presence: Presence = Presence.ABSENT, hours: int = 1) -> None:
        """`count` fetches of its balances, the oldest `hours` ago."""
        for number in range(count):
            FetchRecord.objects.create(
                connection_id=account.connection_id,
                account_id=account.id,
                resource="balances",
                presence=presence,
                job_id=uuid4(),
                epoch=1,
                fetched_at=NOW - timedelta(hours=hours) + timedelta(seconds=number),
            )

    def job_of(self, account: Account) -> SyncJob:
        return SyncJob.objects.get(connection_id=account.connection_id, status__in=LIVE_JOBS)

    def end(self, account: Account, status: SyncJobStatus, *, error: JobError | None = None) -> None:
        """Claimed a minute from now, and ended a minute later."""
        held = leases.claim(self.job_of(account).id, now=LATER)
        assert held is not None
        leases.finish(held, status, counts={}, error=error, now=LATER + timedelta(minutes=1))


@pytest.fixture
def world() -> World:
    return World()


def statuses(refresh: Refresh) -> dict[UUID, tuple[str, str | None]]:
    """By account: status and code."""
    return {account_id: (part.status, part.code) for part in refresh.parts for account_id in part.account_ids}


# -- what is begun -----------------------------------------------------------------------------------------------------


def test_each_connection_gets_a_job_and_the_broker_no_message(world: World) -> None:
    refresh = world.ask()

    jobs = {job.connection_id: job for job in SyncJob.objects.all()}
    assert set(jobs) == {link.id for link in world.links}
    assert {(job.status, job.trigger, job.customer_ip_address, job.dispatched_at) for job in jobs.values()} == {
        ("QUEUED", "PLATFORM_READ", None, None)
    }
    assert refresh.status == RefreshStatus.QUEUED and not refresh.has_ended
    assert statuses(refresh) == {world.current.id: ("QUEUED", None), world.card.id: ("QUEUED", None)}
    assert {part.institution_id for part in refresh.parts} == {world.acorn.id, world.birch.id}


def test_only_the_accounts_that_were_named_are_refreshed(world: World) -> None:
    refresh = world.ask(account_ids=[world.card.id])

    assert set(SyncJob.objects.values_list("connection_id", flat=True)) == {world.card.connection_id}
    assert set(statuses(refresh)) == {world.card.id}


def test_an_account_outside_the_permit_does_not_exist(world: World) -> None:
    savings = ledger.account(world.links[0])
    theirs = ledger.account(ledger.connection(ledger.user("charlie"), world.acorn))

    for unknown in (savings.id, theirs.id, uuid4()):
        with pytest.raises(AccountNotFound):
            world.ask(account_ids=[world.current.id, unknown])

    assert not SyncJob.objects.exists() and not RefreshRequest.objects.exists()


def test_another_persons_account_under_the_consent_is_not_refreshed(world: World) -> None:
    theirs = ledger.account(ledger.connection(ledger.user("charlie"), world.acorn))
    consent = ledger.consent(world.alice, world.chat, [world.current, theirs])

    refresh = world.ask(ledger.permit(consent))

    assert set(statuses(refresh)) == {world.current.id}
    assert set(SyncJob.objects.values_list("connection_id", flat=True)) == {world.current.connection_id}


def test_a_job_that_waits_is_joined(world: World) -> None:
    first, second = world.ask(), world.ask()

    assert first.id != second.id
    assert SyncJob.objects.count() == 2


@pytest.mark.parametrize("accepted", [True, False])
def test_a_platforms_word_counts_only_at_the_bank_that_takes_it(world: World, accepted: bool) -> None:
    world.policies[0].accepts_attestation = accepted
    world.policies[0].save()

    world.ask(world.permit(presence=Presence.ATTESTED), customer_ip_address=ADDRESS)

    told = {job.connection_id: (job.trigger, job.customer_ip_address) for job in SyncJob.objects.all()}
    assert told[world.current.connection_id] == (("USER_ATTESTED", ADDRESS) if accepted else ("PLATFORM_READ", None))
    assert told[world.card.connection_id] == ("PLATFORM_READ", None)


def test_accounts_and_banks_are_told_as_far_as_they_are_open(world: World) -> None:
    balances = ledger.consent(world.alice, world.chat, [world.current], {Scope.BALANCES})
    derived = ledger.consent(
        world.alice, world.chat, [world.current], {Scope.INSIGHTS}, purposes=frozenset({Purpose.BUDGETING})
    )

    (without_bank,) = world.ask(ledger.permit(balances)).parts
    (without_anything,) = world.ask(ledger.permit(derived)).parts

    assert (without_bank.institution_id, without_bank.account_ids) == (None, (world.current.id,))
    assert (without_anything.institution_id, without_anything.account_ids) == (None, ())


# -- what is refused ---------------------------------------------------------------------------------------------------


def test_a_bank_whose_fetches_are_used_up_is_refused_and_the_other_is_begun(world: World) -> None:
    world.spend(world.current, 4)

    refresh = world.ask()

    parts = {part.account_ids: part for part in refresh.parts}
    refused, begun = parts[(world.current.id,)], parts[(world.card.id,)]
    assert (refused.status, refused.code) == (RefreshStatus.REFUSED, "fetch_quota_spent")
    assert refused.retry_at == NOW + timedelta(hours=23)
    assert (begun.status, begun.code, begun.retry_at) == (RefreshStatus.QUEUED, None, None)
    assert refresh.status == RefreshStatus.QUEUED
    assert set(SyncJob.objects.values_list("connection_id", flat=True)) == {world.card.connection_id}


def test_when_all_are_used_up_the_request_is_refused_until_the_first_is_not(world: World) -> None:
    world.spend(world.current, 4, hours=3)
    world.spend(world.card, 4, hours=5)

    with pytest.raises(RefreshRefused) as refused:
        world.ask(idempotency_key="k")

    assert refused.value.reason == "fetch_quota_spent"
    assert refused.value.next_refresh_after == NOW + timedelta(hours=19)
    assert refused.value.retry_after == 19 * 3600
    assert not SyncJob.objects.exists() and not RefreshRequest.objects.exists()


def test_fetches_with_the_user_there_are_counted_apart(world: World) -> None:
    for policy in world.policies:
        policy.accepts_attestation = True
        policy.save()
    world.spend(world.current, 4)

    attested = world.ask(world.permit(presence=Presence.ATTESTED), account_ids=[world.current.id])
    assert attested.status == RefreshStatus.QUEUED

    world.spend(world.current, 24, presence=Presence.ATTESTED)
    with pytest.raises(RefreshRefused):
        world.ask(world.permit(presence=Presence.ATTESTED), account_ids=[world.current.id])


def test_a_connection_that_only_its_user_can_renew_is_theirs_to_mend(world: World) -> None:
    Connection.objects.filter(id=world.current.connection_id).update(status="REAUTH_REQUIRED")

    refresh = world.ask()
    assert statuses(refresh)[world.current.id] == ("REFUSED", "connection_not_serving")
    with pytest.raises(Denied) as denied:
        world.ask(account_ids=[world.current.id])

    assert (denied.value.denial.code, denied.value.denial.owner) == ("connection_not_serving", "USER")
    assert set(SyncJob.objects.values_list("connection_id", flat=True)) == {world.card.connection_id}


def test_a_bank_that_said_when_is_not_asked_before(world: World) -> None:
    job_requests.enqueue(world.current.connection_id, trigger=leases.SyncTrigger.SCHEDULE, now=NOW)
    held = leases.claim(world.job_of(world.current).id, now=NOW)
    assert held is not None
    leases.retry(held, error=JobError(code="upstream_rate_limited", retry_after=600), counts={}, now=NOW)

    refresh = world.ask()
    with pytest.raises(RefreshRefused) as refused:
        world.ask(account_ids=[world.current.id], now=LATER)

    assert statuses(refresh)[world.current.id] == ("REFUSED", "upstream_rate_limited")
    assert world.job_of(world.current).next_attempt_at == NOW + timedelta(seconds=600), "it was not pulled forward"
    assert (refused.value.reason, refused.value.retry_after) == ("upstream_rate_limited", 540)


def test_a_job_that_waits_to_try_again_says_so(world: World) -> None:
    job_requests.enqueue(world.current.connection_id, trigger=leases.SyncTrigger.SCHEDULE, now=NOW)
    refresh = world.ask(account_ids=[world.current.id])
    held = leases.claim(world.job_of(world.current).id, now=NOW)
    assert held is not None
    leases.retry(held, error=JobError(code="institution_down"), counts={}, now=NOW)

    (part,) = world.look(refresh).parts

    assert (part.status, part.code, part.retry_at) == ("QUEUED", "institution_down", NOW + timedelta(seconds=20))


# -- how it stands -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ends", "whole"),
    [
        ((None, None), "QUEUED"),
        (("LEASED", None), "RUNNING"),
        (("COMMITTED", None), "RUNNING"),
        (("FAILED", None), "RUNNING"),
        (("COMMITTED", "COMMITTED"), "DONE"),
        (("COMMITTED", "FAILED"), "PARTIAL"),
        (("COMMITTED", "account"), "PARTIAL"),
        (("account", "account"), "PARTIAL"),
        (("FAILED", "FAILED"), "FAILED"),
        (("FAILED", "CANCELLED"), "FAILED"),
    ],
)
def test_the_whole_follows_from_its_parts(world: World, ends: tuple[str | None, str | None], whole: str) -> None:
    refresh = world.ask()
    for account, end in zip((world.current, world.card), ends, strict=True):
        if end == "LEASED":
            assert leases.claim(world.job_of(account).id, now=LATER) is not None
        elif end == "account":
            error = JobError(code="account_unavailable", account_id=account.id)
            world.end(account, SyncJobStatus.FAILED, error=error)
        elif end is not None:
            code = None if end == "COMMITTED" else JobError(code="institution_down")
            world.end(account, SyncJobStatus(end), error=code)

    seen = world.look(refresh)

    assert seen.status == whole
    assert seen.has_ended == (whole not in ("QUEUED", "RUNNING"))


@pytest.mark.parametrize(("end", "whole"), [("COMMITTED", "PARTIAL"), ("FAILED", "FAILED")])
def test_a_refused_part_makes_the_whole_no_success(world: World, end: str, whole: str) -> None:
    world.spend(world.current, 4)
    refresh = world.ask()

    world.end(world.card, SyncJobStatus(end))

    assert world.look(refresh).status == whole


def test_a_round_that_ran_already_is_not_ours_and_the_one_after_it_is(world: World) -> None:
    job_requests.enqueue(world.current.connection_id, trigger=leases.SyncTrigger.SCHEDULE, now=NOW)
    running = leases.claim(world.job_of(world.current).id, now=NOW)
    assert running is not None
    refresh = world.ask(account_ids=[world.current.id], now=NOW + timedelta(seconds=1))
    assert world.look(refresh).status == RefreshStatus.RUNNING

    leases.finish(running, SyncJobStatus.COMMITTED, counts={}, error=None, now=NOW + timedelta(seconds=2))
    between = world.look(refresh)
    world.end(world.current, SyncJobStatus.COMMITTED)

    assert between.status == RefreshStatus.QUEUED
    assert world.look(refresh).status == RefreshStatus.DONE


def test_a_check_that_began_while_we_asked_is_not_our_refresh(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """It was taken after the request began and before it joined: by the clock alone the job would be ours, and done."""
    link = world.current.connection_id
    assert job_requests.enqueue_check(link, now=NOW)
    checking, real = list[Claim | None](), job_requests.enqueue

    def taken_first(*arguments: Any, **members: Any) -> UUID:
        checking.append(leases.claim(world.job_of(world.current).id, now=NOW + timedelta(seconds=1)))
        return real(*arguments, **members)

    monkeypatch.setattr(job_requests, "enqueue", taken_first)
    refresh = world.ask(account_ids=[world.current.id], now=NOW)
    monkeypatch.undo()
    (held,) = checking
    assert held is not None and held.checks_only
    assert world.look(refresh).status == RefreshStatus.RUNNING

    outcomes.checked(held, NOW + timedelta(seconds=2))
    between = world.look(refresh)
    world.end(world.current, SyncJobStatus.COMMITTED)

    assert between.status == RefreshStatus.QUEUED
    assert world.look(refresh).status == RefreshStatus.DONE


def test_a_round_that_ran_already_is_not_ours_though_our_clock_is_behind_its_machines(world: World) -> None:
    job_requests.enqueue(world.current.connection_id, trigger=leases.SyncTrigger.SCHEDULE, now=NOW)
    running = leases.claim(world.job_of(world.current).id, now=NOW + timedelta(seconds=2))
    assert running is not None
    refresh = world.ask(account_ids=[world.current.id], now=NOW + timedelta(seconds=1))

    leases.finish(running, SyncJobStatus.COMMITTED, counts={}, error=None, now=NOW + timedelta(seconds=3))

    assert world.look(refresh).status == RefreshStatus.QUEUED


def test_a_refresh_of_an_earlier_release_goes_by_the_clock(world: World) -> None:
    job_requests.enqueue(world.current.connection_id, trigger=leases.SyncTrigger.SCHEDULE, now=NOW)
    running = leases.claim(world.job_of(world.current).id, now=NOW)
    assert running is not None
    refresh = world.ask(account_ids=[world.current.id], now=NOW + timedelta(seconds=1))
    row = RefreshRequest.objects.get()
    row.parts = [{name: value for name, value in part.items() if name != "joined_late"} for part in row.parts]
    row.save()

    leases.finish(running, SyncJobStatus.COMMITTED, counts={}, error=None, now=NOW + timedelta(seconds=2))

    assert world.look(refresh).status == RefreshStatus.QUEUED


def test_a_connection_that_is_gone_failed(world: World) -> None:
    refresh = world.ask()
    SyncJob.objects.all().delete()

    assert world.look(refresh).status == RefreshStatus.FAILED


def test_next_refresh_after_is_told_as_everywhere(world: World) -> None:
    refresh = world.ask()
    assert refresh.next_refresh_after is None

    Account.objects.for_sync().update(next_refresh_after=NOW + timedelta(hours=2))

    assert world.look(refresh).next_refresh_after == NOW + timedelta(hours=2)


def test_others_see_no_refresh_and_after_a_day_nobody_does(world: World) -> None:
    refresh = world.ask()
    other = ledger.permit(ledger.consent(world.alice, world.chat, [world.current]))
    day_later = NOW + timedelta(hours=24)

    for permit, refresh_id, now in (
        (other, refresh.id, NOW),
        (world.permit(), uuid4(), NOW),
        (world.permit(now=day_later), refresh.id, day_later),
    ):
        with pytest.raises(RefreshNotFound):
            refreshes.status(permit, refresh_id, now=now)


def test_what_cannot_be_looked_at_any_more_is_forgotten(world: World) -> None:
    old, young = world.ask(), world.ask(now=LATER)

    assert refreshes.forget(now=NOW + timedelta(hours=24), batch=100) == 1
    assert set(RefreshRequest.objects.values_list("id", flat=True)) == {young.id} != {old.id}


# -- idempotency -------------------------------------------------------------------------------------------------------


def test_one_key_and_one_request_are_one_refresh(world: World) -> None:
    first = world.ask(idempotency_key="k")
    world.end(world.current, SyncJobStatus.COMMITTED)
    world.end(world.card, SyncJobStatus.COMMITTED)

    second = world.ask(idempotency_key="k", now=NOW + timedelta(hours=1))

    assert second.id == first.id
    assert second.status == RefreshStatus.DONE, "as it stands now"
    assert SyncJob.objects.count() == 2


def test_accounts_in_another_order_are_the_same_request(world: World) -> None:
    named = [world.current.id, world.card.id]

    first = world.ask(idempotency_key="k", account_ids=named)

    assert world.ask(idempotency_key="k", account_ids=named[::-1]).id == first.id


def test_one_key_with_another_request_is_an_error(world: World) -> None:
    consent = ledger.consent(
        world.alice,
        world.chat,
        [world.current],
        {Scope.BALANCES},
        purposes=frozenset({Purpose.BUDGETING, Purpose.BALANCE_CHECK}),
    )
    budgeting, checking = (ledger.permit(consent, purpose=one) for one in (Purpose.BUDGETING, Purpose.BALANCE_CHECK))
    world.ask(budgeting, idempotency_key="k")

    with pytest.raises(IdempotencyKeyReused):
        world.ask(budgeting, idempotency_key="k", account_ids=[world.current.id])
    with pytest.raises(IdempotencyKeyReused):
        world.ask(checking, idempotency_key="k")
    assert RefreshRequest.objects.count() == 1


def test_a_key_belongs_to_one_consent_and_is_kept_as_a_digest(world: World) -> None:
    other = ledger.permit(ledger.consent(world.alice, world.chat, [world.current]))

    first, second = world.ask(idempotency_key="my-key"), world.ask(other, idempotency_key="my-key")

    assert first.id != second.id
    assert all("my-key" not in (key or "") for key in RefreshRequest.objects.values_list("key_digest", flat=True))


def test_a_key_of_yesterday_begins_anew(world: World) -> None:
    first = world.ask(idempotency_key="k")
    later = NOW + timedelta(hours=24)

    second = world.ask(world.permit(now=later), idempotency_key="k", account_ids=[world.current.id], now=later)

    assert second.id != first.id


# -- saying stop -------------------------------------------------------------------------------------------------------


def user_revokes(consent: Consent) -> None:
    lifecycle.revoke(consent_id=consent.id, reason="user_revoked", actor=BY_USER, now=NOW)


def user_pauses(consent: Consent) -> None:
    Consent.objects.filter(id=consent.id).update(status="PAUSED")


def clock_runs_out(consent: Consent) -> None:
    Consent.objects.filter(id=consent.id).update(expires_at=NOW)


@pytest.mark.parametrize("stop", [user_revokes, user_pauses, clock_runs_out])
@pytest.mark.parametrize("key", [None, "k"])
def test_after_a_stop_nothing_is_begun_and_no_key_is_answered(
    world: World, stop: Callable[[Consent], None], key: str | None
) -> None:
    world.ask(idempotency_key="k")
    permit = world.permit()
    before = SyncJob.objects.count()
    stop(world.consent)

    with pytest.raises(PermitExpired):
        world.ask(permit, idempotency_key=key)

    assert SyncJob.objects.count() == before


def test_a_permit_ends_at_its_own_clock(world: World) -> None:
    permit = world.permit()
    refresh = world.ask(permit)

    with pytest.raises(PermitExpired):
        world.ask(permit, now=permit.expires_at)
    with pytest.raises(PermitExpired):
        refreshes.status(permit, refresh.id, now=permit.expires_at)


def test_a_request_refuses_to_be_part_of_somebody_elses_transaction(world: World) -> None:
    permit = world.permit()

    with pytest.raises(RuntimeError, match="durable"), transaction.atomic():
        world.ask(permit)


# -- two hands at once -------------------------------------------------------------------------------------------------


def at_once(*hands: Callable[[], object]) -> list[object]:
    """Each on a thread and a connection of its own, released together; its result, or what it raised."""
    gate = threading.Barrier(len(hands))

    def pull(hand: Callable[[], object]) -> object:
        try:
            connections["default"].ensure_connection()
            gate.wait()
            return hand()
        except PermitExpired as refused:
            return refused
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(hands)) as pool:
        return list(pool.map(pull, hands))


@pytest.fixture
def committed(transactional_db: None) -> Iterator[World]:
    yield World()


def test_of_six_requests_with_one_key_one_takes_effect(committed: World) -> None:
    permits = [committed.permit() for _ in range(6)]

    results = at_once(*(lambda permit=permit: committed.ask(permit, idempotency_key="k") for permit in permits))  # type: ignore[misc]

    assert {result.id for result in results if isinstance(result, Refresh)} == {RefreshRequest.objects.get().id}
    assert len(results) == 6 and all(isinstance(result, Refresh) for result in results)
    assert SyncJob.objects.count() == 2


@pytest.mark.parametrize("attempt", range(3))
def test_a_refresh_that_races_a_revocation_leaves_nothing_that_would_fetch(committed: World, attempt: int) -> None:
    permit = committed.permit()

    results = at_once(lambda: committed.ask(permit), lambda: user_revokes(committed.consent))

    assert isinstance(results[0], Refresh | PermitExpired)
    assert not isinstance(results[0], PermitExpired) or not SyncJob.objects.exists()
    for link in committed.links:
        # What a job asks before each call and each commit (banks.sync, banks.store).
        assert plan(link, presence=Presence.ABSENT, now=NOW).accounts == {}
    with pytest.raises(PermitExpired):
        committed.ask(permit)
