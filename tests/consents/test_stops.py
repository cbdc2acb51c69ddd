"""What one person may do alone: take away, at once, and so that lifting it gives back exactly what there was."""

from collections.abc import Callable
from dataclasses import replace
from uuid import UUID, uuid4

import pytest

from consents import facts, policies, stops
from consents.errors import PolicyChanged, TransitionRefused, TwoPeopleNeeded
from consents.models import AuditEntry, BankPolicy, Consent, ConsentAccount, Platform
from consents.policy_facts import PolicyFacts
from consents.policy_terms import PolicyTerms
from consents.reasons import StopReason
from consents.scopes import Purpose, Scope
from consents.states import PolicyStatus
from tests.support import cast, ledger
from tests.support.ledger import NOW
from tests.support.staff import BY_BANK

pytestmark = pytest.mark.django_db

HERE, ELSEWHERE = uuid4(), uuid4()
ANNE = uuid4()
TERMS = PolicyTerms(
    scopes=frozenset({Scope.ACCOUNTS, Scope.TRANSACTIONS, Scope.MERCHANTS}), purposes=frozenset(Purpose)
)


def _sign(platform_id: UUID | None = None, terms: PolicyTerms = TERMS, institution_id: UUID = HERE) -> BankPolicy:
    return policies.sign(
        institution_id=institution_id, platform_id=platform_id, terms=terms, approved_by=[], actor=BY_BANK, now=NOW
    )


def _suspend(platform_id: UUID | None = None) -> BankPolicy:
    return stops.suspend(
        institution_id=HERE,
        platform_id=platform_id,
        person=ANNE,
        reason=StopReason.SECURITY_INCIDENT,
        actor=BY_BANK,
        now=NOW,
    )


def _stop_scope(scope: Scope, platform_id: UUID | None = None) -> list[BankPolicy]:
    return stops.stop_scope(
        institution_id=HERE,
        platform_id=platform_id,
        scope=scope,
        person=ANNE,
        reason=StopReason.MISUSE_OF_DATA,
        actor=BY_BANK,
        now=NOW,
    )


def _in_force(platform: Platform, institution_id: UUID = HERE) -> PolicyFacts:
    return facts.policies_in_force([institution_id], platform.id, now=NOW)[institution_id]


def test_a_suspension_keeps_every_other_term_and_says_who_and_why() -> None:
    chat = ledger.platform("Chat")
    _sign(chat.id)

    stopped = _suspend(chat.id)

    assert policies.terms_of(stopped) == replace(TERMS, status=PolicyStatus.SUSPEND)
    assert (stopped.version, stopped.reason_code, stopped.approved_by) == (2, "SECURITY_INCIDENT", [str(ANNE)])
    entry = AuditEntry.objects.filter(action="policy.signed").latest("occurred_at", "details")
    assert (entry.institution_id, entry.platform_id, entry.initiator) == (HERE, chat.id, "BANK")


def test_one_platforms_suspension_leaves_the_others_and_the_other_banks_alone() -> None:
    chat, budget = ledger.platform("Chat"), ledger.platform("Budget")
    for bank in (HERE, ELSEWHERE):
        _sign(institution_id=bank)

    _suspend(chat.id)

    assert _in_force(chat).status == PolicyStatus.SUSPEND
    assert _in_force(budget).status == PolicyStatus.ALLOW
    assert _in_force(chat, ELSEWHERE).status == PolicyStatus.ALLOW


def test_the_whole_bank_stops_whatever_a_platforms_own_policy_says() -> None:
    chat, budget = ledger.platform("Chat"), ledger.platform("Budget")
    _sign()
    _sign(chat.id)

    _suspend()

    assert {_in_force(chat).status, _in_force(budget).status} == {PolicyStatus.SUSPEND}


def test_a_bank_without_a_general_policy_can_be_stopped_as_a_whole() -> None:
    chat = ledger.platform("Chat")
    _sign(chat.id)

    _suspend()

    assert _in_force(chat).status == PolicyStatus.SUSPEND


def test_a_suspension_writes_no_consent() -> None:
    """So nothing has to be put back when it is lifted."""
    chat = ledger.platform("Chat")
    _sign()
    cast.authorised_consent(ledger.user("alice"), chat, now=NOW)

    before = _rows()
    _suspend(chat.id)

    assert _rows() == before


def _rows() -> object:
    return list(Consent.objects.order_by("id").values()), list(ConsentAccount.objects.order_by("id").values())


def test_what_is_suspended_or_withdrawn_is_not_suspended_again() -> None:
    _sign()
    _suspend()
    with pytest.raises(TransitionRefused):
        _suspend()

    _sign(terms=replace(TERMS, status=PolicyStatus.BLOCK))
    with pytest.raises(TransitionRefused):
        _suspend()


def test_a_stopped_scope_goes_with_what_is_meaningless_without_it() -> None:
    chat = ledger.platform("Chat")
    _sign(chat.id)

    (policy,) = _stop_scope(Scope.TRANSACTIONS, chat.id)

    assert policies.terms_of(policy) == replace(TERMS, scopes=frozenset({Scope.ACCOUNTS}))


def test_a_scope_is_stopped_for_every_platform_at_once() -> None:
    chat, budget = ledger.platform("Chat"), ledger.platform("Budget")
    _sign()
    _sign(chat.id)

    assert len(_stop_scope(Scope.MERCHANTS)) == 2

    for platform in (chat, budget):
        assert Scope.MERCHANTS not in _in_force(platform).scopes
        assert Scope.TRANSACTIONS in _in_force(platform).scopes
    with pytest.raises(TransitionRefused):
        _stop_scope(Scope.MERCHANTS)


def test_a_scope_stopped_under_a_suspension_does_not_lift_it() -> None:
    chat = ledger.platform("Chat")
    _sign(chat.id)
    _suspend(chat.id)

    _stop_scope(Scope.MERCHANTS, chat.id)

    assert _in_force(chat).status == PolicyStatus.SUSPEND


def _narrow(terms: PolicyTerms, base_version: int = 1) -> BankPolicy:
    return stops.narrow(
        institution_id=HERE,
        platform_id=None,
        terms=terms,
        base_version=base_version,
        person=ANNE,
        reason=StopReason.LEGAL_ORDER,
        actor=BY_BANK,
        now=NOW,
    )


def test_one_person_signs_what_is_narrower() -> None:
    _sign()

    assert policies.terms_of(_narrow(replace(TERMS, history_days_max=30))).history_days_max == 30


@pytest.mark.parametrize(
    "change",
    [
        lambda: replace(TERMS, history_days_max=366),
        lambda: replace(TERMS, scopes=frozenset(Scope)),
        lambda: replace(TERMS, requires_fapi2=False),
        lambda: replace(TERMS, status=PolicyStatus.BLOCK),
    ],
)
def test_t15_one_person_alone_never_signs_what_is_wider_or_final(change: Callable[[], PolicyTerms]) -> None:
    _sign()

    with pytest.raises(TwoPeopleNeeded):
        _narrow(change())

    assert BankPolicy.objects.count() == 1


def test_terms_made_from_an_older_version_are_not_signed() -> None:
    """Narrower than what was, they could be wider than what is."""
    _sign()
    _narrow(replace(TERMS, history_days_max=30))

    with pytest.raises(PolicyChanged):
        _narrow(replace(TERMS, history_days_max=20), base_version=1)

    assert policies.latest(HERE, None).version == 2  # type: ignore[union-attr]


def test_a_stop_is_carried_out_on_what_somebody_else_signed_in_the_same_moment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Or it would bring back what they took away."""
    _sign()
    signed = policies.sign
    others = [replace(TERMS, history_days_max=30)]

    def another_first(**values: object) -> BankPolicy:
        if others:
            signed(**{**values, "terms": others.pop(), "base_version": None})  # type: ignore[arg-type]
        return signed(**values)  # type: ignore[arg-type]

    monkeypatch.setattr(policies, "sign", another_first)

    _suspend()

    held = policies.terms_that_hold(HERE, None)
    assert held == replace(TERMS, history_days_max=30, status=PolicyStatus.SUSPEND)


def test_a_scope_is_stopped_for_all_though_a_platform_was_withdrawn() -> None:
    """Its last terms name the scope for ever, and a stop that it refused would be refused to everybody."""
    chat = ledger.platform("Chat")
    _sign()
    _sign(chat.id, replace(TERMS, status=PolicyStatus.BLOCK))

    assert [policy.platform_id for policy in _stop_scope(Scope.MERCHANTS)] == [None]

    assert Scope.MERCHANTS not in _in_force(ledger.platform("Budget")).scopes
    assert policies.latest(HERE, chat.id).version == 1  # type: ignore[union-attr]


def _meanwhile(monkeypatch: pytest.MonkeyPatch, act: Callable[[], object]) -> None:
    """Somebody else holds the bank when it is first wanted, and does `act` before they let go."""
    hold, others = policies.hold, [act]

    def waited_for(institution_id: UUID) -> None:
        if others:
            others.pop()()
        hold(institution_id)

    monkeypatch.setattr(policies, "hold", waited_for)


def test_a_scope_is_stopped_for_all_though_somebody_stops_it_for_one_in_the_same_moment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    chat, budget = ledger.platform("Chat"), ledger.platform("Budget")
    for one in (None, chat.id, budget.id):
        _sign(one)
    _meanwhile(monkeypatch, lambda: _stop_scope(Scope.MERCHANTS, chat.id))

    assert {policy.platform_id for policy in _stop_scope(Scope.MERCHANTS)} == {None, budget.id}

    assert not any(Scope.MERCHANTS in _in_force(one).scopes for one in (chat, budget))


def test_no_platforms_first_own_policy_escapes_a_stop_for_all_in_the_same_moment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    chat = ledger.platform("Chat")
    _sign()
    _meanwhile(monkeypatch, lambda: _sign(chat.id))

    assert len(_stop_scope(Scope.MERCHANTS)) == 2

    assert Scope.MERCHANTS not in _in_force(chat).scopes


def test_a_stop_for_one_platform_gives_back_nothing_that_is_taken_from_all_in_the_same_moment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its first own policy is made from the general one."""
    chat = ledger.platform("Chat")
    _sign()
    _meanwhile(monkeypatch, lambda: _narrow(replace(TERMS, history_days_max=30)))

    _stop_scope(Scope.MERCHANTS, chat.id)

    assert _in_force(chat).history_days_max == 30


def test_t15_nobody_signs_alone_what_has_become_wider_in_the_same_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    chat = ledger.platform("Chat")
    _sign()
    _meanwhile(monkeypatch, lambda: _narrow(replace(TERMS, history_days_max=30)))

    with pytest.raises(TwoPeopleNeeded):
        stops.narrow(
            institution_id=HERE,
            platform_id=chat.id,
            terms=replace(TERMS, history_days_max=90),
            base_version=0,
            person=ANNE,
            reason=StopReason.LEGAL_ORDER,
            actor=BY_BANK,
            now=NOW,
        )

    assert policies.latest(HERE, chat.id) is None
