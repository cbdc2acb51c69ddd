"""Every address of the service. A route without a row in the route matrix fails the build."""

from django.urls import URLPattern, URLResolver, include, path

from gateway import health, llms, metrics

urlpatterns: list[URLPattern | URLResolver] = [
    path("livez", health.livez, name="livez"),
    path("readyz", health.readyz, name="readyz"),
    path("metrics", metrics.metrics, name="metrics"),
    path("llms.txt", llms.llms, name="llms"),
    path("", include("gateway.api.urls")),
    path("", include("gateway.oauth.urls")),
    path("", include("gateway.identity.urls")),
    path("", include("gateway.portal.urls")),
    path("backoffice/", include("gateway.backoffice.urls")),
    path("operator/", include("gateway.operator.urls")),
]

handler400 = "gateway.api.fallbacks.bad_request"
handler404 = "gateway.api.fallbacks.not_found"
handler500 = "gateway.api.fallbacks.server_error"
