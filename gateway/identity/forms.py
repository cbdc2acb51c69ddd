"""Forms of allauth's with what we add to them (MFA_FORMS)."""

from allauth.mfa.adapter import get_adapter
from allauth.mfa.base.forms import AuthenticateForm, ReauthenticateForm
from django.conf import settings
from django.core.cache import cache


class _UsedOnce:
    """A code opens one thing once.

    allauth forgets a used code after one period; with a tolerance of one on either side it stays valid for three.
    """

    def clean_code(self) -> str:
        code: str = super().clean_code()  # type: ignore[misc]
        periods = 2 * settings.MFA_TOTP_TOLERANCE + 1
        key = f"identity.code.{self.user.pk}.{code}"  # type: ignore[attr-defined]
        if not cache.add(key, True, timeout=30 * periods):
            raise get_adapter().validation_error("incorrect_code")
        return code


class SecondFactorForm(_UsedOnce, AuthenticateForm):  # type: ignore[misc]
    pass


class ConfirmByCodeForm(_UsedOnce, ReauthenticateForm):  # type: ignore[misc]
    pass
