"""What and why: what is needed, what one may add, how closely, and which payments stay out."""

from dataclasses import dataclass, replace
from datetime import datetime

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_http_methods

from banks import authority
from consents.models import Consent
from consents.scopes import PURPOSE_SCOPES, LocationPrecision, Purpose, Scope, SensitiveGroup
from gateway import words
from gateway.portal.connect import bank, steps
from gateway.portal.connect.choices import Choices, groundless, optional_of, precisions_offered
from gateway.portal.connect.steps import step
from gateway.portal.pages import PersonRequest
from gateway.portal.summaries import terms_of
from gateway.words import ScopeWords

#: Where payments are looked at, some of them can be left out.
_LOOKS_AT_PAYMENTS = frozenset({Scope.TRANSACTIONS, Scope.INSIGHTS, Scope.ALERTS})


@dataclass(frozen=True, slots=True, kw_only=True)
class ForPurpose:
    """What one purpose cannot do without, each with what it is for."""

    reason: str
    scopes: list[tuple[ScopeWords, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """One check box or radio button."""

    value: str
    label: str
    lines: tuple[str, ...] = ()
    hint: str = ""
    is_ticked: bool


@require_http_methods(["GET", "HEAD", "POST"])
@step
def choose(request: PersonRequest, consent: Consent, now: datetime) -> HttpResponse:
    """POST takes `scope` and `hidden_group` (any number), `location_precision` and `on_platform_only`.

    What is not on the page does not exist.
    """
    chosen = steps.chosen(request, consent.id)
    seen = bank.outlook(consent, chosen, now)
    precisions = precisions_offered(consent.location_precision, seen.location_precision)
    error = ""
    if request.method == "POST":
        chosen = _posted(request, consent, chosen, precisions)
        error = _problem(chosen, consent)
        if not error:
            steps.remember(request, consent.id, chosen)
            return steps.to("confirm" if steps.has_accounts(request, consent, now) else "duration", consent.id)
    context = _context(consent, chosen, seen, precisions) | {"error": error}
    return render(request, "portal/connect/scopes.html", context, status=422 if error else 200)


def _posted(request: PersonRequest, consent: Consent, before: Choices, precisions: list[LocationPrecision]) -> Choices:
    post = request.POST
    ticked, hidden = post.getlist("scope"), post.getlist("hidden_group")
    precision = next((one for one in precisions if one == post.get("location_precision")), before.location_precision)
    return replace(
        before,
        optional_scopes=frozenset(scope for scope in optional_of(consent) if scope in ticked),
        location_precision=precision,
        on_platform_only="on_platform_only" in post,
        hidden_groups=frozenset(group for group in words.GROUP_WORDS if group in hidden),
    )


def _problem(chosen: Choices, consent: Consent) -> str:
    missing = groundless(chosen.scopes(consent))
    if missing is None:
        return ""
    scope, ground = (words.SCOPE_WORDS[one].label for one in missing)
    return f"“{scope}” needs “{ground}”. Tick both, or neither"


def _context(
    consent: Consent, chosen: Choices, seen: authority.Outlook, precisions: list[LocationPrecision]
) -> dict[str, object]:
    asked = frozenset(Scope(scope) for scope in consent.scopes)
    optional = optional_of(consent)
    # Of what is needed only what is needed with it; how closely a place is told is a choice of its own.
    needed = _described(asked - optional)
    described = _described(asked)
    return {
        "consent": consent,
        "terms": terms_of(consent),
        "purposes": [_for_purpose(consent, purpose, needed) for purpose in Purpose if purpose in consent.purposes],
        "optional": [
            Box(
                value=scope,
                label=described[scope].label,
                lines=described[scope].lines,
                hint=words.NEEDED_WORDS[scope],
                is_ticked=scope in chosen.optional_scopes,
            )
            for scope in _in_order(optional & seen.scopes)
        ],
        "not_at_bank": words.labels(asked - seen.scopes),
        "bank": bank.chosen_card(chosen),
        "precisions": _precisions(consent, chosen, precisions),
        "is_place_needed": Scope.LOCATIONS in asked - optional,
        "asks_payments": bool(asked & _LOOKS_AT_PAYMENTS),
        "on_platform_only": chosen.on_platform_only,
        "on_platform_words": words.ON_PLATFORM_WORDS.format(platform=consent.platform.name),
        "groups": _groups(consent, chosen),
        "hidden_words": words.HIDDEN_WORDS,
        "promises": words.PROMISES,
        "prevented": words.PREVENTED,
    }


def _for_purpose(consent: Consent, purpose: Purpose, needed: dict[Scope, ScopeWords]) -> ForPurpose:
    mine = [scope for scope in needed if scope in PURPOSE_SCOPES[purpose]]
    return ForPurpose(
        reason=words.reason(consent.platform.name, purpose),
        scopes=[(needed[scope], words.NEEDED_WORDS[scope]) for scope in mine],
    )


def _described(scopes: frozenset[Scope]) -> dict[Scope, ScopeWords]:
    return dict(zip(_in_order(scopes), words.describe(scopes, None), strict=True))


def _precisions(consent: Consent, chosen: Choices, offered: list[LocationPrecision]) -> list[Box]:
    if not offered:
        return []
    at = min(chosen.precision(consent) or offered[0], offered[-1], key=lambda precision: precision.reach)
    return [
        Box(value=one, label=words.PRECISION_WORDS[one], is_ticked=one == at, hint=_asked(one, consent))
        for one in offered
    ]


def _asked(precision: LocationPrecision, consent: Consent) -> str:
    return "This is what it asks for." if precision == consent.location_precision else ""


def _groups(consent: Consent, chosen: Choices) -> list[Box]:
    """Those that one may still hide: what was left out of the question is hidden anyway."""
    open_groups = [group for group in words.GROUP_WORDS if group not in consent.hidden_groups]
    return [
        Box(value=group, label=_capitalised(words.GROUP_WORDS[group]), is_ticked=group in chosen.hidden_groups)
        for group in open_groups
        if group != SensitiveGroup.NONE
    ]


def _capitalised(text: str) -> str:
    return text[:1].upper() + text[1:]


def _in_order(scopes: frozenset[Scope]) -> list[Scope]:
    return [scope for scope in words.SCOPE_WORDS if scope in scopes]
