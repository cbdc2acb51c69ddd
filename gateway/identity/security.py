"""The security page: what one signs in with, and where notices go."""

from typing import Any

from allauth.mfa.models import Authenticator
from django import forms
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from gateway.identity import passkeys
from gateway.identity.models import User
from gateway.identity.pages import PersonRequest, SeeOther, fresh, page


@require_safe
@page
def overview(request: PersonRequest) -> HttpResponse:
    return render(request, "account/security.html", {**_factors(request.user), **passkeys.why_not(request)})


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
