"""Two people in the same moment, on real threads and connections: one of them decides, once."""

from dataclasses import replace
from uuid import UUID, uuid4

import pytest

from consents import policies, proposals, stops
from consents.errors import ConsentError, PolicyChanged, ProposalDecided
from consents.models import BankPolicy, Proposal
from consents.policy_terms import PolicyTerms
from consents.reasons import OpenReason, StopReason
from consents.scopes import Purpose, Scope
from consents.states import PolicyStatus
from tests.consents.test_races import Hand, at_once
from tests.support.ledger import NOW
from tests.support.staff import BY_BANK

pytestmark = pytest.mark.django_db(transaction=True)

HERE = uuid4()
TERMS = PolicyTerms(scopes=frozenset({Scope.ACCOUNTS}), purposes=frozenset(Purpose))


def _told(hand: Hand) -> Hand:
    """What it raised, instead of raising it."""

    def pulled() -> object:
        try:
            return hand()
        except ConsentError as error:
            return error

    return pulled


def _sign(terms: PolicyTerms = TERMS, base_version: int | None = None) -> BankPolicy:
    return policies.sign(
        institution_id=HERE,
        platform_id=None,
        terms=terms,
        approved_by=[],
        actor=BY_BANK,
        now=NOW,
        base_version=base_version,
    )


def _waiting() -> Proposal:
    return proposals.propose_terms(
        institution_id=HERE,
        platform_id=None,
        terms=replace(TERMS, scopes=frozenset(Scope)),
        base_version=1,
        reason=OpenReason.RISK_REVIEWED,
        person=uuid4(),
        actor=BY_BANK,
        now=NOW,
    )


def _approve(proposal: Proposal, person: UUID) -> Hand:
    return _told(
        lambda: proposals.approve(proposal_id=proposal.id, institution_id=HERE, person=person, actor=BY_BANK, now=NOW)
    )


def test_of_four_approvals_at_once_one_signs() -> None:
    _sign()
    proposal = _waiting()

    results = at_once(*[_approve(proposal, uuid4()) for _ in range(4)])

    assert sum(isinstance(one, ProposalDecided) for one in results) == 3
    assert BankPolicy.objects.count() == 2
    proposal.refresh_from_db()
    assert proposal.status == "SIGNED"
    newest = policies.latest(HERE, None)
    assert newest is not None
    assert newest.approved_by == sorted([str(proposal.proposed_by), str(proposal.decided_by)])


def test_of_four_signatures_on_one_version_one_is_in_force() -> None:
    _sign()

    results = at_once(
        *[
            _told(lambda days=days: _sign(replace(TERMS, history_days_max=days), base_version=1))  # type: ignore[misc]
            for days in range(1, 5)
        ]
    )

    assert sum(isinstance(one, PolicyChanged) for one in results) == 3
    assert BankPolicy.objects.count() == 2


@pytest.mark.parametrize("attempt", range(3))
def test_a_stop_and_an_approval_at_once_leave_the_stop_in_force(attempt: int) -> None:
    """Whichever comes first: wider terms signed before are stopped, and after the stop they are out of date."""
    _sign()
    proposal = _waiting()

    def stop() -> object:
        return stops.suspend(
            institution_id=HERE,
            platform_id=None,
            person=uuid4(),
            reason=StopReason.SECURITY_INCIDENT,
            actor=BY_BANK,
            now=NOW,
        )

    at_once(_told(stop), _approve(proposal, uuid4()))

    held = policies.terms_that_hold(HERE, None)
    assert held is not None
    assert held.status == PolicyStatus.SUSPEND
    proposal.refresh_from_db()
    assert proposal.status in ("SIGNED", "SUPERSEDED")
    assert (proposal.status == "SIGNED") == (held.scopes == frozenset(Scope))
