"""plan -> fetch -> reconcile -> store, for one claimed job.

Fetching happens outside every transaction; each write is fenced (lease, consents, connection). Balances of all accounts
are committed before the first transaction is asked for: the number people wait for comes first. One failing account
never stops the others; one failing bank never loses what is stored.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from banks import accounts, leases, sessions, store
from banks.connector import Connector
from banks.errors import (
    AccountUnavailable,
    AddressForbidden,
    After,
    AnswerTooLarge,
    AskCustomer,
    BankConsentEnded,
    BankError,
    BankFormatChanged,
    BankRateLimited,
    BankUnavailable,
    NotSupported,
    PagingBroken,
    ReauthorisationRequired,
    StaleLease,
)
from banks.http import Exchange
from banks.leases import Claim, JobError
from banks.models import Account, Connection, SyncJobStatus
from banks.normalize.entries import Entry, entry
from banks.normalize.money import AmountRejected
from banks.plan import AccountPlan, Plan, plan
from banks.reconcile import reconcile
from banks.store import NoLongerNeeded
from banks.types import RejectedRow, Resource
from consents import events
from consents.states import ConnectionStatus

log = logging.getLogger(__name__)

#: How far before the last covered day the next fetch begins: banks correct and add late.
OVERLAP = timedelta(days=14)

#: Trouble with one account, or with what was said of it: the others go on.
_OF_ONE_ACCOUNT = (AccountUnavailable, AddressForbidden, BankFormatChanged, PagingBroken, AnswerTooLarge, NotSupported)

_STATUS_AFTER: tuple[tuple[type[BankError], ConnectionStatus], ...] = (
    (ReauthorisationRequired, ConnectionStatus.REAUTH_REQUIRED),
    (BankConsentEnded, ConnectionStatus.REVOKED),
    (BankRateLimited, ConnectionStatus.RATE_LIMITED),
    (BankUnavailable, ConnectionStatus.DEGRADED),
)

#: A status that only a new authorisation may leave: a job neither starts under it nor lifts it.
_HELD = (ConnectionStatus.SUSPENDED, ConnectionStatus.REVOKED, ConnectionStatus.EXPIRED, ConnectionStatus.CLOSED)


@dataclass(slots=True, kw_only=True)
class SyncResult:
    """What a run did. `error` is the first trouble with a single account, None when all went well."""

    accounts: int = 0
    balances: int = 0
    added: int = 0
    modified: int = 0
    removed: int = 0
    unchanged: int = 0
    quarantined: int = 0
    error: JobError | None = None
    retry: bool = False

    def counts(self) -> dict[str, int]:
        names = ("accounts", "balances", "added", "modified", "removed", "unchanged", "quarantined")
        return {name: getattr(self, name) for name in names}

    def note(self, error: BankError, account_id: UUID | None) -> None:
        self.error = self.error or _job_error(error, account_id)
        self.retry = self.retry or isinstance(error.retry, After)


@dataclass(slots=True, kw_only=True)
class _Run:
    held: Claim
    connection: Connection
    plan: Plan
    clock: Callable[[], datetime]
    result: SyncResult = field(default_factory=SyncResult)
    #: Ours -> the bank's, of accounts that are planned and that the bank lists.
    bank_ids: dict[UUID, str] = field(default_factory=dict)


def run(
    held: Claim, *, clock: Callable[[], datetime], on_exchange: Callable[[Exchange], None] | None = None
) -> SyncResult | None:
    """Do the job and record how it ended. None when it was cancelled, or had become someone else's.

    `on_exchange` is told of every call to the bank.
    Never raises BankError: that is an ending. Anything else is a defect; the job is put back and the error goes on.
    """
    try:
        return _run(held, clock, on_exchange)
    except StaleLease:
        log.info("lease lost", extra={"job_id": held.job_id, "connection_id": held.connection_id})
        return None
    except BankError as error:
        _bank_failed(held, error, clock())
        return None
    except Exception:
        leases.retry(held, error=JobError(code="internal_error"), counts={}, now=clock())
        raise


def _run(
    held: Claim, clock: Callable[[], datetime], on_exchange: Callable[[Exchange], None] | None
) -> SyncResult | None:
    connection = Connection.objects.select_related("institution").get(id=held.connection_id)
    wanted = plan(connection, presence=held.presence, now=clock())
    if not wanted.accounts or connection.status in _HELD:
        leases.finish(held, SyncJobStatus.CANCELLED, counts={}, error=JobError(code="not_needed"), now=clock())
        return None
    deadline = time.monotonic() + held.seconds
    session = sessions.fresh_session(connection, now=clock(), deadline_monotonic=deadline, on_exchange=on_exchange)
    work = _Run(held=held, connection=connection, plan=wanted, clock=clock)
    with sessions.connector_for(
        connection.institution,
        now=clock(),
        credentials=session.credentials,
        bank_consent_id=connection.bank_consent_id,
        deadline_monotonic=deadline,
        on_exchange=on_exchange,
    ) as connector:
        _sync_accounts(work, connector)
        for account_id, account_plan in _planned(work, Resource.BALANCES):
            _guarded(work, account_id, _sync_balances, connector, account_plan)
        for account_id, account_plan in _planned(work, Resource.TRANSACTIONS):
            _guarded(work, account_id, _sync_transactions, connector, account_plan)
    _finish(work)
    return work.result


def _planned(work: _Run, resource: Resource) -> list[tuple[UUID, AccountPlan]]:
    return [
        (account_id, part)
        for account_id, part in sorted(work.plan.accounts.items())
        if resource in part.resources and account_id in work.bank_ids
    ]


def _guarded(
    work: _Run,
    account_id: UUID,
    step: Callable[[_Run, Connector, UUID, AccountPlan], None],
    connector: Connector,
    account_plan: AccountPlan,
) -> None:
    try:
        step(work, connector, account_id, account_plan)
    except _OF_ONE_ACCOUNT as error:
        work.result.note(error, account_id)
    except AmountRejected as rejected:
        work.result.error = work.result.error or JobError(code=rejected.reason, account_id=account_id)
    except NoLongerNeeded:
        log.info("consent ended", extra={"job_id": work.held.job_id, "connection_id": work.held.connection_id})


# -- steps -------------------------------------------------------------------------------------------------------------


def _sync_accounts(work: _Run, connector: Connector) -> None:
    fetched = connector.accounts()
    with store.fenced(work.held, stage="ACCOUNTS", presence=work.held.presence, now=work.clock) as (connection, needs):
        stored = Account.objects.for_sync().filter(connection=connection).order_by("id")
        pairs = accounts.recognised(stored, fetched)
        # The bank lists what its customer ticked there; we keep what somebody may read.
        kept = [(data, row) for data, row in pairs if row is not None and row.id in needs.accounts]
        work.bank_ids = accounts.upsert(
            connection,
            kept,
            with_numbers=lambda account: account is not None and needs.needs(account, Resource.ACCOUNT_NUMBERS),
            now=work.clock(),
        )
    work.result.accounts = len(work.bank_ids)
    for account_id in sorted(needs.accounts.keys() - work.bank_ids.keys()):
        work.result.note(AccountUnavailable("not listed"), account_id)


def _sync_balances(work: _Run, connector: Connector, account_id: UUID, account_plan: AccountPlan) -> None:
    _still_needed(work, account_id, Resource.BALANCES)
    fetched = connector.balances(work.bank_ids[account_id])
    with store.fenced(work.held, stage="BALANCES", presence=work.held.presence, now=work.clock) as (_, needs):
        store.require(needs, account_id, Resource.BALANCES)
        work.result.balances += store.store_balances(account_id, fetched, now=work.clock())


@dataclass(frozen=True, slots=True, kw_only=True)
class _Fetched:
    """`keep_first`: the window began inside what is covered, so that the first covered day stays."""

    since: date
    entries: list[Entry]
    rejected: list[RejectedRow]
    first_on: date
    last_on: date
    keep_first: bool


def _sync_transactions(work: _Run, connector: Connector, account_id: UUID, account_plan: AccountPlan) -> None:
    assert account_plan.since is not None
    _still_needed(work, account_id, Resource.TRANSACTIONS)
    fetched = _fetched_window(work, connector, account_id, account_plan.since)
    # A rejected row may be one that is stored: nothing is called absent on an incomplete list. One day of margin,
    # because the bank's filter runs on instants and ours on its calendar.
    removable_from = None if fetched.rejected else fetched.first_on + timedelta(days=1)
    changes = reconcile(
        store.stored_entries(account_id, fetched.entries, since=fetched.since),
        fetched.entries,
        removable_from=removable_from,
        since=fetched.since,
    )
    for write in store.writes(account_id, changes, now=work.clock()):
        with store.fenced(work.held, stage="TRANSACTIONS", presence=work.held.presence, now=work.clock) as (
            connection,
            needs,
        ):
            store.require(needs, account_id, Resource.TRANSACTIONS)
            write(connection)
    _complete(work, account_id, fetched)
    work.result.added += len(changes.added)
    work.result.modified += len(changes.modified)
    work.result.removed += len(changes.removed)
    work.result.unchanged += changes.unchanged


def _fetched_window(work: _Run, connector: Connector, account_id: UUID, wanted: date) -> _Fetched:
    """From `wanted` on; or, where that is covered already, only the days in which a bank still corrects."""
    covered = (
        Account.objects.for_sync().filter(id=account_id).values_list("coverage_first_on", "coverage_last_on").get()
    )
    first_on, last_on = covered
    # After a pause longer than the overlap there would be a hole between what is covered and what is fetched.
    if first_on is not None and last_on is not None and wanted <= last_on:
        overlap = _fetch(
            work,
            connector,
            account_id,
            max(wanted, last_on - OVERLAP),
            covered_from=first_on,
            needs_older=wanted < first_on,
        )
        if overlap is not None:
            return overlap
    fetched = _fetch(work, connector, account_id, wanted)
    assert fetched is not None
    return fetched


def _fetch(
    work: _Run,
    connector: Connector,
    account_id: UUID,
    since: date,
    *,
    covered_from: date | None = None,
    needs_older: bool = False,
) -> _Fetched | None:
    """Every page from `since` on. None, after the first page: older days are needed, and the bank may have them.

    A bank that begins no earlier than `covered_from` has nothing older: it need not be asked for it again and again.
    """
    entries: list[Entry] = []
    rejected: list[RejectedRow] = []
    first_on, last_on = since, _local_today(work)
    for page in connector.transactions(work.bank_ids[account_id], since=since, until=None):
        begins_on = page.coverage.first_on
        if needs_older and covered_from is not None and (begins_on is None or begins_on < covered_from):
            return None
        for row in page.rows:
            taken = row if isinstance(row, RejectedRow) else entry(row)
            if isinstance(taken, RejectedRow):
                rejected.append(taken)
            elif taken.listed_on >= since:
                entries.append(taken)
        if begins_on is not None:
            first_on = max(since, begins_on)
        _still_needed(work, account_id, Resource.TRANSACTIONS)
    return _Fetched(
        since=since,
        entries=entries,
        rejected=rejected,
        first_on=first_on,
        last_on=last_on,
        keep_first=covered_from is not None,
    )


def _complete(work: _Run, account_id: UUID, fetched: _Fetched) -> None:
    with store.fenced(work.held, stage="TRANSACTIONS", presence=work.held.presence, now=work.clock) as (
        connection,
        needs,
    ):
        store.require(needs, account_id, Resource.TRANSACTIONS)
        store.quarantine(
            connection, account_id, fetched.rejected, connector=connection.institution.connector, now=work.clock()
        )
        store.mark_complete(
            account_id,
            first_on=fetched.first_on,
            last_on=fetched.last_on,
            now=work.clock(),
            keep_first=fetched.keep_first,
        )
    work.result.quarantined += len(fetched.rejected)


def _still_needed(work: _Run, account_id: UUID, resource: Resource) -> None:
    """Before every call: the bank hears nothing that no live consent asks for. Raises NoLongerNeeded."""
    connection = Connection.objects.select_related("institution").get(id=work.connection.id)
    store.require(plan(connection, presence=work.held.presence, now=work.clock()), account_id, resource)


def _local_today(work: _Run) -> date:
    """The bank's calendar day. Of the fetch, not of any row: no row's date is derived from an instant."""
    return work.clock().astimezone(ZoneInfo(work.connection.institution.timezone)).date()


# -- endings -----------------------------------------------------------------------------------------------------------


def _finish(work: _Run) -> None:
    now, result = work.clock(), work.result
    with store.fenced(work.held, stage="FINISHING", presence=work.held.presence, now=work.clock) as (connection, _):
        _succeeded(connection, now)
        if result.added or result.modified or result.removed:
            events.publish(
                events.EventType.TRANSACTIONS_UPDATED,
                now=now,
                user_id=connection.user_id,
                connection_id=connection.id,
                details=dict(result.counts()),
            )
        if result.error is None:
            leases.finish(work.held, SyncJobStatus.COMMITTED, counts=result.counts(), error=None, now=now)
        elif result.retry:
            leases.retry(work.held, error=result.error, counts=result.counts(), now=now)
        else:
            leases.finish(work.held, SyncJobStatus.FAILED, counts=result.counts(), error=result.error, now=now)


def _succeeded(connection: Connection, now: datetime) -> None:
    """The bank answered: a passing trouble is over. A status that only a person may lift stays."""
    healed = (ConnectionStatus.DEGRADED, ConnectionStatus.RATE_LIMITED)
    Connection.objects.filter(id=connection.id).update(last_succeeded_at=now)
    if Connection.objects.filter(id=connection.id, status__in=healed).update(
        status=ConnectionStatus.ACTIVE, status_reason=""
    ):
        events.publish(
            events.EventType.CONNECTION_RECOVERED, now=now, user_id=connection.user_id, connection_id=connection.id
        )


def _bank_failed(held: Claim, error: BankError, now: datetime) -> None:
    """The whole connection is affected. Only a real loss of login or consent ever asks the customer."""
    failure = _job_error(error, None)
    log.warning("bank failed", extra={"job_id": held.job_id, "connection_id": held.connection_id, "code": failure.code})
    try:
        # Fenced like every write: what failed under an old link, or after someone else succeeded, says nothing now.
        with store.fenced_alone(held, stage="FAILING") as connection:
            _mark(connection, error, now)
            if isinstance(error.retry, After):
                leases.retry(held, error=failure, counts={}, now=now)
            else:
                leases.finish(held, SyncJobStatus.FAILED, counts={}, error=failure, now=now)
    except StaleLease:
        log.info("lease lost", extra={"job_id": held.job_id, "connection_id": held.connection_id})


def _mark(connection: Connection, error: BankError, now: datetime) -> None:
    Connection.objects.filter(id=connection.id).update(last_failed_at=now)
    status = next((status for kind, status in _STATUS_AFTER if isinstance(error, kind)), None)
    if status is None or connection.status in (*_HELD, status):
        return
    if connection.status == ConnectionStatus.REAUTH_REQUIRED and status != ConnectionStatus.REVOKED:
        return
    Connection.objects.filter(id=connection.id).update(status=status, status_reason=error.code)
    kind = (
        events.EventType.CONNECTION_NEEDS_RENEWAL
        if isinstance(error.retry, AskCustomer)
        else events.EventType.CONNECTION_DEGRADED
    )
    events.publish(kind, now=now, user_id=connection.user_id, connection_id=connection.id, details={"code": error.code})


def _job_error(error: BankError, account_id: UUID | None) -> JobError:
    seconds = error.retry.seconds if isinstance(error.retry, After) else None
    return JobError(code=error.code, account_id=account_id, upstream_status=error.upstream_status, retry_after=seconds)
