"""The rows against the bank's booked balance: proven to the minor unit, fetched again where not, and said."""

from decimal import Decimal
from typing import Any

import pytest

from banks import proving
from banks.models import Finding, SyncTrigger
from banks.types import RejectedRow
from tests.support import linked
from tests.support.scripted_bank import TODAY, Scene, ago, pending, purchase

pytestmark = pytest.mark.django_db


@pytest.fixture
def scene(monkeypatch: pytest.MonkeyPatch) -> Scene:
    made = Scene(monkeypatch, history_days=200)
    made.bank.book(*(purchase(days, day=ago(days)) for days in range(1, 200, 20)))
    return made


def proven(scene: Scene) -> tuple[object, object]:
    return (scene.account.proven_opening_minor, scene.account.proven_first_on)


def lose(scene: Scene, number: int) -> None:
    """A row of ours that nobody took back."""
    linked.Transaction.objects.for_sync().filter(bank_transaction_id=f"t-{number}").delete()


def test_the_rows_stand_on_what_the_bank_had_before_them(scene: Scene) -> None:
    for _ in range(2):
        scene.run()
        scene.bank.book(purchase(500), pending(501))

    assert proven(scene) == (100_000, ago(200))
    assert scene.findings() == []


def test_a_row_that_is_missing_among_the_newest_is_found_and_nobody_is_told(scene: Scene) -> None:
    scene.run()
    lose(scene, 1)

    scene.run()

    assert "t-1" in scene.kept()
    assert scene.findings() == []


def test_a_row_booked_between_the_two_calls_is_no_drift(scene: Scene) -> None:
    scene.run()
    late = [purchase(500)]

    def book(call: tuple[Any, ...]) -> None:
        if call[0] == "transactions" and late:
            scene.bank.book(late.pop())

    scene.bank.on_call = book
    scene.bank.calls.clear()

    scene.run()

    assert scene.bank.verbs() == ["accounts", "balances", "transactions", "balances", "transactions"]
    assert scene.findings() == []
    assert "t-500" in scene.kept()


def test_an_old_row_that_is_missing_is_a_finding_and_all_is_fetched_again_until_it_adds_up(scene: Scene) -> None:
    scene.run()
    lose(scene, 101)

    job = scene.run()

    assert job.status == "COMMITTED"
    assert scene.findings() == [("BALANCE_DRIFT", proving.ROWS_DO_NOT_ADD_UP)]
    assert scene.account.coverage_first_on == ago(14)
    assert len(scene.kept()) == 9  # what there is goes on being served
    scene.bank.calls.clear()

    scene.run()

    assert scene.bank.windows()[-1][0] == ago(200)
    assert "t-101" in scene.kept()
    assert scene.findings() == []
    assert Finding.objects.exclude(closed_at=None).count() == 1
    assert proven(scene) == (100_000, ago(200))


def test_a_row_that_the_bank_took_back_long_ago_is_removed_by_the_second_look(scene: Scene) -> None:
    scene.run()
    scene.bank.unbook(101)

    for _ in range(2):
        scene.run()

    assert "t-101" not in scene.kept()
    assert scene.findings() == []


def test_a_drift_that_stays_is_fetched_again_once_and_not_for_ever(scene: Scene) -> None:
    scene.run()
    scene.bank.opening = Decimal("1000.01")
    scene.run()
    scene.run()
    scene.bank.calls.clear()

    scene.run()

    assert scene.findings() == [("BALANCE_DRIFT", proving.ROWS_DO_NOT_ADD_UP)]
    assert {since for since, _ in scene.bank.windows()} == {ago(14)}
    assert Finding.objects.count() == 1
    scene.bank.opening = Decimal("1000.00")
    scene.run(SyncTrigger.USER_PRESENT)
    assert scene.findings() == []


def test_a_row_in_quarantine_explains_a_drift(scene: Scene) -> None:
    scene.run()
    scene.bank.book(RejectedRow(reason="bad_amount", field="Amount", raw=b"{}"))
    scene.bank.opening -= 7

    scene.run()

    assert scene.findings() == [("BALANCE_DRIFT", proving.QUARANTINED_ROWS)]


def test_a_backfill_moves_the_base_and_keeps_the_proof(scene: Scene) -> None:
    scene.bank.book(purchase(300, day=ago(300), pounds="-70.00"))
    scene.bank.opening = Decimal("1070.00")
    scene.run()
    assert proven(scene) == (100_000, ago(200))
    scene.share(history_days=400)

    scene.run()

    assert proven(scene) == (107_000, ago(400))
    assert scene.findings() == []


def test_while_something_is_missing_nothing_is_said(scene: Scene) -> None:
    scene.run()
    scene.later(days=160)
    scene.bank.opening = Decimal("1.00")

    def fail(call: tuple[Any, ...]) -> None:
        from banks.errors import AccountUnavailable

        if call[0] == "transactions" and call[3] is not None:
            raise AccountUnavailable("refused", upstream_status=403)

    scene.bank.on_call = fail

    scene.run()

    assert scene.account.coverage_gaps
    assert ("BALANCE_DRIFT", proving.ROWS_DO_NOT_ADD_UP) not in scene.findings()


def test_available_money_proves_nothing(scene: Scene) -> None:
    scene.bank.balance_type = "ITAV"

    scene.run()

    assert proven(scene) == (None, None)


def test_a_refund_and_a_correction_are_added_up_too(scene: Scene) -> None:
    scene.run()
    scene.bank.unbook(1)
    scene.bank.book(purchase(1, day=ago(1), pounds="-2.50"), purchase(600, day=TODAY, pounds="30.00"))

    scene.run()

    assert scene.findings() == []
    assert scene.kept()["t-1"].revision == 2
