from django.apps import AppConfig


class GatewayConfig(AppConfig):
    name = "gateway"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        # The Celery application must exist before a task is sent, or Celery makes one of its own with another broker.
        import gateway.celery  # noqa: F401
