"""What a change would do is what decide() says afterwards: tried on every consent, and nothing is written."""

from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from banks import dry_run
from banks.dry_run import DryRun
from banks.models import Institution
from consents import lifecycle, policies
from consents.errors import Denied
from consents.models import Consent, Platform
from consents.policy_terms import PolicyTerms
from consents.scopes import LocationPrecision, Purpose, Scope, SensitiveGroup
from consents.states import PolicyStatus
from tests.support import ledger
from tests.support.ledger import NOW
from tests.support.staff import BY_BANK

pytestmark = pytest.mark.django_db

#: As wide as a policy gets.
OPEN = PolicyTerms(
    scopes=frozenset(Scope),
    purposes=frozenset(Purpose),
    history_days_max=None,
    duration_days_max=None,
    location_precision=LocationPrecision.STORE,
    accepts_attestation=True,
    requires_fapi2=False,
)


def _sign(bank: Institution, terms: PolicyTerms = OPEN, platform: Platform | None = None) -> None:
    policies.sign(
        institution_id=bank.id,
        platform_id=None if platform is None else platform.id,
        terms=terms,
        approved_by=[],
        actor=BY_BANK,
        now=NOW,
    )


def _share(name: str, platform: Platform, *banks: Institution) -> Consent:
    user = ledger.user(name)
    return ledger.consent(user, platform, [ledger.account(ledger.connection(user, bank)) for bank in banks])


def _try(bank: Institution, terms: PolicyTerms, platform: Platform | None = None) -> DryRun:
    changes: dict[UUID | None, PolicyTerms] = {None if platform is None else platform.id: terms}
    return dry_run.rehearse(institution_id=bank.id, changes=changes, now=NOW)


@pytest.mark.parametrize(
    ("change", "loses"),
    [
        ({"scopes": frozenset(Scope) - {Scope.BALANCES}}, True),
        ({"scopes": frozenset(Scope) - {Scope.ALERTS}}, False),  # nobody here has it
        ({"purposes": frozenset({Purpose.BUDGETING})}, True),
        ({"history_days_max": 1}, True),
        ({"duration_days_max": 1}, True),
        ({"duration_days_max": 365}, False),  # longer than the consents themselves
        ({"location_precision": LocationPrecision.CITY}, True),
        ({"on_platform_only": True}, True),
        ({"hidden_groups": frozenset({SensitiveGroup.HEALTH})}, True),
        ({"requires_attended": True}, True),
        ({"requires_fapi2": True}, True),
        ({"status": PolicyStatus.SUSPEND}, True),
        ({}, False),
    ],
)
def test_each_limit_is_felt_where_it_bites_and_given_back_the_other_way(change: dict[str, Any], loses: bool) -> None:
    bank = ledger.institution()
    _sign(bank)
    consent = _share("alice", ledger.platform(), bank)
    narrow = replace(OPEN, **change)

    there = _try(bank, narrow)
    assert (there.consents, there.people, there.accounts, there.examined) == (1, 1, 1, 1)
    assert (there.losing_platforms == {consent.platform_id}) == loses
    assert there.gain == 0
    _sign(bank, narrow)
    back = _try(bank, OPEN)
    assert (back.gain == 1) == loses
    assert back.lose_part == back.lose_everything == 0


def test_what_is_foretold_is_what_decide_then_says() -> None:
    here, elsewhere = ledger.institution("acorn"), ledger.institution("birch")
    for bank in (here, elsewhere):
        _sign(bank)
    chat = ledger.platform()
    alone, both = _share("alice", chat, here), _share("bob", chat, here, elsewhere)
    stopped = replace(OPEN, status=PolicyStatus.SUSPEND)

    foretold = _try(here, stopped)

    assert (foretold.consents, foretold.lose_everything, foretold.lose_part) == (2, 1, 1)
    _sign(here, stopped)
    with pytest.raises(Denied):
        ledger.permit(alone)
    assert [part.institution_id for part in ledger.permit(both).slices] == [elsewhere.id]


def test_a_general_policy_does_not_reach_a_platform_with_its_own_but_a_stop_of_all_does() -> None:
    bank = ledger.institution()
    chat, budget = ledger.platform("Chat"), ledger.platform("Budget")
    _sign(bank)
    _sign(bank, OPEN, chat)
    _share("alice", chat, bank)
    _share("bob", budget, bank)

    narrower = _try(bank, replace(OPEN, history_days_max=1))
    stopped = _try(bank, replace(OPEN, status=PolicyStatus.SUSPEND))

    assert narrower.losing_platforms == {budget.id}
    assert stopped.losing_platforms == {chat.id, budget.id}


def test_one_platforms_change_concerns_its_own_consents_alone() -> None:
    bank = ledger.institution()
    chat, budget = ledger.platform("Chat"), ledger.platform("Budget")
    _sign(bank)
    _share("alice", chat, bank)
    _share("bob", budget, bank)

    found = _try(bank, replace(OPEN, status=PolicyStatus.BLOCK), chat)

    assert (found.consents, found.losing_platforms) == (1, {chat.id})


def test_a_paused_consent_counts_and_an_ended_one_does_not() -> None:
    bank = ledger.institution()
    chat = ledger.platform()
    _sign(bank)
    paused, ended, over = (_share(name, chat, bank) for name in ("alice", "bob", "carol"))
    lifecycle.pause(consent_id=paused.id, user_id=paused.user_id, actor=ledger.BY_USER, now=NOW)
    lifecycle.revoke(consent_id=ended.id, reason="test", actor=ledger.BY_USER, now=NOW)
    Consent.objects.filter(id=over.id).update(expires_at=NOW - timedelta(seconds=1))

    found = _try(bank, replace(OPEN, status=PolicyStatus.SUSPEND))

    assert (found.consents, found.lose_everything) == (1, 1)


def test_beyond_the_bound_it_says_how_many_were_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    bank = ledger.institution()
    chat = ledger.platform()
    _sign(bank)
    for number in range(5):
        _share(f"person-{number}", chat, bank)
    monkeypatch.setattr(dry_run, "EXAMINED_MAX", 3)
    monkeypatch.setattr(dry_run, "_BATCH", 2)

    found = _try(bank, replace(OPEN, status=PolicyStatus.SUSPEND))

    assert (found.consents, found.examined, found.lose_everything, found.is_cut) == (5, 3, 3, True)


def test_nothing_is_written_and_the_batch_sets_the_number_of_queries(django_assert_max_num_queries: Any) -> None:
    bank = ledger.institution()
    chat = ledger.platform()
    _sign(bank)
    for number in range(12):
        _share(f"person-{number}", chat, bank)

    with django_assert_max_num_queries(12) as queries:
        _try(bank, replace(OPEN, status=PolicyStatus.SUSPEND))

    assert {query["sql"].split()[0] for query in queries.captured_queries} == {"SELECT"}
