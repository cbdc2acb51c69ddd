"""Every address of the service. A route without a row in the route matrix fails the build."""

from importlib import import_module

from django.urls import URLPattern, URLResolver, include, path

from gateway import health

_FACES = ("gateway.api.urls", "gateway.oauth.urls", "gateway.portal.urls")


def _exists(face: str) -> bool:
    try:
        import_module(face)
    except ImportError:
        return False
    return True


urlpatterns: list[URLPattern | URLResolver] = [
    path("livez", health.livez, name="livez"),
    path("readyz", health.readyz, name="readyz"),
    *(path("", include(face)) for face in _FACES if _exists(face)),
]

handler400 = "gateway.api.fallbacks.bad_request"
handler404 = "gateway.api.fallbacks.not_found"
handler500 = "gateway.api.fallbacks.server_error"
