"""When nothing of one account's transactions is left to fetch: what is right again is closed, and the rows are proved
against the bank's booked balance."""

from banks import accounts, balances, covered_days, fences, findings
from banks.backlog import OLDER_DAYS_REFUSED, Backlog, fetch_balances, step
from banks.calls import Calls
from banks.connector import Connector
from banks.coverage import OVERLAP, Span
from banks.models import FindingKind, QuarantinedRow
from banks.proof import Drift, Unclear
from banks.turn import Turn
from banks.types import Resource

#: Codes of findings, beside their kinds.
QUARANTINED_ROWS = "quarantined_rows"
ROWS_DO_NOT_ADD_UP = "rows_do_not_add_up"


def close(turn: Turn, calls: Calls, connector: Connector, backlog: Backlog) -> None:
    """Close what is right again, and prove the rows. Raises as `step`."""
    account_id, now = backlog.account_id, turn.clock()
    # Nobody but this turn opens or closes them, for it holds the connection's only job.
    is_any = accounts.has_findings(turn.accounts[account_id])
    opened = findings.open_kinds(turn.connection.id, account_id) if is_any else frozenset[FindingKind]()
    may_close = opened & {FindingKind.LIST_UNSTABLE, FindingKind.HISTORY_SHORT}
    if may_close and not (backlog.was_unstable and backlog.was_refused):
        with fences.fenced_alone(turn.held, stage="TRANSACTIONS") as link:
            if not backlog.was_unstable:
                findings.close_finding(FindingKind.LIST_UNSTABLE, link, account_id=account_id, now=now)
            if not backlog.was_refused and _reaches_back(backlog):
                findings.close_finding(
                    FindingKind.HISTORY_SHORT, link, account_id=account_id, code=OLDER_DAYS_REFUSED, now=now
                )
    if _can_be_proved(turn, backlog) and _drifts(turn, backlog, opened):
        # A row may have been booked between the two calls: both once more, then it is said.
        again = _balance_and_overlap_again(turn, calls, connector, backlog)
        if again is not None and _can_be_proved(turn, backlog) and _drifts(turn, backlog, opened):
            _drifted(turn, backlog, again)


def _reaches_back(backlog: Backlog) -> bool:
    first_on = backlog.covered.first_on
    return first_on is not None and first_on <= backlog.since


def _can_be_proved(turn: Turn, backlog: Backlog) -> bool:
    """With a booked balance of this turn, and everything wanted there without a gap."""
    covered = backlog.covered
    is_whole = len(covered.spans) == 1 and covered.holds_all(Span(backlog.since, turn.local_today()))
    return backlog.account_id in turn.booked and is_whole and not backlog.was_unstable


def _drifts(turn: Turn, backlog: Backlog, opened: frozenset[FindingKind]) -> bool:
    account_id, booked = backlog.account_id, turn.booked[backlog.account_id]
    covered_from = backlog.covered.spans[0].first_on
    account = turn.accounts[account_id]
    if FindingKind.BALANCE_DRIFT not in opened and balances.is_proven(account, booked, covered_from=covered_from):
        return False
    with fences.fenced(turn.held, stage="PROOF", presence=turn.presence, now=turn.clock) as (link, needs):
        fences.require(needs, account_id, Resource.TRANSACTIONS)
        verdict = balances.proved(account_id, booked)
        if not isinstance(verdict, Drift | Unclear) and FindingKind.BALANCE_DRIFT in opened:
            findings.close_finding(FindingKind.BALANCE_DRIFT, link, account_id=account_id, now=turn.clock())
    return isinstance(verdict, Drift)


def _balance_and_overlap_again(turn: Turn, calls: Calls, connector: Connector, backlog: Backlog) -> Span | None:
    """The days fetched again; None when the list was unstable now."""
    fetch_balances(turn, calls, connector, backlog.account_id)
    today = turn.local_today()
    overlap = Span(max(backlog.since, today - OVERLAP), today)
    backlog.wanted = [overlap]
    while backlog.wanted:
        step(turn, calls, connector, backlog)
    return None if backlog.was_unstable else overlap


def _drifted(turn: Turn, backlog: Backlog, again: Span) -> None:
    """The next turn fetches all of it anew, once: opened again and again, a finding changes nothing."""
    account_id = backlog.account_id
    with fences.fenced_alone(turn.held, stage="PROOF") as link:
        quarantined = QuarantinedRow.objects.for_sync().filter(account_id=account_id).exists()
        code = QUARANTINED_ROWS if quarantined else ROWS_DO_NOT_ADD_UP
        is_new = findings.open_finding(
            FindingKind.BALANCE_DRIFT, link, account_id=account_id, code=code, now=turn.clock()
        )
        if is_new:
            covered_days.doubt_coverage(account_id, since=again.first_on)
