"""Addresses of the authorization server. Nothing of the toolkit's own is mounted."""

from django.urls import path

from gateway.oauth.authorize import authorize
from gateway.oauth.grants import grant
from gateway.oauth.introspect import introspect
from gateway.oauth.metadata import authorization_server, protected_resource
from gateway.oauth.revoke import revoke
from gateway.oauth.token import token

app_name = "oauth"

urlpatterns = [
    path("oauth/authorize", authorize, name="authorize"),
    path("oauth/token", token, name="token"),
    path("oauth/revoke", revoke, name="revoke"),
    path("oauth/introspect", introspect, name="introspect"),
    path("oauth/grants/<str:grant_id>", grant, name="grant"),
    path(".well-known/oauth-authorization-server", authorization_server, name="authorization_server"),
    # RFC 9728 section 3.1 inserts the resource's path; the shorter one is where people look first.
    path(".well-known/oauth-protected-resource/v1", protected_resource, name="protected_resource"),
    path(".well-known/oauth-protected-resource", protected_resource, name="protected_resource_root"),
]
