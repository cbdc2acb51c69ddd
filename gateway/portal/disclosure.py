"""The text a person agrees to: built once, shown as it is, and hashed as it is shown."""

import hashlib
from dataclasses import dataclass
from datetime import datetime

from consents.lifecycle import Disclosure
from consents.models import Consent
from gateway import words
from gateway.portal.summaries import Terms, terms_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One row of the summary. `change` names the step that can change it, "" when there is none."""

    term: str
    lines: tuple[str, ...]
    change: str = ""


@dataclass(frozen=True, slots=True)
class DisclosureText:
    entries: tuple[Entry, ...]

    @property
    def text(self) -> str:
        """What is hashed: each term and each line on a line of its own."""
        return "\n".join(part for entry in self.entries for part in (entry.term, *entry.lines))

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()

    def as_agreed(self) -> Disclosure:
        return Disclosure(version=words.DISCLOSURE_VERSION, sha256=self.sha256, locale=words.LOCALE)


def disclosure(consent: Consent, *, banks: list[str], accounts: list[str], until: datetime) -> DisclosureText:
    """`banks` and `accounts` by name; `until` is the end the consent gets when it is given now."""
    terms = terms_of(consent)
    platform = consent.platform
    return DisclosureText(
        (
            Entry(term="Who gets it", lines=(_named(platform.name, platform.legal_name),)),
            Entry(term="Why", lines=tuple(terms.reasons)),
            Entry(
                term="Who brings it", lines=("Sluice. We read it at your bank and pass on only what is on this list.",)
            ),
            Entry(term="Your bank" if len(banks) == 1 else "Your banks", lines=tuple(banks), change="bank"),
            Entry(term="Accounts", lines=tuple(accounts), change="accounts"),
            Entry(term="What is shared", lines=(*_shared(terms), *terms.limits)),
            *_history(terms),
            Entry(term="Until", lines=(_until(until, consent.duration_days or 0),)),
            Entry(term=f"{platform.name} has promised not to", lines=words.PROMISES),
            Entry(
                term="How to stop",
                lines=("Sign in here and choose Stop sharing. It takes effect at once, and costs nothing.",),
            ),
        )
    )


def _named(name: str, legal_name: str) -> str:
    return name if legal_name in ("", name) else f"{name} ({legal_name})"


def _shared(terms: Terms) -> list[str]:
    return [f"{scope.label} ({'; '.join(_lowered(line) for line in scope.lines)})" for scope in terms.scopes]


def _lowered(line: str) -> str:
    return line[:1].lower() + line[1:]


def _history(terms: Terms) -> tuple[Entry, ...]:
    if terms.history_days is None or terms.history_from is None:
        return ()
    since = f"{terms.history_from.day} {terms.history_from:%B %Y}"
    return (Entry(term="How far back", lines=(f"The last {terms.history_days} days: from {since} on.",)),)


def _until(until: datetime, days: int) -> str:
    return f"{until.day} {until:%B %Y}, {days} days from today. Then it ends by itself."
