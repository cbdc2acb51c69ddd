"""A connector ready to talk to one bank, for one connection: profile, HTTP client, credentials out of the vault."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlsplit
from uuid import UUID

from django.conf import settings
from django.db.models import Exists

from banks import kept_connections, registry, vault
from banks.connector import Connector, ConnectorContext, Credentials, InstitutionProfile
from banks.errors import BankConsentEnded, BankError, ReauthorisationRequired, StaleLease
from banks.held_jobs import Claim, held_by
from banks.http.client import BankClient
from banks.http.exchanges import Exchange, HttpLimits
from banks.models import Connection, Institution
from banks.vault import Vault

#: Refresh when less than this is left: a job must not run into the end of its token.
ACCESS_MARGIN = timedelta(seconds=90)

#: Two years of a busy account in pages of 100; the rows of one list have a cap of their own (HttpLimits.rows_max).
PAGES_MAX = 500


@contextmanager
def connector_for(
    institution: Institution,
    *,
    now: datetime,
    credentials: Credentials | None = None,
    bank_consent_id: str | None = None,
    customer_ip_address: str | None = None,
    deadline_monotonic: float | Callable[[], float] | None = None,
    on_exchange: Callable[[Exchange], None] | None = None,
) -> Iterator[Connector]:
    """A connector on the connections that are kept to this bank. Raises UnknownConnector, Unsealable.

    `bank_consent_id` goes with `credentials`: it lets the connector tell an ended consent from a dead token.
    `customer_ip_address`: where the customer is now; None: nobody is present. A `deadline_monotonic` that is a function
    is asked before each exchange.
    """
    origins = frozenset(_origin(url) for url in (institution.token_url, institution.resource_url))
    with BankClient(
        allowed_origins=origins,
        limits=HttpLimits(pages_max=PAGES_MAX),
        # Loopback is for pretend banks alone, and for exactly their addresses.
        allowed_loopback_origins=origins if institution.is_sandbox else frozenset(),
        job_deadline_monotonic=deadline_monotonic,
        kept=kept_connections.of(institution.id, jobs_max=institution.concurrent_jobs_max),
        on_exchange=on_exchange,
    ) as client:
        context = ConnectorContext(
            institution=profile_of(institution),
            http=client,
            now=now,
            credentials=credentials,
            bank_consent_id=bank_consent_id,
            customer_ip_address=customer_ip_address,
        )
        yield registry.connector(institution.connector)(context)


def profile_of(institution: Institution) -> InstitutionProfile:
    """The row as connectors see it. Raises Unsealable."""
    key = vault.open_alone(institution.id, "signing_key", institution.sealed_signing_key)
    return InstitutionProfile(
        slug=institution.slug,
        version=institution.version,
        issuer=institution.issuer,
        authorization_url=institution.authorization_url,
        token_url=institution.token_url,
        resource_url=institution.resource_url,
        client_id=institution.client_id,
        signing_key=key.decode(),
        redirect_uri=redirect_uri(institution.slug),
        timezone=institution.timezone,
    )


def redirect_uri(slug: str) -> str:
    """Ours, one per bank: an answer that arrives at another bank's address is not looked at (RFC 9700 section 4.4)."""
    return f"{settings.ISSUER}/banks/{slug}/callback"


def sealed(owner: Vault, credentials: Credentials) -> bytes:
    return owner.seal(
        "credentials",
        json.dumps(
            {
                "access_token": credentials.access_token,
                "access_expires_at": credentials.access_expires_at.isoformat(),
                "refresh_token": credentials.refresh_token,
            }
        ).encode(),
    )


def opened(connection: Connection) -> Credentials:
    """Raises ReauthorisationRequired when there are none, Unsealable."""
    if connection.sealed_credentials is None:
        raise ReauthorisationRequired("no credentials kept")
    plain = Vault.of(connection.id, connection.wrapped_key).open("credentials", connection.sealed_credentials)
    kept = json.loads(plain)
    return Credentials(
        access_token=kept["access_token"],
        access_expires_at=datetime.fromisoformat(kept["access_expires_at"]),
        refresh_token=kept["refresh_token"],
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """What a sync needs to open a connector again and again."""

    connection_id: UUID
    credentials: Credentials
    was_refreshed: bool = False  #: the bank was asked for them just now


def are_fresh(connection: Connection, *, now: datetime) -> bool:
    """Whether `fresh_session` would ask the bank for nothing. Raises Unsealable."""
    if connection.sealed_credentials is None:
        return False
    return opened(connection).access_expires_at - now > ACCESS_MARGIN


def fresh_session(
    connection: Connection,
    held: Claim,
    *,
    now: datetime,
    deadline_monotonic: float | Callable[[], float],
    on_exchange: Callable[[Exchange], None] | None = None,
) -> Session:
    """Credentials that last; a bank's refresh token is one-time, so its use is announced and its answer kept at once.

    `connection` as the holder of the job saw it: a token that somebody else used since is not shown to the bank, which
    may take that for a theft and end them all.

    The intent is committed before the call: that also proves the database can be written while the old token is still
    good. A crash between call and commit leaves the intent standing; the old token is then tried once more, which
    banks with a grace period accept, and ReauthorisationRequired is the honest answer of those without.
    Raises BankError, StaleLease (the job is somebody else's, or the connection was linked anew meanwhile).
    """
    credentials = opened(connection)
    if credentials.access_expires_at - now > ACCESS_MARGIN:
        return Session(connection_id=connection.id, credentials=credentials)
    unused = Connection.objects.filter(id=connection.id, sealed_credentials=connection.sealed_credentials)
    if not unused.filter(Exists(held_by(held.job_id, held.epoch))).update(refresh_started_at=now):
        raise StaleLease(connection.id)
    with connector_for(
        connection.institution,
        now=now,
        credentials=credentials,
        bank_consent_id=connection.bank_consent_id,
        deadline_monotonic=deadline_monotonic,
        on_exchange=on_exchange,
    ) as connector:
        try:
            renewed = connector.refresh()
        except ReauthorisationRequired as refusal:
            raise _why_refused(connector, refusal) from None
    owner = Vault.of(connection.id, connection.wrapped_key)
    # Whoever holds the job by now: without the new token nobody can go on.
    if not unused.update(sealed_credentials=sealed(owner, renewed), refresh_started_at=None):
        raise StaleLease(connection.id)
    return Session(connection_id=connection.id, credentials=renewed, was_refreshed=True)


def _why_refused(connector: Connector, refusal: ReauthorisationRequired) -> BankError:
    """`invalid_grant` means a dead token and an ended consent alike; what the bank says of the accounts tells which."""
    try:
        connector.accounts()
    except BankConsentEnded as ended:
        return ended
    except BankError:
        return refusal
    return refusal


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
