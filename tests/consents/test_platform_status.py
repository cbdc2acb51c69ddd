"""A platform is stopped: at once for whoever reads next, reversibly or for good, and its consents follow."""

from datetime import timedelta
from uuid import uuid4

import pytest

from consents import lifecycle, operator_proposals, platform_endings, platforms, tasks
from consents.denials import DenialCode
from consents.errors import Denied, ProposalDecided, ProposalNotFound, TransitionRefused, TwoPeopleNeeded
from consents.models import (
    AccessToken,
    AuditEntry,
    Consent,
    Event,
    Grant,
    OperatorProposal,
    Platform,
    PlatformToken,
    RefreshToken,
    Revocation,
)
from consents.models.policy import ProposalKind
from consents.scopes import Scope
from consents.states import PlatformStatus
from tests.consents import given
from tests.support import ledger
from tests.support.ledger import BY_OPERATOR, BY_PLATFORM, BY_USER, NOW

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)
YEAR = platforms.ATTESTED_FOR


def change(platform: Platform, target: str, **changes: object) -> None:
    values: dict[str, object] = {"reason": "misuse", "actor": BY_OPERATOR, "now": NOW, **changes}
    platforms.change_status(platform, PlatformStatus(target), **values)  # type: ignore[arg-type]


def tokens_of(platform: Platform) -> int:
    own = PlatformToken.objects.filter(platform=platform).count()
    access = AccessToken.objects.filter(application=platform).count()
    refresh = RefreshToken.objects.filter(application=platform).count()
    return own + access + refresh + Grant.objects.filter(application=platform).count()


@pytest.fixture
def chat(db: None) -> Platform:
    return ledger.platform()


def served(platform: Platform) -> Consent:
    """A consent that opens something, with tokens of every kind."""
    owner = ledger.user(f"owner-{uuid4()}")
    bank = ledger.institution(f"bank-{uuid4()}")
    ledger.policy(bank.id)
    consent = ledger.consent(owner, platform, [ledger.account(ledger.connection(owner, bank))], [Scope.ACCOUNTS])
    ledger.tokens(consent)
    PlatformToken.objects.create(
        token_digest=uuid4().hex, platform=platform, created_at=NOW, expires_at=NOW + timedelta(minutes=10)
    )
    return consent


def refused(consent: Consent) -> DenialCode:
    with pytest.raises(Denied) as denied:
        ledger.permit(consent)
    return denied.value.denial.code


# -- stopped for now ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", ["SUSPENDED", "INACTIVE"])
def test_nothing_is_served_to_a_stopped_platform_and_everything_returns_with_it(chat: Platform, status: str) -> None:
    running, paused = served(chat), given.paused(served(chat))
    ledger.permit(running)
    tokens = tokens_of(chat)

    change(chat, status)

    assert refused(running) == DenialCode.PLATFORM_NOT_ACTIVE
    assert refused(paused) == DenialCode.CONSENT_PAUSED
    assert platform_endings.sweep(now=NOW) == 0
    assert tokens_of(chat) == tokens

    change(chat, "ACTIVE", reason="cleared")

    ledger.permit(running)
    assert refused(paused) == DenialCode.CONSENT_PAUSED  # as its user left it


def test_another_platform_reads_on(chat: Platform) -> None:
    other = served(ledger.platform("Budget"))
    served(chat)

    change(chat, "SUSPENDED")
    ledger.permit(other)
    change(chat, "REVOKED")
    platform_endings.sweep(now=NOW)

    ledger.permit(other)
    assert AccessToken.objects.get().consent_id == other.id


def test_the_instant_and_the_reason_of_a_change_are_kept(chat: Platform) -> None:
    change(chat, "SUSPENDED", now=NOW + DAY)

    assert (chat.status_reason, chat.status_changed_at) == ("misuse", NOW + DAY)
    entry = AuditEntry.objects.get(action="platform.suspended")
    assert (entry.from_status, entry.to_status, entry.reason_code) == ("ACTIVE", "SUSPENDED", "misuse")


# -- for good ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("status", "initiator"), [("REVOKED", "OPERATOR"), ("SURRENDERED", "PLATFORM")])
def test_a_withdrawn_platform_loses_every_token_at_once_and_its_consents_with_the_next_sweep(
    chat: Platform, status: str, initiator: str
) -> None:
    live = [served(chat), given.paused(served(chat)), given.suspended(served(chat))]
    question = given.lodged(ledger.user("bob"), chat, [Scope.ACCOUNTS])

    change(chat, status)

    assert tokens_of(chat) == 0
    assert refused(live[0]) == DenialCode.PLATFORM_NOT_ACTIVE  # even were there a token, before the sweep
    assert Consent.objects.filter(status="REVOKED").count() == 0

    assert platform_endings.sweep(now=NOW) == 4

    for consent in live:
        consent.refresh_from_db()
        told = (consent.status, consent.status_reason, consent.status_initiator)
        assert told == ("REVOKED", "platform_withdrawn", initiator)
    question.refresh_from_db()
    assert (question.status, question.status_reason) == ("REJECTED", "platform_withdrawn")
    assert Revocation.objects.count() == Event.objects.filter(type="consent.revoked").count() == 3
    assert platform_endings.sweep(now=NOW) == 0


def test_a_status_that_is_rolled_back_keeps_its_tokens(chat: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    served(chat)
    before = tokens_of(chat)

    class Boom(Exception): ...

    def dies(*_: object, **__: object) -> None:
        raise Boom

    monkeypatch.setattr(platforms, "_record", dies)
    with pytest.raises(Boom):
        change(chat, "REVOKED")

    chat.refresh_from_db()
    assert (chat.status, tokens_of(chat)) == ("ACTIVE", before)


def test_a_sweep_that_broke_off_is_finished_by_the_next(chat: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform_endings, "BATCH", 2)
    consents = [given.authorised(ledger.user(f"person-{number}"), chat) for number in range(5)]
    change(chat, "REVOKED")
    revoke, calls = lifecycle.revoke, iter(range(3))

    class Crash(Exception): ...

    def dies_midway(**arguments: object) -> Consent:
        if next(calls, None) is None:
            raise Crash
        return revoke(**arguments)  # type: ignore[arg-type]

    with monkeypatch.context() as patch, pytest.raises(Crash):
        patch.setattr(lifecycle, "revoke", dies_midway)
        platform_endings.sweep(now=NOW)
    assert Consent.objects.filter(status="REVOKED").count() == 3

    assert platform_endings.sweep(now=NOW) == 2
    assert Revocation.objects.count() == len(consents)


def test_a_consent_that_its_user_ends_first_keeps_their_word(chat: Platform) -> None:
    consent = served(chat)
    change(chat, "REVOKED")
    lifecycle.revoke(consent_id=consent.id, user_id=consent.user_id, reason="user_revoked", actor=BY_USER, now=NOW)

    assert platform_endings.sweep(now=NOW) == 0

    consent.refresh_from_db()
    assert (consent.status_reason, consent.status_initiator) == ("user_revoked", "USER")


def test_what_had_ended_by_the_clock_is_left_to_it(chat: Platform) -> None:
    consent = served(chat)
    change(chat, "REVOKED")

    assert platform_endings.sweep(now=consent.expires_at) == 0
    assert lifecycle.expire_due(now=consent.expires_at) == 1


def test_the_minutes_task_ends_what_is_left(chat: Platform) -> None:
    consent = given.authorised(platform=chat)
    Consent.objects.update(expires_at=NOW + timedelta(days=3650))
    change(chat, "REVOKED")

    tasks.sweep()

    consent.refresh_from_db()
    assert consent.status == "REVOKED"


# -- the attestation ---------------------------------------------------------------------------------------------------


def test_a_platform_that_has_not_said_it_again_for_a_year_is_suspended(chat: Platform) -> None:
    assert platforms.suspend_overdue(now=NOW + YEAR - timedelta(seconds=1)) == 0
    assert platforms.suspend_overdue(now=NOW + YEAR) == 1
    assert platforms.suspend_overdue(now=NOW + YEAR) == 0

    chat.refresh_from_db()
    assert (chat.status, chat.status_reason) == ("SUSPENDED", "attestation_overdue")
    assert AuditEntry.objects.get(action="platform.suspended").initiator == "SYSTEM"


def test_one_that_never_said_it_is_overdue(chat: Platform) -> None:
    Platform.objects.update(attested_at=None)

    assert platforms.suspend_overdue(now=NOW) == 1


def test_saying_it_again_lifts_that_suspension(chat: Platform) -> None:
    platforms.suspend_overdue(now=NOW + YEAR)
    chat.refresh_from_db()

    platforms.renew_attestation(chat, actor=BY_PLATFORM, now=NOW + YEAR + DAY)

    assert (chat.status, chat.attested_at) == ("ACTIVE", NOW + YEAR + DAY)
    assert platforms.suspend_overdue(now=NOW + 2 * YEAR) == 0


def test_and_no_other(chat: Platform) -> None:
    platforms.suspend(chat, reason="misuse", actor=BY_OPERATOR, now=NOW)

    platforms.renew_attestation(chat, actor=BY_PLATFORM, now=NOW + DAY)

    assert (chat.status, chat.status_reason, chat.attested_at) == ("SUSPENDED", "misuse", NOW + DAY)


def test_the_operator_takes_over_a_suspension_that_the_attestation_would_lift(chat: Platform) -> None:
    platforms.suspend_overdue(now=NOW + YEAR)
    chat.refresh_from_db()

    platforms.suspend(chat, reason="misuse", actor=BY_OPERATOR, now=NOW + YEAR)
    platforms.renew_attestation(chat, actor=BY_PLATFORM, now=NOW + YEAR)

    assert (chat.status, chat.status_reason) == ("SUSPENDED", "misuse")


def test_in_good_time_it_changes_nothing_but_the_date(chat: Platform) -> None:
    platforms.renew_attestation(chat, actor=BY_PLATFORM, now=NOW + DAY)

    assert (chat.status, chat.attested_at) == ("ACTIVE", NOW + DAY)


@pytest.mark.parametrize("status", ["REVOKED", "SURRENDERED", "REMOVED"])
def test_a_withdrawn_platform_has_nothing_to_renew(chat: Platform, status: str) -> None:
    Platform.objects.update(status=status)
    chat.refresh_from_db()

    with pytest.raises(TransitionRefused):
        platforms.renew_attestation(chat, actor=BY_PLATFORM, now=NOW + DAY)

    chat.refresh_from_db()
    assert chat.attested_at == NOW


# -- two operators -----------------------------------------------------------------------------------------------------

OLA, PER = uuid4(), uuid4()


def asked(platform: Platform, kind: ProposalKind) -> OperatorProposal:
    return operator_proposals.propose(platform, kind, reason="misuse", person=OLA, actor=BY_OPERATOR, now=NOW)


def approved(proposal: OperatorProposal, person: object = PER) -> OperatorProposal:
    return operator_proposals.approve(
        proposal_id=proposal.id,
        person=person,  # type: ignore[arg-type]
        actor=BY_OPERATOR,
        now=NOW + DAY,
    )


def test_t15_the_end_of_a_platform_takes_two_people(chat: Platform) -> None:
    served(chat)
    proposal = asked(chat, ProposalKind.WITHDRAW)
    with pytest.raises(TwoPeopleNeeded):
        approved(proposal, OLA)
    chat.refresh_from_db()
    assert (chat.status, tokens_of(chat) > 0) == ("ACTIVE", True)

    signed = approved(proposal)

    chat.refresh_from_db()
    assert (chat.status, chat.status_reason, tokens_of(chat)) == ("REVOKED", "misuse", 0)
    assert (signed.status, signed.proposed_by, signed.decided_by) == ("SIGNED", OLA, PER)
    assert AuditEntry.objects.filter(action__in=["proposal.waiting", "proposal.signed"]).count() == 2


def test_lifting_takes_two_and_stopping_one(chat: Platform) -> None:
    platforms.suspend(chat, reason="misuse", actor=BY_OPERATOR, now=NOW)

    approved(asked(chat, ProposalKind.LIFT))

    chat.refresh_from_db()
    assert chat.status == "ACTIVE"


def test_a_suspended_consent_goes_on_when_two_say_so() -> None:
    consent = given.suspended(given.paused(given.authorised()))
    proposal = operator_proposals.propose_consent_lift(
        consent, reason="cleared", person=OLA, actor=BY_OPERATOR, now=NOW
    )
    with pytest.raises(TwoPeopleNeeded):
        approved(proposal, OLA)

    approved(proposal)

    consent.refresh_from_db()
    assert consent.status == "PAUSED"


def test_what_changed_meanwhile_is_not_carried_out(chat: Platform) -> None:
    platforms.suspend(chat, reason="misuse", actor=BY_OPERATOR, now=NOW)
    lift = asked(chat, ProposalKind.LIFT)
    approved(asked(chat, ProposalKind.WITHDRAW))

    assert approved(lift).status == "SUPERSEDED"

    chat.refresh_from_db()
    assert chat.status == "REVOKED"


def test_a_lift_that_was_asked_for_before_a_stop_does_not_lift_it(chat: Platform) -> None:
    """The first stop was lifted by another way; the second is about something else."""
    Platform.objects.update(status="SUSPENDED", status_reason="attestation_overdue", status_changed_at=NOW)
    chat.refresh_from_db()
    lift = asked(chat, ProposalKind.LIFT)
    platforms.renew_attestation(chat, actor=BY_PLATFORM, now=NOW + DAY)
    platforms.suspend(chat, reason="fraud", actor=BY_OPERATOR, now=NOW + DAY)

    assert approved(lift).status == "SUPERSEDED"

    chat.refresh_from_db()
    assert (chat.status, chat.status_reason) == ("SUSPENDED", "fraud")


def test_a_lift_that_waits_in_vain_is_not_in_the_way_of_the_next_one(chat: Platform) -> None:
    Platform.objects.update(status="SUSPENDED", status_reason="attestation_overdue", status_changed_at=NOW)
    chat.refresh_from_db()
    in_vain = asked(chat, ProposalKind.LIFT)
    platforms.suspend(chat, reason="fraud", actor=BY_OPERATOR, now=NOW + DAY)

    later = {"person": OLA, "actor": BY_OPERATOR, "now": NOW + 2 * DAY}
    lift = operator_proposals.propose(chat, ProposalKind.LIFT, reason="cleared", **later)  # type: ignore[arg-type]

    assert approved(lift).status == "SIGNED"
    in_vain.refresh_from_db()
    chat.refresh_from_db()
    assert (in_vain.status, chat.status) == ("SUPERSEDED", "ACTIVE")


def test_nor_does_the_lift_of_a_persons_own_stop_lift_the_one_that_took_it_over() -> None:
    consent = given.authorised()
    consent = given.suspended(consent, actor=BY_USER, user_id=consent.user_id)
    lift = operator_proposals.propose_consent_lift(consent, reason="cleared", person=OLA, actor=BY_OPERATOR, now=NOW)
    given.suspended(consent, reason="fraud", now=NOW + DAY)

    assert approved(lift).status == "SUPERSEDED"

    consent.refresh_from_db()
    assert (consent.status, consent.status_reason) == ("SUSPENDED", "fraud")


def test_a_platform_that_the_sweep_suspended_a_moment_ago_is_suspended_all_the_same(chat: Platform) -> None:
    """Or it would be active again as soon as it attests."""
    late = NOW + platforms.ATTESTED_FOR
    assert platforms.suspend_overdue(now=late) == 1  # and the operator's page was loaded before it

    platforms.suspend(chat, reason="fraud", actor=BY_OPERATOR, now=late)

    platforms.renew_attestation(chat, actor=BY_PLATFORM, now=late)
    assert (chat.status, chat.status_reason) == ("SUSPENDED", "fraud")


def test_a_decided_proposal_stays_decided_and_a_missing_one_is_not_found(chat: Platform) -> None:
    proposal = asked(chat, ProposalKind.WITHDRAW)
    refused_one = operator_proposals.refuse(proposal_id=proposal.id, person=OLA, actor=BY_OPERATOR, now=NOW)

    assert refused_one.status == "REFUSED"
    with pytest.raises(ProposalDecided):
        approved(proposal)
    with pytest.raises(ProposalNotFound):
        operator_proposals.approve(proposal_id=uuid4(), person=PER, actor=BY_OPERATOR, now=NOW)
    chat.refresh_from_db()
    assert chat.status == "ACTIVE"


def test_the_same_is_not_asked_twice_nor_what_cannot_be(chat: Platform) -> None:
    asked(chat, ProposalKind.WITHDRAW)

    with pytest.raises(TransitionRefused):
        asked(chat, ProposalKind.WITHDRAW)
    with pytest.raises(TransitionRefused):
        asked(chat, ProposalKind.LIFT)  # it is active
    with pytest.raises(TransitionRefused):
        operator_proposals.propose_consent_lift(
            given.authorised(platform=chat), reason="x", person=OLA, actor=BY_OPERATOR, now=NOW
        )

    assert OperatorProposal.objects.count() == 1
