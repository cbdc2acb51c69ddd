"""Window by window: what is fetched, stored and said to be covered, whatever the bank does meanwhile."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from banks import backlog, coverage, held_jobs, job_requests, leases, turn
from banks.errors import AccountUnavailable, AnswerTooLarge, BankUnavailable
from banks.models import SyncJob, SyncTrigger
from banks.types import RejectedRow
from tests.support import cast, linked
from tests.support.scripted_bank import TODAY, Scene, ago, pending, purchase

pytestmark = pytest.mark.django_db


@pytest.fixture
def scene(monkeypatch: pytest.MonkeyPatch) -> Scene:
    return Scene(monkeypatch, history_days=300)


def covered(scene: Scene) -> tuple[Any, ...]:
    account = scene.account
    return (account.coverage_first_on, account.coverage_last_on, account.coverage_gaps)


# -- one after the other -----------------------------------------------------------------------------------------------


def test_a_long_history_comes_in_windows_newest_first(scene: Scene) -> None:
    scene.bank.book(*(purchase(days, day=ago(days)) for days in range(0, 300, 10)))

    job = scene.run()

    assert (job.status, job.counts["added"]) == ("COMMITTED", 30)
    windows = scene.bank.windows()
    assert windows[0] == (ago(89), None)
    assert [since for since, _ in windows] == sorted((since for since, _ in windows), reverse=True)
    assert windows[-1][0] == ago(300)
    assert covered(scene) == (ago(300), TODAY, [])
    assert len(scene.kept()) == 30


def test_the_next_fetch_asks_for_the_overlap_alone(scene: Scene) -> None:
    scene.run()
    scene.bank.calls.clear()
    scene.later(hours=6)

    scene.run()

    assert scene.bank.windows() == [(ago(14), None)]


def test_all_balances_come_before_the_first_transaction(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = Scene(monkeypatch, accounts=("current", "savings"))

    scene.run()

    assert scene.bank.verbs() == ["consent_status", "accounts", "balances", "balances", "transactions", "transactions"]


def test_every_account_gets_its_newest_days_before_any_gets_its_oldest(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = Scene(monkeypatch, accounts=("current", "savings"), history_days=300)

    scene.run()

    asked = [call[1] for call in scene.bank.calls if call[0] == "transactions"]
    assert set(asked[:2]) == {"current", "savings"}


def test_a_wider_consent_fetches_only_what_is_missing(scene: Scene) -> None:
    scene.bank.book(*(purchase(days, day=ago(days)) for days in range(0, 600, 50)))
    scene.run()
    scene.bank.calls.clear()
    scene.share(history_days=600)

    job = scene.run()

    assert job.status == "COMMITTED"
    newest, *older = scene.bank.windows()
    assert newest == (ago(14), None)
    assert older[0][1] == ago(301) + 2 * coverage.DAY
    assert older[-1][0] == ago(600)
    assert covered(scene) == (ago(600), TODAY, [])
    assert len(scene.kept()) == 12


def test_after_a_long_outage_the_hole_is_filled(scene: Scene) -> None:
    scene.run()
    scene.later(days=200)
    today = TODAY + timedelta(days=200)
    scene.bank.book(purchase(1, day=TODAY + timedelta(days=3)), purchase(2, day=today - timedelta(days=100)))

    scene.run()

    assert covered(scene) == (ago(300), today, [])
    assert scene.kept().keys() == {"t-1", "t-2"}


def test_a_hole_that_could_not_be_filled_is_told_and_filled_later(scene: Scene) -> None:
    scene.run()
    scene.later(days=200)
    today = TODAY + timedelta(days=200)
    scene.bank.on_call = failing(lambda call: call[0] == "transactions" and call[3] is not None)

    job = scene.run()

    assert job.status == "RETRY_WAIT"
    hole = [str(TODAY + timedelta(days=1)), str(today - timedelta(days=90))]
    assert covered(scene) == (ago(300), today, [hole])
    scene.bank.on_call = lambda call: None
    scene.bank.book(purchase(1, day=TODAY - timedelta(days=5)), purchase(2, day=TODAY + timedelta(days=60)))
    scene.later(hours=1)
    held = leases.claim(job.id, now=scene.now)
    assert held is not None
    scene.work(held)
    assert covered(scene) == (ago(300), today, [])
    assert scene.kept().keys() == {"t-1", "t-2"}  # what came late at the edge of the hole too


def failing(when: Callable[[tuple[Any, ...]], bool], error: Callable[[], Exception] = BankUnavailable) -> Any:
    def fail(call: tuple[Any, ...]) -> None:
        if when(call):
            raise error()

    return fail


# -- sizes and turns ---------------------------------------------------------------------------------------------------


def test_a_window_that_is_too_large_is_halved_until_it_fits(scene: Scene) -> None:
    scene.bank.book(*(purchase(days, day=ago(days)) for days in range(0, 100)))

    def too_many(call: tuple[Any, ...]) -> None:
        if call[0] == "transactions" and ((call[3] or TODAY) - call[2]).days > 30:
            raise AnswerTooLarge("rows")

    scene.bank.on_call = too_many

    job = scene.run()

    assert (job.status, job.counts["added"]) == ("COMMITTED", 100)
    assert covered(scene) == (ago(300), TODAY, [])


def test_a_day_that_is_too_large_fails_and_what_was_stored_stays(scene: Scene) -> None:
    scene.bank.book(*(purchase(days, day=ago(days)) for days in range(0, 20)))
    scene.bank.on_call = failing(
        lambda call: call[0] == "transactions" and call[2] <= ago(10), lambda: AnswerTooLarge("pages")
    )

    job = scene.run()

    assert (job.status, job.error_code) == ("FAILED", "answer_too_large")
    assert len(scene.kept()) > 0
    first_on, last_on, gaps = covered(scene)
    assert (last_on, gaps) == (TODAY, [])
    assert first_on > ago(10)


def test_a_slow_window_is_given_up_and_asked_for_in_halves(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    scene.bank.page_size = 10
    scene.bank.book(*(purchase(days, day=ago(days)) for days in range(0, 80)))
    seconds = iter(range(0, 100_000, 8))
    monkeypatch.setattr("banks.windows.time.monotonic", lambda: next(seconds))
    monkeypatch.setattr(turn, "TURN_SECONDS", 1e9)
    monkeypatch.setattr(turn, "TURN_SECONDS_MAX", 1e9)

    job = scene.run()

    assert (job.status, job.counts["added"]) == ("COMMITTED", 80)
    assert scene.bank.windows()[:2] == [(ago(89), None), (ago(44), None)]


def test_a_turn_that_is_over_goes_on_later_without_a_failed_attempt(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene.bank.book(*(purchase(days, day=ago(days)) for days in range(0, 300, 10)))
    monkeypatch.setattr(turn, "TURN_SECONDS", 0.0)
    turns = [scene.run(SyncTrigger.USER_PRESENT)]

    assert (turns[0].status, turns[0].trigger, turns[0].attempts) == ("QUEUED", "BACKFILL", 0)
    assert (turns[0].lease_until, turns[0].error_code) == (None, "")
    assert covered(scene) == (ago(89), TODAY, [])
    while turns[-1].status == "QUEUED":
        turns.append(scene.go_on())

    assert turns[-1].status == "COMMITTED"
    assert SyncJob.objects.count() == 1
    assert covered(scene) == (ago(300), TODAY, [])
    assert len(scene.kept()) == 30
    assert scene.bank.windows().count((ago(14), None)) == 0  # nothing is refreshed twice
    assert scene.bank.verbs().count("balances") == 1


def test_who_asks_during_a_turn_keeps_their_presence(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turn, "TURN_SECONDS", 0.0)

    def ask(call: tuple[Any, ...]) -> None:
        if call[0] == "balances":
            job_requests.enqueue(scene.connection_id, trigger=SyncTrigger.USER_PRESENT, now=scene.now)

    scene.bank.on_call = ask

    assert scene.run().trigger == "USER_PRESENT"


def test_the_lease_is_renewed_while_pages_come(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases.settings, "JOB_LEASE_SECONDS", 60)
    scene.bank.page_size = 1
    scene.bank.book(*(purchase(number, day=ago(number)) for number in range(5)))
    seen: list[Any] = []
    monkeypatch.setattr(turn.Watch, "renew", lambda watch: held_jobs.extend(watch._held, now=scene.now))

    def a_page(call: tuple[Any, ...]) -> None:
        if call[0] == "transactions":
            seen.append(SyncJob.objects.get().lease_until)
            scene.later(seconds=40)

    scene.bank.on_call = a_page

    assert scene.run().status == "COMMITTED"
    assert len(seen) >= 5
    assert seen == sorted(set(seen))


def test_a_window_that_no_consent_opens_any_more_is_not_asked_for(scene: Scene) -> None:
    def end(call: tuple[Any, ...]) -> None:
        if call[0] == "transactions" and call[3] is not None:
            cast.revoke(scene.consent, now=scene.now)

    scene.share(history_days=30)
    scene.bank.on_call = end

    job = scene.run()

    assert job.status == "COMMITTED"
    assert len(scene.bank.windows()) == 2
    assert scene.account.coverage_first_on == ago(89)


# -- how far the bank reaches ------------------------------------------------------------------------------------------


def test_a_bank_that_says_how_far_it_reaches_is_not_asked_for_more(scene: Scene) -> None:
    scene.bank.first_on = ago(40)
    scene.bank.book(purchase(1, day=ago(40)))

    for _ in range(3):
        scene.run()
        scene.later(hours=2)

    assert scene.bank.windows() == [(ago(89), None), (ago(14), None), (ago(14), None)]
    assert (covered(scene), scene.account.bank_first_on) == ((ago(40), TODAY, []), ago(40))
    assert scene.findings() == [("HISTORY_SHORT", "less_than_promised")]


def test_a_young_account_is_not_a_short_history(scene: Scene) -> None:
    scene.bank.first_on = ago(40)
    scene.bank.opened_on = ago(41)

    scene.run()

    assert scene.findings() == []


def test_a_bank_that_reaches_further_again_closes_the_finding(scene: Scene) -> None:
    scene.bank.first_on = ago(40)
    scene.run()
    scene.bank.first_on = ago(730)
    scene.run()
    scene.run()

    assert scene.findings() == []
    assert covered(scene) == (ago(300), TODAY, [])


def test_a_bank_whose_rows_simply_end_is_not_asked_again(scene: Scene) -> None:
    scene.bank.book(purchase(1, day=ago(40)))
    scene.run()
    scene.bank.calls.clear()

    scene.run()

    assert scene.bank.windows() == [(ago(14), None)]


def test_old_days_that_the_bank_refuses_cost_the_new_ones_nothing(scene: Scene) -> None:
    scene.bank.book(purchase(1), purchase(2, day=ago(200)))
    scene.bank.on_call = failing(
        lambda call: call[0] == "transactions" and call[3] is not None,
        lambda: AccountUnavailable("refused", upstream_status=403),
    )

    assert scene.run().status == "COMMITTED"
    assert scene.findings() == [("HISTORY_SHORT", backlog.OLDER_DAYS_REFUSED)]
    assert covered(scene) == (ago(89), TODAY, [])
    asked = len(scene.bank.windows())
    scene.run()
    assert len(scene.bank.windows()) == asked + 1  # not asked again while nobody is there

    scene.bank.on_call = lambda call: None
    scene.run(SyncTrigger.USER_PRESENT)

    assert covered(scene) == (ago(300), TODAY, [])
    assert scene.findings() == []


# -- lists that change while they are paged ----------------------------------------------------------------------------


def busy(scene: Scene, *, times: int, change: Callable[[int], None]) -> None:
    """Before the second page of a list the books change, `times` times."""
    left = [times]

    def on_call(call: tuple[Any, ...]) -> None:
        if call[0] == "transactions" and call[4] == 2 and left[0]:
            left[0] -= 1
            change(left[0])

    scene.bank.on_call = on_call


@pytest.fixture
def paged(monkeypatch: pytest.MonkeyPatch) -> Scene:
    scene = Scene(monkeypatch, history_days=80)
    scene.bank.page_size = 5
    scene.bank.book(*(purchase(number, day=ago(number)) for number in range(1, 11)))
    return scene


def test_a_list_that_grew_by_a_page_is_read_once_more(paged: Scene) -> None:
    busy(paged, times=1, change=lambda left: paged.bank.book(purchase(100 + left)))

    job = paged.run()

    assert job.status == "COMMITTED"
    assert paged.bank.windows() == [(ago(80), None)] * 2
    assert len(paged.kept()) == 11
    assert paged.findings() == []


def test_a_row_seen_on_two_pages_shows_that_the_list_moved(paged: Scene) -> None:
    paged.bank.tells_pages_total = False
    busy(paged, times=1, change=lambda left: paged.bank.book(purchase(100 + left)))

    paged.run()

    assert paged.bank.windows() == [(ago(80), None)] * 2
    assert len(paged.kept()) == 11


def test_a_page_that_is_gone_in_the_middle_is_a_list_that_changed(paged: Scene) -> None:
    def vanish(left: int) -> None:
        raise AccountUnavailable("gone", upstream_status=404)

    busy(paged, times=1, change=vanish)

    job = paged.run()

    assert (job.status, job.error_code) == ("COMMITTED", "")
    assert len(paged.kept()) == 10


def test_an_account_that_is_refused_at_once_is_no_list_that_changed(paged: Scene) -> None:
    paged.bank.on_call = failing(
        lambda call: call[0] == "transactions", lambda: AccountUnavailable("refused", upstream_status=403)
    )

    job = paged.run()

    assert (job.status, job.error_code) == ("FAILED", "account_unavailable")
    assert paged.bank.windows() == [(ago(80), None)]


def test_a_list_that_never_stands_still_is_stored_and_removes_nothing(paged: Scene) -> None:
    paged.run()
    paged.bank.unbook(5)
    paged.bank.book(pending(50, day=ago(2)))
    busy(paged, times=2, change=lambda left: paged.bank.book(*(purchase(100 * left + n) for n in range(101, 105))))

    job = paged.run()

    assert (job.status, job.error_code) == ("COMMITTED", "list_unstable")
    assert "t-5" in paged.kept()
    assert "t-204" in paged.kept()
    assert paged.findings() == [("LIST_UNSTABLE", backlog.CHANGED_WHILE_PAGED)]

    paged.bank.on_call = lambda call: None
    assert paged.run().error_code == ""
    assert "t-5" not in paged.kept()
    assert paged.findings() == []


def test_an_unstable_window_is_not_said_to_be_covered(paged: Scene) -> None:
    busy(paged, times=2, change=lambda left: paged.bank.book(purchase(100 + left)))

    paged.run()

    assert covered(paged) == (None, None, [])
    paged.run()
    assert covered(paged) == (ago(80), TODAY, [])


def test_two_rows_under_one_id_are_a_habit_and_no_change(paged: Scene) -> None:
    paged.bank.book(purchase(1, day=ago(9), description="another"))

    for _ in range(2):
        job = paged.run()
        assert (job.status, job.error_code) == ("COMMITTED", "")

    assert paged.bank.windows() == [(ago(80), None), (ago(14), None)]
    assert len([row for row in linked.rows() if row.status == "BOOKED"]) == 11
    assert {row.revision for row in linked.rows()} == {1}


def test_a_rejected_row_calls_nothing_absent(paged: Scene) -> None:
    paged.run()
    paged.bank.unbook(5)
    paged.bank.book(RejectedRow(reason="bad_amount", field="Amount", raw=b"{}"))

    paged.run()

    assert "t-5" in paged.kept()
