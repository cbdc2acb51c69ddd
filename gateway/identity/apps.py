from django.apps import AppConfig
from django.db.models.signals import post_init, pre_save


class IdentityConfig(AppConfig):
    name = "gateway.identity"
    label = "identity"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from allauth.mfa.models import Authenticator

        from gateway.identity import factors

        pre_save.connect(factors.seal_before_saving, sender=Authenticator)
        post_init.connect(factors.refuse_anothers, sender=Authenticator)
