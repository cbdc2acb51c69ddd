"""An authorization request between its arrival and the user's decision; and how many requests of anybody came."""

import uuid

from django.db import models


class AuthorizationRequest(models.Model):
    """What a platform asked for, checked, waiting for one user's decision. The browser carries only the consent's id.

    Kept apart from the consent: these are OAuth's words, and they end with the answer.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    consent = models.OneToOneField("consents.Consent", models.CASCADE, related_name="+")
    redirect_uri = models.TextField()
    state = models.CharField(max_length=1024, blank=True)
    code_challenge = models.CharField(max_length=128)
    resource = models.JSONField(default=list)
    created_at = models.DateTimeField()
    #: Set when the browser was sent back, once: one code, or one error, per request.
    answered_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return str(self.id)


class RequestCount(models.Model):
    """Requests of one subject in its present window (gateway.oauth.limits). One row for each, used over and over."""

    subject = models.CharField(max_length=100, unique=True)  #: policy and whom it counts
    window_at = models.DateTimeField()  #: when the window began
    calls = models.PositiveBigIntegerField(default=0)

    class Meta:
        indexes = [models.Index(fields=["window_at"], name="request_count_age")]

    def __str__(self) -> str:
        return str(self.pk)
