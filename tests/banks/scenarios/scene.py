"""One customer of a pretend bank in a scenario: linked by the real pages, synced in this process, and looked at as the
person, the platform, the bank and the operator would."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from banks import changes, read
from banks.authority import permit_for
from banks.models import Account, Connection, Finding, QuarantinedRow, SyncJob, Transaction
from banks.sandbox.histories import ledger_of
from banks.sandbox.people import BankAccount
from consents import clock
from consents.models import Consent, Event, Platform
from consents.scopes import Presence, Purpose, Scope
from gateway.identity.models import User
from tests.support import linked
from tests.support.linked import ROWS, Linked, Requests

#: How the user is asked for something, and the statuses in which nobody is.
ASKS_THE_USER = "connection.needs_renewal"
ASKING = ("REAUTH_REQUIRED", "REVOKED", "SUSPENDED", "EXPIRED")


@dataclass
class Scene:
    """`customer` is a user name at the bank, `consent` what `user` shares with `platform` of all accounts there."""

    world: Linked
    customer: str
    user: User
    platform: Platform
    consent: Consent = field(init=False)
    connection_id: Any = field(init=False)
    mark: int = field(init=False)

    def link(self, *, history_days: int, scopes: frozenset[Scope] = ROWS) -> "Scene":
        self.consent = self.world.consent(
            self.user, self.platform, scopes, customer=self.customer, history_days=history_days
        )
        self.connection_id = Connection.objects.latest("created_at").id
        self.mark = self.world.mark()
        return self

    # -- what happens --------------------------------------------------------------------------------------------------

    def turn(self, stage: int) -> None:
        """The scenario's own turn happens now."""
        self.world.bank.control("POST", f"/control/people/{self.customer}", json={"stage": stage})

    def on_day(self, days_ahead: int) -> None:
        self.world.bank.control("POST", "/control/clock", json={"days_ahead": days_ahead})

    def sync(self) -> SyncJob:
        """The first one, or a further one."""
        if SyncJob.objects.filter(connection_id=self.connection_id, status="QUEUED").exists():
            return linked.run()
        return linked.again(self.connection)

    def bring_to_an_end(self, job: SyncJob) -> SyncJob:
        """As often as the job asks to be tried again, when its waits are over."""
        while job.status == "RETRY_WAIT":
            job = linked.later(job)
        return job

    # -- what is kept and told -----------------------------------------------------------------------------------------

    @property
    def connection(self) -> Connection:
        return Connection.objects.select_related("institution").get(id=self.connection_id)

    @property
    def accounts(self) -> list[Account]:
        return [row for row in linked.accounts() if row.connection_id == self.connection_id]

    @property
    def account(self) -> Account:
        """The only one, or the current account: savings come after it."""
        return self.accounts[0]

    def live(self, account: Account | None = None) -> list[Transaction]:
        return [row for row in linked.rows(account or self.account) if row.status != "REMOVED"]

    def ids(self) -> list[tuple[Any, int, str]]:
        """Of every row: our id, its revision and its status."""
        return [(row.id, row.revision, row.status) for account in self.accounts for row in linked.rows(account)]

    def standing(self) -> tuple[str, str]:
        return self.connection.status, self.connection.status_reason

    def told(self) -> list[str]:
        """Events about the connection since it was linked."""
        events = Event.objects.filter(connection_id=self.connection_id, type__startswith="connection.")
        types = list(events.order_by("occurred_at").values_list("type", flat=True))
        assert types[0] == "connection.linked"
        return types[1:]

    def findings(self) -> list[tuple[str, str]]:
        """Open ones."""
        found = Finding.objects.filter(connection_id=self.connection_id, closed_at=None)
        return list(found.order_by("kind", "account_id").values_list("kind", "code"))

    def quarantine(self) -> list[tuple[str, str]]:
        found = QuarantinedRow.objects.for_sync().filter(account__connection_id=self.connection_id)
        return sorted(found.values_list("reason", "field"))

    def seen(self, after: int | None = None) -> Requests:
        """What the bank was asked since the first sync, or since a mark."""
        return self.world.seen(after=self.mark if after is None else after)

    def served(self, account: Account | None = None) -> list[read.Row]:
        """The rows a platform reads of one account, every page. Raises Denied."""
        return served(self.consent, (account or self.account).id)

    def nobody_was_asked(self) -> None:
        assert ASKS_THE_USER not in self.told()
        assert self.connection.status not in ASKING

    # -- what is true at the bank --------------------------------------------------------------------------------------

    def today(self) -> date:
        return date.fromisoformat(self.world.bank.control("GET", "/control/clock")["today"])

    def books(self, account: BankAccount, *, since: date | None = None) -> dict[str, int]:
        """TransactionId -> signed minor units, as the bank's ledger has them from `since` on."""
        edge = since or self.consent.history_from or date.min
        entries = ledger_of(account, self.today()).entries
        return {entry.id: entry.draft.amount_minor for entry in entries if entry.draft.day >= edge}


def kept(account: Account) -> dict[str, int]:
    """TransactionId -> signed minor units, of the rows that stand; no id twice."""
    rows = [row for row in linked.rows(account) if row.status != "REMOVED"]
    told = {str(row.bank_transaction_id): row.amount_minor for row in rows}
    assert len(told) == len(rows)
    return told


def looks(rows: list[Transaction]) -> Counter[tuple[Any, ...]]:
    """What a reader sees of rows, each counted: a row too many shows."""
    return Counter((row.listed_on, row.amount_minor, row.currency, row.description) for row in rows)


def permit(consent: Consent) -> Any:
    """Raises Denied."""
    consent = Consent.objects.select_related("user", "platform").get(id=consent.id)
    return permit_for(consent, purpose=Purpose.ACCOUNT_OVERVIEW, presence=Presence.ABSENT, now=clock.now())


def served(consent: Consent, account_id: Any) -> list[read.Row]:
    opened, rows, after = permit(consent), [], None
    while True:
        wanted = read.TransactionFilter(after=after, limit=500)
        page = read.transactions(opened, account_id, wanted, now=clock.now(), request_id="req_test")
        rows += page.rows
        if page.next is None:
            return rows
        after = page.next


def progress(consent: Consent) -> dict[Any, Any]:
    """How far each account's fetching has come, as the delta tells it."""
    page = changes.changes(permit(consent), None, revision=1, limit=500, now=clock.now(), request_id="req_test")
    return {one.account_id: one for one in page.accounts}
