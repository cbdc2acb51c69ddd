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

from banks import (
    account_holders,
    accounts,
    backlog,
    calls,
    fences,
    outcomes,
    proving,
    registry,
    sessions,
    standing,
    untold,
)
from banks.backlog import Backlog
from banks.calls import Call, Calls
from banks.connector import Connector
from banks.errors import (
    AccountUnavailable,
    AddressForbidden,
    AnswerTooLarge,
    BankError,
    BankFormatChanged,
    NotSupported,
    PagingBroken,
    QuotaSpent,
    StaleLease,
)
from banks.fences import NoLongerNeeded
from banks.held_jobs import Claim, JobError
from banks.http.exchanges import Exchange
from banks.models import SyncTrigger
from banks.normalize.money import AmountRejected
from banks.plan import Plan, holds_live_consent, plan
from banks.turn import SyncResult, Turn, Watch
from banks.types import Resource

log = logging.getLogger(__name__)

#: Trouble with one account, or with what was said of it: the others go on.
_OF_ONE_ACCOUNT = (AccountUnavailable, AddressForbidden, BankFormatChanged, PagingBroken, AnswerTooLarge, NotSupported)

OnExchange = Callable[[Exchange], None]


def run(
    held: Claim,
    *,
    clock: Callable[[], datetime],
    on_exchange: OnExchange | None = None,
    settle: outcomes.Settle | None = None,
) -> SyncResult | None:
    """Do the job, for one turn, and record how that ended. None when nothing came of it: cancelled, failed as a whole,
    or become someone else's.

    `on_exchange` is told of every call to the bank. `settle` says to the bank's gate that there are no more; with it a
    job that ends well says with its end when the next one is due (`SyncResult.is_scheduled`).
    Never raises BankError: that is an ending. Anything else is a defect; the job is put back and the error goes on.
    """
    result = SyncResult()
    try:
        return result if _run(held, result, clock, on_exchange, settle) else None
    except StaleLease:
        log.info("lease lost", extra={"job_id": held.job_id, "connection_id": held.connection_id})
        return None
    except BankError as error:
        outcomes.bank_failed(held, error, result, clock())
        return None
    except Exception:
        outcomes.broke_off(held, result, clock())
        raise


def _run(
    held: Claim,
    result: SyncResult,
    clock: Callable[[], datetime],
    on_exchange: OnExchange | None,
    settle: outcomes.Settle | None,
) -> bool:
    """False: cancelled."""
    turn, asking = _begun(held, result, clock)
    try:
        return _done(turn, asking, on_exchange, settle)
    except BankError:
        asking.give_back_unmade()
        raise


def _done(turn: Turn, asking: Calls, on_exchange: OnExchange | None, settle: outcomes.Settle | None) -> bool:
    held, clock = turn.held, turn.clock
    connection, watch = turn.connection, turn.watch
    may_ask = connection.status not in outcomes.HELD
    if may_ask and (turn.plan.accounts or holds_live_consent(connection.id)):
        standing.check_consent(connection, now=clock(), deadline_monotonic=watch.deadline, on_exchange=on_exchange)
    if held.checks_only:
        outcomes.checked(held, clock())
        return False
    if not may_ask or not turn.plan.accounts:
        outcomes.cancel(turn, "not_needed", clock())
        return False
    standing.check_authentication(connection, now=clock())
    session = sessions.fresh_session(
        connection, held, now=clock(), deadline_monotonic=watch.deadline, on_exchange=on_exchange
    )
    if session.was_refreshed:
        asking.drop()  # the bank was called meanwhile
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
            _sync_accounts(turn, asking, connector)
        except (QuotaSpent, NoLongerNeeded) as refusal:
            outcomes.cancel(turn, refusal.code if isinstance(refusal, QuotaSpent) else "not_needed", clock())
            return False
        _sync_balances(turn, asking, connector)
        unfinished = _sync_transactions(turn, asking, connector)
    outcomes.finish(turn, asking.ledger, unfinished=unfinished, settle=settle)
    return True


def _begun(held: Claim, result: SyncResult, clock: Callable[[], datetime]) -> tuple[Turn, Calls]:
    """The connection as it is now, what is to be fetched of it, and the first call asked for where nothing else comes
    before it. Raises StaleLease."""
    with fences.fenced_alone(held, stage=calls.LIST.stage) as connection:
        now = clock()
        result.changed_after = untold.left_by_another(held)
        wanted = plan(connection, presence=held.presence, now=now)
        watch = Watch(held, clock)
        turn = Turn(held=held, connection=connection, plan=wanted, clock=clock, watch=watch, result=result)
        counts_pages = registry.connector(connection.institution.connector).info.counts_pages
        asking = Calls(turn, counts_pages=counts_pages)
        if _begins_with_the_list(turn, now):
            asking.upcoming = [calls.LIST]
            asking.ask_ahead(connection, wanted, stage=calls.LIST.stage)
    return turn, asking


def _begins_with_the_list(turn: Turn, now: datetime) -> bool:
    """Whether the list of accounts is the first thing that the bank is asked for."""
    connection = turn.connection
    has_been_listed = turn.goes_on and turn.held.trigger != SyncTrigger.BACKFILL
    if turn.held.checks_only or has_been_listed or connection.status in outcomes.HELD or not turn.plan.accounts:
        return False
    return sessions.are_fresh(connection, now=now) and standing.needs_no_look(connection, now=now)


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


def _sync_accounts(turn: Turn, asking: Calls, connector: Connector) -> None:
    """Raises QuotaSpent, NoLongerNeeded, HolderChanged (nothing is stored), BankError, StaleLease."""
    if turn.held.trigger != SyncTrigger.BACKFILL and _were_just_listed(turn):
        asking.upcoming = _upcoming(turn)
        return
    asking.allow(calls.LIST)
    try:
        fetched = connector.accounts()
    except BankError as error:
        asking.give_back(calls.LIST, error)
        raise
    stage = calls.LIST.stage
    with fences.fenced(turn.held, stage=stage, presence=turn.presence, now=turn.clock) as (connection, needs):
        stored = accounts.stored_of(connection.id)
        pairs = accounts.recognised(stored, fetched)
        account_holders.check(stored, pairs)
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
        account_holders.keep(kept)
        unlisted = needs.accounts.keys() - turn.bank_ids.keys()
        accounts.mark_unlisted(unlisted)
        asking.upcoming = _upcoming(turn)
        asking.ask_ahead(connection, needs, stage=stage)
    turn.result.accounts = len(turn.bank_ids)
    for account_id in sorted(unlisted):
        log.info("account not listed", extra={**turn.ids, "account_id": account_id})


def _were_just_listed(turn: Turn) -> bool:
    """Whether an earlier attempt saw the list: every planned account is on it, and known by the bank's id."""
    if not turn.goes_on:
        return False
    planned = [row for row in accounts.stored_of(turn.connection.id) if row.id in turn.plan.accounts]
    if not all(turn.was_just_fetched(account.fetched_at) for account in planned):
        return False
    turn.bank_ids = {account.id: account.bank_account_id for account in planned}
    turn.accounts = {account.id: account for account in planned}
    turn.currencies = {account.id: account.currency for account in planned}
    turn.result.accounts = len(turn.bank_ids)
    return True


def _upcoming(turn: Turn) -> list[Call]:
    """What is asked for after the list when all goes well: every balance, then the newest window of every account."""
    balances = [Call(account_id=one, resource=Resource.BALANCES) for one in _stale_balances(turn)]
    return [*balances, *(backlog.next_call(turn, one) for one in _waiting(turn) if one.wanted)]


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


def _stale_balances(turn: Turn) -> list[UUID]:
    planned = _planned(turn, Resource.BALANCES).items()
    return [account_id for account_id, as_of in planned if not turn.was_just_fetched(as_of)]


def _waiting(turn: Turn) -> list[Backlog]:
    return [backlog.begin(turn, one, _since(turn.plan, one)) for one in _planned(turn, Resource.TRANSACTIONS)]


def _sync_balances(turn: Turn, asking: Calls, connector: Connector) -> None:
    for account_id in _stale_balances(turn):
        _guarded(turn, account_id, partial(backlog.fetch_balances, turn, asking, connector, account_id))


def _sync_transactions(turn: Turn, asking: Calls, connector: Connector) -> bool:
    """One window of each account in turn, newest first. Whether something is left for another turn."""
    waiting = _waiting(turn)
    while waiting:
        for one in list(waiting):
            if turn.watch.is_over and turn.result.windows:
                return any(left.wanted for left in waiting)
            advance = partial(_advance, turn, asking, connector, one)
            if not _guarded(turn, one.account_id, advance) or not one.wanted:
                waiting.remove(one)
    return False


def _since(wanted: Plan, account_id: UUID) -> date:
    since = wanted.accounts[account_id].since
    assert since is not None, "transactions are planned from a day on"
    return since


def _advance(turn: Turn, asking: Calls, connector: Connector, one: Backlog) -> None:
    if one.wanted:
        backlog.step(turn, asking, connector, one)
    if not one.wanted:
        proving.close(turn, asking, connector, one)
