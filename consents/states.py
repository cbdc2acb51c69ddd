"""The state machines, as tables. Pure.

AWAITING_AUTHORISATION -> AUTHORISED | REJECTED | EXPIRED (60 minutes unanswered)
AUTHORISED <-> PAUSED                     the user
AUTHORISED | PAUSED <-> SUSPENDED         operator, or the platform's status
AUTHORISED | PAUSED | SUSPENDED -> REVOKED | EXPIRED
AUTHORISED (ONE_TIME) -> CONSUMED
"""

from datetime import timedelta
from enum import StrEnum

#: An unanswered request dies after this long (UK Customer Experience Guidelines; Brazil, 60 minutes).
AUTHORISATION_WINDOW = timedelta(minutes=60)
#: A consent for one use waits this long for it.
ONE_TIME_WINDOW = timedelta(hours=24)


class ConsentStatus(StrEnum):
    AWAITING_AUTHORISATION = "AWAITING_AUTHORISATION"
    AUTHORISED = "AUTHORISED"
    PAUSED = "PAUSED"
    SUSPENDED = "SUSPENDED"
    REJECTED = "REJECTED"
    REVOKED = "REVOKED"
    EXPIRED = "EXPIRED"
    CONSUMED = "CONSUMED"


class ConsentAccountStatus(StrEnum):
    """One account under one consent: a bank's hand reaches only its own."""

    ACTIVE = "ACTIVE"
    SUSPENDED = "SUSPENDED"
    REVOKED = "REVOKED"


class PlatformStatus(StrEnum):
    PENDING = "PENDING"
    ACTIVE = "ACTIVE"
    INACTIVE = "INACTIVE"
    SUSPENDED = "SUSPENDED"
    REVOKED = "REVOKED"
    SURRENDERED = "SURRENDERED"
    REMOVED = "REMOVED"


class ConnectionStatus(StrEnum):
    """The bank's authorisation of us for one user (data model 5.2)."""

    AWAITING_USER = "AWAITING_USER"
    ACTIVE = "ACTIVE"
    DEGRADED = "DEGRADED"
    RATE_LIMITED = "RATE_LIMITED"
    EXPIRING = "EXPIRING"
    REAUTH_REQUIRED = "REAUTH_REQUIRED"
    SUSPENDED = "SUSPENDED"
    REVOKED = "REVOKED"
    EXPIRED = "EXPIRED"
    CLOSED = "CLOSED"


class PolicyStatus(StrEnum):
    ALLOW = "ALLOW"
    SUSPEND = "SUSPEND"
    BLOCK = "BLOCK"


class UpstreamStage(StrEnum):
    """What became of the bank's own consent when one here ended (design: a measured pipeline)."""

    UPSTREAM_CANCELLED = "UPSTREAM_CANCELLED"
    UPSTREAM_RETRYING = "UPSTREAM_RETRYING"
    UPSTREAM_IMPOSSIBLE = "UPSTREAM_IMPOSSIBLE"  #: the bank was asked for as long as it makes sense; a finding is open
    NOT_APPLICABLE = "NOT_APPLICABLE"  #: another consent still needs the link, or there is nothing at the bank


class RevocationStage(StrEnum):
    """How far the end of a consent is, besides what became of the bank's own (UpstreamStage)."""

    REQUESTED = "REQUESTED"
    TOKENS_DEAD = "TOKENS_DEAD"
    SERVING_STOPPED = "SERVING_STOPPED"
    PURGED = "PURGED"
    UPSTREAM = "UPSTREAM"  #: nothing is known yet of the bank's own consent
    PLATFORM_NOTIFIED = "PLATFORM_NOTIFIED"
    PLATFORM_ACKED = "PLATFORM_ACKED"
    ACK_OVERDUE = "ACK_OVERDUE"


class ReportCode(StrEnum):
    """What a person may say is wrong."""

    NOT_ME = "NOT_ME"
    NOT_ASKED_FOR = "NOT_ASKED_FOR"
    TOO_OFTEN = "TOO_OFTEN"
    TOO_MUCH = "TOO_MUCH"


class ReportOutcome(StrEnum):
    """How a report was closed."""

    WITHDRAWN = "WITHDRAWN"  #: the person took it back
    UNFOUNDED = "UNFOUNDED"  #: the operator found nothing wrong
    UPHELD = "UPHELD"  #: the operator agreed, and the consent ended


class Initiator(StrEnum):
    USER = "USER"
    PLATFORM = "PLATFORM"
    BANK = "BANK"
    OPERATOR = "OPERATOR"
    SYSTEM = "SYSTEM"


#: Final: no token, no live consent, no way back.
WITHDRAWN_PLATFORMS = frozenset({PlatformStatus.REVOKED, PlatformStatus.SURRENDERED, PlatformStatus.REMOVED})

#: Serve what is stored, with its age; every other status serves nothing.
SERVING_CONNECTIONS = frozenset(
    {
        ConnectionStatus.ACTIVE,
        ConnectionStatus.DEGRADED,
        ConnectionStatus.RATE_LIMITED,
        ConnectionStatus.EXPIRING,
        ConnectionStatus.REAUTH_REQUIRED,
    }
)

#: May still open data now or later: what is fetched and kept, is fetched and kept for these.
LIVE_CONSENTS = frozenset({ConsentStatus.AUTHORISED, ConsentStatus.PAUSED, ConsentStatus.SUSPENDED})

_S = ConsentStatus
CONSENT_TRANSITIONS: dict[ConsentStatus, frozenset[ConsentStatus]] = {
    _S.AWAITING_AUTHORISATION: frozenset({_S.AUTHORISED, _S.REJECTED, _S.EXPIRED}),
    _S.AUTHORISED: frozenset({_S.PAUSED, _S.SUSPENDED, _S.REVOKED, _S.EXPIRED, _S.CONSUMED}),
    _S.PAUSED: frozenset({_S.AUTHORISED, _S.SUSPENDED, _S.REVOKED, _S.EXPIRED}),
    _S.SUSPENDED: frozenset({_S.AUTHORISED, _S.PAUSED, _S.REVOKED, _S.EXPIRED}),
    _S.REJECTED: frozenset(),
    _S.REVOKED: frozenset(),
    _S.EXPIRED: frozenset(),
    _S.CONSUMED: frozenset(),
}

_P = PlatformStatus
PLATFORM_TRANSITIONS: dict[PlatformStatus, frozenset[PlatformStatus]] = {
    _P.PENDING: frozenset({_P.ACTIVE, _P.REMOVED}),
    _P.ACTIVE: frozenset({_P.INACTIVE, _P.SUSPENDED, _P.REVOKED, _P.SURRENDERED}),
    _P.INACTIVE: frozenset({_P.ACTIVE, _P.REVOKED, _P.SURRENDERED}),
    _P.SUSPENDED: frozenset({_P.ACTIVE, _P.REVOKED, _P.SURRENDERED}),
    _P.REVOKED: frozenset({_P.REMOVED}),
    _P.SURRENDERED: frozenset({_P.REMOVED}),
    _P.REMOVED: frozenset(),
}


def sources_of(target: ConsentStatus) -> frozenset[ConsentStatus]:
    """Statuses from which a consent may become `target`."""
    return frozenset(source for source, targets in CONSENT_TRANSITIONS.items() if target in targets)
