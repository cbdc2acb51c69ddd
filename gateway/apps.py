from django.apps import AppConfig
from django.db.models.signals import post_save


class GatewayConfig(AppConfig):
    name = "gateway"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        # The Celery application must exist before a task is sent, or Celery makes one of its own with another broker.
        import gateway.celery  # noqa: F401
        from gateway import checks, request_ids  # noqa: F401 -- checks register themselves

        post_save.connect(request_ids.remember_for_its_job, sender="banks.SyncJob", dispatch_uid="request_ids")
