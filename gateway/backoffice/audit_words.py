"""What an entry of the bank's audit log says. Codes of what never names a bank are not here. Pure."""

from collections.abc import Mapping
from typing import Any

from consents.models.policy import ProposalKind
from consents.states import ConnectionStatus, ConsentStatus
from gateway.backoffice import wording

#: What was done, by action.
ACTIONS: dict[str, str] = {
    "policy.signed": "A policy was signed",
    "proposal.waiting": "A second person was asked",
    "proposal.signed": "A second person approved",
    "proposal.refused": "A proposal was refused",
    "proposal.superseded": "A proposal is out of date: something else was signed first",
    "merchant.removed": "A merchant name was removed",
    "membership.added": "Somebody joined the staff of this console",
    "membership.ended": "Somebody left the staff of this console",
    "customer.looked_up": "A customer was looked up",
    "customer.not_found": "A customer was looked for and not found",
    "consent.requested": "A consent was asked for",
    "consent.awaiting_authorisation": "A consent waits for the customer",
    f"consent.{ConsentStatus.AUTHORISED.lower()}": "A consent is in use",
    "consent.rejected": "A consent was not given",
    "consent.narrowed": "A consent was made smaller",
    "consent.renewed": "A consent was renewed",
    "consent.paused": "A consent was paused",
    "consent.suspended": "A consent was put on hold",
    "consent.revoked": "A consent was stopped",
    "consent.expired": "A consent reached its end",
    "consent.consumed": "A consent was used once, and ended",
    "consent_accounts.active": "A customer’s accounts here may be read again",
    "consent_accounts.suspended": "A customer’s accounts here were put on hold",
    "consent_accounts.revoked": "A customer’s accounts here were taken out of a consent",
    "connection.revoked": "A link to this bank was ended: no consent needs it any more",
    "connection.disconnected": "The customer disconnected this bank",
    "connection.closed": "What was stored of a link to this bank was deleted",
    "connection.upstream_ended": "The consent at the bank itself was ended",
    "connection.upstream_not_ended": "The consent at the bank itself could not be ended",
}

CONNECTION_STATUS: dict[ConnectionStatus, str] = {
    ConnectionStatus.AWAITING_USER: "Not finished",
    ConnectionStatus.ACTIVE: "Working",
    ConnectionStatus.DEGRADED: "Without an answer",
    ConnectionStatus.RATE_LIMITED: "Told to wait",
    ConnectionStatus.EXPIRING: "Ends soon",
    ConnectionStatus.REAUTH_REQUIRED: "Needs a sign-in",
    ConnectionStatus.SUSPENDED: "On hold",
    ConnectionStatus.REVOKED: "Ended",
    ConnectionStatus.EXPIRED: "Run out",
    ConnectionStatus.CLOSED: "Closed",
}

#: By the subject of an action. Of the others the action says it already.
_STATUS: dict[str, Mapping[str, str]] = {
    "policy": {str(status): label for status, (label, _) in wording.POLICY_STATUS.items()},
    "consent": {str(status): label for status, label in wording.CONSENT_STATUS.items()},
    "connection": {str(status): label for status, label in CONNECTION_STATUS.items()},
}

_REASONS: dict[str, str] = {
    **wording.REASONS,
    "no_consent_left": "No consent is left",
    "bank_disconnected": "The customer disconnected the bank",
    "retention_ended": "The time it is kept for is over",
}


def action(code: str, details: Mapping[str, Any]) -> str:
    """What was done; of a proposal also what it is about. A code that is not known stands for itself."""
    told, kind = ACTIONS.get(code, code), details.get("kind")
    return f"{told}: {wording.PROPOSAL_KINDS[ProposalKind(kind)]}" if kind in set(ProposalKind) else told


def states(code: str, before: str, after: str) -> str:
    """From which state to which; empty where there is nothing to add."""
    labels = _STATUS.get(code.partition(".")[0], {})
    found = [labels[state] for state in (before, after) if state in labels]
    return " → ".join(dict.fromkeys(found))


def reason(code: str) -> str:
    """Empty where only a program's code is known."""
    return _REASONS.get(code, "")
