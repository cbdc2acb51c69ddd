"""Why a bank acts: closed lists, so that what it did can be counted and compared. Pure."""

from enum import StrEnum


class StopReason(StrEnum):
    """For whatever takes something away (compare 12 CFR 1033.321: grounds for denying access)."""

    SECURITY_INCIDENT = "SECURITY_INCIDENT"
    SUSPECTED_FRAUD = "SUSPECTED_FRAUD"
    MISUSE_OF_DATA = "MISUSE_OF_DATA"
    COMPLAINTS = "COMPLAINTS"
    LEGAL_ORDER = "LEGAL_ORDER"
    CONTRACT_ENDED = "CONTRACT_ENDED"
    PLANNED_WORK = "PLANNED_WORK"


class OpenReason(StrEnum):
    """For whatever gives something, or gives it back."""

    CAUSE_RESOLVED = "CAUSE_RESOLVED"
    RISK_REVIEWED = "RISK_REVIEWED"
    CONTRACT_CHANGED = "CONTRACT_CHANGED"
    MADE_BY_MISTAKE = "MADE_BY_MISTAKE"


class LookupReason(StrEnum):
    """For looking up one customer; they read it in the log of their reads."""

    ASKED_BY_YOU = "ASKED_BY_YOU"
    COMPLAINT = "COMPLAINT"
    FRAUD_CASE = "FRAUD_CASE"
    LEGAL_DUTY = "LEGAL_DUTY"
