"""Addresses of the platform API and of what explains it."""

from django.urls import path

from gateway.api import management_views as management
from gateway.api import pages, views

app_name = "api"

urlpatterns = [
    path("v1/institutions", management.InstitutionsView.as_view(), name="institutions"),
    path("v1/accounts", views.AccountsView.as_view(), name="accounts"),
    path("v1/accounts/<str:account_id>", views.AccountView.as_view(), name="account"),
    path("v1/accounts/<str:account_id>/balances", views.BalancesView.as_view(), name="balances"),
    path("v1/accounts/<str:account_id>/transactions", views.TransactionsView.as_view(), name="transactions"),
    path("v1/transactions/sync", views.TransactionChangesView.as_view(), name="changes"),
    path("v1/refreshes", views.RefreshesView.as_view(), name="refreshes"),
    path("v1/refreshes/<str:refresh_id>", views.RefreshView.as_view(), name="refresh"),
    path("v1/consent", views.ConsentView.as_view(), name="consent"),
    path("v1/consents", management.ConsentsView.as_view(), name="consents"),
    path("v1/consents/<str:consent_id>", management.ConsentByIdView.as_view(), name="consent_by_id"),
    path("v1/events", management.EventsView.as_view(), name="events"),
    path("v1/events/acknowledgements", management.AcknowledgementsView.as_view(), name="acknowledgements"),
    path("openapi.json", pages.openapi, name="openapi"),
    path("docs/", pages.SwaggerView.as_view(), name="docs"),
    path("problems/", pages.problem_index, name="problems"),
    path("problems/<str:code>", pages.problem_page, name="problem"),
]
