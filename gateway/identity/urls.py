"""Signing in, up and out, and the security page: allauth's views under its own names, and only those offered here."""

from allauth.account import views
from django.urls import path

from gateway.identity.pages import private

urlpatterns = [
    path("sign-in/", private(views.login), name="account_login"),
    path("sign-up/", private(views.signup), name="account_signup"),
    path("sign-out/", private(views.logout), name="account_logout"),
    path("security/confirm/", private(views.reauthenticate), name="account_reauthenticate"),
    path("sign-in/inactive/", private(views.account_inactive), name="account_inactive"),
]
