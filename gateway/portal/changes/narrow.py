"""Less of the same, at once and on one page: nothing here can add, and the app is not asked."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_http_methods

from consents import clock, lifecycle
from consents.lifecycle import Narrower
from consents.models import Consent, ConsentAccount
from consents.scopes import DurationType, LocationPrecision, Scope, SensitiveGroup, consistent, fetched_for
from consents.standing import status_of
from consents.states import LIVE_CONSENTS, ConsentAccountStatus
from gateway import words
from gateway.portal import accounts
from gateway.portal.changes.acts import done, to_consent
from gateway.portal.own import own_or_404
from gateway.portal.pages import PersonRequest, actor_of, page
from gateway.portal.summaries import terms_of
from gateway.request_ids import request_id_of

#: Earlier ends that are offered, in days from today, as far as they are earlier.
SOONER_DAYS = (1, 7, 30, 90, 180)


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """One choice. `note`: a second line, "" for none."""

    value: str
    label: str
    is_ticked: bool
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What stays."""

    scopes: frozenset[Scope]
    account_ids: frozenset[UUID]
    narrower: Narrower

    def changes(self, consent: Consent, held: Collection[UUID]) -> bool:
        """Whether anything would be less than now."""
        less = self.narrower
        return (
            consistent(self.scopes) != frozenset(consent.scopes)
            or self.account_ids != frozenset(held)
            or less.location_precision not in (None, consent.location_precision)
            or (less.on_platform_only and not consent.on_platform_only)
            or not less.hidden_groups <= set(consent.hidden_groups)
            or less.duration_days is not None
        )


@require_http_methods(["GET", "HEAD", "POST"])
@page
def narrow(request: PersonRequest, consent_id: UUID) -> HttpResponse:
    """GET shows what is there, all of it ticked; POST keeps what is still ticked."""
    now = clock.now()
    consent = own_or_404(request, consent_id)
    if status_of(consent, now) not in LIVE_CONSENTS:
        return to_consent(consent_id)
    held = _held(consent_id)
    if request.method != "POST":
        return _shown(request, consent, held, None, now)
    choice = _choice(request, consent)
    if error := _lacks(choice):
        return _shown(request, consent, held, choice, now, error=error)
    if not choice.changes(consent, [row.account_id for row in held]):
        messages.info(request, "Nothing was changed: all of it is shared as before.")
        return to_consent(consent_id)
    return _narrowed(request, consent, held, choice, now)


def _narrowed(
    request: PersonRequest, consent: Consent, held: list[ConsentAccount], choice: Choice, now: datetime
) -> HttpResponse:
    try:
        kept = done(
            lambda: lifecycle.narrow(
                consent_id=consent.id,
                user_id=request.user.id,
                scopes=choice.scopes,
                account_ids=choice.account_ids,
                narrower=choice.narrower,
                actor=actor_of(request),
                now=now,
            )
        )
    except ValueError:
        # It was narrowed elsewhere while this page was open.
        current = own_or_404(request, consent.id)
        changed = "Something changed meanwhile. Please look again: this is what is shared now."
        return _shown(request, current, _held(consent.id), None, now, error=changed)
    if kept is not None:
        messages.success(request, f"Done. From now on {consent.platform.name} can read only what is listed here.")
    return to_consent(consent.id)


def _held(consent_id: UUID) -> list[ConsentAccount]:
    rows = ConsentAccount.objects.filter(consent_id=consent_id).exclude(status=ConsentAccountStatus.REVOKED)
    return list(rows.order_by("added_at", "id"))


# -- what was sent -----------------------------------------------------------------------------------------------------


def _choice(request: PersonRequest, consent: Consent) -> Choice:
    """Words that are none of ours, or not in this consent, are passed over."""
    sent = request.POST
    precision = sent.get("precision", "")
    return Choice(
        scopes=frozenset(Scope(one) for one in sent.getlist("scope") if one in consent.scopes),
        account_ids=frozenset(_ids(sent.getlist("account"))),
        narrower=Narrower(
            location_precision=_coarser(consent, precision),
            on_platform_only=sent.get("on_platform_only") == "yes",
            hidden_groups=frozenset(SensitiveGroup(one) for one in sent.getlist("hide") if one in _GROUPS),
            duration_days=_days(sent.get("days", "")),
        ),
    )


def _ids(texts: Collection[str]) -> set[UUID]:
    found = set()
    for text in texts:
        try:
            found.add(UUID(text))
        except ValueError:
            continue
    return found


def _coarser(consent: Consent, precision: str) -> LocationPrecision | None:
    return LocationPrecision(precision) if precision in _precisions(consent) else None


def _days(text: str) -> int | None:
    return int(text) if text in {str(days) for days in SOONER_DAYS} else None


def _lacks(choice: Choice) -> str:
    if not consistent(choice.scopes):
        return "Keep at least one kind of data. To share nothing at all, choose Stop sharing"
    if not choice.account_ids:
        return "Keep at least one account. To share nothing at all, choose Stop sharing"
    return ""


# -- what is shown -----------------------------------------------------------------------------------------------------

_GROUPS = tuple(group for group in SensitiveGroup if group in words.GROUP_WORDS)


def _reads_payments(consent: Consent) -> bool:
    """As rows, or to work something out from them."""
    return "transactions" in fetched_for(Scope(scope) for scope in consent.scopes)


def _precisions(consent: Consent) -> list[LocationPrecision]:
    """The one that is granted, and those that tell less; closest first."""
    if consent.location_precision is None:
        return []
    reach = LocationPrecision(consent.location_precision).reach
    return [one for one in reversed(LocationPrecision) if one.reach <= reach]


def _shown(
    request: PersonRequest,
    consent: Consent,
    held: list[ConsentAccount],
    choice: Choice | None,
    now: datetime,
    *,
    error: str = "",
) -> HttpResponse:
    context = {
        "consent": consent,
        "scopes": _scope_boxes(consent, choice),
        "accounts": _account_boxes(request, held, choice, now),
        "precisions": _precision_boxes(consent, choice),
        "groups": _group_boxes(consent, choice),
        "already": terms_of(consent).limits,
        "days": _day_boxes(consent, choice, now),
        "can_be_on_platform_only": _reads_payments(consent) and not consent.on_platform_only,
        "is_on_platform_only": choice is not None and choice.narrower.on_platform_only,
        "error": error,
    }
    return render(request, "portal/narrow.html", context, status=422 if error else 200)


def _scope_boxes(consent: Consent, choice: Choice | None) -> list[Box]:
    optional = f"{consent.platform.name} can do without it."
    return [
        Box(
            value=scope,
            label=words.SCOPE_WORDS[scope].label,
            is_ticked=choice is None or scope in choice.scopes,
            note=optional if scope in consent.optional_scopes else "",
        )
        for scope in words.SCOPE_WORDS
        if scope in consent.scopes
    ]


def _account_boxes(
    request: PersonRequest, held: list[ConsentAccount], choice: Choice | None, now: datetime
) -> list[Box]:
    labelled = accounts.labels(request.user.id, held, now=now, request_id=request_id_of(request))
    return [
        Box(
            value=str(row.account_id),
            label=labelled[row.account_id].text if row.account_id in labelled else accounts.GONE,
            is_ticked=choice is None or row.account_id in choice.account_ids,
        )
        for row in held
    ]


def _precision_boxes(consent: Consent, choice: Choice | None) -> list[Box]:
    chosen = choice.narrower.location_precision if choice else None
    return [
        Box(value=one, label=words.PRECISION_WORDS[one], is_ticked=one == (chosen or consent.location_precision))
        for one in _precisions(consent)
    ]


def _group_boxes(consent: Consent, choice: Choice | None) -> list[Box]:
    """Those that may still be hidden, where payments are read at all."""
    if not _reads_payments(consent):
        return []
    chosen = choice.narrower.hidden_groups if choice else frozenset()
    return [
        Box(value=group, label=words.GROUP_WORDS[group].capitalize(), is_ticked=group in chosen)
        for group in _GROUPS
        if group not in consent.hidden_groups
    ]


def _day_boxes(consent: Consent, choice: Choice | None, now: datetime) -> list[Box]:
    left = (consent.expires_at - now).days
    if consent.duration_type == DurationType.ONE_TIME:
        return []
    chosen = choice.narrower.duration_days if choice else None
    return [
        Box(value=str(days), label="Tomorrow" if days == 1 else f"In {days} days", is_ticked=days == chosen)
        for days in SOONER_DAYS
        if days < left
    ]
