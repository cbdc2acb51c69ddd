"""What a person goes on with: built once, shown as it is, and hashed as it is shown. Pure but for the terms' words."""

from datetime import datetime

from consents.models import Consent
from gateway import words
from gateway.portal.disclosure import DisclosureText, Entry
from gateway.portal.summaries import Terms, terms_of


def renewal_text(
    consent: Consent, *, banks: list[str], accounts: list[str], until: datetime, days: int
) -> DisclosureText:
    """`banks` and `accounts` by name; `until` is the end it gets when it is renewed now, `days` from now."""
    terms, platform = terms_of(consent), consent.platform
    return DisclosureText(
        (
            Entry(term="Who gets it", lines=(_named(platform.name, platform.legal_name),)),
            Entry(term="Why", lines=tuple(terms.reasons)),
            Entry(term="Your bank" if len(banks) == 1 else "Your banks", lines=tuple(banks)),
            Entry(term="Accounts", lines=tuple(accounts)),
            Entry(term="What is shared", lines=(*(scope.label for scope in terms.scopes), *terms.limits)),
            *_history(terms),
            Entry(
                term="New end", lines=(f"{until.day} {until:%B %Y}, {days} days from today. Then it ends by itself.",)
            ),
            Entry(term=f"{platform.name} has promised not to", lines=words.PROMISES),
            Entry(
                term="How to stop",
                lines=("Sign in here and choose Stop sharing. It takes effect at once, and costs nothing.",),
            ),
        )
    )


def _named(name: str, legal_name: str) -> str:
    return name if legal_name in ("", name) else f"{name} ({legal_name})"


def _history(terms: Terms) -> tuple[Entry, ...]:
    since = terms.history_from
    return () if since is None else (Entry(term="How far back", lines=(f"From {since.day} {since:%B %Y} on",)),)
