"""A linked account and normalized rows to write into it."""

from datetime import date
from decimal import Decimal

from banks.models import Account, Transaction
from banks.normalize.entries import Entry, entry
from banks.reconcile import Addition, Changes
from banks.types import Money, TransactionData, TransactionStatus
from tests.support import cast
from tests.support.cast import NOW

DAY = date(2026, 3, 1)


def purchase(number: int, *, pounds: int = -1) -> Entry:
    made = entry(
        TransactionData(
            bank_transaction_id=f"t-{number}",
            status=TransactionStatus.BOOKED,
            money=Money(Decimal(pounds), "GBP"),
            booked_on=DAY,
            listed_on=DAY,
            description=f"purchase {number}",
            raw=f"row {number}".encode(),
        )
    )
    assert isinstance(made, Entry)
    return made


def additions(first: int, count: int) -> Changes:
    return Changes(added=[Addition(entry=purchase(number), occurrence=0) for number in range(first, first + count)])


def linked_account() -> Account:
    return cast.account(cast.connection(cast.alice(), cast.institution(now=NOW), now=NOW))


def rows(account: Account) -> list[Transaction]:
    return list(Transaction.objects.for_sync().filter(account_id=account.id).order_by("change_sequence"))
