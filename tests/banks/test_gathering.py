"""One statement gathers behind a token what the ORM's queries gather one by one, whatever the rows say."""

import secrets
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from banks import authority, gathering
from banks.models import Account, Connection
from consents.facts import consent_facts
from consents.models import AccessToken, BankPolicy, Consent, ConsentAccount, Platform
from consents.models.tokens import digest
from consents.policy import decide
from consents.scopes import LocationPrecision, Presence, Purpose, Scope, SensitiveGroup
from consents.states import ConnectionStatus, ConsentAccountStatus, ConsentStatus, PlatformStatus, PolicyStatus
from gateway.identity.models import User
from tests.support import ledger
from tests.support.ledger import NOW

pytestmark = pytest.mark.django_db


class World:
    """Alice shares three accounts of two banks with Chat."""

    def __init__(self) -> None:
        self.alice, self.chat = ledger.user("alice"), ledger.platform("Chat")
        self.acorn, self.birch = ledger.institution("acorn"), ledger.institution("birch")
        for bank in (self.acorn, self.birch):
            ledger.policy(bank.id)
        link = ledger.connection(self.alice, self.acorn)
        other = ledger.connection(self.alice, self.birch)
        self.accounts = [ledger.account(link), ledger.account(link), ledger.account(other)]
        self.consent = ledger.consent(self.alice, self.chat, self.accounts)
        self.token = secrets.token_urlsafe(16)
        AccessToken.objects.create(
            consent=self.consent,
            application=self.chat,
            user=self.alice,
            scope="",
            token=self.token,
            expires=NOW + timedelta(minutes=10),
            resource=["https://sluice.example/v1"],
        )


@pytest.fixture
def world() -> World:
    return World()


Change = Callable[[World], object]


def _policy(**columns: Any) -> Change:
    return lambda world: BankPolicy.objects.filter(institution_id=world.acorn.id).update(**columns)


def _another_policy(of_chat: bool, **columns: Any) -> Change:
    return lambda world: ledger.policy(world.acorn.id, world.chat if of_chat else None, **columns)


def _consent(**columns: Any) -> Change:
    return lambda world: Consent.objects.filter(id=world.consent.id).update(**columns)


def _link(**columns: Any) -> Change:
    return lambda world: Connection.objects.filter(institution_id=world.acorn.id).update(**columns)


def _others_policy(world: World) -> None:
    ledger.policy(world.acorn.id, ledger.platform("Budget"), version=9, status=PolicyStatus.BLOCK)


CHANGES: dict[str, Change] = {
    "nothing": lambda world: None,
    **{f"consent {status}": _consent(status=status) for status in ConsentStatus},
    "consent expired": _consent(expires_at=NOW),
    "consent narrowed": _consent(scopes=["accounts"], hidden_groups=["HEALTH"], on_platform_only=True, revision=7),
    "consent without a window": _consent(history_from=None, location_precision=None, authorised_at=None),
    "consent for one use": _consent(duration_type="ONE_TIME"),
    "no account": lambda world: ConsentAccount.objects.all().delete(),
    "account suspended": lambda world: ConsentAccount.objects.filter(account_id=world.accounts[0].id).update(
        status=ConsentAccountStatus.SUSPENDED
    ),
    "account revoked": lambda world: ConsentAccount.objects.filter(account_id=world.accounts[2].id).update(
        status=ConsentAccountStatus.REVOKED
    ),
    "account gone": lambda world: Account.objects.for_sync().filter(id=world.accounts[0].id).delete(),
    "account taken back at the bank": lambda world: (
        Account.objects.for_sync().filter(id=world.accounts[0].id).update(is_covered=False)
    ),
    **{f"connection {status}": _link(status=status) for status in ConnectionStatus},
    "connection expired": _link(consent_expires_at=NOW),
    "connection ends soon": _link(consent_expires_at=NOW + timedelta(days=3)),
    "login lost": _link(authentication_expires_at=NOW - timedelta(days=1)),
    "platform suspended": lambda world: Platform.objects.update(status=PlatformStatus.SUSPENDED),
    "platform on fapi2": lambda world: Platform.objects.update(profile="fapi2"),
    "user inactive": lambda world: User.objects.update(is_active=False),
    "no policy at one bank": lambda world: BankPolicy.objects.filter(institution_id=world.acorn.id).delete(),
    "no policy at all": lambda world: BankPolicy.objects.all().delete(),
    "policy suspends": _policy(status=PolicyStatus.SUSPEND),
    "policy narrows": _policy(
        scopes=["accounts"],
        purposes=["account_overview"],
        history_days_max=30,
        duration_days_max=10,
        location_precision=LocationPrecision.CITY,
        on_platform_only=True,
        hidden_groups=[SensitiveGroup.HEALTH],
        requires_attended=True,
        accepts_attestation=True,
        requires_fapi2=True,
    ),
    "policy to come": _policy(effective_from=NOW + timedelta(seconds=1)),
    "policy from now on": _policy(effective_from=NOW),
    "newer general policy": _another_policy(False, version=2, scopes=["balances"]),
    "newer general policy to come": _another_policy(
        False, version=2, scopes=["balances"], effective_from=NOW + timedelta(days=1)
    ),
    "own policy": _another_policy(True, scopes=["accounts"]),
    "own policy, and everyone is stopped": lambda world: (
        _another_policy(True, scopes=["accounts"])(world),
        _policy(status=PolicyStatus.BLOCK)(world),
    ),
    "two own policies": lambda world: (
        _another_policy(True, version=2, scopes=["accounts"])(world),
        _another_policy(True, version=1, scopes=["balances"])(world),
    ),
    "another platform's policy": _others_policy,
}


@pytest.mark.parametrize("name", CHANGES)
def test_what_comes_with_the_token_is_what_the_orm_gathers(world: World, name: str) -> None:
    CHANGES[name](world)
    stored = Consent.objects.select_related("user", "platform").get(id=world.consent.id)
    slices = authority.slices_of(stored, now=NOW)

    found = authority.behind(digest(world.token), now=NOW)

    assert found is not None
    assert consent_facts(found.consent) == consent_facts(stored)
    assert (found.consent.revision, found.consent.platform.status) == (stored.revision, stored.platform.status)
    assert sorted(found.slices, key=repr) == sorted(slices, key=repr)
    row = AccessToken.objects.get()
    assert (found.id, found.expires_at, found.resource) == (row.pk, row.expires, row.resource)
    for purpose in (None, *Purpose):
        for presence in Presence:
            facts, platform = consent_facts(stored), PlatformStatus(stored.platform.status)
            ours = decide(facts, found.slices, platform, purpose, presence, NOW)
            assert ours == decide(facts, slices, platform, purpose, presence, NOW)


def test_each_change_is_seen_by_the_next_statement(world: World) -> None:
    """What is kept of policies is kept by what they say."""
    before = authority.behind(digest(world.token), now=NOW)
    _policy(scopes=[Scope.BALANCES])(world)
    after = authority.behind(digest(world.token), now=NOW)

    assert before is not None and after is not None
    assert before.slices != after.slices
    acorns = next(part for part in after.slices if part.institution_id == world.acorn.id)
    assert acorns.policy is not None and acorns.policy.scopes == {Scope.BALANCES}


def test_behind_another_token_is_nothing(world: World) -> None:
    assert authority.behind(digest("another"), now=NOW) is None
    assert authority.behind(world.token, now=NOW) is None


def test_it_is_one_statement(world: World, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(1):
        found = authority.behind(digest(world.token), now=NOW)
        assert found is not None
        authority.permit_for(found.consent, purpose=None, presence=Presence.ABSENT, now=NOW, slices=found.slices)


def test_one_persons_token_brings_nothing_of_anothers(world: World) -> None:
    bob = ledger.user("bob")
    bobs = ledger.account(ledger.connection(bob, world.acorn))
    ledger.consent(bob, world.chat, [bobs])
    ConsentAccount.objects.filter(account_id=bobs.id).update(status_reason=str(uuid4()))

    found = authority.behind(digest(world.token), now=NOW)

    assert found is not None
    reached = {account.account_id for part in found.slices for account in part.accounts}
    assert reached == {account.id for account in world.accounts}


# -- what reaches a connection -----------------------------------------------------------------------------------------


def _reaching(world: World) -> list[gathering.Reaching]:
    (link,) = Connection.objects.filter(institution_id=world.acorn.id)
    return gathering.gather_reaching(link.id, now=NOW)


@pytest.mark.parametrize("name", CHANGES)
def test_what_reaches_a_connection_is_what_the_orm_gathers(world: World, name: str) -> None:
    CHANGES[name](world)
    (link,) = Connection.objects.filter(institution_id=world.acorn.id)
    shared = ConsentAccount.objects.filter(connection_id=link.id, status=ConsentAccountStatus.ACTIVE)
    authorised = Consent.objects.filter(id__in=shared.values("consent_id"), status=ConsentStatus.AUTHORISED)
    expected = list(authorised.select_related("user", "platform").order_by("id"))

    found = _reaching(world)

    assert [consent_facts(one.consent) for one in found] == [consent_facts(consent) for consent in expected]
    for one, consent in zip(found, expected, strict=True):
        slices = authority.slices_gathered(one.held, one.policies, now=NOW)
        assert sorted(slices, key=repr) == sorted(authority.slices_of(consent, now=NOW), key=repr)
        assert one.consent.platform.status == consent.platform.status
        rows = ConsentAccount.objects.filter(consent_id=consent.id).values_list("account_id", "connection_id")
        assert {(held.account_id, held.connection_id) for held in one.held} == set(rows)


def test_each_consent_that_reaches_a_connection_comes_once_with_its_own_accounts(world: World) -> None:
    budget = ledger.platform("Budget")
    second = ledger.consent(world.alice, budget, world.accounts[:1])
    ledger.consent(world.alice, budget, world.accounts[2:])  # of the other bank alone

    found = _reaching(world)

    assert [one.consent.id for one in found] == sorted([world.consent.id, second.id])
    held = {one.consent.id: {account.account_id for account in one.held} for one in found}
    assert held[second.id] == {world.accounts[0].id}
    assert held[world.consent.id] == {account.id for account in world.accounts}


def test_what_reaches_a_connection_is_one_statement(world: World, django_assert_num_queries: Any) -> None:
    (link,) = Connection.objects.filter(institution_id=world.acorn.id)
    with django_assert_num_queries(1):
        (found,) = gathering.gather_reaching(link.id, now=NOW)
    assert found.consent.id == world.consent.id
