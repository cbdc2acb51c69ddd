"""Signing in, up and out: allauth's views under its own names, and only those that are offered here."""

from allauth.account import views
from django.urls import path

from gateway.portal.pages import no_store

urlpatterns = [
    path("sign-in/", no_store(views.login), name="account_login"),
    path("sign-up/", no_store(views.signup), name="account_signup"),
    path("sign-out/", no_store(views.logout), name="account_logout"),
    path("sign-in/inactive/", no_store(views.account_inactive), name="account_inactive"),
]
