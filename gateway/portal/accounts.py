"""The holder's own accounts, as they are named on a page: through the owner's door and the seam, never past them."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

from banks import directory, read
from consents.ownership import owner_permit
from gateway import words

#: A permit for one page: made, used and forgotten within the request.
_PERMIT_LIFETIME = timedelta(minutes=1)

GONE = "An account that is no longer linked"


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountLabel:
    """What tells one account from the next. `masked_number`: the last digits; it and `currency` are "" when the bank
    gives none.

    `bank`: its name where the accounts shown together are of several banks, else "".
    """

    name: str
    kind: str
    masked_number: str
    currency: str
    bank: str = ""

    @property
    def text(self) -> str:
        """One line for lists and for the text the user agrees to."""
        number = f"ending in {self.masked_number}" if self.masked_number else ""
        return ", ".join(part for part in (self.name, self.kind, number, self.currency, self.bank) if part)


class AtBank(Protocol):
    """An account and its bank: a choice, a row under a consent."""

    @property
    def institution_id(self) -> UUID: ...
    @property
    def account_id(self) -> UUID: ...


def labels(user_id: UUID, rows: Iterable[AtBank], *, now: datetime, request_id: str) -> dict[UUID, AccountLabel]:
    """By account id. An account whose link is gone has no entry."""
    pairs = [(row.institution_id, row.account_id) for row in rows]
    if not pairs:
        return {}
    permit = owner_permit(user_id, pairs, expires_at=now + _PERMIT_LIFETIME)
    answer = read.accounts(permit, now=now, request_id=request_id)
    banks = _banks(pairs)
    return {
        account_id: _label(row, banks.get(account_id, ""))
        for row in answer.rows
        if isinstance(account_id := row["id"], UUID)
    }


def _banks(pairs: list[tuple[UUID, UUID]]) -> dict[UUID, str]:
    """Account -> name of its bank; empty when all are of one bank."""
    cards = directory.by_id(institution_id for institution_id, _ in pairs)
    if len(cards) < 2:
        return {}
    return {account_id: cards[institution_id].name for institution_id, account_id in pairs if institution_id in cards}


def texts(labelled: dict[UUID, AccountLabel], account_ids: Collection[UUID]) -> list[str]:
    """One line per account, by name; what is gone says so."""
    return sorted(labelled[account].text if account in labelled else GONE for account in account_ids)


def _label(row: read.Row, bank: str) -> AccountLabel:
    kind = words.TYPE_WORDS.get(str(row["account_type"])) or words.CATEGORY_WORDS.get(str(row["category"]), "Account")
    name = str(row["name"] or "")
    return AccountLabel(
        name=name or kind,
        kind=kind if name and name != kind else "",
        masked_number=str(row["masked_number"] or ""),
        currency=str(row["currency"] or ""),
        bank=bank,
    )
