"""Alice's account at Northbank, with one balance and one row, and a way for platforms to be let in."""

from collections.abc import Callable, Collection
from typing import Any

import pytest

from banks.models import Account, Institution
from consents.scopes import Purpose, Scope
from gateway.identity.models import User
from tests.gateway.api import world
from tests.gateway.api.world import ALL_ROWS, OVERVIEW, Api
from tests.support import cast
from tests.support.cast import Member

LetIn = Callable[..., Api]


@pytest.fixture
def account(alice: User, northbank: Institution) -> Account:
    (row,) = world.accounts_of(alice, northbank)
    world.balance(row)
    world.transactions(row)
    return row


@pytest.fixture
def let_in(alice: User, chat: Member, account: Account) -> LetIn:
    """`let_in(scopes)`: the chat platform's client after Alice said yes, for `account`; without the flow."""

    def let_in(
        scopes: Collection[Scope] = ALL_ROWS,
        *,
        user: User = alice,
        member: Member = chat,
        accounts: Collection[Account] = (account,),
        purposes: Collection[Purpose] = OVERVIEW,
        purpose: str | None = None,
        **members: Any,
    ) -> Api:
        choices = [cast.choice(row) for row in accounts]
        consent = cast.authorised_consent(user, member.platform, scopes, accounts=choices, purposes=purposes, **members)
        return Api(cast.issued(consent), purpose)

    return let_in


@pytest.fixture
def api(let_in: LetIn) -> Api:
    return let_in()


@pytest.fixture
def account_id(chat: Member, account: Account) -> str:
    """The account's id as the chat platform sees it."""
    return world.seen(chat, "acc", account.id)
