"""Northbank and its two clerks, Southbank and its one; Alice and Bob share accounts at both with Chat and Budget."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from django.test import Client

from banks.models import Account, Institution
from consents import clock
from consents.models import Consent, Platform
from consents.scopes import Scope
from gateway.identity.models import User
from tests.gateway.portal.html import Page
from tests.support import cast, factors, ledger
from tests.support.cast import Member

#: Stands in every customer's row; on no page of a bank's console.
CANARY = "CANARY-9182"


@dataclass(frozen=True, slots=True)
class Clerk:
    """Somebody at a bank, with the second factor just proved; addresses are relative to their own bank's console."""

    user: User
    client: Client
    bank: Institution

    def path(self, path: str = "", bank: Institution | None = None) -> str:
        return f"/backoffice/{(bank or self.bank).slug}/{path}"

    def get(self, path: str = "", bank: Institution | None = None) -> Any:
        return self.client.get(self.path(path, bank))

    def post(self, path: str, bank: Institution | None = None, **fields: Any) -> Any:
        return self.client.post(self.path(path, bank), fields)

    def page(self, path: str = "") -> Page:
        answer = self.get(path)
        assert answer.status_code == 200, answer.content
        return Page(answer)


def clerk_of(bank: Institution, username: str) -> Clerk:
    user = factors.clerk(bank, username)
    return Clerk(user, factors.proved(user), bank)


@pytest.fixture
def southbank(db: None) -> Institution:
    bank = cast.institution("southbank")
    cast.permissive_policy(bank)
    return bank


@pytest.fixture
def anne(northbank: Institution) -> Clerk:
    return clerk_of(northbank, "anne")


@pytest.fixture
def brian(northbank: Institution) -> Clerk:
    return clerk_of(northbank, "brian")


@pytest.fixture
def sue(southbank: Institution) -> Clerk:
    return clerk_of(southbank, "sue")


def account(user: User, bank: Institution, number: str = "1") -> Account:
    """With a balance and a row, all of them marked."""
    row = ledger.account(
        cast.connection(user, bank),
        name=f"{CANARY}-name",
        masked_number="9182",
        identifications=[{"scheme_name": "IBAN", "value": f"{CANARY}-{number}"}],
    )
    ledger.balance(row, amount_minor=918273645)
    ledger.transaction(row, merchant_name=CANARY, description=CANARY, counterparty_name=CANARY, amount_minor=-918273645)
    return row


Share = Callable[..., Consent]


@pytest.fixture
def share(db: None) -> Share:
    """`share(alice, chat.platform, [account])`: this person's consent to this platform."""

    def share(
        user: User,
        platform: Platform,
        accounts: list[Account],
        scopes: tuple[Scope, ...] = (Scope.ACCOUNTS, Scope.BALANCES),
    ) -> Consent:
        return cast.authorised_consent(
            user, platform, scopes, accounts=[cast.choice(row) for row in accounts], now=clock.now()
        )

    return share


@pytest.fixture
def alices(alice: User, northbank: Institution) -> Account:
    return account(alice, northbank)


@pytest.fixture
def shared(share: Share, alice: User, chat: Member, alices: Account) -> Consent:
    """Alice's account at Northbank, shared with Chat."""
    return share(alice, chat.platform, [alices])
