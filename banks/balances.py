"""Balances as the bank tells them, and whether the stored rows add up to them."""

import hashlib
import json
from collections.abc import Sequence
from datetime import date, datetime
from functools import lru_cache
from uuid import UUID

from django.db.models import F, Q, Sum

from banks import accounts
from banks.compiled import SLOTS, Compiled, CompiledModels, CompiledUpdate
from banks.models import Account, Balance, Transaction
from banks.normalize.money import to_minor
from banks.proof import Booked, Drift, Proven, Unclear, prove
from banks.types import BalanceData, TransactionStatus


def store_balances(account_id: UUID, fetched: Sequence[BalanceData], *, now: datetime) -> int:
    """Rows written or removed; unchanged ones cost no write but the account's `balances_as_of`.

    Raises AmountRejected before anything is written.
    """
    rows = {(row.type, row.currency): row for row in (_balance(account_id, data) for data in fetched)}
    kept = {(row.type, row.currency): row for row in _kept().models({"account_id": account_id})}
    changed = 0
    for key, row in rows.items():
        before = kept.get(key)
        if before is not None and before.content_hash == row.content_hash:
            continue
        row.id = before.id if before else row.id
        row.save(force_insert=before is None, force_update=before is not None)
        changed += 1
    gone = [row.id for key, row in kept.items() if key not in rows]
    if gone:
        Balance.objects.for_sync().filter(account_id=account_id, id__in=gone).delete()
    _seen_at(has_changed=bool(changed or gone)).run({"account_id": account_id, "now": now})
    return changed + len(gone)


@lru_cache(maxsize=1)
def _kept() -> CompiledModels[Balance]:
    return CompiledModels(Balance.objects.for_sync().filter(account_id=SLOTS["account_id"]))


@lru_cache(maxsize=2)
def _seen_at(*, has_changed: bool) -> CompiledUpdate:
    touched: dict[str, object] = {"balances_as_of": SLOTS["now"]}
    if has_changed:
        touched["version"] = F("version") + 1
    return CompiledUpdate(Account.objects.for_sync().filter(id=SLOTS["account_id"]), touched)


def _balance(account_id: UUID, data: BalanceData) -> Balance:
    lines = [
        {
            "included": line.included,
            "type": line.type,
            "amount_minor": None if line.amount is None else to_minor(line.amount.amount, line.amount.currency),
            "currency": None if line.amount is None else line.amount.currency,
        }
        for line in data.credit_lines
    ]
    amount_minor = to_minor(data.money.amount, data.money.currency)
    told = [data.type, amount_minor, data.money.currency, lines, data.as_of.isoformat()]
    return Balance(
        account_id=account_id,
        type=data.type,
        amount_minor=amount_minor,
        currency=data.money.currency,
        credit_lines=lines,
        as_of=data.as_of,
        content_hash=hashlib.sha256(json.dumps(told).encode()).hexdigest(),
    )


def is_proven(account: Account, balance: Booked, *, covered_from: date) -> bool:
    """Whether the rows stand on what was noted last: then nothing is to be written. Reads only, without a lock.

    `account` as the turn began with it: nobody else notes a proof.
    """
    before = _noted(account)
    if before is None or before.first_on != covered_from:
        return False
    if balance.closes_on is not None:  # of which day it is has several readings
        return _verdict(account, balance, before, covered_from) == before
    sums = _sums().rows({"account_id": account.id, "start_on": before.first_on})
    if any(currency != account.currency for currency, _ in sums):
        return False
    return balance.amount_minor - sum(total or 0 for _, total in sums) == before.opening_minor


@lru_cache(maxsize=1)
def _sums() -> Compiled:
    booked = Transaction.objects.for_sync().filter(account_id=SLOTS["account_id"], status=TransactionStatus.BOOKED)
    since = Sum("amount_minor", filter=Q(listed_on__gte=SLOTS["start_on"]))
    return Compiled(booked.order_by().values_list("currency").annotate(total=since))


def proved(account_id: UUID, balance: Booked) -> Proven | Drift | Unclear:
    """Whether the booked rows since the first covered day stand on what they stood on; a proof is noted.

    Unclear where the rows are in several currencies, or gone. The caller holds the connection's lock, and has seen that
    everything wanted is covered without a gap.
    """
    account = accounts.stored(account_id)
    before = _noted(account)
    if account.coverage_first_on is None:
        return Unclear()  # what was stored has just been purged
    verdict = _verdict(account, balance, before, account.coverage_first_on)
    if isinstance(verdict, Proven) and verdict != before:
        Account.objects.for_sync().filter(id=account_id).update(
            proven_opening_minor=verdict.opening_minor, proven_first_on=verdict.first_on
        )
    return verdict


def _noted(account: Account) -> Proven | None:
    if account.proven_opening_minor is None or account.proven_first_on is None:
        return None
    return Proven(opening_minor=account.proven_opening_minor, first_on=account.proven_first_on)


def _verdict(account: Account, balance: Booked, before: Proven | None, covered_from: date) -> Proven | Drift | Unclear:
    totals: dict[date, int] = {}
    for listed_on, currency, total in _days().rows({"account_id": account.id}):
        if currency != account.currency:
            return Unclear()
        totals[listed_on] = total
    return prove(balance, totals, covered_from=covered_from, before=before)


@lru_cache(maxsize=1)
def _days() -> Compiled:
    booked = Transaction.objects.for_sync().filter(account_id=SLOTS["account_id"], status=TransactionStatus.BOOKED)
    days = booked.order_by("listed_on").values_list("listed_on", "currency").annotate(total=Sum("amount_minor"))
    return Compiled(days)
