"""Addresses of the bank's console, as `backoffice:...`."""

from django.urls import URLPattern, path

from gateway.backoffice import audit_log, customers, editor, merchants, overview, platforms, proposals, stopping

app_name = "backoffice"

_PLATFORM = "<slug:slug>/platforms/<uuid:platform_id>/"
_CUSTOMER = "<slug:slug>/customers/<uuid:lookup_id>/"
_CONSENT = f"{_CUSTOMER}consents/<uuid:consent_id>/"

urlpatterns: list[URLPattern] = [
    path("<slug:slug>/", overview.overview, name="overview"),
    path("<slug:slug>/suspend/", stopping.suspend, name="suspend_all"),
    path("<slug:slug>/lift/", stopping.lift, name="lift_all"),
    path("<slug:slug>/stop-scope/", stopping.stop_scope, name="stop_scope_for_all"),
    path("<slug:slug>/policy/", editor.edit, name="policy"),
    path("<slug:slug>/policy/review/", editor.review, name="policy_review"),
    path(_PLATFORM, platforms.platform, name="platform"),
    path(f"{_PLATFORM}suspend/", stopping.suspend, name="suspend"),
    path(f"{_PLATFORM}lift/", stopping.lift, name="lift"),
    path(f"{_PLATFORM}withdraw/", stopping.withdraw, name="withdraw"),
    path(f"{_PLATFORM}stop-scope/", stopping.stop_scope, name="stop_scope"),
    path(f"{_PLATFORM}policy/", editor.edit, name="platform_policy"),
    path(f"{_PLATFORM}policy/review/", editor.review, name="platform_policy_review"),
    path(f"{_PLATFORM}merchants/", merchants.merchants, name="merchants"),
    path(f"{_PLATFORM}merchants/<uuid:merchant_id>/remove/", merchants.remove, name="remove_merchant"),
    path("<slug:slug>/proposals/", proposals.proposal_list, name="proposals"),
    path("<slug:slug>/proposals/<uuid:proposal_id>/", proposals.proposal, name="proposal"),
    path("<slug:slug>/customers/", customers.search, name="customers"),
    path(_CUSTOMER, customers.customer, name="customer"),
    path(f"{_CONSENT}suspend/", customers.suspend, name="suspend_consent"),
    path(f"{_CONSENT}lift/", customers.lift, name="lift_consent"),
    path(f"{_CONSENT}end/", customers.end, name="end_consent"),
    path("<slug:slug>/audit/", audit_log.audit_log, name="audit"),
    path("<slug:slug>/audit.csv", audit_log.audit_csv, name="audit_csv"),
]
