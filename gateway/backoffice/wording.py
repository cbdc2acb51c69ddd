"""What the console says: reasons, states, and terms in words. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from consents.denials import DenialCode
from consents.models.policy import ProposalKind, ProposalStatus
from consents.policy_terms import PolicyTerms, StepUp, changed, widened
from consents.reasons import LookupReason, OpenReason, StopReason
from consents.scopes import LocationPrecision, Purpose, Scope, SensitiveGroup
from consents.states import ConsentAccountStatus, ConsentStatus, PolicyStatus
from gateway import words

STOP_REASONS: dict[StopReason, str] = {
    StopReason.SECURITY_INCIDENT: "A security incident",
    StopReason.SUSPECTED_FRAUD: "Suspected fraud",
    StopReason.MISUSE_OF_DATA: "Data used for something else than agreed",
    StopReason.COMPLAINTS: "Complaints of customers",
    StopReason.LEGAL_ORDER: "An order of a court or a regulator",
    StopReason.CONTRACT_ENDED: "The contract has ended",
    StopReason.PLANNED_WORK: "Planned work at the bank",
}

OPEN_REASONS: dict[OpenReason, str] = {
    OpenReason.CAUSE_RESOLVED: "The cause of the stop is resolved",
    OpenReason.RISK_REVIEWED: "The risk was reviewed",
    OpenReason.CONTRACT_CHANGED: "The contract was changed",
    OpenReason.MADE_BY_MISTAKE: "What is changed was a mistake",
}

LOOKUP_REASONS: dict[LookupReason, str] = {
    LookupReason.ASKED_BY_YOU: "The customer asked us to",
    LookupReason.COMPLAINT: "A complaint of the customer",
    LookupReason.FRAUD_CASE: "A fraud case",
    LookupReason.LEGAL_DUTY: "A legal duty",
}

_LISTED: tuple[Mapping[StrEnum, str], ...] = (STOP_REASONS, OPEN_REASONS, LOOKUP_REASONS)  # type: ignore[assignment]

#: Whatever stands as a reason in a row of ours.
REASONS: dict[str, str] = {str(code): text for listed in _LISTED for code, text in listed.items()}

POLICY_STATUS: dict[PolicyStatus, tuple[str, str]] = {
    PolicyStatus.ALLOW: ("Allowed", "sharing"),
    PolicyStatus.SUSPEND: ("Suspended", "paused"),
    PolicyStatus.BLOCK: ("Withdrawn", "stopped"),
}

CONSENT_STATUS: dict[ConsentStatus, str] = {
    ConsentStatus.AWAITING_AUTHORISATION: "Waiting for the customer",
    ConsentStatus.AUTHORISED: "In use",
    ConsentStatus.PAUSED: "Paused by the customer",
    ConsentStatus.SUSPENDED: "On hold by the operator",
    ConsentStatus.REJECTED: "Not allowed",
    ConsentStatus.REVOKED: "Stopped",
    ConsentStatus.EXPIRED: "Ended",
    ConsentStatus.CONSUMED: "Used once and ended",
}

ACCOUNT_STATUS: dict[ConsentAccountStatus, str] = {
    ConsentAccountStatus.ACTIVE: "Open",
    ConsentAccountStatus.SUSPENDED: "Suspended by the bank",
    ConsentAccountStatus.REVOKED: "Ended",
}

PROPOSAL_KINDS: dict[ProposalKind, str] = {
    ProposalKind.WIDEN: "Change the policy",
    ProposalKind.LIFT: "Lift a stop",
    ProposalKind.WITHDRAW: "Withdraw for good",
    ProposalKind.MERCHANT: "Approve a merchant name",
}

PROPOSAL_STATUS: dict[ProposalStatus, str] = {
    ProposalStatus.WAITING: "Waiting for a second person",
    ProposalStatus.SIGNED: "Approved and in force",
    ProposalStatus.REFUSED: "Refused",
    ProposalStatus.SUPERSEDED: "Out of date: something else was signed first",
}

#: Why a call was refused, by problem code.
REFUSED: dict[str, str] = {
    DenialCode.CONSENT_NOT_AUTHORISED: "No consent given",
    DenialCode.CONSENT_PAUSED: "Paused by the customer",
    DenialCode.CONSENT_SUSPENDED: "Consent on hold",
    DenialCode.CONSENT_REVOKED: "Consent stopped",
    DenialCode.CONSENT_EXPIRED: "Consent ended",
    DenialCode.CONSENT_CONSUMED: "Consent used up",
    DenialCode.USER_INACTIVE: "Customer’s profile closed",
    DenialCode.PLATFORM_NOT_ACTIVE: "Platform not active",
    DenialCode.PURPOSE_REQUIRED: "No purpose named",
    DenialCode.PURPOSE_NOT_GRANTED: "Purpose not consented",
    DenialCode.ATTENDED_REQUIRED: "Customer not present",
    DenialCode.PROFILE_REQUIRED: "Security profile too low",
    DenialCode.POLICY_ABSENT: "No policy of this bank",
    DenialCode.POLICY_SUSPENDED: "Suspended by this bank",
    DenialCode.POLICY_BLOCKED: "Withdrawn by this bank",
    DenialCode.POLICY_EXCLUDES: "Not in this bank’s policy",
    DenialCode.ACCOUNTS_SUSPENDED: "Customer’s consent suspended by this bank",
    DenialCode.CONNECTION_NOT_SERVING: "Bank link needs the customer",
    DenialCode.NO_ACCOUNTS: "No account left in the consent",
}

#: What the terms are called, in the order of the page.
TERMS: dict[str, str] = {
    "status": "State",
    "scopes": "Data that may be shared",
    "purposes": "What for",
    "history_days_max": "How far back",
    "duration_days_max": "How long a consent serves",
    "location_precision": "How closely a place is told",
    "on_platform_only": "Only payments to the platform itself",
    "hidden_groups": "Kinds of shops that stay hidden",
    "requires_attended": "Only while the customer is present",
    "accepts_attestation": "Take the platform’s word that the customer is present",
    "step_up": "How the customer proves it is them",
    "requires_fapi2": "Security profile",
}

STEP_UPS: dict[StepUp, str] = {
    StepUp.BANK: "A sign-in at this bank",
    StepUp.PASSKEY: "A passkey or one-time code at Sluice",
}

PROFILES: dict[bool, str] = {True: "FAPI 2.0 only", False: "FAPI 2.0 or standard"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One of the terms: what it was, and what it becomes. Of a list (`is_list`) what leaves it, and what joins it:
    either may be empty."""

    label: str
    before: str
    after: str
    is_wider: bool = False
    is_list: bool = False


def scopes(found: tuple[Scope, ...] | frozenset[Scope]) -> list[str]:
    return [words.SCOPE_WORDS[scope].label for scope in Scope if scope in found]


def terms(held: PolicyTerms | None) -> list[tuple[str, str]]:
    """(label, value) of each of the terms; empty when there are none."""
    return [] if held is None else [(label, _said(name, held)) for name, label in TERMS.items()]


def differences(before: PolicyTerms | None, after: PolicyTerms) -> list[Line]:
    """What changes, in the order of the page."""
    touched, wider = changed(before, after), widened(before, after)
    return [_difference(name, before, after, is_wider=name in wider) for name in TERMS if name in touched]


def _difference(name: str, before: PolicyTerms | None, after: PolicyTerms, *, is_wider: bool) -> Line:
    label = TERMS[name]
    if before is None:
        return Line(label=label, before="Nothing was accepted", after=_said(name, after), is_wider=is_wider)
    old, new = getattr(before, name), getattr(after, name)
    if not isinstance(old, frozenset):
        return Line(label=label, before=_said(name, before), after=_said(name, after), is_wider=is_wider)
    left, joined = (_said(name, replace(after, **{name: some})) if some else "" for some in (old - new, new - old))
    return Line(label=label, before=left, after=joined, is_wider=is_wider, is_list=True)


def days(count: int | None) -> str:
    return "For one use" if count is None else f"{count} day{'' if count == 1 else 's'}"


def _said(name: str, held: PolicyTerms) -> str:
    value = getattr(held, name)
    match name:
        case "status":
            return POLICY_STATUS[PolicyStatus(value)][0]
        case "scopes":
            return "; ".join(scopes(value)) or "Nothing"
        case "purposes":
            return "; ".join(words.PURPOSE_WORDS[purpose][0] for purpose in Purpose if purpose in value) or "Nothing"
        case "hidden_groups":
            return (
                ", ".join(words.GROUP_WORDS[one] for one in SensitiveGroup if one in value and one in words.GROUP_WORDS)
                or "None"
            )
        case "history_days_max" | "duration_days_max":
            return "No limit of the bank’s own" if value is None else days(value)
        case "location_precision":
            return "No place at all" if value is None else words.PRECISION_WORDS[LocationPrecision(value)]
        case "step_up":
            return STEP_UPS[StepUp(value)]
        case "requires_fapi2":
            return PROFILES[bool(value)]
        case _:
            return "Yes" if value else "No"
