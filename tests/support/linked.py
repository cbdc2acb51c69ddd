"""A customer of the pretend bank linked to Sluice, by the real functions and the bank's real pages.

    world = Linked(bank)                      the bank as an institution, with a policy that accepts everything
    consent = world.consent(alice, chat, {Scope.ACCOUNTS, Scope.BALANCES}, customer="happy")
    job = world.run()                         the first sync, in this process

`customer` is a user of the pretend bank (banks.sandbox.people). Every step can also be done alone, or wrongly.
"""

import json
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from banks import connections, institutions, job_requests, leases, sessions, sharing, sync
from banks.connector import Credentials
from banks.held_jobs import Claim
from banks.institutions import InstitutionData
from banks.models import Account, Connection, Institution, LinkAttempt, RawPayload, SyncJob, Transaction
from banks.vault import Vault
from consents import clock, lifecycle
from consents.lifecycle import AccountChoice
from consents.models import Consent, Platform
from consents.scopes import Purpose, Scope
from gateway.identity.models import User
from tests.support import cast
from tests.support.bank_client import Browser, forms, returned
from tests.support.sandbox_bank import SandboxBank

SLUG = "first-sandbox-bank"
SESSION = "session-of-the-right-browser"

BALANCES = frozenset({Scope.ACCOUNTS, Scope.BALANCES})
ROWS = BALANCES | {Scope.TRANSACTIONS, Scope.MERCHANTS, Scope.COUNTERPARTIES}


def redirect_uri(slug: str = SLUG) -> str:
    return sessions.redirect_uri(slug)


@dataclass(frozen=True, slots=True)
class Requests:
    """What the bank saw, in order: method, path below the AISP root (or the token endpoint) and answer."""

    rows: list[dict[str, Any]]

    def paths(self) -> list[str]:
        return [f"{row['method']} {row['path'].removeprefix('/open-banking/v4.0/aisp')}" for row in self.rows]

    def of(self, ending: str) -> list[dict[str, Any]]:
        return [row for row in self.rows if row["path"].endswith(ending)]

    def grants(self, grant_type: str) -> list[dict[str, Any]]:
        return [row for row in self.rows if row["grant_type"] == grant_type]

    @property
    def resources(self) -> list[dict[str, Any]]:
        """Calls for a customer's data."""
        return [row for row in self.rows if "/accounts" in row["path"] or row["path"].endswith("/balances")]


class Linked:
    """One pretend bank as one institution."""

    def __init__(self, bank: SandboxBank, *, slug: str = SLUG, **terms: Any) -> None:
        self.bank = bank
        self.slug = slug
        institutions.add(institution_data(bank, slug=slug, **terms), now=clock.now())
        self.institution = Institution.objects.get(slug=slug)
        cast.permissive_policy(self.institution)

    # -- step by step -------------------------------------------------------------------------------------------------

    def start(self, consent: Consent, *, session: str = SESSION, now: datetime | None = None) -> str:
        """The address the browser is sent to."""
        return connections.start_link(
            user_id=consent.user_id,
            consent_id=consent.id,
            slug=self.slug,
            session_key=session,
            now=now or clock.now(),
        )

    def at_the_bank(
        self, address: str, customer: str, *, decision: str = "allow", accounts: list[str] | None = None
    ) -> dict[str, str]:
        """Log in and decide on the bank's own pages; what the browser carries back. All accounts unless named."""
        browser = Browser(self.bank.issuer)
        page = browser.submit(browser.get(address), {"username": customer, "password": "sandbox"})
        offered = [value for name, value, _ in forms(page)[0].choices if name == "accounts"]
        chosen = offered if accounts is None else accounts
        return returned(browser.submit(page, {"accounts": chosen, "decision": decision}))

    def finish(
        self, user: User, parameters: dict[str, str], *, session: str = SESSION, now: datetime | None = None
    ) -> UUID | None:
        """The consent to go on with; None after a renewal."""
        return connections.finish_link(
            user_id=user.id,
            slug=self.slug,
            session_key=session,
            parameters=parameters,
            now=now or clock.now(),
        ).consent_id

    def link(self, consent: Consent, customer: str, *, accounts: list[str] | None = None) -> None:
        """There and back: afterwards the consent can be granted."""
        back = self.at_the_bank(self.start(consent), customer, accounts=accounts)
        self.finish(consent.user, back)

    def grant(
        self,
        consent: Consent,
        account_ids: Collection[UUID] | None = None,
        *,
        scopes: Collection[Scope] | None = None,
        session: str = SESSION,
        now: datetime | None = None,
    ) -> Consent:
        """The user allows; everything asked for, on every account the bank showed, unless named."""
        offered = self.offered(consent, session=session, now=now)
        return sharing.grant(
            consent_id=consent.id,
            user_id=consent.user_id,
            session_key=session,
            account_ids=[choice.account_id for choice in offered] if account_ids is None else account_ids,
            scopes=[Scope(scope) for scope in consent.scopes] if scopes is None else scopes,
            disclosure=cast.DISCLOSURE,
            actor=cast.BY_USER,
            now=now or clock.now(),
        )

    def offered(
        self,
        consent: Consent,
        *,
        user_id: UUID | None = None,
        session: str = SESSION,
        now: datetime | None = None,
        stepped_up_at: datetime | None = None,
    ) -> list[AccountChoice]:
        """For all that was asked; nothing where the question is not this user's."""
        now = now or clock.now()
        found = Consent.objects.select_related("user", "platform")
        question = found.filter(id=consent.id, user_id=user_id or consent.user_id).first()
        if question is None:
            return []
        wanted = lifecycle.as_if_authorised(question, scopes=[Scope(scope) for scope in question.scopes], now=now)
        return sharing.offer(wanted, session_key=session, now=now, stepped_up_at=stepped_up_at).accounts

    # -- all at once --------------------------------------------------------------------------------------------------

    def lodged(
        self,
        user: User,
        platform: Platform,
        scopes: Collection[Scope] = ROWS,
        *,
        history_days: int = 30,
        **terms: Any,
    ) -> Consent:
        """What the platform asks; AWAITING_AUTHORISATION."""
        terms.setdefault("purposes", (Purpose.ACCOUNT_OVERVIEW,))
        return cast.requested_consent(user, platform, scopes, history_days=history_days, **terms)

    def consent(
        self,
        user: User,
        platform: Platform,
        scopes: Collection[Scope] = ROWS,
        *,
        customer: str = "happy",
        history_days: int = 30,
        **terms: Any,
    ) -> Consent:
        """Asked, linked at the bank and granted on all accounts there: a first sync is due."""
        lodged = self.lodged(user, platform, scopes, history_days=history_days, **terms)
        self.link(lodged, customer)
        return self.grant(lodged)

    # -- what the bank says -------------------------------------------------------------------------------------------

    def mark(self) -> int:
        """A point in the bank's request log: `seen(after=mark)` tells what came later."""
        after = self.bank.marked  # ids only grow: what was there at the last mark need not be read again
        while rows := self.bank.control("GET", "/control/requests", params={"after": after})["requests"]:
            after = rows[-1]["id"]
        self.bank.marked = after
        return after

    def seen(self, *, after: int = 0) -> Requests:
        found: list[dict[str, Any]] = []
        while rows := self.bank.control("GET", "/control/requests", params={"after": after})["requests"]:
            found += rows
            after = rows[-1]["id"]
        return Requests(found)

    def fault(self, **description: Any) -> None:
        self.bank.control("POST", "/control/faults", json=description)

    def bank_consents(self) -> dict[str, dict[str, Any]]:
        """Consent id at the bank -> what the bank knows of it."""
        return {row["consent_id"]: row for row in self.bank.control("GET", "/control/state")["consents"]}


def institution_data(bank: SandboxBank, *, slug: str = SLUG, **changes: Any) -> InstitutionData:
    """The running bank as data; with changes, a bank that cannot be added."""
    return InstitutionData(
        **{
            "slug": slug,
            "name": "First Sandbox Bank",
            "connector": "uk_obie",
            "version": "4.0",
            "issuer": bank.issuer,
            "authorization_url": f"{bank.issuer}/oauth/authorize",
            "token_url": f"{bank.issuer}/oauth/token",
            "resource_url": bank.aisp,
            "client_id": bank.client_id,
            "signing_key": bank.client_key.export(),
            "country": "GB",
            "timezone": "Europe/London",
            "is_sandbox": True,
            **changes,
        }
    )


# -- jobs in this process ----------------------------------------------------------------------------------------------


def the_job() -> SyncJob:
    """The newest job there is."""
    return SyncJob.objects.latest("created_at")


def claimed(job: SyncJob | None = None, *, now: datetime | None = None) -> Claim:
    held = leases.claim((job or the_job()).id, now=now or clock.now())
    assert held is not None
    return held


def run(job: SyncJob | None = None, *, now: datetime | None = None) -> SyncJob:
    """Claim the job (the newest) and do it, as a worker would; the row as it then is."""
    held = claimed(job, now=now)
    sync.run(held, clock=clock.now)
    return SyncJob.objects.get(id=held.job_id)


def again(connection: Connection) -> SyncJob:
    """A further sync of this connection, asked for and done."""
    job_requests.enqueue(connection.id, trigger="USER_PRESENT", now=clock.now())  # type: ignore[arg-type]
    return run()


def later(job: SyncJob) -> SyncJob:
    """The same job when its waiting is over."""
    assert job.status == "RETRY_WAIT", (job.status, job.error_code)
    return run(job, now=job.next_attempt_at + timedelta(seconds=1))


# -- looking behind the seam -------------------------------------------------------------------------------------------


def the_connection() -> Connection:
    return Connection.objects.select_related("institution").get()


def accounts() -> list[Account]:
    """Newest connection last; within one by the bank's name for the account."""
    return list(Account.objects.for_sync().order_by("connection__created_at", "account_type", "bank_account_id"))


def rows(account: Account | None = None) -> list[Transaction]:
    found = Transaction.objects.for_sync().order_by("account_id", "-listed_on", "id")
    return list(found if account is None else found.filter(account_id=account.id))


def raw_rows() -> int:
    return RawPayload.objects.for_sync().count()


def contents() -> list[tuple[object, ...]]:
    """Every column of accounts, balances and transactions but the two that say when somebody looked."""
    from banks.models import Balance

    seen: list[tuple[object, ...]] = []
    looked = {"fetched_at", "balances_as_of", "transactions_as_of"}
    for model in (Account, Balance, Transaction):
        names = [field.name for field in model._meta.concrete_fields if field.name not in looked]
        seen += sorted(model.objects.for_sync().values_list(*names), key=repr)
    return seen


def expire_access_token(connection: Connection) -> Credentials:
    """Let the kept access token be over, as if ten minutes had passed here; the credentials as they then are."""
    kept = sessions.opened(connection)
    over = Credentials(
        access_token=kept.access_token,
        access_expires_at=clock.now() - timedelta(seconds=1),
        refresh_token=kept.refresh_token,
    )
    replace_credentials(connection, over)
    return over


def replace_credentials(connection: Connection, credentials: Credentials) -> None:
    owner = Vault.of(connection.id, connection.wrapped_key)
    Connection.objects.filter(id=connection.id).update(sealed_credentials=sessions.sealed(owner, credentials))
    connection.refresh_from_db()


def unsealed(row: LinkAttempt) -> dict[str, str]:
    """The secrets of an attempt, opened with the ring as finish_link would."""
    from banks import vault

    opened: dict[str, str] = json.loads(vault.open_alone(row.id, "link_secrets", row.sealed_secrets))
    return opened
