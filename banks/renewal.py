"""The user renews a connection, without any platform asking: same accounts, same ids, same history.

Whatever goes wrong leaves the connection and everything shared through it as it was.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import transaction

from banks import accounts, clocks, job_requests, linking
from banks.connector import Link
from banks.errors import ConnectionNotFound, NotRenewable, OtherLogin
from banks.linking import Keep, Kept
from banks.models import Account, Connection, LinkAttempt, SyncTrigger
from banks.needing import consents_on, needs_of
from banks.needs import RETENTION, Needs
from banks.types import AccountData
from consents.models import Consent, ConsentAccount
from consents.states import LIVE_CONSENTS, ConnectionStatus, ConsentAccountStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionCard:
    """One connection for the page of the person it belongs to; nothing of what the bank told.

    `status` is as of now. `ends_at`: the earlier of its clocks, None: the bank sets none. `deleted_from`: when what was
    read goes, None while something shared needs it.
    """

    id: UUID
    institution_id: UUID
    status: ConnectionStatus
    ends_at: datetime | None
    last_succeeded_at: datetime | None
    needs_renewal: bool
    is_renewable: bool
    deleted_from: datetime | None


def own_connections(user_id: UUID, *, now: datetime) -> list[ConnectionCard]:
    """The user's, oldest first; not those that are closed."""
    found = Connection.objects.filter(user_id=user_id).exclude(status=ConnectionStatus.CLOSED)
    return _cards(list(found.order_by("created_at", "id")), now)


def own_connection(user_id: UUID, connection_id: UUID, *, now: datetime) -> ConnectionCard:
    """Raises ConnectionNotFound."""
    (card,) = _cards([_own(user_id, connection_id)], now)
    return card


def start_renewal(*, user_id: UUID, connection_id: UUID, session_key: str, now: datetime) -> str:
    """Lodge a consent at the bank for what the live consents on this connection need; where to send the browser.

    Raises ConnectionNotFound (not there, or another person's), NotRenewable, BankError.
    """
    connection = _own(user_id, connection_id)
    (card,) = _cards([connection], now)
    needing = _live_consents(connection_id, now)
    if not card.is_renewable or not needing:
        raise NotRenewable(connection_id)
    return linking.start(
        connection.institution,
        needing,
        user_id=user_id,
        session_key=session_key,
        renewed_connection_id=connection_id,
        now=now,
    )


def still_wanted(attempt: LinkAttempt, now: datetime) -> None:
    """Raises NotRenewable: since the browser left, the last consent ended, or the connection did."""
    _require_needed(Connection.objects.filter(id=_renewed(attempt), user_id=attempt.user_id).first(), now)


def keeping(customer_ip_address: str | None) -> Keep:
    """`customer_ip_address`: where the user's browser is, for the bank to see that they are there."""

    def keep(attempt: LinkAttempt, link: Link, fetched: list[AccountData], now: datetime) -> Kept:
        with transaction.atomic():
            wanted = consents_on(_renewed(attempt))
            list(Consent.objects.select_for_update(no_key=True).filter(id__in=wanted).order_by("id"))
            rows = Connection.objects.select_for_update(no_key=True, of=("self",)).select_related("institution")
            connection = _require_needed(rows.filter(id=_renewed(attempt), user_id=attempt.user_id).first(), now)
            _require_same_login(connection, fetched)
            kept = linking.store(connection, attempt, link, fetched, now)
            job_requests.enqueue(
                connection.id, trigger=SyncTrigger.USER_PRESENT, now=now, customer_ip_address=customer_ip_address
            )
        return kept

    return keep


def _renewed(attempt: LinkAttempt) -> UUID:
    assert attempt.renewed_connection_id is not None
    return attempt.renewed_connection_id


def _require_needed(connection: Connection | None, now: datetime) -> Connection:
    if connection is None or connection.unneeded_at is not None or connection.status == ConnectionStatus.CLOSED:
        raise NotRenewable("gone")
    if needs_of([connection], now=now)[connection.id].until is None:
        raise NotRenewable("needed by no live consent")
    return connection


def _require_same_login(connection: Connection, fetched: list[AccountData]) -> None:
    """Another person's accounts must not come under this one's consents. Raises OtherLogin, BankFormatChanged."""
    stored = Account.objects.for_sync().filter(connection=connection).order_by("id")
    if all(row is None for _, row in accounts.recognised(stored, fetched)):
        raise OtherLogin("none of the known accounts")


def _own(user_id: UUID, connection_id: UUID) -> Connection:
    found = Connection.objects.select_related("institution").filter(id=connection_id, user_id=user_id)
    connection = found.exclude(status=ConnectionStatus.CLOSED).first()
    if connection is None:
        raise ConnectionNotFound(connection_id)
    return connection


def _live_consents(connection_id: UUID, now: datetime) -> list[Consent]:
    shared = ConsentAccount.objects.filter(connection_id=connection_id).exclude(status=ConsentAccountStatus.REVOKED)
    live = Consent.objects.filter(id__in=shared.values("consent_id"), status__in=LIVE_CONSENTS, expires_at__gt=now)
    return list(live.order_by("id"))


def _cards(connections: Collection[Connection], now: datetime) -> list[ConnectionCard]:
    needs = needs_of(connections, now=now)
    return [_card(connection, needs[connection.id], now) for connection in connections]


def _card(connection: Connection, needs: Needs, now: datetime) -> ConnectionCard:
    both = (connection.consent_expires_at, connection.authentication_expires_at)
    state = clocks.connection_state(ConnectionStatus(connection.status), *both, now)
    ended_at = connection.unneeded_at
    needed_until = None if ended_at else needs.until
    return ConnectionCard(
        id=connection.id,
        institution_id=connection.institution_id,
        status=state,
        ends_at=clocks.ends_at(*both),
        last_succeeded_at=connection.last_succeeded_at,
        needs_renewal=clocks.needs_renewal(state, needed_until, now),
        is_renewable=clocks.is_renewable(state, clocks.renewal_due_at(*both, needed_until), needed_until, now),
        deleted_from=ended_at + RETENTION if ended_at else None,
    )
