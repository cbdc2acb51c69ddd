"""People end what they share, have it deleted and allow it again, while a worker fetches and sweeps purge: in any
order, and within one another's steps. In the end what is needed is there whole, and nothing else is."""

import random
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction

from banks import (
    attempts,
    connections,
    coverage,
    endings,
    job_requests,
    leases,
    purge,
    revocations,
    sharing,
    store,
    sync,
)
from banks.connector import Credentials, Link, StartedAuthorisation
from banks.models import (
    LIVE_JOBS,
    Account,
    Balance,
    LinkAttempt,
    RawPayload,
    SyncJob,
    SyncTrigger,
    Transaction,
)
from banks.needing import needs_of
from consents import lifecycle
from consents.models import Consent
from consents.scopes import Scope
from tests.support import cast
from tests.support.scripted_bank import ROWS, Scene, ago, purchase

pytestmark = pytest.mark.django_db

BALANCES = frozenset({Scope.ACCOUNTS, Scope.BALANCES})
NAMES = ("current", "savings")


class Story:
    """What everybody does, by the dice; `within` is what may come between two steps of whoever is at work."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
        self.dice = random.Random(seed)
        self.scene = Scene(monkeypatch, history_days=90, accounts=NAMES)
        self.busy = False
        for name in NAMES:
            self.scene.bank.numbers[name] = f"GB29NWBK6016133192{len(name):04}"
            self.scene.bank.book(*(purchase(number, day=ago(number * 7)) for number in range(8)), account=name)
        self.scene.bank.on_call = lambda call: self.within()
        for module, name in ((purge, "_due_account"), (purge, "_delete_rows_of"), (store, "writes")):
            monkeypatch.setattr(module, name, self._between(getattr(module, name)))
        monkeypatch.setattr(purge, "CHUNK", 3)
        monkeypatch.setattr(coverage, "OVERLAP", timedelta(days=1))
        monkeypatch.setattr(leases, "ATTEMPTS_MAX", 1000)

    def _between(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **members: Any) -> Any:
            self.within()
            return real(*arguments, **members)

        return call

    def within(self) -> None:
        """Not within what comes between already."""
        if not self.busy and self.dice.random() < 0.5:
            self.busy = True
            for _ in range(self.dice.randrange(1, 5)):
                self.step()
            self.busy = False

    def step(self) -> None:
        deeds = [self.allow, self.end, self.sweep, self.work]
        self.dice.choice([*deeds, *deeds, self.link, self.wait])()

    # -- deeds --------------------------------------------------------------------------------------------------------

    def allow(self) -> None:
        scene, scopes = self.scene, self.dice.choice([ROWS, BALANCES])
        found = [row for row in Account.objects.for_sync().order_by("bank_account_id") if row.is_covered]
        scene.accounts = self.dice.sample(found, min(len(found), self.dice.choice([1, 1, 2])))
        if not scene.accounts:
            return
        try:
            with transaction.atomic():
                consent = scene.share(scopes)
                for connection_id in {row.connection_id for row in scene.accounts}:
                    mine = [row.id for row in scene.accounts if row.connection_id == connection_id]
                    sharing._hold(connection_id, mine, consent)
                    job_requests.enqueue(connection_id, trigger=SyncTrigger.USER_PRESENT, now=scene.now)
        except ValueError:
            return  # it is gone

    def end(self) -> None:
        live = list(Consent.objects.filter(status="AUTHORISED").order_by("created_at", "id"))
        if live:
            lifecycle.revoke(
                consent_id=self.dice.choice(live).id,
                user_id=self.scene.user.id,
                reason="test",
                actor=cast.BY_USER,
                now=self.scene.now,
                deletes_at_once=self.dice.random() < 0.8,
            )

    def sweep(self) -> None:
        now = self.scene.now
        endings.sweep(now=now)
        revocations.sweep(now=now)
        if self.dice.random() < 0.5:
            endings.care(now=now)
            purge.sweep(now=now)
            revocations.care(now=now)

    def work(self) -> None:
        job = SyncJob.objects.filter(status__in=LIVE_JOBS).order_by("created_at", "id").first()
        held = None if job is None else leases.claim(job.id, now=self.scene.now)
        if held is not None:
            sync.run(held, clock=lambda: self.scene.now)

    def link(self) -> None:
        """A login at the bank for a question that is then answered, or forgotten."""
        scene = self.scene
        question = cast.requested_consent(scene.user, scene.platform, ROWS, now=scene.now)
        attempts.keep(
            state=str(question.id),
            session_key="s",
            user_id=scene.user.id,
            institution=scene.institution,
            consent_id=question.id,
            renewed_connection_id=None,
            resources=(),
            history_from=None,
            started=StartedAuthorisation(redirect_to="", bank_consent_id=str(question.id), verifier="v", nonce="n"),
            now=scene.now,
        )
        attempt = LinkAttempt.objects.select_related("institution").get(consent_id=question.id)
        ends_at = scene.now + timedelta(days=900)
        link = Link(
            credentials=Credentials(access_token="a", access_expires_at=ends_at, refresh_token="r"),
            bank_consent_id=attempt.bank_consent_id,
            consent_expires_at=None,
            authentication_expires_at=None,
        )
        busy, self.busy = self.busy, True
        fetched = scene.bank.connector()(None).accounts()
        self.busy = busy
        connections._keep(attempt, link, fetched, scene.now)
        lifecycle.reject(consent_id=question.id, user_id=scene.user.id, reason="no", actor=cast.BY_USER, now=scene.now)

    def wait(self) -> None:
        self.scene.later(hours=self.dice.choice([1, 25]))

    # -- the end ------------------------------------------------------------------------------------------------------

    def rest(self) -> None:
        """Everything that was begun comes to its end; who is left syncs once more."""
        self.busy = True
        for _ in range(3):
            self.scene.later(hours=25)
            self.sweep_all()
            self.work_all()

    def sweep_all(self) -> None:
        endings.care(now=self.scene.now)
        purge.sweep(now=self.scene.now)
        revocations.care(now=self.scene.now)

    def work_all(self) -> None:
        while SyncJob.objects.filter(status__in=LIVE_JOBS).exists():
            self.work()


@pytest.mark.parametrize("seed", [3, *(pytest.param(seed, marks=pytest.mark.full) for seed in range(4, 40))])
def test_what_is_needed_is_there_whole_and_nothing_else_is(monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    story = Story(monkeypatch, seed)
    for _ in range(15):
        story.step()
    story.rest()

    rows = Transaction.objects.for_sync()
    for account in Account.objects.for_sync().select_related("connection"):
        needs = needs_of([account.connection], now=story.scene.now)[account.connection_id]
        kept = set(rows.filter(account=account).exclude(status="REMOVED").values_list("listed_on", flat=True))
        raw = RawPayload.objects.for_sync().filter(account=account).count()
        assert account.id in needs.accounts
        if account.id in needs.transactions:
            first_on = account.coverage_first_on
            assert first_on is not None and account.coverage_gaps == []
            assert kept == {ago(7 * n) for n in range(8) if ago(7 * n) >= first_on}
            assert raw == rows.filter(account=account).count()
        else:
            assert (kept, raw) == (set(), 0)
        assert Balance.objects.for_sync().filter(account=account).exists() == (account.id in needs.balances)
