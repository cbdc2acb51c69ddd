"""Every address of the service. A route without a row in the route matrix fails the build."""

from django.urls import URLPattern, URLResolver

urlpatterns: list[URLPattern | URLResolver] = []
