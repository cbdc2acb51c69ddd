"""A bank in this process whose books a test writes and whose answers it can spoil; and a connection to it.

    scene = Scene(monkeypatch, history_days=90)
    scene.bank.book(purchase(1, day=scene.today))
    job = scene.run()

Nothing goes over HTTP here: these tests are about what a sync does with what it is told. `scene.bank.calls` holds every
call in order, and `on_call` may raise or change the books before one is answered.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, ClassVar

import pytest

from banks import job_requests, leases, registry, sync
from banks.connector import ConnectorContext, ConnectorInfo, Credentials
from banks.held_jobs import Claim
from banks.models import Account, Connection, Finding, SyncJob, SyncTrigger, Transaction
from banks.types import (
    AccountCategory,
    AccountData,
    AccountStatus,
    BalanceData,
    BankConsentStatus,
    Coverage,
    Identification,
    Money,
    RejectedRow,
    TransactionData,
    TransactionPage,
    TransactionStatus,
)
from consents.models import Consent
from consents.scopes import Scope
from tests.support import cast, linked

NOW = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
TODAY = NOW.date()
ROWS = frozenset({Scope.ACCOUNTS, Scope.BALANCES, Scope.TRANSACTIONS, Scope.MERCHANTS})

Row = TransactionData | RejectedRow


def ago(days: int) -> date:
    return TODAY - timedelta(days=days)


def purchase(number: int, *, day: date = TODAY, pounds: str = "-1.00", **changes: Any) -> TransactionData:
    """A booked payment that differs from every other one in its text."""
    status = changes.get("status", TransactionStatus.BOOKED)
    told = {
        "bank_transaction_id": f"t-{number}",
        "status": status,
        "money": Money(Decimal(pounds), "GBP"),
        "booked_on": None if status == TransactionStatus.PENDING else day,
        "listed_on": day,
        "description": f"purchase {number}",
        "raw": f"row {number}".encode(),
    }
    return TransactionData(**{**told, **changes})


def pending(number: int, *, day: date = TODAY, **changes: Any) -> TransactionData:
    return purchase(number, day=day, status=TransactionStatus.PENDING, **changes)


class ScriptedBank:
    """The books. `opening` is what every account stood on before its first row; `first_on`: how far back the bank says
    it reaches; None: it does not say."""

    def __init__(self, names: Sequence[str]) -> None:
        self.rows: dict[str, list[Row]] = {name: [] for name in names}
        self.opening = Decimal("1000.00")
        self.balance_type = "ITBD"
        self.holder_names: tuple[str, ...] = ()
        self.numbers: dict[str, str] = {}
        self.first_on: date | None = None
        self.opened_on: date | None = None
        self.page_size = 100
        self.tells_pages_total = True
        self.counts_pages = False
        self.consent = BankConsentStatus(ended=False, expires_at=None)
        #: (verb, account, first day asked for, last day asked for, page)
        self.calls: list[tuple[Any, ...]] = []
        self.on_call: Callable[[tuple[Any, ...]], None] = lambda call: None

    def book(self, *rows: Row, account: str = "current") -> None:
        self.rows[account] += rows

    def unbook(self, number: int, account: str = "current") -> None:
        self.rows[account] = [
            row for row in self.rows[account] if getattr(row, "bank_transaction_id", None) != f"t-{number}"
        ]

    def called(self, *call: Any) -> None:
        self.calls.append(call)
        self.on_call(call)

    def windows(self, account: str = "current") -> list[tuple[date, date | None]]:
        """Asked for so far, by their first pages."""
        return [call[2:4] for call in self.calls if call[:2] == ("transactions", account) and call[4] == 1]

    def verbs(self) -> list[str]:
        return [call[0] for call in self.calls]

    def connector(self) -> type[Any]:
        bank = self

        class Scripted(ScriptedConnector):
            info: ClassVar[ConnectorInfo] = ConnectorInfo(
                slug="uk_obie",
                name="Scripted",
                versions=("1",),
                history_days_max=730,
                consent_days_max=365,
                counts_pages=bank.counts_pages,
            )
            books = bank

        return Scripted


class ScriptedConnector:
    books: ClassVar[ScriptedBank]

    def __init__(self, context: ConnectorContext) -> None:
        self.context = context

    def consent_status(self, *, bank_consent_id: str) -> BankConsentStatus:
        self.books.called("consent_status", bank_consent_id)
        return self.books.consent

    def accounts(self) -> list[AccountData]:
        self.books.called("accounts")
        return [
            AccountData(
                bank_account_id=name,
                category=AccountCategory.DEPOSIT,
                account_type="CACC",
                name=name.title(),
                currency="GBP",
                status=AccountStatus.OPEN,
                identifications=tuple(
                    Identification(scheme_name="IBAN", value=value)
                    for value in filter(None, [self.books.numbers.get(name)])
                ),
                opened_on=self.books.opened_on,
                holder_names=self.books.holder_names,
            )
            for name in self.books.rows
        ]

    def balances(self, bank_account_id: str) -> list[BalanceData]:
        self.books.called("balances", bank_account_id)
        booked = [
            row.money.amount
            for row in self.books.rows[bank_account_id]
            if isinstance(row, TransactionData) and row.status == TransactionStatus.BOOKED
        ]
        money = Money(sum(booked, self.books.opening), "GBP")
        return [BalanceData(type=self.books.balance_type, money=money, as_of=NOW)]

    def transactions(self, bank_account_id: str, *, since: date, until: date | None) -> Iterator[TransactionPage]:
        number = 1
        while True:
            self.books.called("transactions", bank_account_id, since, until, number)
            listed = self._listed(bank_account_id, since, until)
            size = self.books.page_size
            total = max(1, -(-len(listed) // size))
            yield TransactionPage(
                rows=tuple(listed[(number - 1) * size : number * size]),
                coverage=Coverage(first_on=self.books.first_on),
                pages_total=total if self.books.tells_pages_total else None,
            )
            if number >= total:
                return
            number += 1

    def _listed(self, bank_account_id: str, since: date, until: date | None) -> list[Row]:
        """Newest first, as banks list; what it does not reach is not there."""
        begins = max(since, self.books.first_on or since)
        told = [row for row in self.books.rows[bank_account_id] if _lies_in(row, begins, until)]
        return sorted(told, key=lambda row: getattr(row, "listed_on", TODAY), reverse=True)


def _lies_in(row: Row, since: date, until: date | None) -> bool:
    return isinstance(row, RejectedRow) or (since <= row.listed_on and (until is None or row.listed_on <= until))


def raising(verb: str, error: Exception) -> Callable[[tuple[Any, ...]], None]:
    """For `on_call`: this verb fails."""

    def fail(call: tuple[Any, ...]) -> None:
        if call[0] == verb:
            raise error

    return fail


class Scene:
    """Alice, her bank, a platform with a consent, and a clock that a test moves."""

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, *, history_days: int = 90, accounts: Sequence[str] = ("current",)
    ) -> None:
        self.now = NOW
        self.bank = ScriptedBank(accounts)
        self.user = cast.alice()
        self.institution = cast.institution(now=NOW)
        cast.permissive_policy(self.institution, now=NOW)
        self.connection_id = cast.connection(self.user, self.institution, now=NOW).id
        linked.replace_credentials(
            self.connection,
            Credentials(access_token="good", access_expires_at=NOW + timedelta(days=900), refresh_token="r"),
        )
        self.accounts = [cast.account(self.connection, name) for name in accounts]
        self.platform = cast.platform("chat", now=NOW).platform
        self.consent = self.share(history_days=history_days)
        monkeypatch.setattr(registry, "connector", lambda slug: self.bank.connector())

    def share(self, scopes: frozenset[Scope] = ROWS, *, history_days: int = 90, **terms: Any) -> Consent:
        return cast.authorised_consent(
            self.user,
            self.platform,
            scopes,
            accounts=[cast.choice(account) for account in self.accounts],
            history_days=history_days,
            duration_days=360,
            now=self.now,
            **terms,
        )

    @property
    def connection(self) -> Connection:
        return Connection.objects.select_related("institution").get(id=self.connection_id)

    @property
    def account(self) -> Account:
        return Account.objects.for_sync().get(id=self.accounts[0].id)

    def later(self, **delta: float) -> None:
        self.now += timedelta(**delta)

    def claim(self, trigger: SyncTrigger = SyncTrigger.SCHEDULE) -> Claim:
        job_id = job_requests.enqueue(self.connection_id, trigger=trigger, now=self.now)
        held = leases.claim(job_id, now=self.now)
        assert held is not None
        return held

    def run(self, trigger: SyncTrigger = SyncTrigger.SCHEDULE) -> SyncJob:
        """Asked for, claimed and done, as far as one turn goes; a job that waits is simply taken."""
        return self.work(self.claim(trigger))

    def work(self, held: Claim) -> SyncJob:
        sync.run(held, clock=lambda: self.now)
        return SyncJob.objects.get(id=held.job_id)

    def go_on(self) -> SyncJob:
        """The next turn of the job that was put back."""
        held = leases.claim(SyncJob.objects.get(status="QUEUED").id, now=self.now)
        assert held is not None
        return self.work(held)

    def kept(self) -> dict[str | None, Transaction]:
        """Bank id -> row, of all that is not removed."""
        return {row.bank_transaction_id: row for row in linked.rows() if row.status != "REMOVED"}

    def findings(self) -> list[tuple[str, str]]:
        """Open ones."""
        return list(Finding.objects.filter(closed_at=None).order_by("kind").values_list("kind", "code"))
