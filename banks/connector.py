"""The SPI: what a bank adapter offers, and what it is given. No Django.

A connector is made once per (institution, connection) and call chain; it keeps nothing between calls but what it puts
in `context.state`, which ends with the chain. It raises BankErrors only, tries once, and never sleeps.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, ClassVar, Protocol

from banks.http.client import BankClient
from banks.types import AccountData, BalanceData, BankConsentStatus, Resource, TransactionPage


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectorInfo:
    """What a connector says of itself. Days are upper bounds of the dialect; an institution may lower them."""

    slug: str
    name: str
    versions: tuple[str, ...]
    history_days_max: int
    consent_days_max: int
    #: Whether each further page of a list counts against the bank's quota of calls made without the customer.
    counts_pages: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class InstitutionProfile:
    """One bank as data: what `manage.py add_bank` stored. URLs without a trailing slash."""

    slug: str
    version: str
    issuer: str  #: the bank's issuer identifier, compared as a string (RFC 8414, RFC 9207)
    authorization_url: str  #: where its customers' browsers go
    token_url: str  #: where this server goes
    resource_url: str  #: root of its resources, as in `.../open-banking/v4.0/aisp`
    client_id: str
    signing_key: str = field(repr=False)  #: private JWK, JSON
    redirect_uri: str  #: ours, one per bank
    timezone: str  #: IANA name: the bank's calendar


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """What a bank gave us for one customer. Sealed at rest."""

    access_token: str = field(repr=False)
    access_expires_at: datetime
    refresh_token: str | None = field(repr=False, default=None)


@dataclass(slots=True, kw_only=True)
class ConnectorContext:
    """All a connector gets. `state` is its own, opaque to everyone else; nothing keeps it yet."""

    institution: InstitutionProfile
    http: BankClient
    now: datetime
    credentials: Credentials | None = None
    bank_consent_id: str | None = None  #: of the consent that `credentials` came from; tells ended from broken
    customer_ip_address: str | None = None  #: where the customer is now; None: nobody is present
    state: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class StartedAuthorisation:
    """Where to send the browser, and what to keep until it comes back. `verifier` and `nonce` are secrets."""

    redirect_to: str
    bank_consent_id: str
    verifier: str = field(repr=False)
    nonce: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A finished authorisation. None: the bank sets no such clock."""

    credentials: Credentials
    bank_consent_id: str
    consent_expires_at: datetime | None
    authentication_expires_at: datetime | None


class Connector(Protocol):
    """Eight verbs."""

    info: ClassVar[ConnectorInfo]

    def __init__(self, context: ConnectorContext) -> None: ...

    def start_authorisation(
        self, *, resources: frozenset[Resource], history_from: date | None, expires_at: datetime | None, state: str
    ) -> StartedAuthorisation:
        """Lodge a consent at the bank for exactly these resources and build the redirect. `state` is ours, opaque."""
        ...

    def finish_authorisation(self, *, started: StartedAuthorisation, parameters: dict[str, str]) -> Link:
        """Exchange what the browser brought back. Checks `iss`. Raises BankRefused when the bank said no."""
        ...

    def refresh(self) -> Credentials:
        """Use the refresh token, once. The caller has committed its intent and commits the answer alone."""
        ...

    def revoke(self, *, bank_consent_id: str) -> None:
        """Delete the consent at the bank. Already gone counts as done."""
        ...

    def consent_status(self, *, bank_consent_id: str) -> BankConsentStatus:
        """What the bank says of this consent, asked with a token of our own; one it does not know has ended."""
        ...

    def accounts(self) -> list[AccountData]: ...

    def balances(self, bank_account_id: str) -> list[BalanceData]: ...

    def transactions(self, bank_account_id: str, *, since: date, until: date | None) -> Iterator[TransactionPage]:
        """Booked and pending rows from `since` (inclusive), page by page, in the bank's order."""
        ...
