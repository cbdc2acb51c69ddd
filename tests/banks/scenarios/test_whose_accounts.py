"""What Sluice makes of sound customers, and of logins behind which accounts change, vanish or are refused."""

import pytest

from banks.errors import After, BankUnavailable, LinkFailed
from banks.models import Balance, Connection
from banks.sandbox.people import SCENARIOS
from consents.errors import Denied
from consents.models import Platform
from gateway.identity.models import User
from tests.banks.scenarios.conftest import Play
from tests.banks.scenarios.register import outcome_of
from tests.banks.scenarios.scene import ASKS_THE_USER, Scene, kept
from tests.support import linked
from tests.support.linked import Linked

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("customer", ["happy", "happy2", "overdrawn", "empty", "many"])
@outcome_of("happy", "happy2", "overdrawn", "empty", "many")
def test_a_sound_customer_is_complete_to_the_penny_and_stays_so(play: Play, customer: str) -> None:
    scene = play(customer)

    assert (scene.sync().status, scene.standing()) == ("COMMITTED", ("ACTIVE", ""))
    before = scene.ids()
    assert scene.sync().status == "COMMITTED"

    for account in scene.accounts:
        there = SCENARIOS[customer].account(account.bank_account_id)
        assert there is not None
        assert kept(account) == scene.books(there)
        assert len(scene.served(account)) == len(kept(account))
    assert scene.ids() == before
    assert (scene.findings(), scene.quarantine(), scene.told()) == ([], [], [])


@outcome_of("down")
def test_nothing_is_linked_to_a_bank_that_is_down_and_its_consent_is_ended(
    world: Linked, alice: User, chat: Platform
) -> None:
    lodged = world.lodged(alice, chat)
    mark = world.mark()

    with pytest.raises(LinkFailed) as failed:
        world.link(lodged, "down")

    assert isinstance(failed.value.cause, BankUnavailable)
    assert failed.value.cause.retry == After(120)
    assert (Connection.objects.count(), len(linked.accounts()), linked.SyncJob.objects.count()) == (0, 0, 0)
    assert [row["status"] for row in world.seen(after=mark).resources] == [503]
    assert all(row["deleted"] for row in world.bank_consents().values() if row["user"] == "down")


def test_a_bank_that_goes_down_later_is_waited_for_as_long_as_it_says(play: Play) -> None:
    scene = play("happy")
    scene.sync()
    scene.world.fault(user="happy", path_contains="/aisp/accounts", status=503, retry_after=120, times=1)
    rows = scene.ids()

    job = scene.sync()

    assert (job.status, job.error_code, job.upstream_status) == ("RETRY_WAIT", "institution_down", 503)
    assert job.started_at is not None
    assert (job.next_attempt_at - job.started_at).total_seconds() >= 120
    assert (scene.standing(), scene.ids()) == (("DEGRADED", "institution_down"), rows)
    assert scene.served()
    assert scene.bring_to_an_end(job).status == "COMMITTED"
    scene.nobody_was_asked()


@outcome_of("garbage")
def test_of_broken_answers_only_what_is_broken_is_missing(play: Play) -> None:
    scene = play("garbage", history_days=40)

    job = scene.bring_to_an_end(scene.sync())

    current, savings = scene.accounts
    assert (job.status, job.error_code, job.error_account_id) == ("FAILED", "bank_format_changed", savings.id)
    assert scene.quarantine() == [("too_many_decimals", "Amount.Amount")]
    assert Balance.objects.for_sync().filter(account_id=savings.id).count() == 0
    there = scene.books(SCENARIOS["garbage"].accounts[0])
    assert kept(current).items() <= there.items() and len(there) - len(kept(current)) == 1
    assert kept(savings) == scene.books(SCENARIOS["garbage"].accounts[1])
    assert scene.standing() == ("ACTIVE", "")
    scene.nobody_was_asked()


# -- two people, one account -------------------------------------------------------------------------------------------


@outcome_of("joint", "joint2")
def test_two_holders_of_one_account_have_it_each_for_themselves(play: Play, alice: User, bob: User) -> None:
    one, other = play("joint", user=alice), play("joint2", user=bob)
    for scene in (one, other):
        assert linked.run(_job_of(scene)).status == "COMMITTED"

    assert one.connection_id != other.connection_id
    for scene, name in ((one, "joint"), (other, "joint2")):
        assert [row.user_id for row in scene.accounts] == [scene.user.id] * 2
        for account, there in zip(_by_bank_id(scene), _sorted_accounts(name), strict=True):
            assert kept(account) == scene.books(there)
        assert scene.findings() == [] and scene.standing() == ("ACTIVE", "")
    shared = {row.identification_digest for row in one.accounts} & {row.identification_digest for row in other.accounts}
    assert len(shared) == 1  # the same account, told apart by whose it is
    assert not {row.id for row in one.accounts} & {row.id for row in other.accounts}


def _job_of(scene: Scene) -> linked.SyncJob:
    return linked.SyncJob.objects.get(connection_id=scene.connection_id)


def _by_bank_id(scene: Scene) -> list[linked.Account]:
    return sorted(scene.accounts, key=lambda row: row.bank_account_id)


def _sorted_accounts(name: str) -> list[object]:
    return sorted(SCENARIOS[name].accounts, key=lambda account: account.account_id)


# -- one login, another person -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("customer", ["another_person", "other_number"])
@outcome_of("another_person", "other_number")
def test_another_persons_accounts_are_held_back_and_the_first_ones_no_longer_served(play: Play, customer: str) -> None:
    scene = play(customer)
    scene.sync()
    assert scene.served()
    before, numbers, mark = linked.contents(), scene.account.identification_digest, scene.world.mark()
    scene.turn(1)

    job = scene.sync()

    assert (job.status, job.error_code, job.error_account_id) == ("FAILED", "holder_changed", scene.account.id)
    assert scene.standing() == ("SUSPENDED", "holder_changed")
    assert scene.findings() == [("HOLDER_CHANGED", "holder_changed")]
    assert scene.told() == [ASKS_THE_USER]
    assert linked.contents() == before
    assert [row.identification_digest for row in scene.accounts] == [numbers]
    assert [path for path in scene.seen(mark).paths() if "balances" in path or "transactions" in path] == []
    with pytest.raises(Denied):
        scene.served()
    # Nobody is asked again, and the bank neither.
    mark = scene.world.mark()
    assert scene.sync().status == "CANCELLED"
    assert (scene.seen(mark).rows, scene.told()) == ([], [ASKS_THE_USER])


# -- accounts that go away ---------------------------------------------------------------------------------------------


@outcome_of("closed_account")
def test_a_closed_account_is_shown_as_such_and_the_other_goes_on(play: Play) -> None:
    scene = play("closed_account", history_days=40)
    scene.sync()
    current, savings = scene.accounts
    before, rows = scene.ids(), kept(savings)
    scene.turn(1)

    for _ in range(3):
        mark = scene.world.mark()
        job = scene.sync()
        assert (job.status, job.error_code) == ("COMMITTED", "")
        paths = scene.seen(mark).paths()
        assert any(current.bank_account_id in path for path in paths)
        assert not any(savings.bank_account_id in path for path in paths)

    assert [row.status for row in scene.accounts] == ["OPEN", "CLOSED"]
    assert scene.ids() == before
    assert rows and len(scene.served(savings)) == len(rows)
    assert (scene.standing(), scene.findings(), scene.told()) == (("ACTIVE", ""), [], [])


@outcome_of("one_account_refused")
def test_an_account_that_the_bank_refuses_costs_the_other_nothing(play: Play) -> None:
    scene = play("one_account_refused", history_days=40)

    job = scene.sync()

    current, savings = scene.accounts
    assert (job.status, job.error_code, job.error_account_id) == ("FAILED", "account_unavailable", savings.id)
    assert kept(current) == scene.books(SCENARIOS["one_account_refused"].accounts[0])
    assert Balance.objects.for_sync().filter(account_id=current.id).exists()
    assert (kept(savings), savings.balances_as_of, savings.transactions_as_of) == ({}, None, None)
    assert scene.standing() == ("ACTIVE", "")
    scene.nobody_was_asked()
