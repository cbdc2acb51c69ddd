"""The text a person agrees to: built once, shown as it is, and hashed as it is shown."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from banks.authority import Outlook
from consents.lifecycle import Disclosure
from consents.models import Consent
from consents.scopes import DurationType, LocationPrecision, Scope
from gateway import words
from gateway.portal.summaries import Terms, terms_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One row of the summary. `change` names the step (its address) that can change it, "" when there is none."""

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


def disclosure(
    asked: Consent, wanted: Consent, *, at_banks: Sequence[tuple[str, Outlook]], accounts: list[str]
) -> DisclosureText:
    """`wanted` is `asked` as it would now be allowed. `at_banks`: what each bank, by name, makes of it; `accounts` by
    name.
    """
    terms = terms_of(wanted)
    platform = wanted.platform
    return DisclosureText(
        (
            Entry(term="Who gets it", lines=(_named(platform.name, platform.legal_name),)),
            Entry(term="Why", lines=tuple(terms.reasons)),
            Entry(
                term="Who brings it", lines=("Sluice. We read it at your bank and pass on only what is on this list.",)
            ),
            Entry(
                term="Your bank" if len(at_banks) == 1 else "Your banks",
                lines=tuple(name for name, _ in at_banks),
                change="bank",
            ),
            Entry(term="Accounts", lines=tuple(accounts), change="accounts"),
            Entry(term="What is shared", lines=tuple(_shared(terms)), change="scopes"),
            *_added(asked, wanted),
            *_place(wanted),
            *_payments(terms, wanted),
            *_history(terms),
            Entry(term="Until", lines=(_until(wanted),), change="duration"),
            *_limits_of_banks(wanted, at_banks),
            Entry(term=f"{platform.name} has promised not to", lines=words.PROMISES),
            Entry(
                term="How to stop",
                lines=("Sign in here and choose Stop sharing. It takes effect at once, and costs nothing.",),
            ),
        )
    )


def _named(name: str, legal_name: str) -> str:
    return name if legal_name in ("", name) else f"{name} ({legal_name})"


def _banks(names: list[str]) -> Entry:
    return Entry(term="Your bank" if len(names) == 1 else "Your banks", lines=tuple(names), change="bank")


def _shared(terms: Terms) -> list[str]:
    return [f"{scope.label} ({'; '.join(_lowered(line) for line in scope.lines)})" for scope in terms.scopes]


def _lowered(line: str) -> str:
    return line[:1].lower() + line[1:]


def _added(asked: Consent, wanted: Consent) -> tuple[Entry, ...]:
    """What was offered and left out, so that it can be told from what was never asked."""
    left = words.labels({Scope(scope) for scope in asked.optional_scopes} - {Scope(scope) for scope in wanted.scopes})
    return (Entry(term="Asked for, and left out by you", lines=tuple(left), change="scopes"),) if left else ()


def _place(wanted: Consent) -> tuple[Entry, ...]:
    if wanted.location_precision is None:
        return ()
    said = words.PRECISION_WORDS[LocationPrecision(wanted.location_precision)]
    return (Entry(term="Where you paid", lines=(f"{said}.",), change="scopes"),)


def _payments(terms: Terms, wanted: Consent) -> tuple[Entry, ...]:
    """Which of the payments, where any are looked at."""
    if terms.history_from is None:
        return ()
    lines = terms.limits if wanted.on_platform_only else ["All payments in these accounts.", *terms.limits]
    if terms.limits and _scopes(wanted) >= {Scope.TRANSACTIONS, Scope.BALANCES}:
        lines = [*lines, words.RUNNING_WORDS]
    return (Entry(term="Which payments", lines=tuple(lines), change="scopes"),)


def _history(terms: Terms) -> tuple[Entry, ...]:
    if terms.history_days is None or terms.history_from is None:
        return ()
    return (
        Entry(term="How far back", lines=(f"The last {terms.history_days} days: from {_day(terms.history_from)} on.",)),
    )


def _until(wanted: Consent) -> str:
    if wanted.duration_type == DurationType.ONE_TIME:
        return f"One time, by {_day(wanted.expires_at)}. {words.ONE_TIME_WORDS}"
    days = wanted.duration_days or 0
    return f"{_day(wanted.expires_at)}, {days} day{'' if days == 1 else 's'} from today. {words.END_WORDS}"


def _limits_of_banks(wanted: Consent, at_banks: Sequence[tuple[str, Outlook]]) -> tuple[Entry, ...]:
    """What a bank keeps back of what the person would allow: said, or they would think it is shared."""
    lines = [line for name, seen in at_banks for line in _limits_of_bank(wanted, name, seen)]
    return (Entry(term="What your bank keeps back", lines=tuple(lines)),) if lines else ()


def _limits_of_bank(wanted: Consent, name: str, seen: Outlook) -> list[str]:
    if seen.denial is not None:
        return [f"{name} shares nothing with {wanted.platform.name}."]
    lines = [f"{name} does not share: {label}." for label in words.labels(_scopes(wanted) - seen.scopes)]
    if Scope.LOCATIONS in seen.scopes and seen.location_precision not in (None, wanted.location_precision):
        lines.append(f"{name} tells places less closely: {_lowered(words.PRECISION_WORDS[seen.location_precision])}.")
    if seen.on_platform_only and not wanted.on_platform_only:
        lines.append(f"{name} shares only payments you made to {wanted.platform.name} itself.")
    hidden = words.limits(False, [one for one in seen.hidden_groups if one not in wanted.hidden_groups], "")
    lines += [f"{name}: {_lowered(line)}" for line in hidden]
    if terms_of(wanted).history_from and seen.history_from and seen.history_from != wanted.history_from:
        lines.append(f"{name} goes back to {_day(seen.history_from)} only.")
    if seen.expires_at < wanted.expires_at:
        lines.append(f"{name} stops sharing on {_day(seen.expires_at)}.")
    return lines


def _scopes(consent: Consent) -> frozenset[Scope]:
    return frozenset(Scope(scope) for scope in consent.scopes)


def _day(at: date | datetime) -> str:
    return f"{at.day} {at:%B %Y}"
