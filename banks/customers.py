"""Whose account has these numbers: for the staff of the bank that gave them. Ids alone; no customer data."""

from collections.abc import Sequence
from itertools import chain, combinations
from uuid import UUID

from banks.accounts import numbers_digest
from banks.models import Account
from banks.types import ACCOUNT_TYPES, Identification


def holders(institution_id: UUID, numbers: Sequence[Identification], currency: str) -> list[UUID]:
    """User ids of those who linked an account of this bank with these numbers; exact, by keyed digest.

    A bank may tell one number of an account or several; every selection of `numbers` is tried, over every kind of
    account. An account of which the bank tells no whole number, such as a card, is never found.
    """
    selections = chain.from_iterable(combinations(numbers, size) for size in range(1, len(numbers) + 1))
    digests = [
        numbers_digest(currency, account_type, selected) for selected in selections for account_type in ACCOUNT_TYPES
    ]
    found = Account.objects.for_sync().filter(institution_id=institution_id, identification_digest__in=digests)
    return sorted(set(found.values_list("user_id", flat=True)))
