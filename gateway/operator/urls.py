"""Addresses of the operator's pages: the start page, and of each table a list and a detail."""

from django.urls import URLPattern, URLResolver, include, path

from gateway.operator.site import site

# `admin` is the name under which the library looks for its own addresses; `operator` is what everybody else calls them.
urlpatterns: list[URLPattern | URLResolver] = [path("", include((site.get_urls(), "admin"), namespace=site.name))]
