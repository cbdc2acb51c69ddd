"""Two people: one asks, another of the same bank approves. Neither alone, and nothing older than what holds."""

from dataclasses import replace
from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from consents import facts, lifecycle, policies, proposals, stops
from consents.errors import PolicyChanged, ProposalDecided, ProposalNotFound, TransitionRefused, TwoPeopleNeeded
from consents.models import ApprovedMerchant, AuditEntry, BankPolicy, Consent, ConsentAccount, Proposal
from consents.policy_terms import PolicyTerms
from consents.reasons import OpenReason, StopReason
from consents.scopes import Purpose, Scope
from consents.states import PolicyStatus
from tests.support import cast, ledger
from tests.support.cast import AccountChoice
from tests.support.ledger import NOW
from tests.support.staff import BY_BANK

pytestmark = pytest.mark.django_db

HERE, ELSEWHERE = uuid4(), uuid4()
ANNE, BRIAN = uuid4(), uuid4()
TERMS = PolicyTerms(scopes=frozenset({Scope.ACCOUNTS}), purposes=frozenset(Purpose))
WIDER = replace(TERMS, scopes=frozenset(Scope))
ASKED = {"reason": OpenReason.RISK_REVIEWED, "person": ANNE, "actor": BY_BANK, "now": NOW}


def _sign(terms: PolicyTerms = TERMS, platform_id: UUID | None = None) -> BankPolicy:
    return policies.sign(
        institution_id=HERE, platform_id=platform_id, terms=terms, approved_by=[], actor=BY_BANK, now=NOW
    )


def _widen(platform_id: UUID | None = None, base_version: int = 1, terms: PolicyTerms = WIDER) -> Proposal:
    return proposals.propose_terms(
        institution_id=HERE,
        platform_id=platform_id,
        terms=terms,
        base_version=base_version,
        **ASKED,  # type: ignore[arg-type]
    )


def _approve(proposal: Proposal, person: UUID = BRIAN, institution_id: UUID = HERE) -> Proposal:
    return proposals.approve(
        proposal_id=proposal.id, institution_id=institution_id, person=person, actor=BY_BANK, now=NOW
    )


def _held(platform_id: UUID | None = None) -> PolicyTerms | None:
    return policies.terms_that_hold(HERE, platform_id)


def test_what_was_asked_for_is_signed_by_both_and_until_then_nothing_changes() -> None:
    _sign()
    proposal = _widen()
    assert _held() == TERMS

    assert _approve(proposal).status == "SIGNED"

    assert _held() == WIDER
    policy = policies.latest(HERE, None)
    assert policy is not None
    assert policy.approved_by == sorted([str(ANNE), str(BRIAN)])
    recorded = AuditEntry.objects.filter(institution_id=HERE).values_list("action", flat=True)
    assert sorted(recorded) == ["policy.signed", "policy.signed", "proposal.signed", "proposal.waiting"]


def test_t15_nobody_approves_what_they_asked_for_themselves() -> None:
    _sign()
    proposal = _widen()

    with pytest.raises(TwoPeopleNeeded):
        _approve(proposal, person=ANNE)

    proposal.refresh_from_db()
    assert (proposal.status, proposal.decided_by) == ("WAITING", None)
    assert _held() == TERMS


def test_t16_another_banks_proposal_is_not_there() -> None:
    _sign()
    proposal = _widen()

    with pytest.raises(ProposalNotFound):
        _approve(proposal, institution_id=ELSEWHERE)
    with pytest.raises(ProposalNotFound):
        proposals.refuse(proposal_id=proposal.id, institution_id=ELSEWHERE, person=BRIAN, actor=BY_BANK, now=NOW)

    proposal.refresh_from_db()
    assert proposal.status == "WAITING"


def test_a_proposal_is_decided_once() -> None:
    _sign()
    proposal = _widen()
    _approve(proposal)

    with pytest.raises(ProposalDecided):
        _approve(proposal, person=uuid4())
    with pytest.raises(ProposalDecided):
        proposals.refuse(proposal_id=proposal.id, institution_id=HERE, person=BRIAN, actor=BY_BANK, now=NOW)

    assert policies.latest(HERE, None).version == 2  # type: ignore[union-attr]


def test_who_asked_may_take_it_back_and_nothing_comes_of_it() -> None:
    _sign()
    proposal = _widen()

    refused = proposals.refuse(proposal_id=proposal.id, institution_id=HERE, person=ANNE, actor=BY_BANK, now=NOW)

    assert refused.status == "REFUSED"
    assert _held() == TERMS
    with pytest.raises(ProposalDecided):
        _approve(proposal)


def test_another_version_supersedes_what_waits() -> None:
    """Approved afterwards, it would undo what was taken away meanwhile."""
    _sign()
    proposal = _widen()

    stops.suspend(
        institution_id=HERE,
        platform_id=None,
        person=BRIAN,
        reason=StopReason.SECURITY_INCIDENT,
        actor=BY_BANK,
        now=NOW,
    )

    proposal.refresh_from_db()
    assert proposal.status == "SUPERSEDED"
    with pytest.raises(ProposalDecided):
        _approve(proposal)
    assert _held() == replace(TERMS, status=PolicyStatus.SUSPEND)


def test_terms_made_from_an_older_version_are_not_even_asked_for() -> None:
    _sign()
    _sign(replace(TERMS, history_days_max=30))

    with pytest.raises(PolicyChanged):
        _widen(base_version=1)


def test_one_platforms_first_own_terms_wait_in_vain_once_the_general_ones_change() -> None:
    """They were made from the general ones."""
    chat = ledger.platform("Chat")
    _sign()
    proposal = _widen(chat.id, base_version=0)

    _sign(replace(TERMS, history_days_max=30))

    proposal.refresh_from_db()
    assert proposal.status == "SUPERSEDED"


def test_another_platforms_version_supersedes_nothing() -> None:
    chat, budget = ledger.platform("Chat"), ledger.platform("Budget")
    _sign()
    proposal = _widen(chat.id, base_version=0)

    _sign(TERMS, budget.id)

    assert _approve(proposal).status == "SIGNED"
    assert _held(chat.id) == WIDER
    assert _held(budget.id) == TERMS


def test_lifting_brings_back_exactly_the_terms_there_were() -> None:
    chat = ledger.platform("Chat")
    _sign()
    before = facts.policies_in_force([HERE], chat.id, now=NOW)
    stops.suspend(
        institution_id=HERE, platform_id=chat.id, person=ANNE, reason=StopReason.COMPLAINTS, actor=BY_BANK, now=NOW
    )
    assert facts.policies_in_force([HERE], chat.id, now=NOW) != before

    proposal = proposals.propose_lift(institution_id=HERE, platform_id=chat.id, **ASKED)  # type: ignore[arg-type]
    with pytest.raises(TwoPeopleNeeded):
        _approve(proposal, person=ANNE)
    _approve(proposal)

    assert facts.policies_in_force([HERE], chat.id, now=NOW) == before


def test_without_a_stop_there_is_nothing_to_lift() -> None:
    _sign()

    with pytest.raises(TransitionRefused):
        proposals.propose_lift(institution_id=HERE, platform_id=None, **ASKED)  # type: ignore[arg-type]


def _suspended_consent() -> Consent:
    choices = [
        AccountChoice(account_id=uuid4(), connection_id=uuid4(), institution_id=bank) for bank in (HERE, ELSEWHERE)
    ]
    consent = cast.authorised_consent(ledger.user("alice"), ledger.platform("Chat"), accounts=choices, now=NOW)
    lifecycle.suspend_accounts(
        consent_id=consent.id, institution_id=HERE, reason=StopReason.SUSPECTED_FRAUD, actor=BY_BANK, now=NOW
    )
    return consent


def _statuses(consent: Consent) -> dict[UUID, str]:
    return dict(ConsentAccount.objects.filter(consent=consent).values_list("institution_id", "status"))


def test_one_customers_consent_is_lifted_by_two_at_this_bank_alone() -> None:
    consent = _suspended_consent()
    proposal = proposals.propose_consent_lift(
        institution_id=HERE,
        platform_id=consent.platform_id,
        consent_id=consent.id,
        **ASKED,  # type: ignore[arg-type]
    )
    assert _statuses(consent) == {HERE: "SUSPENDED", ELSEWHERE: "ACTIVE"}

    _approve(proposal)

    assert _statuses(consent) == {HERE: "ACTIVE", ELSEWHERE: "ACTIVE"}


def test_a_new_policy_version_does_not_supersede_the_lift_of_one_consent() -> None:
    consent = _suspended_consent()
    proposal = proposals.propose_consent_lift(
        institution_id=HERE,
        platform_id=consent.platform_id,
        consent_id=consent.id,
        **ASKED,  # type: ignore[arg-type]
    )

    _sign()

    assert _approve(proposal).status == "SIGNED"


def test_the_lift_of_a_consent_that_ended_meanwhile_does_nothing() -> None:
    consent = _suspended_consent()
    proposal = proposals.propose_consent_lift(
        institution_id=HERE,
        platform_id=consent.platform_id,
        consent_id=consent.id,
        **ASKED,  # type: ignore[arg-type]
    )
    cast.revoke(consent, now=NOW)

    assert _approve(proposal).status == "SUPERSEDED"

    assert _statuses(consent)[HERE] == "SUSPENDED"
    consent.refresh_from_db()
    assert consent.status == "REVOKED"


def test_a_lift_that_was_asked_for_before_a_stop_does_not_lift_it() -> None:
    """It was asked for twice, carried out once, and stopped again for something else."""
    consent = _suspended_consent()
    first, second = (
        proposals.propose_consent_lift(
            institution_id=HERE,
            platform_id=consent.platform_id,
            consent_id=consent.id,
            **ASKED,  # type: ignore[arg-type]
        )
        for _ in range(2)
    )
    _approve(first)
    lifecycle.suspend_accounts(
        consent_id=consent.id,
        institution_id=HERE,
        reason=StopReason.LEGAL_ORDER,
        actor=BY_BANK,
        now=NOW + timedelta(seconds=1),
    )

    assert _approve(second).status == "SUPERSEDED"

    assert _statuses(consent)[HERE] == "SUSPENDED"


def _merchant(platform_id: UUID) -> Proposal:
    return proposals.propose_merchant(
        institution_id=HERE,
        platform_id=platform_id,
        merchant_key="-:chat shop",
        merchant_name="Chat Shop",
        **ASKED,  # type: ignore[arg-type]
    )


def test_a_merchant_is_approved_by_two_and_removed_by_one() -> None:
    chat = ledger.platform("Chat")
    proposal = _merchant(chat.id)
    assert not ApprovedMerchant.objects.exists()
    _approve(proposal)

    (merchant,) = ApprovedMerchant.objects.all()
    assert (merchant.platform_id, merchant.institution_id, merchant.merchant_key) == (chat.id, HERE, "-:chat shop")
    with pytest.raises(TransitionRefused):
        _merchant(chat.id)

    def remove(institution_id: UUID) -> bool:
        return proposals.remove_merchant(
            merchant_id=merchant.id,
            institution_id=institution_id,
            reason=StopReason.CONTRACT_ENDED,
            actor=BY_BANK,
            now=NOW,
        )

    assert not remove(ELSEWHERE)
    assert ApprovedMerchant.objects.exists()
    assert remove(HERE)
    assert not remove(HERE)
    assert AuditEntry.objects.filter(action="merchant.removed", institution_id=HERE).count() == 1


def test_a_merchant_asked_for_twice_is_approved_once() -> None:
    chat = ledger.platform("Chat")
    first, second = _merchant(chat.id), _merchant(chat.id)

    assert _approve(first).status == "SIGNED"
    assert _approve(second).status == "SUPERSEDED"

    assert ApprovedMerchant.objects.count() == 1


def test_terms_made_from_the_general_ones_are_not_approved_once_these_change_in_the_same_moment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its own policy has no version yet that could have changed."""
    chat = ledger.platform("Chat")
    _sign()
    proposal = _widen(chat.id, base_version=0)
    hold, others = policies.hold, [replace(TERMS, history_days_max=30)]

    def waited_for(institution_id: UUID) -> None:
        if others:
            _sign(others.pop())
        hold(institution_id)

    monkeypatch.setattr(policies, "hold", waited_for)

    with pytest.raises(ProposalDecided):
        _approve(proposal)

    assert policies.latest(HERE, chat.id) is None
