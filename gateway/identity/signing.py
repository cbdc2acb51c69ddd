"""allauth's views where a template of ours needs to know more."""

from typing import Any

from allauth.account.views import LoginView
from allauth.mfa.base.views import AuthenticateView
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.views import ActivateTOTPView

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
