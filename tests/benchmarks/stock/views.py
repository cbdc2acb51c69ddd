from django.utils import timezone
from oauth2_provider.contrib.rest_framework import TokenHasScope
from rest_framework import generics, pagination, permissions, serializers

from tests.benchmarks.stock.models import Consent, Transaction


class HasConsent(permissions.BasePermission):
    """The user allows this application to read this account, today."""

    def has_permission(self, request, view):
        return Consent.objects.filter(
            user=request.user,
            application=request.auth.application,
            accounts=view.kwargs["account_id"],
            status="AUTHORISED",
            expires_at__gt=timezone.now(),
        ).exists()


class TransactionSerializer(serializers.ModelSerializer):
    class Meta:
        model = Transaction
        fields = [
            "id",
            "account",
            "status",
            "listed_on",
            "booked_on",
            "value_on",
            "transacted_at",
            "kind",
            "amount",
            "currency",
            "credit_debit_indicator",
            "merchant_name",
            "category",
            "mcc",
            "channel",
        ]


class TransactionPagination(pagination.CursorPagination):
    page_size = 100
    ordering = ("-listed_on", "-id")


class TransactionsView(generics.ListAPIView):
    permission_classes = [TokenHasScope, HasConsent]
    required_scopes = ["transactions"]
    serializer_class = TransactionSerializer
    pagination_class = TransactionPagination

    def get_queryset(self):
        return Transaction.objects.filter(account=self.kwargs["account_id"])
