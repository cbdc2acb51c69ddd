"""A bank parts with a platform: tokens die with the signature, the consents follow in batches, other banks go on."""

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from consents import lifecycle, policies, proposals, withdrawal
from consents.errors import TransitionRefused
from consents.models import AccessToken, Consent, ConsentAccount, Grant, Platform, Proposal, RefreshToken, Revocation
from consents.policy_terms import PolicyTerms
from consents.reasons import StopReason
from consents.scopes import Purpose, Scope
from consents.states import PolicyStatus
from gateway.identity.models import User
from tests.support import cast, ledger
from tests.support.cast import AccountChoice
from tests.support.ledger import NOW
from tests.support.staff import BY_BANK

pytestmark = pytest.mark.django_db

HERE, ELSEWHERE = uuid4(), uuid4()
ANNE, BRIAN = uuid4(), uuid4()


def _consent(user: User, platform: Platform, *banks: UUID) -> Consent:
    choices = [AccountChoice(account_id=uuid4(), connection_id=uuid4(), institution_id=bank) for bank in banks]
    consent = cast.authorised_consent(user, platform, accounts=choices, now=NOW)
    ledger.tokens(consent)
    return consent


def _sign() -> None:
    policies.sign(
        institution_id=HERE,
        platform_id=None,
        terms=PolicyTerms(scopes=frozenset(Scope), purposes=frozenset(Purpose)),
        approved_by=[],
        actor=BY_BANK,
        now=NOW,
    )


def _propose(platform: Platform) -> Proposal:
    return proposals.propose_withdrawal(
        institution_id=HERE,
        platform_id=platform.id,
        reason=StopReason.CONTRACT_ENDED,
        person=ANNE,
        actor=BY_BANK,
        now=NOW,
    )


def _withdraw(platform: Platform) -> Proposal:
    return proposals.approve(
        proposal_id=_propose(platform).id, institution_id=HERE, person=BRIAN, actor=BY_BANK, now=NOW
    )


def _tokens(consent: Consent) -> list[int]:
    return [table.objects.filter(consent=consent).count() for table in (AccessToken, RefreshToken, Grant)]


def _status(consent: Consent) -> str:
    consent.refresh_from_db()
    return consent.status


def test_tokens_of_consents_with_accounts_here_alone_die_with_the_signature() -> None:
    chat, budget = ledger.platform("Chat"), ledger.platform("Budget")
    alice, bob = ledger.user("alice"), ledger.user("bob")
    _sign()
    here, both, elsewhere = (
        _consent(alice, chat, HERE),
        _consent(bob, chat, HERE, ELSEWHERE),
        _consent(alice, chat, ELSEWHERE),
    )
    others = _consent(alice, budget, HERE)

    _withdraw(chat)

    assert _tokens(here) == [0, 0, 0]
    assert _tokens(both) == _tokens(elsewhere) == _tokens(others) == [1, 1, 1]
    assert policies.latest(HERE, chat.id).status == PolicyStatus.BLOCK  # type: ignore[union-attr]
    assert policies.latest(HERE, chat.id).approved_by == sorted([str(ANNE), str(BRIAN)])  # type: ignore[union-attr]
    assert policies.latest(HERE, budget.id) is None


def test_the_banks_part_of_each_consent_ends_and_no_other_part() -> None:
    chat = ledger.platform("Chat")
    alice, bob = ledger.user("alice"), ledger.user("bob")
    _sign()
    here, both, elsewhere = (
        _consent(alice, chat, HERE),
        _consent(bob, chat, HERE, ELSEWHERE),
        _consent(alice, chat, ELSEWHERE),
    )
    _withdraw(chat)

    assert withdrawal.finish() == 2

    assert [_status(one) for one in (here, both, elsewhere)] == ["REVOKED", "AUTHORISED", "AUTHORISED"]
    assert (here.status_initiator, here.status_reason, here.ended_at) == ("BANK", "CONTRACT_ENDED", NOW)
    assert Revocation.objects.get(consent=here).initiator == "BANK"
    left = ConsentAccount.objects.filter(consent=both).values_list("institution_id", "status")
    assert dict(left) == {HERE: "REVOKED", ELSEWHERE: "ACTIVE"}
    assert withdrawal.finish() == 0


def test_what_was_left_half_done_is_taken_up_again(monkeypatch: pytest.MonkeyPatch) -> None:
    chat = ledger.platform("Chat")
    _sign()
    consents = [_consent(ledger.user(f"person-{number}"), chat, HERE) for number in range(5)]
    _withdraw(chat)
    monkeypatch.setattr(withdrawal, "BATCH", 2)

    done = [withdrawal.finish() for _ in range(4)]

    assert done == [2, 2, 1, 0]
    assert {_status(one) for one in consents} == {"REVOKED"}


def test_a_withdrawal_that_is_done_is_not_gone_through_again(django_assert_num_queries: Any) -> None:
    _sign()
    for number in range(3):
        platform = ledger.platform(f"Platform {number}")
        _consent(ledger.user(f"person-{number}"), platform, HERE)
        _withdraw(platform)
    assert withdrawal.finish() == 3

    with django_assert_num_queries(1):
        assert withdrawal.finish() == 0


def test_one_with_something_left_is_found_among_those_that_are_done() -> None:
    _sign()
    done, open_still = ledger.platform("Chat"), ledger.platform("Budget")
    alice = ledger.user("alice")
    _consent(alice, done, HERE)
    _withdraw(done)
    withdrawal.finish()
    left, elsewhere = _consent(alice, open_still, HERE), _consent(alice, open_still, ELSEWHERE)
    _withdraw(open_still)

    assert withdrawal.finish() == 1
    assert (_status(left), _status(elsewhere)) == ("REVOKED", "AUTHORISED")


def test_a_paused_consent_ends_and_one_that_ended_before_stays_as_it_ended() -> None:
    chat = ledger.platform("Chat")
    alice, bob = ledger.user("alice"), ledger.user("bob")
    _sign()
    paused, ended = _consent(alice, chat, HERE), _consent(bob, chat, HERE)
    lifecycle.pause(consent_id=paused.id, user_id=alice.id, actor=cast.BY_USER, now=NOW)
    cast.revoke(ended, now=NOW)

    _withdraw(chat)
    withdrawal.finish()

    assert (_status(paused), paused.status_initiator) == ("REVOKED", "BANK")
    assert (_status(ended), ended.status_initiator) == ("REVOKED", "USER")


def test_what_is_allowed_after_the_platform_came_back_is_not_ended() -> None:
    chat = ledger.platform("Chat")
    alice = ledger.user("alice")
    _sign()
    _withdraw(chat)
    later = cast.authorised_consent(
        alice,
        chat,
        accounts=[AccountChoice(account_id=uuid4(), connection_id=uuid4(), institution_id=HERE)],
        now=NOW + timedelta(days=1),
    )

    assert withdrawal.finish() == 0
    assert _status(later) == "AUTHORISED"


def test_a_renewal_does_not_overtake_a_withdrawal() -> None:
    """It would live on, and serve again on the day when the bank lets the platform in anew."""
    chat, alice = ledger.platform("Chat"), ledger.user("alice")
    _sign()
    both = _consent(alice, chat, HERE, ELSEWHERE)
    _withdraw(chat)
    lifecycle.renew(
        consent_id=both.id,
        user_id=alice.id,
        duration_days=7,
        disclosure=cast.DISCLOSURE,
        actor=cast.BY_USER,
        now=NOW + timedelta(seconds=1),
    )

    assert withdrawal.finish() == 1

    left = ConsentAccount.objects.filter(consent=both).values_list("institution_id", "status")
    assert dict(left) == {HERE: "REVOKED", ELSEWHERE: "ACTIVE"}


def test_a_platform_is_withdrawn_once() -> None:
    chat = ledger.platform("Chat")
    _sign()
    first, second = _propose(chat), _propose(chat)
    proposals.approve(proposal_id=first.id, institution_id=HERE, person=BRIAN, actor=BY_BANK, now=NOW)

    again = proposals.approve(proposal_id=second.id, institution_id=HERE, person=BRIAN, actor=BY_BANK, now=NOW)

    assert again.status == "SUPERSEDED"
    with pytest.raises(TransitionRefused):
        _propose(chat)
    assert policies.latest(HERE, chat.id).version == 1  # type: ignore[union-attr]
