"""Tables of permission. Institutions and accounts are plain UUIDs here: this package knows no bank."""

from consents.models.consent import Consent, ConsentAccount
from consents.models.platform import ApprovedMerchant, LodgedReference, Platform
from consents.models.policy import BankPolicy
from consents.models.records import AuditEntry, Event, UsageRow
from consents.models.tokens import AccessToken, DeviceGrant, Grant, IDToken, RefreshToken

__all__ = [
    "AccessToken",
    "ApprovedMerchant",
    "AuditEntry",
    "BankPolicy",
    "Consent",
    "ConsentAccount",
    "DeviceGrant",
    "Event",
    "Grant",
    "IDToken",
    "LodgedReference",
    "Platform",
    "RefreshToken",
    "UsageRow",
]
