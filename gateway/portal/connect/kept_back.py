"""What a preview does not show, and whose doing that is. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from banks.read import Tally
from consents.models import Consent
from consents.policy import PermitSlice
from consents.scopes import FIELD_RULES, FieldRule, Record, Scope
from gateway.portal.connect import field_words

NOT_ASKED = "It was not asked for"
LEFT_OUT = "You left it out"
BY_BANK = "Your bank does not share it"
LESS_CLOSELY = "Places are told less closely"
WOULD_TELL = "It would give away payments that stay hidden"
#: The order in which they are told.
_REASONS = (NOT_ASKED, LEFT_OUT, LESS_CLOSELY, BY_BANK, WOULD_TELL)


@dataclass(frozen=True, slots=True)
class Reason:
    """Why, and which of the details of a record."""

    why: str
    fields: list[str]


def reasons(asked: Consent, wanted: Consent, record: Record, parts: Sequence[PermitSlice]) -> list[Reason]:
    """Of what no bank lets out; `parts` are those that open the record."""
    opened = frozenset(name for part in parts for name in part.fields(record))
    hidden = field_words.every_name(record) - opened
    why = {rule.name: _why(rule, asked, wanted, parts) for rule in FIELD_RULES[record] if rule.name in hidden}
    found = [
        Reason(reason, field_words.labels(record, frozenset(name for name, said in why.items() if said == reason)))
        for reason in _REASONS
    ]
    return [one for one in found if one.fields]


def _why(rule: FieldRule, asked: Consent, wanted: Consent, parts: Sequence[PermitSlice]) -> str:
    if not rule.needs <= {Scope(scope) for scope in asked.scopes}:
        return NOT_ASKED
    if not rule.needs <= {Scope(scope) for scope in wanted.scopes}:
        return LEFT_OUT
    if not any(rule.needs <= part.released for part in parts):
        return BY_BANK
    if rule.precision is not None:
        return LESS_CLOSELY
    return WOULD_TELL


def rows(platform: str, tallies: Iterable[Tally]) -> list[str]:
    """Sentences; none for what keeps nothing back."""
    counted = list(tallies)
    found = (
        (sum(tally.before_window for tally in counted), "older than it may look back"),
        (sum(tally.in_hidden_groups for tally in counted), "of the kinds that stay hidden, or not sorted yet"),
        (sum(tally.off_platform for tally in counted), f"not made to {platform} itself"),
    )
    return [f"{number} payment{'' if number == 1 else 's'} {why}" for number, why in found if number]
