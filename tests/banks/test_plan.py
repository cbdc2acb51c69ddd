"""What may be fetched right now: the union of what live consents open on this connection, and not one call more."""

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest

from banks.models import Account, Connection, Institution
from banks.plan import Plan, plan
from banks.types import Resource
from consents import platforms
from consents.lifecycle import AccountChoice
from consents.models import BankPolicy, Consent, ConsentAccount, Platform
from consents.scopes import Presence, Purpose, Scope
from consents.states import ConnectionStatus, ConsentAccountStatus, ConsentStatus, PlatformStatus
from gateway.identity.models import User
from tests.support import cast
from tests.support.cast import NOW

pytestmark = pytest.mark.django_db

BALANCES = frozenset({Scope.ACCOUNTS, Scope.BALANCES})
ROWS = BALANCES | {Scope.TRANSACTIONS}


class Scene:
    """One person, one bank that accepts everything, one connection with two accounts."""

    def __init__(self) -> None:
        self.user: User = cast.alice()
        self.bank: Institution = cast.institution(now=NOW)
        cast.permissive_policy(self.bank, now=NOW)
        self.chat: Platform = cast.platform("chat", now=NOW).platform
        self.link: Connection = cast.connection(self.user, self.bank, now=NOW)
        self.current: Account = cast.account(self.link, "current")
        self.savings: Account = cast.account(self.link, "savings")

    def consent(self, scopes: frozenset[Scope] = ROWS, *accounts: Account, **terms: Any) -> Consent:
        chosen: list[AccountChoice] = [cast.choice(row) for row in accounts or (self.current, self.savings)]
        platform = terms.pop("platform", self.chat)
        return cast.authorised_consent(self.user, platform, scopes, accounts=chosen, now=NOW, **terms)

    def plan(self, *, presence: Presence = Presence.ABSENT, now: Any = NOW) -> Plan:
        return plan(Connection.objects.select_related("institution").get(id=self.link.id), presence=presence, now=now)


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_without_a_consent_nothing_is_fetched(scene: Scene) -> None:
    assert scene.plan().accounts == {}


def test_balances_only_plans_no_transactions(scene: Scene) -> None:
    scene.consent(BALANCES)

    made = scene.plan()

    assert set(made.accounts) == {scene.current.id, scene.savings.id}
    for part in made.accounts.values():
        assert part.resources == {Resource.ACCOUNTS, Resource.MASKED_NUMBERS, Resource.BALANCES}
        assert part.since is None


def test_only_the_accounts_that_were_shared_are_planned(scene: Scene) -> None:
    scene.consent(ROWS, scene.current)

    assert set(scene.plan().accounts) == {scene.current.id}


def test_two_consents_are_planned_as_one_each_account_by_its_own(scene: Scene) -> None:
    scene.consent(BALANCES, scene.current)
    scene.consent(
        frozenset({Scope.ACCOUNTS, Scope.TRANSACTIONS}),
        scene.savings,
        platform=cast.platform("budget", now=NOW).platform,
    )

    made = scene.plan()

    assert Resource.TRANSACTIONS not in made.accounts[scene.current.id].resources
    assert Resource.BALANCES not in made.accounts[scene.savings.id].resources


def test_one_account_under_two_consents_is_fetched_for_both(scene: Scene) -> None:
    scene.consent(frozenset({Scope.ACCOUNTS, Scope.BALANCES}))
    scene.consent(frozenset({Scope.ACCOUNTS, Scope.TRANSACTIONS}), platform=cast.platform("budget", now=NOW).platform)

    part = scene.plan().accounts[scene.current.id]

    assert {Resource.BALANCES, Resource.TRANSACTIONS} <= part.resources
    assert part.since is not None


def test_the_longest_history_that_someone_may_see_is_fetched(scene: Scene) -> None:
    scene.consent(ROWS, history_days=10)
    scene.consent(ROWS, history_days=50, platform=cast.platform("budget", now=NOW).platform)

    assert {part.since for part in scene.plan().accounts.values()} == {NOW.date() - timedelta(days=50)}


def test_the_bank_policy_shortens_the_history(scene: Scene) -> None:
    scene.consent(ROWS, history_days=90)
    BankPolicy.objects.update(history_days_max=7)

    since = {part.since for part in scene.plan().accounts.values()}

    assert all(isinstance(day, date) and day >= NOW.date() - timedelta(days=8) for day in since)


def test_nothing_older_than_the_bank_has_is_asked_for(scene: Scene) -> None:
    scene.consent(ROWS, history_days=300)
    Institution.objects.update(history_days_max=30)

    assert {part.since for part in scene.plan().accounts.values()} == {NOW.date() - timedelta(days=30)}


@pytest.mark.parametrize(
    ("scope", "purpose"),
    [(Scope.INSIGHTS, Purpose.SPENDING_INSIGHTS), (Scope.ALERTS, Purpose.FRAUD_ALERTS)],
)
def test_what_is_only_derived_from_is_fetched_too(scene: Scene, scope: Scope, purpose: Purpose) -> None:
    scene.consent(frozenset({scope}), purposes=(purpose,))

    part = scene.plan().accounts[scene.current.id]

    assert Resource.TRANSACTIONS in part.resources
    assert part.since is not None


def _status(status: ConsentStatus) -> Callable[[Scene], object]:
    return lambda scene: Consent.objects.update(status=status)


@pytest.mark.parametrize(
    "end",
    [
        *(_status(status) for status in ConsentStatus if status != ConsentStatus.AUTHORISED),
        lambda scene: BankPolicy.objects.update(status="BLOCK"),
        lambda scene: BankPolicy.objects.all().delete(),
        lambda scene: ConsentAccount.objects.update(status=ConsentAccountStatus.SUSPENDED),
        lambda scene: ConsentAccount.objects.update(status=ConsentAccountStatus.REVOKED),
        lambda scene: User.objects.update(is_active=False),
        lambda scene: platforms.change_status(
            scene.chat, PlatformStatus.SUSPENDED, reason="test", actor=cast.BY_OPERATOR, now=NOW
        ),
        *(
            lambda scene, status=status: Connection.objects.update(status=status)
            for status in (
                ConnectionStatus.REVOKED,
                ConnectionStatus.SUSPENDED,
                ConnectionStatus.EXPIRED,
                ConnectionStatus.CLOSED,
            )
        ),
        lambda scene: Connection.objects.update(consent_expires_at=NOW),
    ],
)
def test_whoever_says_stop_nothing_is_fetched(scene: Scene, end: Callable[[Scene], object]) -> None:
    scene.consent()
    assert scene.plan().accounts

    end(scene)

    assert scene.plan().accounts == {}


def test_an_expired_consent_needs_no_job_to_end(scene: Scene) -> None:
    consent = scene.consent(duration_days=30)
    assert consent.expires_at is not None

    assert scene.plan(now=consent.expires_at - timedelta(seconds=1)).accounts
    assert scene.plan(now=consent.expires_at).accounts == {}


def test_a_bank_that_wants_the_user_present_is_not_asked_without(scene: Scene) -> None:
    scene.consent()
    BankPolicy.objects.update(requires_attended=True)

    assert scene.plan(presence=Presence.ABSENT).accounts == {}
    assert scene.plan(presence=Presence.PRESENT).accounts


def test_another_link_of_the_same_person_is_not_this_ones_business(scene: Scene) -> None:
    other = cast.connection(scene.user, scene.bank, now=NOW)
    elsewhere = cast.account(other, "elsewhere")
    cast.authorised_consent(scene.user, scene.chat, ROWS, accounts=[cast.choice(elsewhere)], now=NOW)

    assert scene.plan().accounts == {}


def test_a_consent_over_two_links_of_one_bank_plans_each_link_its_own_accounts(scene: Scene) -> None:
    other = cast.connection(scene.user, scene.bank, now=NOW)
    elsewhere = cast.account(other, "elsewhere")
    scene.consent(ROWS, scene.current, elsewhere)

    assert set(scene.plan().accounts) == {scene.current.id}
