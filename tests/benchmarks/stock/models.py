import uuid

from django.conf import settings
from django.db import models


class Account(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE)
    name = models.CharField(max_length=140)


class Transaction(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    account = models.ForeignKey(Account, models.CASCADE, related_name="transactions")
    status = models.CharField(max_length=10)
    listed_on = models.DateField()
    booked_on = models.DateField(null=True)
    value_on = models.DateField(null=True)
    transacted_at = models.DateTimeField(null=True)
    kind = models.CharField(max_length=20)
    amount = models.DecimalField(max_digits=18, decimal_places=2)
    currency = models.CharField(max_length=3)
    credit_debit_indicator = models.CharField(max_length=6)
    merchant_name = models.CharField(max_length=140, null=True)
    category = models.CharField(max_length=40, null=True)
    mcc = models.CharField(max_length=4, null=True)
    channel = models.CharField(max_length=10, null=True)

    class Meta:
        indexes = [models.Index(fields=["account", "-listed_on", "-id"], name="transaction_page")]


class Consent(models.Model):
    """What one user allows one application."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE)
    application = models.ForeignKey("oauth2_provider.Application", models.CASCADE)
    accounts = models.ManyToManyField(Account)
    status = models.CharField(max_length=20)
    expires_at = models.DateTimeField()
