"""Whether it is still the same person behind a login: what the bank tells of its accounts, against what is kept."""

from banks import accounts
from banks.continuity import Known, holder_digest, is_another_person, is_someone_else
from banks.errors import HolderChanged
from banks.models import Account
from banks.types import AccountData
from banks.vault import keyed_digest


def check(stored: list[Account], pairs: list[tuple[AccountData, Account | None]]) -> None:
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
        holder_digest=_digest(data),
    )


def _digest(data: AccountData) -> str:
    return holder_digest(data.holder_names, lambda name: keyed_digest("holder", name))


def keep(kept: list[tuple[AccountData, Account]]) -> None:
    """The digest only: of the names, nothing is kept."""
    for data, row in kept:
        told = _digest(data)
        if told and told != row.holder_digest:
            Account.objects.for_sync().filter(id=row.id).update(holder_digest=told)
