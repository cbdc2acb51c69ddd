"""Each step of a revocation is written down once, with its instant, and told in one order."""

from datetime import timedelta
from uuid import uuid4

import pytest

from consents import lifecycle, revocations
from consents.models import Consent, Revocation
from consents.states import RevocationStage, UpstreamStage
from tests.consents import given
from tests.support.ledger import BY_USER, NOW

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


def row(**columns: object) -> Revocation:
    values = {"requested_at": NOW, "tokens_dead_at": NOW, "serving_stopped_at": NOW, **columns}
    return Revocation(**values)


# -- told: pure --------------------------------------------------------------------------------------------------------


def test_the_stages_come_in_the_order_of_the_pipeline_with_their_instants() -> None:
    done = row(
        purged_at=NOW + HOUR,
        upstream_stage="UPSTREAM_CANCELLED",
        upstream_at=NOW + MINUTE,
        notified_at=NOW + 2 * MINUTE,
        acknowledged_at=NOW + 3 * MINUTE,
    )

    assert revocations.stages(done, NOW + 100 * HOUR) == [
        ("REQUESTED", NOW),
        ("TOKENS_DEAD", NOW),
        ("SERVING_STOPPED", NOW),
        ("PURGED", NOW + HOUR),
        ("UPSTREAM_CANCELLED", NOW + MINUTE),
        ("PLATFORM_NOTIFIED", NOW + 2 * MINUTE),
        ("PLATFORM_ACKED", NOW + 3 * MINUTE),
    ]


def test_what_has_not_happened_has_no_instant() -> None:
    told = dict(revocations.stages(row(), NOW))

    waiting = {RevocationStage.PURGED, RevocationStage.UPSTREAM, RevocationStage.PLATFORM_NOTIFIED}
    assert {stage for stage, at in told.items() if at is None} == {*waiting, RevocationStage.PLATFORM_ACKED}


@pytest.mark.parametrize(
    ("after", "acknowledged", "last"),
    [
        (timedelta(hours=72) - timedelta(microseconds=1), None, ("PLATFORM_ACKED", None)),
        (timedelta(hours=72), None, ("ACK_OVERDUE", NOW + timedelta(hours=72))),
        (timedelta(hours=90), NOW + 80 * HOUR, ("PLATFORM_ACKED", NOW + 80 * HOUR)),
    ],
)
def test_a_platform_has_three_days_to_confirm(after: timedelta, acknowledged: object, last: tuple[str, object]) -> None:
    """Whether or not it has read the event: not looking is no excuse."""
    assert revocations.stages(row(acknowledged_at=acknowledged), NOW + after)[-1] == last


# -- marked ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def revoked(db: None) -> Consent:
    return lifecycle.revoke(consent_id=given.authorised().id, reason="user_revoked", actor=BY_USER, now=NOW)


def test_the_first_three_come_with_the_revocation_itself(revoked: Consent) -> None:
    told = Revocation.objects.get()

    assert {told.requested_at, told.tokens_dead_at, told.serving_stopped_at} == {NOW}
    assert (told.initiator, told.reason, told.deletes_at_once) == ("USER", "user_revoked", False)
    assert (told.purged_at, told.upstream_stage, told.notified_at, told.acknowledged_at) == (None, "", None, None)


def test_a_step_is_marked_once_and_its_first_instant_stays(revoked: Consent) -> None:
    assert revocations.purged(revoked.id, NOW + MINUTE)
    assert not revocations.purged(revoked.id, NOW + HOUR)
    assert revocations.notified([revoked.id], now=NOW + MINUTE) == 1
    assert revocations.notified([revoked.id], now=NOW + HOUR) == 0
    assert revocations.acknowledged([revoked.id], now=NOW + HOUR) == 1
    assert revocations.acknowledged([revoked.id], now=NOW + 2 * HOUR) == 0

    told = Revocation.objects.get()
    assert (told.purged_at, told.notified_at, told.acknowledged_at) == (NOW + MINUTE, NOW + MINUTE, NOW + HOUR)


def test_of_a_consent_without_a_revocation_nothing_is_marked(db: None) -> None:
    other = given.authorised()

    assert not revocations.purged(other.id, NOW)
    assert not revocations.upstream(other.id, UpstreamStage.NOT_APPLICABLE, NOW)
    assert revocations.notified([other.id, uuid4()], now=NOW) == 0


def test_what_a_platform_was_not_told_it_cannot_acknowledge(revoked: Consent) -> None:
    assert revocations.acknowledged([revoked.id], now=NOW) == 0

    assert Revocation.objects.get().acknowledged_at is None


@pytest.mark.parametrize("final", [s for s in UpstreamStage if s != UpstreamStage.UPSTREAM_RETRYING])
def test_a_bank_is_tried_until_it_is_decided_and_then_nothing_changes_it(
    revoked: Consent, final: UpstreamStage
) -> None:
    assert revocations.upstream(revoked.id, UpstreamStage.UPSTREAM_RETRYING, NOW + MINUTE)
    assert not revocations.upstream(revoked.id, UpstreamStage.UPSTREAM_RETRYING, NOW + 2 * MINUTE)
    assert Revocation.objects.get().upstream_at == NOW + MINUTE

    assert revocations.upstream(revoked.id, final, NOW + HOUR)
    for other in UpstreamStage:
        assert not revocations.upstream(revoked.id, other, NOW + 2 * HOUR)

    told = Revocation.objects.get()
    assert (told.upstream_stage, told.upstream_at) == (final, NOW + HOUR)
