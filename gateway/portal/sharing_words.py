"""What the pages about sharing say besides the data language: who holds something back, what happened. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from consents.denials import DenialCode, Owner
from consents.scopes import LocationPrecision, Scope, SensitiveGroup
from consents.states import ConsentStatus, Initiator, ReportCode, UpstreamStage
from gateway import words

OURSELVES = "Sluice"

#: What a person may say is wrong: a label, and what it means.
REPORT_WORDS: dict[ReportCode, tuple[str, str]] = {
    ReportCode.NOT_ME: ("I did not allow this", "Somebody else may have used your sign-in."),
    ReportCode.NOT_ASKED_FOR: (
        "It was read without a reason",
        "You did not use the app for this, or not at that time.",
    ),
    ReportCode.TOO_OFTEN: ("It is read too often", "More often than the app needs for what it does for you."),
    ReportCode.TOO_MUCH: ("It reads too much", "More than the app needs for what it does for you."),
}

#: Why a bank's staff looked somebody up; a word that is not here is shown as it is.
LOOKUP_WORDS = {
    "ASKED_BY_YOU": "You asked them to",
    "COMPLAINT": "You made a complaint",
    "FRAUD_CASE": "A case of fraud",
    "LEGAL_DUTY": "The law asks for it",
}

UPSTREAM_WORDS: dict[UpstreamStage, str] = {
    UpstreamStage.UPSTREAM_CANCELLED: "Our access for this has ended at your bank.",
    UpstreamStage.UPSTREAM_RETRYING: "Your bank has not answered yet. We go on asking.",
    UpstreamStage.NOT_APPLICABLE: "Nothing to end there: something else you share uses the same bank link.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Halt:
    """Why something that is allowed is not read right now. `who`: who can change it, and how."""

    what: str
    who: str


_WHO: dict[Owner, str] = {
    Owner.USER: "You can change this.",
    Owner.BANK: "Only your bank can change this. Ask your bank.",
    Owner.PLATFORM: "Only {platform} can change this. Ask {platform}.",
    Owner.OPERATOR: "Only we can change this. You can still stop sharing.",
}

_WHAT: dict[DenialCode, str] = {
    DenialCode.CONSENT_PAUSED: "You paused it. Nothing is read until you resume it.",
    DenialCode.CONSENT_SUSPENDED: "We put it on hold. Nothing is read for now.",
    DenialCode.PLATFORM_NOT_ACTIVE: "We stopped {platform} for now. It can read nothing.",
    DenialCode.ATTENDED_REQUIRED: "Your bank lets {platform} read only while you are there.",
    DenialCode.PROFILE_REQUIRED: "Your bank asks {platform} for a safer way of asking.",
    DenialCode.CONNECTION_NOT_SERVING: "Your bank link does not work right now. Renew it under your bank links.",
    DenialCode.NO_ACCOUNTS: "No account is left in it.",
}

BY_REPORT = Halt(
    what="You said that something looks wrong. Nothing is read while it is on hold.",
    who="You can take your report back, and we can close it.",
)


def halt(code: DenialCode, owner: Owner, platform: str) -> Halt:
    """For a refusal of a live consent; whatever has no words of its own is the bank's no."""
    what = _WHAT.get(code, "Your bank does not let {platform} read this right now.")
    return Halt(what=what.format(platform=platform), who=_WHO[owner].format(platform=platform))


def bank_holds(banks: str) -> Halt:
    return Halt(what=f"On hold by {banks}: nothing from there is shared for now.", who=_WHO[Owner.BANK])


def hand(initiator: str, *, platform: str, bank: str) -> str:
    """Whose act it was."""
    names = {
        Initiator.USER: "You",
        Initiator.PLATFORM: platform,
        Initiator.BANK: bank or "Your bank",
        Initiator.OPERATOR: OURSELVES,
        Initiator.SYSTEM: f"{OURSELVES}, by itself",
    }
    return names[Initiator(initiator)]


#: The action of whatever leads back to being served.
_SERVED = f"consent.{ConsentStatus.AUTHORISED.lower()}"

#: (action, status before or "") -> what happened. The first of the two that is here counts.
_EVENTS: dict[tuple[str, str], str] = {
    ("consent.requested", ""): "{platform} asked",
    (_SERVED, "AWAITING_AUTHORISATION"): "You allowed it",
    (_SERVED, "PAUSED"): "You resumed it",
    (_SERVED, "SUSPENDED"): "It is no longer on hold",
    ("consent.paused", "SUSPENDED"): "It is no longer on hold, and paused as before",
    ("consent.paused", ""): "You paused it",
    ("consent.suspended", ""): "It was put on hold",
    ("consent.narrowed", ""): "You made it smaller",
    ("consent.renewed", ""): "You renewed it",
    ("consent.rejected", ""): "It was refused",
    ("consent.revoked", ""): "It was stopped",
    ("consent.expired", "AWAITING_AUTHORISATION"): "It was not answered in time",
    ("consent.expired", ""): "It reached its end date",
    ("consent.consumed", ""): "It was used once, and ended",
    ("report.opened", ""): "You said that something looks wrong",
    ("consent_accounts.suspended", ""): "Accounts at {bank} were put on hold",
    ("consent_accounts.active", ""): "Accounts at {bank} are no longer on hold",
    ("consent_accounts.revoked", ""): "Accounts at {bank} were taken out",
}

#: (action, reason) where the reason says more.
_BY_REASON: dict[tuple[str, str], str] = {
    ("consent.revoked", "report_upheld"): "It was stopped, because you were right",
    ("report.closed", "WITHDRAWN"): "You took your report back",
    ("report.closed", "UNFOUNDED"): "We looked into your report, and found nothing wrong",
    ("report.closed", "UPHELD"): "We looked into your report, and you were right",
    ("consent.revoked", "stop_everything"): "You stopped everything",
    ("consent.rejected", "stop_everything"): "You stopped everything, and it was refused",
    ("consent.revoked", "bank_disconnected"): "You disconnected {bank}, and nothing was left to share",
    ("consent_accounts.revoked", "bank_disconnected"): "You disconnected {bank}",
    ("consent.expired", "superseded"): "A newer request took its place",
}


def event(action: str, before: str, reason: str, *, platform: str, bank: str) -> str:
    """What an audit entry tells, in one line."""
    found = _BY_REASON.get((action, reason)) or _EVENTS.get((action, before)) or _EVENTS.get((action, ""))
    return (found or "Something about it was changed").format(platform=platform, bank=bank or "your bank")


def taken_away(details: Mapping[str, Any], platform: str) -> list[str]:
    """What a narrowing took, from the codes that its audit entry keeps (lifecycle.narrow)."""
    groups = [words.GROUP_WORDS[SensitiveGroup(group)] for group in details.get("hidden_groups", ())]
    accounts, precision, end = details.get("accounts"), details.get("location_precision"), details.get("expires_at")
    told = [f"No longer: {words.SCOPE_WORDS[Scope(scope)].label}" for scope in details.get("scopes", ())]
    if accounts:
        told.append(f"{accounts} account{'' if accounts == 1 else 's'} fewer")
    if precision:
        told.append(f"Places: {words.PRECISION_WORDS[LocationPrecision(precision)]}")
    if details.get("on_platform_only"):
        told.append(f"Only payments to {platform} itself")
    if groups:
        told.append(f"Hidden: {', '.join(groups)}")
    if end:
        at = datetime.fromisoformat(end)
        told.append(f"Ends on {at.day} {at:%B %Y}")
    return told


def lookup_reason(code: str) -> str:
    return LOOKUP_WORDS.get(code, code.replace("_", " ").capitalize())
