"""Addresses of the bank's console, as `backoffice:...`."""

from django.urls import URLPattern

app_name = "backoffice"

urlpatterns: list[URLPattern] = []
