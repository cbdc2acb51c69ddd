"""The bank's one Django app."""

from django.apps import AppConfig


class SandboxConfig(AppConfig):
    name = "banks.sandbox"
    label = "sandbox"
    verbose_name = "Pretend bank"
    default_auto_field = "django.db.models.BigAutoField"
