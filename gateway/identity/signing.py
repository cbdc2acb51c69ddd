"""allauth's views where a template of ours needs to know more."""

from typing import Any

from allauth.account.internal.flows.login import record_authentication
from allauth.account.views import LoginView
from allauth.mfa.base.views import AuthenticateView
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.views import ActivateTOTPView
from allauth.mfa.webauthn.views import AddWebAuthnView
from django.http import HttpRequest, HttpResponse

from gateway.identity import passkeys


class SignInView(LoginView):  # type: ignore[misc]  # allauth has no types
    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return {**super().get_context_data(**kwargs), **passkeys.why_not(self.request)}


class SecondFactorView(AuthenticateView):  # type: ignore[misc]
    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        own = Authenticator.objects.filter(user=self.stage.login.user, type=Authenticator.Type.WEBAUTHN)
        return {
            **super().get_context_data(**kwargs),
            **passkeys.why_not(self.request),
            "has_passkeys": own.exists(),
        }


class ActivateCodesView(ActivateTOTPView):  # type: ignore[misc]
    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        found: dict[str, Any] = super().get_context_data(**kwargs)
        secret: str = found["form"].secret
        groups = [secret[start : start + 4] for start in range(0, len(secret), 4)]
        return {**found, "secret_in_groups": " ".join(groups)}

    def form_valid(self, form: Any) -> HttpResponse:
        response: HttpResponse = super().form_valid(form)
        _proved(self.request, Authenticator.Type.TOTP)
        return response


class AddPasskeyView(AddWebAuthnView):  # type: ignore[misc]
    def form_valid(self, form: Any) -> HttpResponse:
        response: HttpResponse = super().form_valid(form)
        _proved(self.request, Authenticator.Type.WEBAUTHN)
        return response


def _proved(request: HttpRequest, kind: str) -> None:
    """What was just set up was shown at the same time: this session need not ask for it again at once."""
    factor = Authenticator.objects.filter(user=request.user, type=kind).latest("created_at")
    record_authentication(request, request.user, "mfa", id=factor.pk, type=factor.type, reauthenticated=True)
