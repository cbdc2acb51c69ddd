"""Signing in, up and out, and the security page: allauth's views under its own names, and only those offered here."""

from allauth.account import views
from allauth.mfa.base import views as codes
from allauth.mfa.recovery_codes import views as recovery
from allauth.mfa.totp import views as totp
from allauth.mfa.webauthn import views as webauthn
from django.urls import path

from gateway.identity import security
from gateway.identity.pages import forms_only, fresh, page, private
from gateway.identity.passkeys import where_they_work
from gateway.identity.signing import ActivateCodesView, SecondFactorView, SignInView

urlpatterns = [
    path("sign-in/", private(SignInView.as_view()), name="account_login"),
    path("sign-in/second-factor/", forms_only(private(SecondFactorView.as_view())), name="mfa_authenticate"),
    path("sign-in/passkey/", forms_only(private(where_they_work(webauthn.login_webauthn))), name="mfa_login_webauthn"),
    path("sign-up/", private(views.signup), name="account_signup"),
    path("sign-out/", private(views.logout), name="account_logout"),
    path("sign-in/inactive/", private(views.account_inactive), name="account_inactive"),
    # -- proving again who one is --
    path("security/confirm/", forms_only(page(views.reauthenticate)), name="account_reauthenticate"),
    path("security/confirm/code/", forms_only(page(codes.reauthenticate)), name="mfa_reauthenticate"),
    path(
        "security/confirm/passkey/",
        forms_only(page(where_they_work(webauthn.reauthenticate_webauthn))),
        name="mfa_reauthenticate_webauthn",
    ),
    # -- what one signs in with: each change needs a fresh proof --
    path("security/", security.overview, name="mfa_index"),
    path("security/history/", security.history_page, name="security_history"),
    path("security/sessions/end/", security.end_other_sessions, name="security_end_others"),
    path("security/sessions/<uuid:session_id>/end/", security.end_session, name="security_end_session"),
    path("security/close/", security.close, name="security_close"),
    path("security/email/", security.email, name="security_email"),
    path("security/password/", fresh(views.password_change), name="account_change_password"),
    path("security/codes/", fresh(ActivateCodesView.as_view()), name="mfa_activate_totp"),
    path("security/codes/remove/", fresh(totp.deactivate_totp), name="mfa_deactivate_totp"),
    path("security/passkeys/", page(webauthn.list_webauthn), name="mfa_list_webauthn"),
    path(
        "security/passkeys/add/",
        forms_only(page(where_they_work(fresh(webauthn.add_webauthn)))),
        name="mfa_add_webauthn",
    ),
    path("security/passkeys/<int:pk>/rename/", fresh(webauthn.edit_webauthn), name="mfa_edit_webauthn"),
    path("security/passkeys/<int:pk>/remove/", fresh(webauthn.remove_webauthn), name="mfa_remove_webauthn"),
    path("security/recovery-codes/", fresh(recovery.view_recovery_codes), name="mfa_view_recovery_codes"),
    path("security/recovery-codes/new/", fresh(recovery.generate_recovery_codes), name="mfa_generate_recovery_codes"),
    path(
        "security/recovery-codes/download/", fresh(recovery.download_recovery_codes), name="mfa_download_recovery_codes"
    ),
]
