"""Tables of permission. Institutions and accounts are plain UUIDs here: this package knows no bank."""

from consents.models.consent import Consent, ConsentAccount
from consents.models.platform import ApprovedMerchant, LodgedReference, Platform
from consents.models.policy import BankPolicy, OperatorProposal, Proposal
from consents.models.records import (
    AuditEntry,
    CustomerLookup,
    Delivery,
    Event,
    EventLog,
    ReadCount,
    RefusedCount,
    Report,
    Revocation,
    UsageRow,
)
from consents.models.tokens import AccessToken, DeviceGrant, Grant, IDToken, PlatformToken, RefreshToken

__all__ = [
    "AccessToken",
    "ApprovedMerchant",
    "AuditEntry",
    "BankPolicy",
    "Consent",
    "ConsentAccount",
    "CustomerLookup",
    "Delivery",
    "DeviceGrant",
    "Event",
    "EventLog",
    "Grant",
    "IDToken",
    "LodgedReference",
    "OperatorProposal",
    "Platform",
    "PlatformToken",
    "Proposal",
    "ReadCount",
    "RefreshToken",
    "RefusedCount",
    "Report",
    "Revocation",
    "UsageRow",
]
