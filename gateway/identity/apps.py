from django.apps import AppConfig
from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.db.models.signals import post_init, pre_save


class IdentityConfig(AppConfig):
    name = "gateway.identity"
    label = "identity"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from allauth.account import signals as account
        from allauth.mfa import signals as mfa
        from allauth.mfa.models import Authenticator

        from gateway.identity import factors, history, sessions

        pre_save.connect(factors.seal_before_saving, sender=Authenticator)
        post_init.connect(factors.refuse_anothers, sender=Authenticator)
        account.authentication_step_completed.connect(sessions.renew_key)
        user_logged_in.connect(sessions.begin)
        user_logged_out.connect(sessions.finish)
        user_logged_in.connect(history.signed_in)
        user_login_failed.connect(history.sign_in_failed)
        account.password_changed.connect(history.password_changed)
        mfa.authentication_failed.connect(history.factor_failed)
        mfa.authenticator_added.connect(history.factor_added)
        mfa.authenticator_reset.connect(history.factor_added)
        mfa.authenticator_removed.connect(history.factor_removed)
