"""The authorization server alone, with a stand-in for the sign-in page."""

from django.http import HttpRequest, HttpResponse
from django.urls import include, path


def login(request: HttpRequest) -> HttpResponse:
    return HttpResponse("sign in")


urlpatterns = [path("", include("gateway.oauth.urls")), path("accounts/login/", login, name="account_login")]
