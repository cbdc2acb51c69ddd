from django.urls import include, path

from tests.benchmarks.stock.views import TransactionsView

urlpatterns = [
    path("accounts/<uuid:account_id>/transactions/", TransactionsView.as_view()),
    path("o/", include("oauth2_provider.urls", namespace="oauth2_provider")),
]
