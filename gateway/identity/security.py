"""The security page: what one signs in with, where one is signed in, what happened, and the end of the account."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from allauth.mfa.models import Authenticator
from django import forms
from django.contrib import messages
from django.contrib.auth import logout
from django.core.paginator import Paginator
from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from consents import clock
from consents.audit import Actor
from consents.states import Initiator
from gateway.identity import closing, history, passkeys, sessions
from gateway.identity.devices import device
from gateway.identity.models import SecurityRecord, SecurityRecordKind, User, UserSession
from gateway.identity.pages import PersonRequest, SeeOther, fresh, page
from gateway.request_ids import request_id_of

#: Of the history on the security page itself; the whole is one link away.
_LATEST = 5
_PAGE = 50


@require_safe
@page
def overview(request: PersonRequest) -> HttpResponse:
    now = clock.now()
    current = sessions.current_id(request)
    return render(
        request,
        "account/security.html",
        {
            **_factors(request.user),
            **passkeys.why_not(request),
            "sessions": [_SessionLine.of(row, current) for row in sessions.open_sessions(request.user, now=now)],
            "records": [_RecordLine.of(row) for row in history.of(request.user, now=now)[:_LATEST]],
        },
    )


@require_safe
@page
def history_page(request: PersonRequest) -> HttpResponse:
    """All of the 90 days, a page at a time; a page that is not there is the nearest one."""
    pages = Paginator(history.of(request.user, now=clock.now()), _PAGE)
    shown = pages.get_page(request.GET.get("page"))
    lines = [_RecordLine.of(row) for row in shown.object_list]
    return render(request, "account/history.html", {"records": lines, "shown": shown})


@require_POST
@page
def end_session(request: PersonRequest, session_id: UUID) -> HttpResponse:
    if not sessions.end(request.user.id, session_id, now=clock.now()):
        raise Http404
    messages.success(request, "That browser is signed out.")
    return SeeOther(reverse("mfa_index"))


@require_POST
@page
def end_other_sessions(request: PersonRequest) -> HttpResponse:
    sessions.end_all(request.user.id, but=sessions.current_id(request), now=clock.now())
    messages.success(request, "You are signed out everywhere but here.")
    return SeeOther(reverse("mfa_index"))


@fresh
def close(request: PersonRequest) -> HttpResponse:
    """GET tells what happens; POST does it, and it has happened when the answer comes."""
    if request.method != "POST":
        return render(request, "account/close.html")
    user = request.user
    actor = Actor(initiator=Initiator.USER, pseudonym=user.pseudonym, request_id=request_id_of(request))
    closing.close_profile(user=user, actor=actor, now=clock.now())
    logout(request)
    return SeeOther(reverse("account_inactive"))


class EmailForm(forms.Form):
    email = forms.EmailField(
        label="E-mail address",
        required=False,
        max_length=254,
        widget=forms.EmailInput(attrs={"autocomplete": "email"}),
    )


@fresh
def email(request: PersonRequest) -> HttpResponse:
    """Where notices go. Nobody has proved that it is theirs, so it names nobody and opens nothing."""
    form = EmailForm(request.POST if request.method == "POST" else None, initial={"email": request.user.email})
    if form.is_valid():
        User.objects.filter(id=request.user.id).update(email=form.cleaned_data["email"])
        return SeeOther(reverse("mfa_index"))
    return render(request, "account/email.html", {"form": form}, status=422 if form.is_bound else 200)


def _factors(user: User) -> dict[str, Any]:
    kept = list(Authenticator.objects.filter(user=user).order_by("created_at", "pk"))
    by_type = {kind: [one for one in kept if one.type == kind] for kind in Authenticator.Type}
    recovery = by_type[Authenticator.Type.RECOVERY_CODES]
    return {
        "totp": next(iter(by_type[Authenticator.Type.TOTP]), None),
        "passkeys": by_type[Authenticator.Type.WEBAUTHN],
        "recovery_codes_left": len(recovery[0].wrap().get_unused_codes()) if recovery else None,
    }


@dataclass(frozen=True, slots=True)
class _SessionLine:
    id: UUID
    device: str
    address: str
    started_at: datetime
    last_seen_at: datetime
    is_current: bool

    @classmethod
    def of(cls, row: UserSession, current: UUID | None) -> "_SessionLine":
        return cls(
            id=row.id,
            device=device(row.user_agent),
            address=row.address or "unknown address",
            started_at=row.started_at,
            last_seen_at=row.last_seen_at,
            is_current=row.id == current,
        )


@dataclass(frozen=True, slots=True)
class _RecordLine:
    what: str
    occurred_at: datetime
    device: str
    address: str
    is_trouble: bool

    @classmethod
    def of(cls, row: SecurityRecord) -> "_RecordLine":
        kind = SecurityRecordKind(row.kind)
        return cls(
            what=_WORDS[kind],
            occurred_at=row.occurred_at,
            device=device(row.user_agent),
            address=row.address or "unknown address",
            is_trouble=kind in (SecurityRecordKind.SIGN_IN_FAILED, SecurityRecordKind.FACTOR_FAILED),
        )


_WORDS = {
    SecurityRecordKind.SIGNED_IN: "You signed in",
    SecurityRecordKind.SIGN_IN_FAILED: "Wrong password",
    SecurityRecordKind.FACTOR_FAILED: "Wrong code or passkey",
    SecurityRecordKind.FACTOR_ADDED: "Codes or a passkey were added",
    SecurityRecordKind.FACTOR_REMOVED: "Codes or a passkey were removed",
    SecurityRecordKind.RECOVERY_CODES_MADE: "Recovery codes were made",
    SecurityRecordKind.PASSWORD_CHANGED: "The password was changed",
}
