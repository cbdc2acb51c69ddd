"""Before a fetch: the bank's consent stands, the login is good, it is the same person, the bank may be asked again."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from banks import job_requests, leases, sessions, sync
from banks.errors import (
    AccountUnavailable,
    AddressForbidden,
    AnswerTooLarge,
    BankConsentEnded,
    BankError,
    BankFormatChanged,
    BankMisconfigured,
    BankRateLimited,
    BankRefused,
    BankTimeout,
    BankUnavailable,
    NotSupported,
    PagingBroken,
    ReauthorisationRequired,
    UnknownConnector,
)
from banks.models import Connection, FetchRecord, Finding, SyncTrigger
from banks.standing import CHECK_AFTER
from banks.types import BankConsentStatus
from consents.models import Consent, Event
from consents.scopes import Scope
from consents.states import ConsentStatus
from tests.support import cast, linked
from tests.support.scripted_bank import NOW, Scene, ago, purchase, raising

pytestmark = pytest.mark.django_db


@pytest.fixture
def scene(monkeypatch: pytest.MonkeyPatch) -> Scene:
    return Scene(monkeypatch)


def told() -> list[str]:
    return list(
        Event.objects.filter(type__startswith="connection.").order_by("occurred_at").values_list("type", flat=True)
    )


# -- the bank's consent ------------------------------------------------------------------------------------------------


def test_the_bank_is_asked_for_its_consent_every_three_hours(scene: Scene) -> None:
    scene.run()
    assert scene.connection.checked_at == NOW
    scene.later(seconds=CHECK_AFTER.total_seconds() - 1)
    scene.run()
    assert scene.bank.verbs().count("consent_status") == 1

    scene.later(seconds=1)
    scene.run()

    assert scene.bank.verbs().count("consent_status") == 2


def test_a_consent_that_ended_at_the_bank_ends_the_link_before_anything_is_fetched(scene: Scene) -> None:
    scene.bank.consent = BankConsentStatus(ended=True, expires_at=None)

    job = scene.run()

    assert (job.status, job.error_code) == ("FAILED", "bank_consent_ended")
    assert (scene.connection.status, scene.connection.status_reason) == ("REVOKED", "bank_consent_ended")
    assert scene.bank.verbs() == ["consent_status"]
    assert told() == ["connection.needs_renewal"]


def test_a_paused_consent_is_no_reason_not_to_notice_the_banks_end(scene: Scene) -> None:
    Consent.objects.update(status=ConsentStatus.PAUSED)

    job = scene.run()
    assert (job.status, job.error_code) == ("CANCELLED", "not_needed")
    assert scene.bank.verbs() == ["consent_status"]

    scene.later(hours=4)
    scene.bank.consent = BankConsentStatus(ended=True, expires_at=None)
    assert scene.run().error_code == "bank_consent_ended"
    assert scene.connection.status == "REVOKED"


@pytest.mark.parametrize("status", ["ACTIVE", "REAUTH_REQUIRED"])
def test_a_check_asks_for_the_consent_and_for_nothing_else(scene: Scene, status: str) -> None:
    Connection.objects.update(status=status)
    job_requests.enqueue_check(scene.connection_id, now=NOW)

    job = scene.work(linked.claimed(now=NOW))

    assert (job.status, job.error_code, job.counts) == ("COMMITTED", "", {})
    assert scene.bank.verbs() == ["consent_status"]
    assert (scene.connection.status, scene.connection.checked_at) == (status, NOW)

    scene.later(hours=3)
    scene.bank.consent = BankConsentStatus(ended=True, expires_at=None)
    job_requests.enqueue_check(scene.connection_id, now=scene.now)
    scene.work(linked.claimed(now=scene.now))
    assert scene.connection.status == "REVOKED"
    assert scene.bank.verbs() == ["consent_status"] * 2


def test_after_the_last_consent_the_bank_is_not_asked_at_all(scene: Scene) -> None:
    cast.revoke(scene.consent, now=NOW)

    assert scene.run().status == "CANCELLED"
    assert scene.bank.calls == []


@pytest.mark.parametrize(("days", "kept"), [(30, 30), (90, 60)], ids=["shorter", "longer"])
def test_a_consent_that_the_bank_shortened_ends_then_and_no_promise_is_lengthened(
    scene: Scene, days: int, kept: int
) -> None:
    Connection.objects.update(consent_expires_at=NOW + timedelta(days=60))
    scene.bank.consent = BankConsentStatus(ended=False, expires_at=NOW + timedelta(days=days))

    scene.run()

    assert scene.connection.consent_expires_at == NOW + timedelta(days=kept)


@pytest.mark.parametrize("error", [NotSupported(), BankMisconfigured("consent_unreadable")], ids=lambda e: e.code)
def test_a_bank_that_cannot_be_asked_for_it_is_fetched_from_all_the_same(scene: Scene, error: BankError) -> None:
    scene.bank.on_call = raising("consent_status", error)

    assert scene.run().status == "COMMITTED"
    assert scene.connection.checked_at == NOW  # asked again in three hours, not at every sync


# -- the login ---------------------------------------------------------------------------------------------------------


def test_a_login_that_is_over_asks_the_user_once_and_the_bank_nothing(scene: Scene) -> None:
    Connection.objects.update(authentication_expires_at=NOW)

    for _ in range(2):
        job = scene.run()

    assert (job.status, job.error_code) == ("FAILED", "authentication_expired")
    assert (scene.connection.status, scene.connection.status_reason) == ("REAUTH_REQUIRED", "authentication_expired")
    assert scene.bank.verbs() == ["consent_status"]
    assert told() == ["connection.needs_renewal"]


def test_a_login_that_lasts_is_used(scene: Scene) -> None:
    Connection.objects.update(authentication_expires_at=NOW + timedelta(seconds=1))

    assert scene.run().status == "COMMITTED"


# -- only a real loss asks the user ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (ReauthorisationRequired(), "REAUTH_REQUIRED"),
        (BankConsentEnded(), "REVOKED"),
        (BankUnavailable(), "DEGRADED"),
        (BankTimeout(), "DEGRADED"),
        (BankRateLimited(), "RATE_LIMITED"),
        (BankMisconfigured(), "ACTIVE"),
        (BankRefused(), "ACTIVE"),
        (BankFormatChanged(), "ACTIVE"),
        (AccountUnavailable(), "ACTIVE"),
        (AnswerTooLarge(), "ACTIVE"),
        (PagingBroken(), "ACTIVE"),
        (AddressForbidden(), "ACTIVE"),
        (NotSupported(), "ACTIVE"),
        (UnknownConnector(), "ACTIVE"),
    ],
    ids=lambda value: value.code if isinstance(value, BankError) else "",
)
@pytest.mark.parametrize("verb", ["accounts", "balances", "transactions"])
def test_only_a_lost_login_or_consent_asks_the_user(scene: Scene, error: BankError, status: str, verb: str) -> None:
    scene.bank.on_call = raising(verb, error)

    scene.run()

    assert scene.connection.status == status
    asked = status in ("REAUTH_REQUIRED", "REVOKED")
    assert ("connection.needs_renewal" in told()) == asked


def test_every_kind_of_bank_error_is_in_the_table_above() -> None:
    table = test_only_a_lost_login_or_consent_asks_the_user.pytestmark[1].args[1]  # type: ignore[attr-defined]
    elsewhere = {"authentication_expired", "holder_changed", "other_login"}  # the last only while a bank is linked

    assert {error.code for error, _ in table} | elsewhere == {kind.code for kind in _kinds(BankError)}


def _kinds(of: type[BankError]) -> set[type[BankError]]:
    return {kind for below in of.__subclasses__() for kind in {below, *_kinds(below)}}


# -- the same person ---------------------------------------------------------------------------------------------------


def test_owners_are_remembered_without_their_names(scene: Scene) -> None:
    scene.bank.holder_names = ("Alice Archer",)

    scene.run()

    digest = scene.account.holder_digest
    assert len(digest) == 16
    assert "alice" not in digest


@pytest.mark.parametrize("sign", ["names", "numbers"])
def test_another_person_behind_the_login_is_served_nothing_and_stored_nowhere(scene: Scene, sign: str) -> None:
    scene.bank.holder_names = ("Alice Archer",)
    scene.bank.numbers = {"current": "GB33BUKB20201555555555"}
    scene.bank.book(purchase(1))
    scene.run()
    before = linked.contents()
    scene.bank.book(purchase(2, pounds="-99.00"))
    if sign == "names":
        scene.bank.holder_names = ("Bob Baker",)
    else:
        scene.bank.numbers = {"current": "GB94BARC10201530093459"}
    scene.bank.calls.clear()

    job = scene.run()

    assert (job.status, job.error_code, job.error_account_id) == ("FAILED", "holder_changed", scene.account.id)
    assert (scene.connection.status, scene.connection.status_reason) == ("SUSPENDED", "holder_changed")
    assert scene.bank.verbs() == ["accounts"]
    assert linked.contents() == before
    assert Finding.objects.values_list("kind", "account_id").get() == ("HOLDER_CHANGED", scene.account.id)
    assert told() == ["connection.needs_renewal"]
    scene.bank.calls.clear()
    assert scene.run().status == "CANCELLED"
    assert scene.bank.calls == []


ALICES, BOBS = "GB33BUKB20201555555555", "GB94BARC10201530093459"


@pytest.mark.parametrize(
    ("owner_before", "owner_now", "numbers", "is_someone_else"),
    [
        ("Alice Archer", "Bob Baker", {}, True),
        ("Alice Archer", "ARCHER Alice", {"current": ALICES, "new": BOBS}, False),
        ("Alice Archer", "", {"current": ALICES, "new": BOBS}, True),
        ("", "Bob Baker", {"current": ALICES, "new": BOBS}, True),
        ("Alice Archer", "", {"current": ALICES}, False),
        ("", "", {}, False),
    ],
    ids=["other owner", "same owner", "other numbers", "owner told now", "one side told", "nothing told"],
)
def test_when_all_accounts_are_gone_the_new_ones_tell_whose_they_are(
    scene: Scene, owner_before: str, owner_now: str, numbers: dict[str, str], is_someone_else: bool
) -> None:
    scene.bank.holder_names, scene.bank.numbers = tuple(filter(None, [owner_before])), numbers
    scene.bank.book(purchase(1))
    scene.run()
    before = linked.contents()
    scene.bank.rows = {"new": [purchase(2, pounds="-99.00")]}
    scene.bank.holder_names = tuple(filter(None, [owner_now]))
    scene.bank.calls.clear()

    job = scene.run()

    assert scene.bank.verbs() == ["accounts"]
    assert [row.bank_account_id for row in linked.accounts()] == ["current"]
    assert {row.description for row in linked.rows()} == {"purchase 1"}
    if is_someone_else:
        assert (job.status, job.error_code, job.error_account_id) == ("FAILED", "holder_changed", scene.account.id)
        assert (scene.connection.status, scene.account.status) == ("SUSPENDED", "OPEN")
        assert scene.findings() == [("HOLDER_CHANGED", "holder_changed")]
        assert linked.contents() == before
    else:
        assert (job.status, job.error_code, scene.account.status) == ("COMMITTED", "", "CLOSED")
        assert scene.connection.status == "ACTIVE"
        assert scene.findings() == []


def test_a_stranger_beside_an_account_that_stayed_is_no_other_person(monkeypatch: pytest.MonkeyPatch) -> None:
    """A joint account that was opened meanwhile, while another one was closed."""
    scene = Scene(monkeypatch, accounts=("current", "savings"))
    scene.run()
    scene.bank.rows = {"current": [], "new": []}
    scene.bank.numbers = {"new": BOBS}

    assert scene.run().status == "COMMITTED"
    assert [(row.bank_account_id, row.status) for row in linked.accounts()] == [
        ("current", "OPEN"),
        ("savings", "CLOSED"),
    ]
    assert scene.findings() == []


# -- accounts that are gone --------------------------------------------------------------------------------------------


def test_an_account_that_is_listed_no_longer_is_closed_and_costs_nothing_until_it_comes_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    scene = Scene(monkeypatch, accounts=("current", "savings"))
    scene.bank.book(purchase(1), account="savings")
    scene.run()
    savings, kept = scene.accounts[1].id, len(linked.rows())
    rows = scene.bank.rows.pop("savings")
    versions = [row.version for row in linked.accounts()]

    for _ in range(2):
        scene.bank.calls.clear()
        job = scene.run()
        assert (job.status, job.error_code, job.error_account_id) == ("COMMITTED", "", None)
        assert [call for call in scene.bank.calls if "savings" in call] == []

    current, closed = linked.accounts()
    assert (current.status, closed.status, closed.provenance["status"]) == ("OPEN", "CLOSED", "rule:not_listed")
    assert [row.version for row in linked.accounts()] == [versions[0], versions[1] + 1]
    assert closed.is_covered and len(linked.rows()) == kept
    assert scene.connection.status == "ACTIVE"

    scene.bank.rows["savings"] = rows
    scene.run()
    back = linked.accounts()[1]
    assert (back.id, back.status, "status" in back.provenance) == (savings, "OPEN", False)


def test_a_joint_account_that_gets_another_owner_is_the_same(scene: Scene) -> None:
    for names in (("Alice Archer",), ("Bob Baker", "ARCHER Alice"), ("Bob Baker",), ()):
        scene.bank.holder_names = names

        assert scene.run().status == "COMMITTED"
    assert scene.account.holder_digest


# -- quota -------------------------------------------------------------------------------------------------------------


def spent(scene: Scene) -> dict[str, int]:
    counts: dict[str, int] = {}
    for resource in FetchRecord.objects.values_list("resource", flat=True):
        counts[resource] = counts.get(resource, 0) + 1
    return counts


def test_one_run_is_one_access_to_each_resource_however_many_windows_it_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = Scene(monkeypatch, history_days=700)
    scene.bank.page_size = 2
    scene.bank.book(*(purchase(number, day=ago(number)) for number in range(6)))

    scene.run()

    assert spent(scene) == {"accounts": 1, "balances": 1, "transactions": 1}


def test_where_the_bank_counts_pages_each_page_is_one(scene: Scene) -> None:
    scene.bank.counts_pages, scene.bank.page_size = True, 2
    scene.institution.unattended_fetches_max = 40
    scene.institution.save()
    scene.bank.book(*(purchase(number, day=ago(number)) for number in range(6)))

    scene.run()

    assert spent(scene)["transactions"] == 3


def test_a_fifth_run_within_a_day_asks_the_bank_nothing_and_is_no_failure(scene: Scene) -> None:
    for _ in range(4):
        assert scene.run().status == "COMMITTED"
        scene.later(minutes=1)
    scene.bank.calls.clear()

    job = scene.run()

    assert (job.status, job.error_code) == ("CANCELLED", "fetch_quota_spent")
    assert scene.bank.calls == []
    assert scene.connection.status == "ACTIVE"
    scene.later(hours=24)
    assert scene.run().status == "COMMITTED"


def test_whoever_is_present_is_not_counted(scene: Scene) -> None:
    for _ in range(6):
        assert scene.run(SyncTrigger.USER_PRESENT).status == "COMMITTED"


def test_a_resource_whose_quota_is_spent_is_left_out_and_the_rest_is_done(scene: Scene) -> None:
    scene.run()
    record = FetchRecord.objects.get(resource="transactions")
    for _ in range(3):
        record.id = uuid4()
        record.save(force_insert=True)
    scene.bank.calls.clear()
    scene.later(minutes=1)

    job = scene.run()

    assert (job.status, job.error_code) == ("COMMITTED", "fetch_quota_spent")
    assert scene.bank.verbs() == ["accounts", "balances"]


def test_where_every_resource_is_spent_the_job_is_cancelled(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = Scene(monkeypatch)
    cast.revoke(scene.consent, now=NOW)
    scene.share(frozenset({Scope.ACCOUNTS, Scope.BALANCES}))
    scene.institution.unattended_fetches_max = 1
    scene.institution.save()
    scene.run()
    FetchRecord.objects.filter(resource="accounts").delete()
    scene.later(minutes=1)

    job = scene.run()

    assert (job.status, job.error_code) == ("CANCELLED", "fetch_quota_spent")


def test_the_customers_address_goes_along_only_while_they_are_present(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[object] = []
    connector_for = sessions.connector_for

    def watched(*arguments: Any, **members: Any) -> Any:
        seen.append(members.get("customer_ip_address"))
        return connector_for(*arguments, **members)

    monkeypatch.setattr(sessions, "connector_for", watched)
    job_id = job_requests.enqueue(
        scene.connection_id, trigger=SyncTrigger.USER_PRESENT, now=scene.now, customer_ip_address="203.0.113.9"
    )
    held = leases.claim(job_id, now=scene.now)
    assert held is not None
    sync.run(held, clock=lambda: scene.now)
    scene.run()

    assert [one for one in seen if one] == ["203.0.113.9"]
