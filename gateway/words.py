"""The data language: what scopes, purposes and states are called on every page. Pure.

A change of meaning is a new DISCLOSURE_VERSION: it is kept with each consent beside the hash of the text shown.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from consents.scopes import LocationPrecision, Presence, Purpose, Record, Scope, SensitiveGroup
from consents.states import ConnectionStatus, ConsentStatus, Initiator

DISCLOSURE_VERSION = "2026-2"
LOCALE = "en"


@dataclass(frozen=True, slots=True)
class ScopeWords:
    """A label everybody reads, and lines that open on demand."""

    label: str
    lines: tuple[str, ...]


SCOPE_WORDS: dict[Scope, ScopeWords] = {
    Scope.ACCOUNTS: ScopeWords(
        "Account name and type",
        ("Name of the account", "Type, such as current or savings", "Last 4 digits", "Currency", "Name of your bank"),
    ),
    Scope.ACCOUNT_NUMBERS: ScopeWords("Account numbers", ("Account number and sort code, or IBAN",)),
    Scope.BALANCES: ScopeWords(
        "Account balance", ("How much is in the account", "When the bank worked it out", "Your credit line, if any")
    ),
    Scope.TRANSACTIONS: ScopeWords(
        "Transaction details",
        ("Money in and money out", "Amounts and dates", "Kind, such as card payment, transfer, fee or cash"),
    ),
    Scope.MERCHANTS: ScopeWords(
        "Where your money went: shop names and categories",
        ("Name of the shop", "What kind of shop it is", "Whether you paid in the shop or online"),
    ),
    Scope.LOCATIONS: ScopeWords("Where you were when you paid", ("Amounts in foreign money, and the rate",)),
    Scope.COUNTERPARTIES: ScopeWords(
        "Names of people who paid you or whom you paid", ("The full name, as your bank has it",)
    ),
    Scope.INSIGHTS: ScopeWords(
        "Spending totals we work out",
        (
            "Totals for each kind of spending, for a week or longer",
            "Example: Food and drink, May: £212.40",
            "No single payment is shown by this",
        ),
    ),
    Scope.ALERTS: ScopeWords(
        "Warnings about unusual activity",
        (
            "A short text when a payment does not look like you",
            "Example: A card payment much larger than you make most weeks",
            "No other payment is shown by this",
        ),
    ),
    Scope.ANSWERS: ScopeWords(
        "Yes-or-no answers",
        (
            "Can you afford an amount: yes or no",
            "Roughly how much is there, as a range",
            "Only so many questions a day",
            "No exact sum and no payment is shown by this",
        ),
    ),
}

#: What each scope is for: said beside what a platform cannot do without.
NEEDED_WORDS: dict[Scope, str] = {
    Scope.ACCOUNTS: "So that it can name the right account.",
    Scope.ACCOUNT_NUMBERS: "So that it can show you the number people pay you on.",
    Scope.BALANCES: "So that it knows how much you have.",
    Scope.TRANSACTIONS: "So that it can see what came in and what went out.",
    Scope.MERCHANTS: "So that it can tell what you spend on.",
    Scope.LOCATIONS: "So that it can tell a payment made near you from one far off.",
    Scope.COUNTERPARTIES: "So that it can tell you who paid you.",
    Scope.INSIGHTS: "So that it gets sums and need not see each payment.",
    Scope.ALERTS: "So that it gets a short warning and need not see each payment.",
    Scope.ANSWERS: "So that it gets a yes or no and need not see how much you have.",
}

#: Scopes that look back in time: only they have a first day.
LOOKING_BACK = frozenset({Scope.TRANSACTIONS, Scope.INSIGHTS, Scope.ALERTS})

PRECISION_WORDS: dict[LocationPrecision, str] = {
    LocationPrecision.COUNTRY: "The country, and nothing closer",
    LocationPrecision.CITY: "The town, and nothing closer",
    LocationPrecision.STORE: "The address of the shop",
}

#: What a purpose is called, and how "<platform> wants to ..." goes on.
PURPOSE_WORDS: dict[Purpose, tuple[str, str]] = {
    Purpose.BALANCE_CHECK: ("Balance check", "tell you how much money you have when you ask"),
    Purpose.FRAUD_ALERTS: ("Fraud alerts", "warn you of payments that do not look like yours"),
    Purpose.SPENDING_INSIGHTS: ("Spending insights", "show you what you spend your money on"),
    Purpose.BUDGETING: ("Budgeting", "help you plan your spending and keep to it"),
    Purpose.ACCOUNT_OVERVIEW: ("Account overview", "show you all your accounts in one place"),
}

GROUP_WORDS: dict[SensitiveGroup, str] = {
    SensitiveGroup.HEALTH: "health",
    SensitiveGroup.GAMBLING: "gambling",
    SensitiveGroup.ADULT: "adult shops",
    SensitiveGroup.ALCOHOL_TOBACCO: "alcohol and tobacco",
    SensitiveGroup.RELIGION: "faith",
    SensitiveGroup.POLITICS: "politics",
    SensitiveGroup.CHARITY: "giving",
}

#: What the platform signed at registration; Sluice holds it to that, but cannot see what it does afterwards.
PROMISES = (
    "Use your data for adverts",
    "Build a profile of you to sell",
    "Pass your data on to anyone else",
    "Use it for anything but the reasons named here",
)

#: What Sluice itself prevents.
PREVENTED = (
    "Move your money or make a payment",
    "See your bank password",
    "See accounts or data that you do not allow",
    "Read anything new after the end date, or after you stop it",
)

RECORD_WORDS: dict[Record, str] = {
    Record.ACCOUNT: "Account details",
    Record.BALANCE: "Account balance",
    Record.TRANSACTION: "Transactions",
}

PRESENCE_WORDS: dict[Presence, str] = {
    Presence.ABSENT: "by itself",
    Presence.ATTESTED: "the app said you were there",
    Presence.PRESENT: "you were there",
}

CATEGORY_WORDS = {
    "DEPOSIT": "Bank account",
    "CREDIT_CARD": "Credit card",
    "LOAN": "Loan",
    "INVESTMENT": "Investment account",
}

#: ISO 20022 cash account types that say more than the category.
TYPE_WORDS = {"CACC": "Current account", "SVGS": "Savings account", "CARD": "Credit card", "LOAN": "Loan"}

#: FDX availability; an unknown word is a bank we say nothing about.
HEALTH_WORDS = {
    "ALIVE": "Working",
    "PARTIAL": "Slow or partly down today",
    "MAINTENANCE": "Down for planned work",
    "DOWN": "Not answering right now",
}


@dataclass(frozen=True, slots=True)
class StatusWords:
    """`icon` names a drawing in portal/icon.html."""

    label: str
    icon: str


STATUS_WORDS: dict[ConsentStatus, StatusWords] = {
    ConsentStatus.AWAITING_AUTHORISATION: StatusWords("Waiting for your answer", "waiting"),
    ConsentStatus.AUTHORISED: StatusWords("Sharing", "sharing"),
    ConsentStatus.PAUSED: StatusWords("Paused", "paused"),
    ConsentStatus.SUSPENDED: StatusWords("On hold", "paused"),
    ConsentStatus.REJECTED: StatusWords("Not allowed", "stopped"),
    ConsentStatus.REVOKED: StatusWords("Stopped", "stopped"),
    ConsentStatus.EXPIRED: StatusWords("Ended", "ended"),
    ConsentStatus.CONSUMED: StatusWords("Used once and ended", "ended"),
}

#: A bank link; what the user can do about it is on its own page.
CONNECTION_WORDS: dict[ConnectionStatus, StatusWords] = {
    ConnectionStatus.AWAITING_USER: StatusWords("Not finished", "waiting"),
    ConnectionStatus.ACTIVE: StatusWords("Working", "sharing"),
    ConnectionStatus.DEGRADED: StatusWords("Your bank does not answer right now", "waiting"),
    ConnectionStatus.RATE_LIMITED: StatusWords("Your bank asked us to wait", "waiting"),
    ConnectionStatus.EXPIRING: StatusWords("Ends soon", "waiting"),
    ConnectionStatus.REAUTH_REQUIRED: StatusWords("Your bank wants you to sign in again", "paused"),
    ConnectionStatus.SUSPENDED: StatusWords("On hold", "paused"),
    ConnectionStatus.REVOKED: StatusWords("Ended at your bank", "stopped"),
    ConnectionStatus.EXPIRED: StatusWords("Ended", "ended"),
    ConnectionStatus.CLOSED: StatusWords("Closed", "ended"),
}

#: Code of a bank's failure -> what pages say of it (connect/failed.html, links/failed.html); else "unusable".
_FAILURES = {
    "bank_refused": "refused",
    "institution_down": "unavailable",
    "upstream_timeout": "unavailable",
    "upstream_rate_limited": "busy",
    "other_login": "other_login",
}


def failure(code: str) -> str:
    return _FAILURES.get(code, "unusable")


_STOPPED_BY: dict[Initiator, str] = {
    Initiator.USER: "You stopped it",
    Initiator.PLATFORM: "{platform} ended it",
    Initiator.BANK: "Your bank stopped it",
    Initiator.OPERATOR: "We stopped it",
    Initiator.SYSTEM: "It was stopped",
}


def cause(status: ConsentStatus, initiator: Initiator, *, was_granted: bool, platform: str) -> str:
    """Why a consent ended, or "" while it has not."""
    if status == ConsentStatus.REVOKED:
        return _STOPPED_BY[initiator].format(platform=platform)
    if status == ConsentStatus.REJECTED:
        return "You said no" if initiator == Initiator.USER else "It was refused"
    if status == ConsentStatus.EXPIRED:
        return "It reached its end date" if was_granted else "It was not answered in time"
    if status == ConsentStatus.CONSUMED:
        return "It was for one use"
    return ""


#: What the choices mean that a person may make of a question.
ON_PLATFORM_WORDS = "It then sees only what you paid to {platform}, and no other payment."
HIDDEN_WORDS = "It then does not see these payments at all, nor any that we could not sort yet."
RUNNING_WORDS = "What was left after each payment stays hidden too, or it would give the others away."
ONE_TIME_WORDS = "It may look once, within a day. An hour after its first look it ends."
END_WORDS = "Then it ends by itself."


def reminder(days_before: int) -> str:
    return "We remind you a day before." if days_before == 1 else f"We remind you {days_before} days before."


def reason(platform: str, purpose: Purpose) -> str:
    return f"{platform} wants to {PURPOSE_WORDS[purpose][1]}."


def describe(scopes: Collection[Scope], precision: LocationPrecision | None) -> list[ScopeWords]:
    """The words for `scopes`, in the vocabulary's order, with what they open only together."""
    together = _together(frozenset(scopes), precision)
    return [
        ScopeWords(words.label, (*_place(scope, precision), *words.lines, *together.get(scope, ())))
        for scope, words in SCOPE_WORDS.items()
        if scope in scopes
    ]


def labels(scopes: Collection[Scope]) -> list[str]:
    """In the vocabulary's order."""
    return [words.label for scope, words in SCOPE_WORDS.items() if scope in scopes]


def not_shared(scopes: Collection[Scope]) -> list[str]:
    return [words.label for scope, words in SCOPE_WORDS.items() if scope not in scopes]


def limits(on_platform_only: bool, hidden_groups: Iterable[SensitiveGroup], platform: str) -> list[str]:
    """What is held back from the rows, as sentences."""
    held_back = [GROUP_WORDS[group] for group in hidden_groups if group in GROUP_WORDS]
    sentences = [f"Only payments you made to {platform} itself."] if on_platform_only else []
    if held_back:
        sentences.append(f"Payments to do with {_joined(held_back)} stay hidden.")
    return sentences


def _place(scope: Scope, precision: LocationPrecision | None) -> tuple[str, ...]:
    return (PRECISION_WORDS[precision],) if scope == Scope.LOCATIONS and precision is not None else ()


def _together(scopes: frozenset[Scope], precision: LocationPrecision | None) -> dict[Scope, tuple[str, ...]]:
    """consents.scopes.FIELD_RULES: two columns open only to several scopes at once."""
    lines: list[str] = []
    if scopes >= {Scope.TRANSACTIONS, Scope.BALANCES}:
        lines.append("What was left after each payment")
    if scopes >= {Scope.TRANSACTIONS, Scope.MERCHANTS, Scope.LOCATIONS, Scope.COUNTERPARTIES} and (
        precision == LocationPrecision.STORE
    ):
        lines.append("Your bank's own text for each payment")
    return {Scope.TRANSACTIONS: tuple(lines)}


def _joined(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
