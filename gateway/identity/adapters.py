"""Where allauth asks us: which proof counts, and what is kept of a factor (ACCOUNT_ADAPTER, MFA_ADAPTER)."""

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest
from django.urls import reverse

from consents import clock
from gateway.identity import assurance, factors, navigation, passkeys
from gateway.identity.models import User


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]  # allauth has no types
    def get_reauthentication_methods(self, user: User | AnonymousUser) -> list[dict[str, Any]]:
        """The strongest first, and no password once there is more: who knows only that must not change the rest."""
        methods = super().get_reauthentication_methods(user)
        stronger = [method for method in methods if method["id"] != "reauthenticate"]
        return stronger or list(methods)

    def is_reauthentication_required(self, *, app: str, **kwargs: Any) -> bool:
        """One rule for all: `assurance.is_fresh`."""
        return not assurance.is_fresh(self.request, self.request.user, now=clock.now())

    def get_login_redirect_url(self, request: HttpRequest) -> str:
        """Staff land where they work; `next` comes before this."""
        pages = navigation.staff_pages(request.user)
        return pages[0][1] if pages else reverse("portal:consents")

    def get_password_change_redirect_url(self, request: HttpRequest) -> str:
        return reverse("mfa_index")


class MfaAdapter(DefaultMFAAdapter):  # type: ignore[misc]
    error_messages = {
        **DefaultMFAAdapter.error_messages,
        "incorrect_code": "That is not right, or was used before. Try again with a new one.",
    }

    def decrypt(self, encrypted_text: str) -> str:
        """`encrypt` is left as it is, because it is not told whose secret it is: gateway.identity.factors seals."""
        return factors.opened(encrypted_text)

    def generate_authenticator_name(self, user: User, type: Authenticator.Type) -> str:
        count = Authenticator.objects.filter(user=user, type=type).count()
        return f"Passkey {count + 1}"

    def get_public_key_credential_rp_entity(self) -> dict[str, str]:
        return {"id": passkeys.relying_party_id(), "name": "Sluice"}
