"""What one account's transactions still need in this turn: windows, newest first, each stored in its own right.

After each window the rows, their numbers and the days they cover are committed, so that a crash at any point costs one
window and no truth. What follows when nothing is left is in `banks.proving`.
"""

import time
from dataclasses import dataclass
from datetime import date, timedelta
from uuid import UUID

from banks import accounts, balances, covered_days, fences, findings, store, untold, windows
from banks.calls import Call, Calls
from banks.connector import Connector
from banks.coverage import DAY, Covered, Pace, Span, Window, from_day, newest_window, to_fetch
from banks.errors import AccountUnavailable, AnswerTooLarge, BankError, BankMisconfigured
from banks.models import Account, Connection, FindingKind
from banks.proof import booked_balance
from banks.reconcile import Asked, Changes
from banks.turn import Turn
from banks.types import Resource
from banks.windows import Fetched, WindowTooLarge
from consents.scopes import Presence

#: Codes of findings, beside their kinds.
OLDER_DAYS_REFUSED = "older_days_refused"
LESS_THAN_PROMISED = "less_than_promised"
CHANGED_WHILE_PAGED = "changed_while_paged"

#: Days by which a bank's word on how far it reaches may miss its promise: months are counted in many ways.
_PROMISE_TOLERANCE = timedelta(days=7)


@dataclass(slots=True, kw_only=True)
class Backlog:
    """`since`: first day that some consent opens and the bank has; `wanted`: what is left to fetch, newest first."""

    account_id: UUID
    since: date
    wanted: list[Span]
    pace: Pace
    covered: Covered
    was_served: bool = False  #: in this turn
    was_unstable: bool = False
    was_refused: bool = False


def begin(turn: Turn, account_id: UUID, since: date) -> Backlog:
    """What was missing when the turn saw the account."""
    account, today = turn.accounts[account_id], turn.local_today()
    covered = Covered.of(account.coverage_first_on, account.coverage_last_on, account.coverage_gaps)
    if account.bank_first_on is not None:
        since = max(since, account.bank_first_on)
    if covered.first_on is not None and _older_days_are_refused(turn, account):
        since = max(since, covered.first_on)
    wanted = to_fetch(
        covered,
        since=since,
        today=today,
        oldest_pending_on=accounts.oldest_pending_on(account),
        refresh=not turn.was_just_fetched(account.transactions_as_of),
    )
    return Backlog(account_id=account_id, since=since, wanted=wanted, pace=Pace(), covered=covered)


def next_call(turn: Turn, backlog: Backlog) -> Call:
    """For the first page of the newest window. Something is wanted."""
    window, _ = newest_window(backlog.wanted, days_max=backlog.pace.days, today=turn.local_today())
    return _call(backlog, window)


def _call(backlog: Backlog, window: Window) -> Call:
    return Call(account_id=backlog.account_id, resource=Resource.TRANSACTIONS, since=window.since)


def _older_days_are_refused(turn: Turn, account: Account) -> bool:
    """Some banks give old days only shortly after a login: whoever is present may have made one."""
    if turn.presence != Presence.ABSENT or not accounts.has_findings(account):
        return False
    return findings.is_open(
        FindingKind.HISTORY_SHORT, turn.connection.id, account_id=account.id, code=OLDER_DAYS_REFUSED
    )


def step(turn: Turn, calls: Calls, connector: Connector, backlog: Backlog) -> None:
    """Fetch and store one window, or find that it must be smaller. Raises NoLongerNeeded, QuotaSpent, BankError."""
    window, rest = newest_window(backlog.wanted, days_max=backlog.pace.days, today=turn.local_today())
    began = time.monotonic()
    try:
        fetched = _fetch(turn, calls, connector, backlog, window)
    except WindowTooLarge:
        if window.days == 1:
            raise AnswerTooLarge("one_day") from None
        backlog.pace.days = min(backlog.pace.days, window.days)
        backlog.pace.shrink()
        return
    except (AccountUnavailable, BankMisconfigured) as error:
        if window.until is None or error.upstream_status is None:
            raise
        _older_days_refused(turn, backlog)
        return
    _store(turn, calls, backlog, window, fetched)
    backlog.wanted = rest if fetched.bank_first_on is None else from_day(rest, fetched.bank_first_on)
    if fetched.bank_first_on is not None:
        backlog.since = max(backlog.since, fetched.bank_first_on)
    backlog.pace.took(time.monotonic() - began)


def _fetch(turn: Turn, calls: Calls, connector: Connector, backlog: Backlog, window: Window) -> Fetched:
    call, counts_pages, pages = _call(backlog, window), connector.info.counts_pages, 0

    def before_page() -> None:
        nonlocal pages
        if counts_pages or not pages:
            calls.allow(call)
        else:
            turn.watch.renew()
            fences.require(turn.plan_for_call(), backlog.account_id, Resource.TRANSACTIONS, since=window.since)
        pages += 1

    try:
        fetched = windows.fetch(
            connector,
            turn.bank_ids[backlog.account_id],
            window,
            before_page=before_page,
            seconds_max=backlog.pace.seconds_max if window.days > 1 else None,
        )
    except BankError as error:
        if not backlog.was_served and pages == 1:
            calls.give_back(call, error)
        raise
    backlog.was_served = True
    return fetched


def _store(turn: Turn, calls: Calls, backlog: Backlog, window: Window, fetched: Fetched) -> None:
    """Chunk by chunk, and the days as covered last of all."""
    account_id, told_from = backlog.account_id, max(window.since, fetched.bank_first_on or window.since)
    changes = store.compared(
        account_id,
        fetched.entries,
        asked=Asked(
            since=window.since,
            until=window.until,
            # A rejected row may be one that is stored: nothing is called absent on an incomplete list. One day of
            # margin, because the bank's filter runs on instants and ours on its calendar.
            removable_from=None if fetched.rejected else told_from + DAY,
            removable_until=None if window.until is None else window.until - DAY,
            stable=fetched.stable,
        ),
    )
    for write in store.writes(account_id, changes, now=turn.clock()):
        turn.watch.renew()
        with fences.fenced(turn.held, stage="TRANSACTIONS", presence=turn.presence, now=turn.clock) as (link, needs):
            fences.require(needs, account_id, Resource.TRANSACTIONS, since=window.since)
            if changes.total:
                _note_changes(turn, link)
            write(link)
    turn.watch.renew()
    with fences.fenced(turn.held, stage="TRANSACTIONS", presence=turn.presence, now=turn.clock) as (link, needs):
        fences.require(needs, account_id, Resource.TRANSACTIONS, since=window.since)
        _complete(turn, link, backlog, window, fetched)
        calls.ask_ahead(link, needs, stage="TRANSACTIONS")
    _count(turn, changes, fetched)


def _note_changes(turn: Turn, link: Connection) -> None:
    if turn.result.changed_after is None:
        untold.note(turn.held, link.change_sequence)
        turn.result.changed_after = link.change_sequence


def _complete(turn: Turn, link: Connection, backlog: Backlog, window: Window, fetched: Fetched) -> None:
    account_id, now = backlog.account_id, turn.clock()
    store.quarantine(link, account_id, fetched.rejected, connector=link.institution.connector, now=now)
    if not fetched.stable:
        backlog.was_unstable = turn.result.list_unstable = True
        findings.open_finding(FindingKind.LIST_UNSTABLE, link, account_id=account_id, code=CHANGED_WHILE_PAGED, now=now)
        return
    backlog.covered = covered_days.mark_covered(
        account_id, window, bank_first_on=fetched.bank_first_on, now=now, before=backlog.covered
    )
    if fetched.bank_first_on is not None:
        _compare_with_promise(turn, link, account_id, fetched.bank_first_on)


def _count(turn: Turn, changes: Changes, fetched: Fetched) -> None:
    result = turn.result
    result.has_fetched = True
    result.windows += 1
    result.added += len(changes.added)
    result.modified += len(changes.modified)
    result.linked += changes.linked
    result.removed += len(changes.removed)
    result.unchanged += changes.unchanged
    result.quarantined += len(fetched.rejected)


# -- history -----------------------------------------------------------------------------------------------------------


def _compare_with_promise(turn: Turn, link: Connection, account_id: UUID, bank_first_on: date) -> None:
    promised_from = turn.local_today() - timedelta(days=link.institution.history_days_max) + _PROMISE_TOLERANCE
    account = turn.accounts[account_id]
    opened_on = account.opened_on
    is_young = opened_on is not None and bank_first_on <= opened_on + _PROMISE_TOLERANCE
    if bank_first_on > promised_from and not is_young:
        findings.open_finding(
            FindingKind.HISTORY_SHORT, link, account_id=account_id, code=LESS_THAN_PROMISED, now=turn.clock()
        )
    elif accounts.has_findings(account):
        findings.close_finding(
            FindingKind.HISTORY_SHORT, link, account_id=account_id, code=LESS_THAN_PROMISED, now=turn.clock()
        )


def _older_days_refused(turn: Turn, backlog: Backlog) -> None:
    """The newest window was answered, an older one is refused: what there is stays, and the operator is told."""
    with fences.fenced_alone(turn.held, stage="TRANSACTIONS") as link:
        findings.open_finding(
            FindingKind.HISTORY_SHORT, link, account_id=backlog.account_id, code=OLDER_DAYS_REFUSED, now=turn.clock()
        )
    backlog.wanted = []
    backlog.was_refused = True


def fetch_balances(turn: Turn, calls: Calls, connector: Connector, account_id: UUID) -> None:
    """Fetch and store the balances of one account. Raises NoLongerNeeded, QuotaSpent, AmountRejected, BankError."""
    call = Call(account_id=account_id, resource=Resource.BALANCES)
    calls.allow(call)
    try:
        fetched = connector.balances(turn.bank_ids[account_id])
    except BankError as error:
        calls.give_back(call, error)
        raise
    with fences.fenced(turn.held, stage="BALANCES", presence=turn.presence, now=turn.clock) as (link, needs):
        fences.require(needs, account_id, Resource.BALANCES)
        turn.result.balances += balances.store_balances(account_id, fetched, now=turn.clock())
        calls.ask_ahead(link, needs, stage="BALANCES")
    turn.result.has_fetched = True
    booked = booked_balance(fetched, turn.currencies[account_id])
    if booked is not None:
        turn.booked[account_id] = booked
