"""Whether a connection still stands, asked before anything is fetched: the bank's consent, and the customer's login."""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta

from banks import sessions
from banks.errors import AuthenticationExpired, BankConsentEnded, BankMisconfigured, NotSupported, StaleLease
from banks.http.exchanges import Exchange
from banks.models import Connection

log = logging.getLogger(__name__)

#: How old the bank's word on its consent may be when a job begins: a revocation there is seen within 6 hours, also
#: where nothing is fetched because every consent here is paused.
CHECK_AFTER = timedelta(hours=3)


def check_consent(
    connection: Connection,
    *,
    now: datetime,
    deadline_monotonic: Callable[[], float],
    on_exchange: Callable[[Exchange], None] | None,
) -> None:
    """Ask the bank for the status of its consent, with a token of our own: it is no access to the customer's data.

    A bank that shortened its consent is believed. One that we may not ask is not asked again for a while: its answer
    to the fetch tells as well. Raises BankConsentEnded, BankError, StaleLease (linked anew meanwhile).
    """
    if _was_checked(connection, now):
        return
    with sessions.connector_for(
        connection.institution, now=now, deadline_monotonic=deadline_monotonic, on_exchange=on_exchange
    ) as connector:
        try:
            told = connector.consent_status(bank_consent_id=connection.bank_consent_id)
        except (BankMisconfigured, NotSupported) as error:
            log.warning("consent not checked", extra={"connection_id": connection.id, "code": error.code})
            Connection.objects.filter(id=connection.id).update(checked_at=now)
            return
    if told.ended:
        raise BankConsentEnded("ended")
    columns: dict[str, object] = {"checked_at": now}
    ends_at = connection.consent_expires_at
    if told.expires_at is not None and (ends_at is None or told.expires_at < ends_at):
        columns["consent_expires_at"] = told.expires_at
    same_link = Connection.objects.filter(id=connection.id, bank_consent_id=connection.bank_consent_id)
    if not same_link.update(**columns):
        raise StaleLease(connection.id)


def check_authentication(connection: Connection, *, now: datetime) -> None:
    """Raises AuthenticationExpired: the bank would refuse, so it is not asked."""
    if _is_login_over(connection, now):
        raise AuthenticationExpired


def needs_no_look(connection: Connection, *, now: datetime) -> bool:
    """Whether neither of the two would ask the bank or refuse."""
    return _was_checked(connection, now) and not _is_login_over(connection, now)


def _was_checked(connection: Connection, now: datetime) -> bool:
    return connection.checked_at is not None and now - connection.checked_at < CHECK_AFTER


def _is_login_over(connection: Connection, now: datetime) -> bool:
    ends_at = connection.authentication_expires_at
    return ends_at is not None and ends_at <= now
