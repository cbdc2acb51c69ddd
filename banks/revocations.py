"""What is left to do here and at the bank when somebody ended a consent: done, and marked in consents.revocations.

Serving stopped before any of this began. Two sweeps at once are harmless: each step looks at the rows as they are.
"""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from django.db.models import Q

from banks import endings, purge
from banks.models import Account, Connection, UpstreamEnding, UpstreamEndingStatus
from banks.needing import needs_of
from banks.needs import RETENTION, Needs
from banks.upstream import EndingReason
from consents import revocations
from consents.models import Consent, ConsentAccount, Revocation
from consents.states import UpstreamStage

BATCH = 200

_OPEN = Q(purged_at=None) | Q(upstream_stage__in=["", UpstreamStage.UPSTREAM_RETRYING])
#: What the quick sweep does not leave to the slow one.
_NEW = Q(upstream_stage="") | Q(deletes_at_once=True, purged_at=None)


def sweep(*, now: datetime) -> int:
    """What was ended since the last look; how many were followed. Cheap: run it often, after banks.endings.sweep."""
    found = list(Revocation.objects.filter(_OPEN, _NEW).order_by("requested_at", "consent_id")[:BATCH])
    for revocation in found:
        follow(revocation, now=now)
    return len(found)


def care(*, now: datetime) -> int:
    """Everything that is still open, after what retention ends was purged; how many were followed."""
    count, after = 0, UUID(int=0)
    while batch := list(Revocation.objects.filter(_OPEN, consent_id__gt=after).order_by("consent_id")[:BATCH]):
        after = batch[-1].consent_id
        for revocation in batch:
            follow(revocation, now=now)
        count += len(batch)
    return count


def bank_answered(connection_id: UUID, *, now: datetime) -> None:
    """An attempt to end the bank's consent is over: the revocations that wait for it are followed at once."""
    shared = ConsentAccount.objects.filter(connection_id=connection_id)
    waiting = Revocation.objects.filter(
        upstream_stage=UpstreamStage.UPSTREAM_RETRYING, consent_id__in=shared.values("consent_id")
    )
    for revocation in waiting.order_by("consent_id"):
        follow(revocation, now=now)


def follow(revocation: Revocation, *, now: datetime) -> None:
    """Bring one forward as far as it goes now."""
    held = list(ConsentAccount.objects.filter(consent_id=revocation.consent_id).order_by("connection_id", "account_id"))
    connection_ids = sorted({row.connection_id for row in held})
    _review(connection_ids, now)
    revocations.upstream(revocation.consent_id, _upstream_stage(revocation, connection_ids), now)
    if revocation.purged_at is None:
        if revocation.deletes_at_once:
            _purge_at_once(revocation.consent_id, held, now=now)
        if _is_purged({row.account_id for row in held}, now):
            revocations.purged(revocation.consent_id, now)


def kept_for_others(consent_id: UUID, *, now: datetime) -> frozenset[UUID]:
    """Accounts of an ended consent that another live one still needs: what stays here, and why, is told by these."""
    accounts = set(ConsentAccount.objects.filter(consent_id=consent_id).values_list("account_id", flat=True))
    return frozenset(accounts & {one for needs in _needs(accounts, now).values() for one in needs.accounts})


def _review(connection_ids: Collection[UUID], now: datetime) -> None:
    """End those that nobody needs and that the sweep before this one overlooked: only then is it known what follows."""
    found = list(Connection.objects.filter(id__in=connection_ids, unneeded_at=None).order_by("id"))
    needs = needs_of(found, now=now)
    for connection in found:
        if not needs[connection.id].accounts:
            endings.review(connection.id, now=now)


# -- at the bank -------------------------------------------------------------------------------------------------------

_OF_ENDING = {
    UpstreamEndingStatus.PENDING: UpstreamStage.UPSTREAM_RETRYING,
    UpstreamEndingStatus.LEASED: UpstreamStage.UPSTREAM_RETRYING,
    UpstreamEndingStatus.IMPOSSIBLE: UpstreamStage.UPSTREAM_IMPOSSIBLE,
    UpstreamEndingStatus.DONE: UpstreamStage.UPSTREAM_CANCELLED,
}


def _upstream_stage(revocation: Revocation, connection_ids: Collection[UUID]) -> UpstreamStage:
    """Of a consent at several banks, the least that is true of all that were to be ended."""
    lodged = UpstreamEnding.objects.filter(
        connection_id__in=connection_ids,
        reason=EndingReason.NO_CONSENT_LEFT,
        # An earlier one ended an earlier link, before the user came back.
        created_at__gte=revocation.requested_at,
    )
    told = {_OF_ENDING[UpstreamEndingStatus(status)] for status in lodged.values_list("status", flat=True)}
    # In the order of _OF_ENDING: what still goes on comes before what is over.
    return next((stage for stage in _OF_ENDING.values() if stage in told), UpstreamStage.NOT_APPLICABLE)


# -- here --------------------------------------------------------------------------------------------------------------


def _purge_at_once(consent_id: UUID, held: Collection[ConsentAccount], *, now: datetime) -> None:
    for connection_id in sorted({row.connection_id for row in held}):
        account_ids = [row.account_id for row in held if row.connection_id == connection_id]
        if _others_may_return(consent_id, connection_id, account_ids, now):
            for account_id in account_ids:
                purge.purge_account(account_id, now=now, at_once=True)
        elif not purge.purge_connection(connection_id, now=now, at_once=True):
            for account_id in account_ids:
                purge.purge_account(account_id, now=now, at_once=True)
                purge.purge_balances(account_id, now=now)


def _others_may_return(consent_id: UUID, connection_id: UUID, account_ids: Collection[UUID], now: datetime) -> bool:
    """Whether other accounts on this link belong to a consent that ended with a day to think again, not yet over."""
    recent = Consent.objects.filter(ended_at__gt=now - RETENTION).exclude(id=consent_id)
    waiting = recent.exclude(id__in=Revocation.objects.filter(deletes_at_once=True).values("consent_id"))
    others = ConsentAccount.objects.filter(connection_id=connection_id, consent_id__in=waiting.values("id"))
    return others.exclude(account_id__in=list(account_ids)).exists()


def _is_purged(account_ids: Collection[UUID], now: datetime) -> bool:
    """Of these accounts nothing is left but what a live consent needs."""
    left = list(Account.objects.for_sync().filter(id__in=list(account_ids)))
    needs = _needs([account.id for account in left], now)
    return all(_holds_only_needed(account, needs[account.connection_id]) for account in left)


def _holds_only_needed(account: Account, needs: Needs) -> bool:
    if account.id not in needs.accounts:
        return False
    has_transactions = account.transactions_as_of is not None or account.transactions_unneeded_at is not None
    if has_transactions and account.id not in needs.transactions:
        return False
    return account.balances_as_of is None or account.id in needs.balances


def _needs(account_ids: Collection[UUID], now: datetime) -> dict[UUID, Needs]:
    accounts = Account.objects.for_sync().filter(id__in=list(account_ids))
    connections = Connection.objects.filter(id__in=accounts.values("connection_id"))
    return needs_of(list(connections), now=now)
