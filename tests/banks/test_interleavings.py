"""What comes between two steps of a worker: another one, its user, a sweep. At one point each, and without chance."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import OperationalError
from django.db import connection as database

from banks import (
    attempts,
    connections,
    covered_days,
    fences,
    job_requests,
    leases,
    linking,
    purge,
    sessions,
    standing,
    store,
    sync,
    untold,
)
from banks.connector import Credentials, Link, StartedAuthorisation
from banks.errors import BankUnavailable, ReauthorisationRequired, StaleLease
from banks.models import (
    LIVE_JOBS,
    Account,
    Connection,
    Institution,
    LinkAttempt,
    RawPayload,
    SyncJob,
    SyncJobStatus,
    SyncTrigger,
)
from banks.types import AccountCategory, AccountData, AccountStatus, Identification
from consents import clock
from consents.models import Consent, Event
from consents.scopes import Scope
from tests import environment
from tests.support import cast, linked
from tests.support.jobs import closing
from tests.support.scripted_bank import ROWS, Scene, ScriptedConnector, ago, purchase, raising

pytestmark = pytest.mark.django_db

IBAN = "GB29NWBK60161331926819"


@pytest.fixture
def scene(monkeypatch: pytest.MonkeyPatch) -> Scene:
    return Scene(monkeypatch, history_days=90)


def once(monkeypatch: pytest.MonkeyPatch, module: Any, name: str, meanwhile: Callable[[], Any]) -> None:
    """`meanwhile` comes right before the next call of this function, and no other."""
    real, waiting = getattr(module, name), [meanwhile]

    def call(*arguments: Any, **members: Any) -> Any:
        if waiting:
            waiting.pop()()
        return real(*arguments, **members)

    monkeypatch.setattr(module, name, call)


# -- the user allows more while a job runs -----------------------------------------------------------------------------


def test_what_is_allowed_during_an_attempt_that_fails_is_fetched_by_the_next_one(scene: Scene) -> None:
    """The list of accounts was asked for before the numbers were allowed: it must be asked for once more."""
    scene.bank.numbers["current"] = IBAN

    def allows_and_fails(call: tuple[Any, ...]) -> None:
        if call[0] == "balances":
            scene.bank.on_call = lambda call: None
            scene.later(seconds=1)
            scene.share(ROWS | {Scope.ACCOUNT_NUMBERS})
            job_requests.enqueue(scene.connection_id, trigger=SyncTrigger.USER_PRESENT, now=scene.now)
            raise BankUnavailable(upstream_status=503)

    scene.bank.on_call = allows_and_fails
    assert scene.run().status == SyncJobStatus.RETRY_WAIT
    assert scene.account.identifications == []
    scene.later(minutes=1)
    held = leases.claim(SyncJob.objects.get().id, now=scene.now)
    assert held is not None

    assert scene.work(held).status == SyncJobStatus.COMMITTED

    assert [one["value"] for one in scene.account.identifications] == [IBAN]


# -- a refresh token is good once --------------------------------------------------------------------------------------


class OneTimeTokens:
    """A bank that takes a token seen before for a theft, and ends all that came of it (RFC 9700 section 4.14)."""

    def __init__(self, scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
        self.scene, self.good, self.shown = scene, "r0", list[str | None]()
        self.meanwhile: Callable[[], Any] = lambda: None
        self.keep_over("r0")
        monkeypatch.setattr(ScriptedConnector, "refresh", lambda connector: self.refresh(connector), raising=False)

    def keep_over(self, token: str) -> None:
        """The access token that is kept is over."""
        linked.replace_credentials(self.scene.connection, self._credentials(token, timedelta(seconds=-1)))

    def refresh(self, connector: ScriptedConnector) -> Credentials:
        assert connector.context.credentials is not None
        token = connector.context.credentials.refresh_token
        self.shown.append(token)
        if token != self.good:
            self.good = "none"
            raise ReauthorisationRequired("invalid_grant")
        self.good = f"r{len(self.shown)}"
        told = self._credentials(self.good, timedelta(minutes=10))
        meanwhile, self.meanwhile = self.meanwhile, lambda: None
        meanwhile()
        return told

    def kept(self) -> str | None:
        return sessions.opened(self.scene.connection).refresh_token

    def _credentials(self, token: str, lives: timedelta) -> Credentials:
        return Credentials(access_token="a", access_expires_at=self.scene.now + lives, refresh_token=token)


def taken_over(scene: Scene) -> Any:
    """The lease is lost, and somebody else has the job."""
    scene.later(minutes=10)
    held = leases.claim(SyncJob.objects.get().id, now=scene.now)
    assert held is not None
    return held


def test_who_lost_the_lease_does_not_show_a_token_that_the_next_holder_has_used(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokens = OneTimeTokens(scene, monkeypatch)
    lost = scene.claim()
    once(monkeypatch, standing, "check_authentication", lambda: scene.work(taken_over(scene)))

    assert sync.run(lost, clock=lambda: scene.now) is None

    assert (tokens.shown, tokens.kept(), tokens.good) == (["r0"], "r1", "r1")
    assert (SyncJob.objects.get().status, scene.connection.status) == ("COMMITTED", "ACTIVE")


def test_who_lost_the_lease_does_not_come_between_the_next_holder_and_its_new_token(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the next one's call is under way, so that what is kept is still what the lost one has seen."""
    tokens = OneTimeTokens(scene, monkeypatch)
    lost, before = scene.claim(), scene.connection
    held = taken_over(scene)

    def comes_late() -> None:
        with pytest.raises(StaleLease):
            sessions.fresh_session(before, lost, now=scene.now, deadline_monotonic=1e12)

    tokens.meanwhile = comes_late

    assert scene.work(held).status == SyncJobStatus.COMMITTED

    assert (tokens.shown, tokens.kept(), tokens.good) == (["r0"], "r1", "r1")


def test_a_new_token_is_kept_even_if_the_lease_was_lost_while_it_came(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is the only one there is: the next holder's call with the old one fails, and the one after it does not."""
    tokens = OneTimeTokens(scene, monkeypatch)
    lost, before = scene.claim(), scene.connection

    def announces() -> None:
        held = taken_over(scene)
        Connection.objects.filter(id=before.id).update(refresh_started_at=scene.now)
        leases.retry(held, error=leases.JobError(code="internal_error"), counts={}, now=scene.now)

    tokens.meanwhile = announces

    session = sessions.fresh_session(before, lost, now=scene.now, deadline_monotonic=1e12)

    assert (session.credentials.refresh_token, tokens.kept(), tokens.good) == ("r1", "r1", "r1")


# -- what was compared is purged ---------------------------------------------------------------------------------------


def test_a_purge_between_comparing_and_storing_leaves_no_day_covered_without_its_rows(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The user ends all that reads transactions, has them deleted at once, and allows them again: the rows that the
    job found unchanged are gone."""
    scene.bank.book(*(purchase(days, day=ago(days)) for days in range(0, 60, 10)))
    scene.run()
    scene.later(days=30)
    consent = scene.consent

    def ended_purged_and_allowed_again() -> None:
        Consent.objects.filter(id=consent.id).update(status="REVOKED")
        scene.share(frozenset({Scope.ACCOUNTS, Scope.BALANCES}))
        Account.objects.for_sync().filter(id=scene.account.id).update(transactions_unneeded_at=scene.now)
        assert purge.purge_account(scene.account.id, now=scene.now, at_once=True)
        assert linked.rows() == []
        scene.share()
        job_requests.enqueue(scene.connection_id, trigger=SyncTrigger.USER_PRESENT, now=scene.now)

    once(monkeypatch, store, "writes", ended_purged_and_allowed_again)
    scene.run()
    while (job := SyncJob.objects.filter(status="QUEUED").first()) is not None:
        held = leases.claim(job.id, now=scene.now)
        assert held is not None
        scene.work(held)

    assert len(scene.kept()) == 6
    assert (scene.account.coverage_first_on, scene.account.coverage_gaps) == (ago(60), [])
    assert scene.account.status == AccountStatus.OPEN


def test_a_purge_that_is_stopped_leaves_no_row_without_its_raw_payload(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next fetch finds the rows that are left unchanged, and brings nothing back for them."""
    monkeypatch.setattr(purge, "CHUNK", 2)
    scene.bank.book(*(purchase(days, day=ago(days)) for days in range(6)))
    scene.run()
    Consent.objects.filter(id=scene.consent.id).update(status="REVOKED")
    scene.share(frozenset({Scope.ACCOUNTS, Scope.BALANCES}))
    Account.objects.for_sync().filter(id=scene.account.id).update(transactions_unneeded_at=scene.now)

    def allowed_again() -> None:
        if len(linked.rows()) < 6 or linked.raw_rows() < 6:
            scene.share()

    real = purge._due_account
    monkeypatch.setattr(purge, "_due_account", lambda *one, **more: (allowed_again(), real(*one, **more))[1])
    assert not purge.purge_account(scene.account.id, now=scene.now, at_once=True)

    left = {row.id for row in linked.rows()}
    assert 0 < len(left) < 6
    assert left == set(RawPayload.objects.for_sync().values_list("transaction_id", flat=True))


# -- a worker dies with news -------------------------------------------------------------------------------------------


class Killed(BaseException):
    """Nothing catches it, nothing is tidied up."""


def dies_before(monkeypatch: pytest.MonkeyPatch, scene: Scene, module: Any, name: str) -> None:
    """A run that ends there, and the time in which its lease runs out."""
    before = scene.connection.change_sequence

    def dies() -> None:
        raise Killed

    with monkeypatch.context() as patched, pytest.raises(Killed):
        once(patched, module, name, dies)
        scene.run()
    assert scene.connection.change_sequence > before and untold_since(scene) == before
    scene.later(minutes=10)


def untold_since(scene: Scene) -> int | None:
    """The connection's change number that the next event must go back to; None: all is told."""
    told = Event.objects.filter(type="transactions.updated").order_by("occurred_at").values_list("details", flat=True)
    through = 0
    for details in told:
        assert details["changed_after"] <= through
        through = details["told_through"]
    return None if through == scene.connection.change_sequence else through


@pytest.fixture
def news(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> Scene:
    """Each event says up to where the rows were changed when it was written."""
    real = untold.publish

    def publish(*, counts: dict[str, int], **members: Any) -> None:
        real(counts={**counts, "told_through": scene.connection.change_sequence}, **members)

    monkeypatch.setattr(untold, "publish", publish)
    scene.bank.book(purchase(1, day=ago(3)))
    scene.run()
    assert untold_since(scene) is None
    scene.later(hours=7)
    scene.bank.book(purchase(2, day=ago(2)))
    return scene


@pytest.mark.parametrize(("module", "name"), [(covered_days, "mark_covered"), (fences, "ending")])
def test_what_a_worker_stored_before_it_died_is_told_by_the_next_one(
    news: Scene, monkeypatch: pytest.MonkeyPatch, module: Any, name: str
) -> None:
    dies_before(monkeypatch, news, module, name)
    held = leases.claim(SyncJob.objects.get(status="LEASED").id, now=news.now)
    assert held is not None

    assert news.work(held).status == SyncJobStatus.COMMITTED

    assert untold_since(news) is None
    assert Event.objects.filter(type="transactions.updated").count() == 2


@pytest.mark.parametrize(
    ("ending", "status"),
    [
        ("fails", "FAILED"),
        ("breaks", "RETRY_WAIT"),
        ("is put back", "RETRY_WAIT"),
        ("has no quota", "CANCELLED"),
        ("is given up", "FAILED"),
        ("is linked anew", "COMMITTED"),
    ],
)
def test_and_however_the_next_one_ends(news: Scene, monkeypatch: pytest.MonkeyPatch, ending: str, status: str) -> None:
    dies_before(monkeypatch, news, covered_days, "mark_covered")
    errors = {"fails": ReauthorisationRequired("?"), "breaks": RuntimeError("?"), "is put back": BankUnavailable("?")}
    if ending in errors:
        news.bank.on_call = raising("transactions", errors[ending])
    elif ending == "has no quota":
        Institution.objects.update(unattended_fetches_max=1)
        Account.objects.for_sync().update(fetched_at=news.now - timedelta(days=1))
    elif ending == "is given up":
        SyncJob.objects.filter(status="LEASED").update(attempts=leases.ATTEMPTS_MAX)
    else:
        leases.restart(news.connection_id, now=news.now)
    held = leases.claim(SyncJob.objects.get(status__in=LIVE_JOBS).id, now=news.now)
    assert (held is None) == (ending == "is given up")
    if held is not None:
        with pytest.raises(RuntimeError) if ending == "breaks" else nullcontext():
            news.work(held)

    assert (SyncJob.objects.latest("created_at").status, untold_since(news)) == (status, None)


# -- two questions come back from one bank -----------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(environment.database() == environment.SQLITE, reason="SQLite has one writer at a time")
def test_of_two_first_logins_at_one_bank_the_second_finds_the_link_of_the_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Two platforms asked, in two tabs. Otherwise each account would be there twice, and be fetched twice."""
    alice, bank = cast.alice(), cast.institution()
    first, second = (_returning(alice, bank, name) for name in ("chat", "budget"))

    def second_comes_too_early() -> None:
        def impatient() -> None:
            with database.cursor() as cursor:
                cursor.execute("SET lock_timeout = '200ms'")
            _kept(second)

        with ThreadPoolExecutor(1) as pool, pytest.raises(OperationalError, match="lock timeout"):
            pool.submit(closing, impatient).result()

    once(monkeypatch, linking, "store", second_comes_too_early)

    assert _kept(first) == _kept(second)

    assert Connection.objects.count() == Account.objects.for_sync().count() == 1


def _returning(user: Any, bank: Institution, platform: str) -> LinkAttempt:
    attempts.keep(
        state=platform,
        session_key="s",
        user_id=user.id,
        institution=bank,
        consent_id=cast.requested_consent(user, cast.platform(platform).platform).id,
        renewed_connection_id=None,
        resources=(),
        history_from=None,
        started=StartedAuthorisation(redirect_to="", bank_consent_id=f"of-{platform}", verifier="v", nonce="n"),
        now=clock.now(),
    )
    return LinkAttempt.objects.select_related("institution").latest("created_at")


def _kept(attempt: LinkAttempt) -> UUID:
    link = Link(
        credentials=Credentials(access_token="a", access_expires_at=clock.now(), refresh_token="r"),
        bank_consent_id=attempt.bank_consent_id,
        consent_expires_at=None,
        authentication_expires_at=None,
    )
    told = AccountData(
        bank_account_id="1",
        category=AccountCategory.DEPOSIT,
        account_type="CACC",
        name="Current",
        currency="GBP",
        status=AccountStatus.OPEN,
        identifications=(Identification(scheme_name="IBAN", value=IBAN),),
    )
    return connections._keep(attempt, link, [told], clock.now()).connection_id
