"""A bank's tables. Customers and their ledgers are not here: people.py, card_people.py and the recipes make them up.

Managers and labels are written out, so that the types hold also where another settings module is the one in use.
Tokens and codes are stored as SHA-256 of high-entropy values: whoever reads the file cannot use them.
"""

from datetime import datetime
from typing import ClassVar

from django.db import models


class Client(models.Model):
    """A registered third party. `jwks`: its public keys (RFC 7517); `redirect_uris`: compared exactly."""

    client_id = models.CharField(max_length=100, primary_key=True)
    name = models.CharField(max_length=100)
    jwks = models.JSONField()
    redirect_uris = models.JSONField()

    objects: ClassVar[models.Manager["Client"]] = models.Manager()

    class Meta:
        app_label = "sandbox"

    def __str__(self) -> str:
        return self.client_id


class UsedAssertion(models.Model):
    """One client assertion that was taken: it is not taken twice (RFC 7523 section 3, jti)."""

    client = models.ForeignKey(Client, on_delete=models.CASCADE)
    jti_hash = models.CharField(max_length=64)
    expires_at = models.DateTimeField(db_index=True)

    objects: ClassVar[models.Manager["UsedAssertion"]] = models.Manager()

    class Meta:
        app_label = "sandbox"
        constraints: ClassVar = [models.UniqueConstraint(fields=["client", "jti_hash"], name="assertion_used_once")]

    def __str__(self) -> str:
        return f"assertion {self.pk}"


class ConsentStatus(models.TextChoices):
    """OBInternalConsentStatus1Code.

    AWAU -> AUTH | RJCT | EXPD;  AUTH <-> CANC (cancelled at the bank, re-authenticated);  AUTH | CANC -> EXPD
    EXPD is never stored: it follows from the clock.
    """

    AWAU = "AWAU", "Awaiting authorisation"
    AUTH = "AUTH", "Authorised"
    RJCT = "RJCT", "Rejected"
    CANC = "CANC", "Cancelled"
    EXPD = "EXPD", "Expired"


class AccountAccessConsent(models.Model):
    """OBReadConsentResponse1. The three instants a client sent are kept as sent: a bank must not alter them."""

    consent_id = models.CharField(max_length=128, primary_key=True)
    client = models.ForeignKey(Client, on_delete=models.CASCADE)
    permissions = models.JSONField()
    expiration = models.CharField(max_length=40, blank=True)
    transaction_from = models.CharField(max_length=40, blank=True)
    transaction_to = models.CharField(max_length=40, blank=True)
    expires_at = models.DateTimeField(null=True)
    status = models.CharField(max_length=4, choices=ConsentStatus, default=ConsentStatus.AWAU)
    status_updated_at = models.DateTimeField()
    created_at = models.DateTimeField()
    deleted_at = models.DateTimeField(null=True)
    user = models.CharField(max_length=40, blank=True)
    account_ids = models.JSONField(default=list)

    objects: ClassVar[models.Manager["AccountAccessConsent"]] = models.Manager()

    class Meta:
        app_label = "sandbox"

    def __str__(self) -> str:
        return self.consent_id

    def status_at(self, now: datetime) -> ConsentStatus:
        """The status as of `now`: expiry needs no job to come true."""
        stored = ConsentStatus(self.status)
        if stored is not ConsentStatus.RJCT and self.expires_at is not None and self.expires_at <= now:
            return ConsentStatus.EXPD
        return stored


class AuthorizationRequest(models.Model):
    """What a client asked for at the authorization endpoint; lives here while the browser shows only its id."""

    id = models.CharField(max_length=64, primary_key=True)
    client = models.ForeignKey(Client, on_delete=models.CASCADE)
    consent = models.ForeignKey(AccountAccessConsent, on_delete=models.CASCADE)
    redirect_uri = models.CharField(max_length=2000)
    state = models.CharField(max_length=2000)
    nonce = models.CharField(max_length=255, blank=True)
    scope = models.CharField(max_length=100)
    code_challenge = models.CharField(max_length=128)
    expires_at = models.DateTimeField()
    decided_at = models.DateTimeField(null=True)

    objects: ClassVar[models.Manager["AuthorizationRequest"]] = models.Manager()

    class Meta:
        app_label = "sandbox"

    def __str__(self) -> str:
        return f"authorization request {self.pk}"


class AuthorizationCode(models.Model):
    """A code: single use, 60 seconds (RFC 6749 section 4.1.2). `family` names all tokens that come of it."""

    code_hash = models.CharField(max_length=64, primary_key=True)
    family = models.UUIDField()
    client = models.ForeignKey(Client, on_delete=models.CASCADE)
    consent = models.ForeignKey(AccountAccessConsent, on_delete=models.CASCADE)
    redirect_uri = models.CharField(max_length=2000)
    nonce = models.CharField(max_length=255, blank=True)
    scope = models.CharField(max_length=100)
    code_challenge = models.CharField(max_length=128)
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)

    objects: ClassVar[models.Manager["AuthorizationCode"]] = models.Manager()

    class Meta:
        app_label = "sandbox"

    def __str__(self) -> str:
        return f"code of {self.family}"


class AccessToken(models.Model):
    """Without a consent: a client's own token (client credentials). With one: the customer's."""

    token_hash = models.CharField(max_length=64, primary_key=True)
    family = models.UUIDField(db_index=True)
    client = models.ForeignKey(Client, on_delete=models.CASCADE)
    consent = models.ForeignKey(AccountAccessConsent, null=True, on_delete=models.CASCADE)
    scope = models.CharField(max_length=100)
    expires_at = models.DateTimeField(db_index=True)
    revoked_at = models.DateTimeField(null=True)

    objects: ClassVar[models.Manager["AccessToken"]] = models.Manager()

    class Meta:
        app_label = "sandbox"

    def __str__(self) -> str:
        return f"access token of {self.family}"


class RefreshToken(models.Model):
    """One use each. One that comes back was copied by somebody: its whole family ends (RFC 9700 section 4.14.2)."""

    token_hash = models.CharField(max_length=64, primary_key=True)
    family = models.UUIDField(db_index=True)
    client = models.ForeignKey(Client, on_delete=models.CASCADE)
    consent = models.ForeignKey(AccountAccessConsent, on_delete=models.CASCADE)
    scope = models.CharField(max_length=100)
    used_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)

    objects: ClassVar[models.Manager["RefreshToken"]] = models.Manager()

    class Meta:
        app_label = "sandbox"

    def __str__(self) -> str:
        return f"refresh token of {self.family}"


class RequestRecord(models.Model):
    """One API or token request as the bank saw it. Query keys without their values; no tokens, no bodies."""

    at = models.DateTimeField()
    method = models.CharField(max_length=10)
    path = models.CharField(max_length=500)
    query_keys = models.JSONField(default=list)
    status = models.PositiveSmallIntegerField()
    client_id = models.CharField(max_length=100, blank=True)
    consent_id = models.CharField(max_length=128, blank=True)
    interaction_id = models.CharField(max_length=128, blank=True)
    user = models.CharField(max_length=40, blank=True)
    customer_present = models.BooleanField(default=False)
    grant_type = models.CharField(max_length=60, blank=True)

    objects: ClassVar[models.Manager["RequestRecord"]] = models.Manager()

    class Meta:
        app_label = "sandbox"

    def __str__(self) -> str:
        return f"request {self.pk}"


class Fault(models.Model):
    """Something that shall go wrong on purpose. `times_left` null: until deleted. `effect`: see faults.EFFECTS."""

    user = models.CharField(max_length=40, blank=True)
    path_contains = models.CharField(max_length=200, blank=True)
    effect = models.JSONField()
    times_left = models.PositiveIntegerField(null=True)

    objects: ClassVar[models.Manager["Fault"]] = models.Manager()

    class Meta:
        app_label = "sandbox"

    def __str__(self) -> str:
        return f"fault {self.pk}"


class Calendar(models.Model):
    """How far the bank's clock was moved (see clock.py). One row."""

    ONLY: ClassVar[int] = 1

    days_ahead = models.PositiveIntegerField(default=0)
    seconds_ahead = models.PositiveBigIntegerField(default=0, db_default=0)
    books_on = models.DateField(null=True)

    objects: ClassVar[models.Manager["Calendar"]] = models.Manager()

    class Meta:
        app_label = "sandbox"

    def __str__(self) -> str:
        return f"{self.seconds_ahead} seconds and {self.days_ahead} days ahead"


class Memory(models.Model):
    """What the bank remembers of a scenario's user (see behaviours/memory.py)."""

    user = models.CharField(max_length=40, primary_key=True)
    began_on = models.DateField(null=True)
    stage = models.PositiveSmallIntegerField(null=True)
    seconds = models.FloatField(null=True)

    objects: ClassVar[models.Manager["Memory"]] = models.Manager()

    class Meta:
        app_label = "sandbox"

    def __str__(self) -> str:
        return f"memory of {self.user}"


class Tally(models.Model):
    """How often something happened to a scenario's user, and under which consent (empty: whichever)."""

    user = models.CharField(max_length=40)
    consent_id = models.CharField(max_length=128, blank=True)
    what = models.CharField(max_length=120)
    count = models.PositiveIntegerField(default=0)

    objects: ClassVar[models.Manager["Tally"]] = models.Manager()

    class Meta:
        app_label = "sandbox"
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["user", "consent_id", "what"], name="one_tally_for_each")
        ]

    def __str__(self) -> str:
        return f"tally {self.pk}"
