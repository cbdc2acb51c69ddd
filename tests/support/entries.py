"""Rows as reconcile sees them, and what becomes of the stored ones when its changes are written."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import date
from typing import Any
from uuid import UUID

from banks.matching import Facts, Stored
from banks.normalize.entries import Entry
from banks.reconcile import Changes
from banks.types import TransactionStatus

DAY = date(2026, 3, 4)
PENDING, BOOKED, REMOVED = TransactionStatus.PENDING, TransactionStatus.BOOKED, TransactionStatus.REMOVED


def entry(
    key: str = "a",
    says: str = "1",
    *,
    day: date = DAY,
    status: TransactionStatus = BOOKED,
    text: str | None = None,
    amount_minor: int = -100,
    has_bank_id: bool = True,
    **columns: Any,
) -> Entry:
    """`says`: something that tells rows apart to a reader, and that nothing is recognised by. `text` defaults to the
    key, so that rows with different keys are different payments."""
    told: dict[str, Any] = {
        "status": status.value,
        "listed_on": day,
        "booked_on": None if status == PENDING else day,
        "value_on": None,
        "amount_minor": amount_minor,
        "currency": "GBP",
        "merchant_key": None,
        "mcc": None,
        "description": f"payment {key}" if text is None else text,
        "counterparty_name": None,
        "reference_digest": None,
        "sensitive_group": "NONE",
        **columns,
    }
    return Entry(
        identity_key=key,
        columns=told,
        content_hash=f"{says}|{sorted((name, str(value)) for name, value in told.items())}",
        listed_on=day,
        has_bank_id=has_bank_id,
        raw=b"",
    )


def kept(of: Entry, *, number: int = 1, occurrence: int = 0, status: TransactionStatus | None = None) -> Stored:
    facts = Facts.of(of.columns)
    return Stored(
        id=UUID(int=number),
        identity_key=of.identity_key,
        occurrence=occurrence,
        content_hash=of.content_hash,
        facts=facts if status is None else replace(facts, status=status),
    )


def applied(stored: Iterable[Stored], changes: Changes) -> list[Stored]:
    """The rows after `changes` were written, as the store writes them."""
    rows = {row.id: row for row in stored}
    for change in (*changes.modified, *changes.renamed):
        rows[change.id] = kept(change.entry, number=change.id.int, occurrence=change.occurrence)
    for row_id in changes.removed:
        rows[row_id] = replace(rows[row_id], facts=replace(rows[row_id].facts, status=REMOVED))
    number = max((row_id.int for row_id in rows), default=0)
    for addition in changes.added:
        number += 1
        rows[UUID(int=number)] = kept(addition.entry, number=number, occurrence=addition.occurrence)
    return list(rows.values())
