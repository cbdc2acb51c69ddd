"""What this app says to people, and what it offers them, for each answer it can get. Plain words, no codes."""

from dataclasses import dataclass

from examples.budget.sluice import Refused

HELD_BY_STATUS = {"PAUSED": "consent_paused", "SUSPENDED": "consent_suspended"}
ENDED_BY_STATUS = {"REVOKED": "consent_revoked", "EXPIRED": "consent_expired", "CONSUMED": "consent_consumed"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """`goes_to_sluice`: with a link there, with these words. `may_connect`: with our button to begin anew."""

    title: str
    text: str
    goes_to_sluice: str | None = None
    may_connect: bool = False


_NOTHING_TO_DO = "You need not do anything: it goes on by itself when the hold is lifted."
_KEPT_NOTHING = "We kept none of your bank data. You can connect again at any time."

_ENDED = {
    "USER": ("You stopped sharing", "You stopped sharing with Pocket Budget at Sluice."),
    "PLATFORM": ("You disconnected your bank", "You ended this here."),
    "BANK": ("Your bank ended this", "Your bank does not share with Pocket Budget any more."),
    "OPERATOR": ("Sluice ended this", "Those who run Sluice ended the sharing."),
}
_RUN_OUT = {
    "consent_expired": ("Your permission has run out", "The time you gave us is over."),
    "consent_consumed": ("Your permission was for one time", "You let us look once, and we did."),
}
_ON_HOLD = frozenset({"consent_suspended", "accounts_suspended", "policy_suspended", "platform_not_active"})
_TOO_OFTEN = frozenset({"rate_limited", "refresh_refused"})


def ended(code: str, by: str | None) -> Notice:
    """Of a consent that is over for good."""
    default = ("The sharing has ended", "Pocket Budget sees nothing of your bank any more.")
    title, text = _RUN_OUT.get(code) or _ENDED.get(by or "", default)
    return Notice(title=title, text=f"{text} {_KEPT_NOTHING}", may_connect=True)


def held(code: str) -> Notice:
    """Of a consent that serves nothing for now."""
    if code == "consent_paused":
        return Notice(
            title="You paused this",
            text="You paused the sharing at Sluice. We see nothing until you turn it on again there.",
            goes_to_sluice="Go to your sharing at Sluice",
        )
    return Notice(title="The sharing is on hold", text=f"It was not you who did this. {_NOTHING_TO_DO}")


def refused(problem: Refused) -> Notice:
    """Of any other no. What is not named here says whose it is to change, and is said by that."""
    if problem.code == "consent_paused":
        return held(problem.code)
    if problem.code in _ON_HOLD:
        return Notice(title="The sharing is on hold", text=f"{problem.message} {_NOTHING_TO_DO}")
    if problem.code == "connection_not_serving":
        return Notice(
            title="Your bank wants to see you",
            text="The link between Sluice and your bank has run out. Renew it at Sluice, then come back here.",
            goes_to_sluice="Renew it at Sluice",
        )
    if problem.code in _TOO_OFTEN:
        wait = waiting_time(problem.retry_after)
        return Notice(title="A little later, please", text=f"We may not ask again so soon. Please try again {wait}.")
    if problem.owner == "USER":
        return Notice(title="This needs you", text=problem.message, goes_to_sluice="See it at Sluice", may_connect=True)
    if problem.owner == "BANK":
        return Notice(title="Your bank said no", text=problem.message)
    if problem.owner == "PLATFORM":
        return Notice(
            title="We made a mistake", text="It is ours to mend, and we have noted it. Please try again later."
        )
    return unreachable()


def unreachable() -> Notice:
    return Notice(
        title="We cannot reach Sluice right now", text="Nothing is lost. Please load this page again in a minute."
    )


def waiting_time(seconds: int | None) -> str:
    """`in 40 seconds`, `in 5 minutes`, `in 3 hours`: rounded up."""
    if seconds is None:
        return "later"
    for size, unit in ((3600, "hour"), (60, "minute")):
        if seconds > size:
            return f"in {-(-seconds // size)} {unit}s"
    return f"in {max(seconds, 1)} second{'s' if seconds > 1 else ''}"


_EVENTS = {
    "consent.granted": "Pocket Budget may see your accounts.",
    "consent.narrowed": "Less is shared than before.",
    "consent.paused": "The sharing was paused.",
    "consent.suspended": "The sharing was put on hold.",
    "consent.resumed": "The sharing goes on.",
    "consent.expiring": "The sharing ends soon.",
    "consent.expired": "The time of the sharing was over.",
    "consent.revoked": "The sharing was ended.",
    "connection.linked": "Your bank is linked.",
    "connection.needs_renewal": "Your bank wants you to sign in again, at Sluice.",
    "connection.degraded": "Your bank has trouble; what you see may be old.",
    "connection.recovered": "Your bank is well again.",
    "transactions.updated": "New payments came in.",
}
_HANDS = {"USER": "by you", "PLATFORM": "by Pocket Budget", "BANK": "by your bank", "OPERATOR": "by Sluice"}


def event(kind: str, initiator: str | None) -> tuple[str, str]:
    """What happened, and whose hand it was; empty when nobody's. A type that came after this app is told as such."""
    return _EVENTS.get(kind, "Something changed."), _HANDS.get(initiator or "", "")


_REFRESHES = {
    "DONE": "Your bank has just been asked. This is the newest it has.",
    "PARTIAL": "One of your banks gave fresh data, another did not. Please try again later.",
    "FAILED": "Your bank gave no fresh data. Please try again later.",
}


def refreshed(status: str) -> str:
    return _REFRESHES.get(status, "Your bank is being asked. Load this page again in a moment.")


#: ISO 20022 external balance type codes.
BALANCES = {
    "CLBD": "Booked",
    "ITBD": "Booked so far today",
    "CLAV": "Available",
    "ITAV": "Available now",
    "OPBD": "At the start of the day",
    "XPCD": "Expected",
    "FWAV": "Available later",
}


def balance(kind: str) -> str:
    return BALANCES.get(kind, "Balance")


def kind(word: str) -> str:
    """`CARD_PAYMENT` -> `Card payment`."""
    return word.replace("_", " ").capitalize()
