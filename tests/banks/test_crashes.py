"""A worker that dies at any point of its turn: the next one finishes, and nothing is there twice, claimed or skipped.

Every transaction of a job is two points, before its commit and after it, and so is every other write to its row. A
dry run counts them; then a fresh world dies at each in turn, another worker takes over when the lease is over, and the
books are compared.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest
from django.db import transaction

from banks import backlog, covered_days, fences, held_jobs, leases, store, sync, untold
from banks.coverage import Pace
from banks.models import Connection, FetchRecord, QuarantinedRow, RawPayload, SyncJob, SyncTrigger, Transaction
from banks.types import RejectedRow
from tests.support import linked
from tests.support.scripted_bank import Scene, ago, pending, purchase

pytestmark = pytest.mark.django_db

ALONE = ((held_jobs, "extend"), (leases, "finish"), (leases, "retry"), (leases, "go_on"))


DAYS = 60


class Killed(BaseException):
    """Nothing catches it, nothing is tidied up."""


class Reaper:
    """Kills at the `at`-th point that is reached; never, when it is None."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.at: int | None = None
        self.reached = 0
        for module, name in ALONE:
            monkeypatch.setattr(module, name, self._around(getattr(module, name)))
        #: What the last event reached of the connection's change numbers.
        self.told_through = 0
        monkeypatch.setattr(untold, "publish", self._telling(untold.publish))
        for name in ("fenced", "fenced_alone", "ending"):
            monkeypatch.setattr(fences, name, self._around_context(getattr(fences, name)))

    def _point(self) -> None:
        self.reached += 1
        if self.reached == self.at:
            self.at = None
            raise Killed

    def _telling(self, real: Callable[..., None]) -> Callable[..., None]:
        def publish(*, connection_id: Any, after: int, **members: Any) -> None:
            assert after <= self.told_through, "a change that no event told"
            real(connection_id=connection_id, after=after, **members)
            self.told_through = Connection.objects.get(id=connection_id).change_sequence

        return publish

    def _around(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **members: Any) -> Any:
            self._point()
            answer = real(*arguments, **members)
            self._point()
            return answer

        return call

    def _around_context(self, real: Callable[..., Any]) -> Callable[..., Any]:
        @contextmanager
        def call(*arguments: Any, **members: Any) -> Iterator[Any]:
            with real(*arguments, **members) as value:
                yield value
                self._point()  # before the commit
            self._point()

        return call


def first(scene: Scene) -> None:
    """Nothing is stored yet, the history takes several windows and several chunks."""
    scene.bank.page_size = 6
    scene.bank.book(*(purchase(days, day=ago(days), pounds=f"-{days}.00") for days in range(2, DAYS, 10)))
    scene.bank.book(pending(900), pending(901, day=ago(3)), RejectedRow(reason="bad", field="Amount", raw=b"{}"))


def later(scene: Scene) -> None:
    """Something is new, corrected, booked, taken back and under another id; a row is lost, so that a drift is found."""
    first(scene)
    scene.run()
    scene.bank.rows["current"] = [row for row in scene.bank.rows["current"] if not isinstance(row, RejectedRow)]
    scene.later(hours=7)
    scene.bank.unbook(901)
    scene.bank.unbook(2)
    scene.bank.unbook(12)
    scene.bank.unbook(900)
    scene.bank.book(
        purchase(700, day=ago(1), description="purchase 901"),
        purchase(2, day=ago(2), pounds="-5.00"),
        purchase(800),
        pending(900, bank_transaction_id="renamed"),
    )
    Transaction.objects.for_sync().filter(bank_transaction_id="t-52").delete()


def trial(monkeypatch: pytest.MonkeyPatch, prepare: Callable[[Scene], None], reaper: Reaper, at: int | None) -> int:
    """One world; killed at point `at`. How many points its first turn had."""
    scene = Scene(monkeypatch, history_days=DAYS)
    prepare(scene)
    reaper.told_through = scene.connection.change_sequence
    held = scene.claim(SyncTrigger.SCHEDULE)
    before = dict(Transaction.objects.for_sync().values_list("id", "bank_transaction_id"))
    spent_before = FetchRecord.objects.count()
    reaper.at, reaper.reached = at, 0
    try:
        sync.run(held, clock=lambda: scene.now)
    except Killed:
        truthful(scene)
    points, reaper.at = reaper.reached, None
    turns = 1 + finish(scene)
    compare(scene, before, spent_before, turns)
    assert reaper.told_through == scene.connection.change_sequence
    return points


def finish(scene: Scene) -> int:
    """Whoever comes next, when the lease is over; how many turns it took. The last one looks at everything again."""
    turns = 0
    for _ in range(2):
        scene.later(hours=1)
        job = SyncJob.objects.latest("created_at")
        held = leases.claim(job.id, now=scene.now)
        if held is None:
            held = scene.claim()
        scene.work(held)
        turns += 1
    assert SyncJob.objects.latest("created_at").status == "COMMITTED"
    return turns


def truthful(scene: Scene) -> None:
    """Every booked row of the days that are said to be covered is there."""
    covered = covered_days.covered(scene.account.id)
    rows = {row.bank_transaction_id for row in linked.rows()}
    for row in scene.bank.rows["current"]:
        if isinstance(row, RejectedRow) or not covered.holds(row.listed_on) or row.listed_on >= ago(14):
            continue  # the newest days are asked for again in any case
        assert row.bank_transaction_id in rows or row.bank_transaction_id == "t-52"


def compare(scene: Scene, before: dict[Any, Any], spent_before: int, turns: int) -> None:
    listed = Counter(row.bank_transaction_id for row in scene.bank.rows["current"] if not isinstance(row, RejectedRow))
    live = Counter(row.bank_transaction_id for row in linked.rows() if row.status != "REMOVED")
    assert live == listed
    rows = linked.rows()
    assert before.keys() <= {row.id for row in rows}
    sequences = sorted(row.change_sequence for row in rows)
    assert len(set(sequences)) == len(sequences)
    assert sequences[-1] <= scene.connection.change_sequence
    assert all(row.added_sequence <= row.refiled_sequence <= row.change_sequence for row in rows)
    assert RawPayload.objects.for_sync().count() >= len([row for row in rows if row.bank_transaction_id != "t-52"])
    assert QuarantinedRow.objects.for_sync().count() == 1
    account = scene.account
    assert (account.coverage_first_on, account.coverage_gaps) == (ago(DAYS), [])
    accesses = Counter(FetchRecord.objects.values_list("job_id", "epoch", "resource"))
    assert set(accesses.values()) == {1}
    assert FetchRecord.objects.count() - spent_before <= 3 * turns


@pytest.mark.parametrize(
    "stride", [pytest.param(1, marks=pytest.mark.full), 5], ids=["every-point", "every-fifth-point"]
)
@pytest.mark.parametrize("prepare", [first, later], ids=["first", "later"])
def test_whatever_the_point_a_worker_dies_at_the_next_one_finishes(
    monkeypatch: pytest.MonkeyPatch, prepare: Callable[[Scene], None], stride: int
) -> None:
    monkeypatch.setattr(store, "CHUNK", 4)
    monkeypatch.setattr(backlog, "Pace", partial(Pace, days=25))
    monkeypatch.setattr(leases, "ATTEMPTS_MAX", 50)
    reaper = Reaper(monkeypatch)
    with undone():
        points = trial(monkeypatch, prepare, reaper, None)
    assert points > 25

    for at in range(1, points + 1, stride):
        with undone():
            trial(monkeypatch, prepare, reaper, at)


@contextmanager
def undone() -> Iterator[None]:
    """A world of its own, gone afterwards."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def test_the_points_are_real(monkeypatch: pytest.MonkeyPatch) -> None:
    """The test above can fail: a coverage that is noted before its rows are stored is caught."""
    monkeypatch.setattr(store, "CHUNK", 4)
    monkeypatch.setattr(backlog, "Pace", partial(Pace, days=25))
    reaper = Reaper(monkeypatch)
    real = store.writes

    def too_early(account_id: Any, changes: Any, *, now: Any) -> Any:
        linked.Account.objects.for_sync().filter(id=account_id).update(
            coverage_first_on=ago(DAYS), coverage_last_on=now.date()
        )
        return real(account_id, changes, now=now)

    monkeypatch.setattr(store, "writes", too_early)

    def some_points() -> None:
        for at in range(8, 25):
            with undone():
                trial(monkeypatch, first, reaper, at)

    with pytest.raises(AssertionError):
        some_points()
