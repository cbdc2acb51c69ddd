"""plan -> fetch -> reconcile -> store, for one claimed job.

Fetching happens outside every transaction; each write is fenced (lease, consents, connection). Balances of all accounts
are committed before the first transaction is asked for: the number people wait for comes first. One failing account
never stops the others; one failing bank never loses what is stored.
"""

import logging
from collections.abc import Callable
from datetime import date, datetime
from functools import partial
from uuid import UUID

from banks import accounts, backlog, leases, outcomes, quota, sessions, standing, store
from banks.backlog import Backlog
from banks.connector import Connector
from banks.continuity import Known, holder_digest, is_another_person, is_someone_else
from banks.errors import (
    AccountUnavailable,
    AddressForbidden,
    AnswerTooLarge,
    BankError,
    BankFormatChanged,
    HolderChanged,
    NotSupported,
    PagingBroken,
    QuotaSpent,
    StaleLease,
)
from banks.http import Exchange
from banks.leases import Claim, JobError
from banks.models import Account, SyncTrigger
from banks.normalize.money import AmountRejected
from banks.plan import Plan, holds_live_consent, plan
from banks.store import NoLongerNeeded
from banks.turn import SyncResult, Turn, Watch
from banks.types import AccountData, Resource
from banks.vault import keyed_digest

log = logging.getLogger(__name__)

#: Trouble with one account, or with what was said of it: the others go on.
_OF_ONE_ACCOUNT = (AccountUnavailable, AddressForbidden, BankFormatChanged, PagingBroken, AnswerTooLarge, NotSupported)

OnExchange = Callable[[Exchange], None]


def run(held: Claim, *, clock: Callable[[], datetime], on_exchange: OnExchange | None = None) -> SyncResult | None:
    """Do the job, for one turn, and record how that ended. None when nothing came of it: cancelled, failed as a whole,
    or become someone else's.

    `on_exchange` is told of every call to the bank.
    Never raises BankError: that is an ending. Anything else is a defect; the job is put back and the error goes on.
    """
    result = SyncResult()
    try:
        return result if _run(held, result, clock, on_exchange) else None
    except StaleLease:
        log.info("lease lost", extra={"job_id": held.job_id, "connection_id": held.connection_id})
        return None
    except BankError as error:
        outcomes.bank_failed(held, error, result, clock())
        return None
    except Exception:
        leases.retry(held, error=JobError(code="internal_error"), counts={}, now=clock())
        raise


def _run(held: Claim, result: SyncResult, clock: Callable[[], datetime], on_exchange: OnExchange | None) -> bool:
    """False: cancelled."""
    connection = store.read(held)
    watch = Watch(held, clock)
    wanted = plan(connection, presence=held.presence, now=clock())
    may_ask = connection.status not in outcomes.HELD
    if may_ask and (wanted.accounts or holds_live_consent(connection.id)):
        standing.check_consent(connection, now=clock(), deadline_monotonic=watch.deadline, on_exchange=on_exchange)
    if held.checks_only:
        outcomes.checked(held, clock())
        return False
    if not may_ask or not wanted.accounts:
        outcomes.cancel(held, "not_needed", clock())
        return False
    standing.check_authentication(connection, now=clock())
    session = sessions.fresh_session(
        connection, now=clock(), deadline_monotonic=watch.deadline, on_exchange=on_exchange
    )
    turn = Turn(held=held, connection=connection, plan=wanted, clock=clock, watch=watch, result=result)
    with sessions.connector_for(
        connection.institution,
        now=clock(),
        credentials=session.credentials,
        bank_consent_id=connection.bank_consent_id,
        customer_ip_address=held.customer_ip_address,
        deadline_monotonic=watch.deadline,
        on_exchange=on_exchange,
    ) as connector:
        try:
            _sync_accounts(turn, connector)
        except QuotaSpent as spent:
            outcomes.cancel(held, spent.code, clock())
            return False
        _sync_balances(turn, connector)
        unfinished = _sync_transactions(turn, connector)
    outcomes.finish(turn, unfinished=unfinished)
    return True


def _guarded(turn: Turn, account_id: UUID, step: Callable[[], None]) -> bool:
    """Whether it was done. What concerns this account alone is noted, and the others go on."""
    try:
        step()
    except _OF_ONE_ACCOUNT as error:
        outcomes.note(turn.result, error, account_id)
    except AmountRejected as rejected:
        turn.result.error = turn.result.error or JobError(code=rejected.reason, account_id=account_id)
    except QuotaSpent as spent:
        turn.result.quota_spent = True
        log.info("not fetched", extra={**turn.ids, "account_id": account_id, "code": spent.code})
    except NoLongerNeeded:
        log.info("consent ended", extra=turn.ids)
    else:
        return True
    return False


# -- accounts ----------------------------------------------------------------------------------------------------------


def _sync_accounts(turn: Turn, connector: Connector) -> None:
    """Raises QuotaSpent, HolderChanged (nothing is stored), BankError, StaleLease."""
    if turn.held.trigger != SyncTrigger.BACKFILL and _were_just_listed(turn):
        return
    counts_pages = connector.info.counts_pages
    quota.spend(
        turn.held,
        account_id=None,
        resource=Resource.ACCOUNTS,
        stage="ACCOUNTS",
        now=turn.clock(),
        counts_pages=counts_pages,
    )
    try:
        fetched = connector.accounts()
    except BankError as error:
        quota.give_back(turn.held, account_id=None, resource=Resource.ACCOUNTS, error=error, now=turn.clock())
        raise
    with store.fenced(turn.held, stage="ACCOUNTS", presence=turn.presence, now=turn.clock) as (connection, needs):
        stored = accounts.stored_of(connection.id)
        pairs = accounts.recognised(stored, fetched)
        _check_holders(stored, pairs)
        # The bank lists what its customer ticked there; we keep what somebody may read.
        kept = [(data, row) for data, row in pairs if row is not None and row.id in needs.accounts]
        turn.bank_ids = accounts.upsert(
            connection,
            kept,
            with_numbers=lambda account: account is not None and needs.needs(account, Resource.ACCOUNT_NUMBERS),
            now=turn.clock(),
        )
        turn.accounts = {row.id: row for _, row in kept}
        turn.currencies = {row.id: data.currency for data, row in kept}
        _keep_holders(kept)
        unlisted = needs.accounts.keys() - turn.bank_ids.keys()
        accounts.mark_unlisted(unlisted)
    turn.result.accounts = len(turn.bank_ids)
    for account_id in sorted(unlisted):
        log.info("account not listed", extra={**turn.ids, "account_id": account_id})


def _were_just_listed(turn: Turn) -> bool:
    """Whether an earlier attempt saw the list: every planned account is on it, and known by the bank's id."""
    if not turn.goes_on:
        return False
    planned = Account.objects.for_sync().filter(id__in=turn.plan.accounts.keys())
    if not all(turn.was_just_fetched(account.fetched_at) for account in planned):
        return False
    turn.bank_ids = {account.id: account.bank_account_id for account in planned}
    turn.accounts = {account.id: account for account in planned}
    turn.currencies = {account.id: account.currency for account in planned}
    turn.result.accounts = len(turn.bank_ids)
    return True


Pairs = list[tuple[AccountData, Account | None]]


def _check_holders(stored: list[Account], pairs: Pairs) -> None:
    """Raises HolderChanged when another person answers behind this login."""
    found = {row.id for _, row in pairs if row is not None}
    unrecognised = {row.bank_account_id: row for row in stored if row.id not in found}
    for data, row in pairs:
        before = row or unrecognised.get(data.bank_account_id)
        if before is not None and is_someone_else(_kept(before), _told(data)):
            raise HolderChanged(before.id)
    if not found and stored and is_another_person([_kept(row) for row in stored], [_told(data) for data, _ in pairs]):
        raise HolderChanged(min(stored, key=lambda row: not row.is_covered).id)


def _kept(row: Account) -> Known:
    return Known(
        bank_account_id=row.bank_account_id,
        identification_digest=row.identification_digest,
        holder_digest=row.holder_digest,
    )


def _told(data: AccountData) -> Known:
    return Known(
        bank_account_id=data.bank_account_id,
        identification_digest=accounts.identification_digest(data),
        holder_digest=_holders(data),
    )


def _holders(data: AccountData) -> str:
    return holder_digest(data.holder_names, lambda name: keyed_digest("holder", name))


def _keep_holders(kept: list[tuple[AccountData, Account]]) -> None:
    """The digest only: of the names, nothing is kept."""
    for data, row in kept:
        told = _holders(data)
        if told and told != row.holder_digest:
            Account.objects.for_sync().filter(id=row.id).update(holder_digest=told)


# -- balances, then transactions ---------------------------------------------------------------------------------------


def _planned(turn: Turn, resource: Resource) -> dict[UUID, datetime | None]:
    """When each was fetched; those fetched longest ago first, so that a short turn reaches everyone in the end."""
    as_of: dict[UUID, datetime | None] = {
        row_id: row.balances_as_of if resource == Resource.BALANCES else row.transactions_as_of
        for row_id, row in turn.accounts.items()
        if turn.plan.needs(row_id, resource)
    }
    longest_ago = sorted(as_of, key=lambda row_id: (as_of[row_id] is not None, as_of[row_id] or turn.clock(), row_id))
    return {row_id: as_of[row_id] for row_id in longest_ago}


def _sync_balances(turn: Turn, connector: Connector) -> None:
    for account_id, as_of in _planned(turn, Resource.BALANCES).items():
        if not turn.was_just_fetched(as_of):
            _guarded(turn, account_id, partial(backlog.fetch_balances, turn, connector, account_id))


def _sync_transactions(turn: Turn, connector: Connector) -> bool:
    """One window of each account in turn, newest first. Whether something is left for another turn."""
    waiting = [backlog.begin(turn, one, _since(turn.plan, one)) for one in _planned(turn, Resource.TRANSACTIONS)]
    while waiting:
        for one in list(waiting):
            if turn.watch.is_over and turn.result.windows:
                return any(left.wanted for left in waiting)
            if not _guarded(turn, one.account_id, partial(_advance, turn, connector, one)) or not one.wanted:
                waiting.remove(one)
    return False


def _since(wanted: Plan, account_id: UUID) -> date:
    since = wanted.accounts[account_id].since
    assert since is not None, "transactions are planned from a day on"
    return since


def _advance(turn: Turn, connector: Connector, one: Backlog) -> None:
    if one.wanted:
        backlog.step(turn, connector, one)
    if not one.wanted:
        backlog.close(turn, connector, one)
