"""What this server is and where, for clients that ask (RFC 8414, RFC 9728). Only from settings.ISSUER: a Host header
must not be able to send a client elsewhere.
"""

from django.conf import settings
from django.http import HttpRequest, JsonResponse
from django.views.decorators.http import require_safe

from consents.scopes import Scope
from gateway.oauth import addresses, authorization_details, exchange, grants

_CLIENT_AUTHENTICATION = ["client_secret_basic"]
_CACHEABLE = {"Cache-Control": "public, max-age=300"}


@require_safe
def authorization_server(request: HttpRequest) -> JsonResponse:
    """RFC 8414 section 2, RFC 9207 section 3, RFC 9396 section 10."""
    return JsonResponse(
        {
            "issuer": settings.ISSUER,
            "authorization_endpoint": addresses.absolute("oauth:authorize"),
            "token_endpoint": addresses.absolute("oauth:token"),
            "revocation_endpoint": addresses.absolute("oauth:revoke"),
            "response_types_supported": ["code"],
            "response_modes_supported": ["query"],
            "introspection_endpoint": addresses.absolute("oauth:introspect"),
            # What comes before the id of a grant (Grant Management for OAuth 2.0, draft 03, section 7.1).
            "grant_management_endpoint": f"{settings.ISSUER}/oauth/grants",
            "grant_management_actions_supported": list(grants.ACTIONS),
            "grant_management_action_required": False,
            "grant_types_supported": list(exchange.GRANT_TYPES),
            "code_challenge_methods_supported": ["S256"],
            "token_endpoint_auth_methods_supported": _CLIENT_AUTHENTICATION,
            "revocation_endpoint_auth_methods_supported": _CLIENT_AUTHENTICATION,
            "introspection_endpoint_auth_methods_supported": _CLIENT_AUTHENTICATION,
            "authorization_response_iss_parameter_supported": True,
            "authorization_details_types_supported": [authorization_details.TYPE],
            "request_parameter_supported": False,
            "request_uri_parameter_supported": False,
            "scopes_supported": [scope.value for scope in Scope],
            "protected_resources": [addresses.resource()],
            "service_documentation": addresses.absolute("api:docs"),
        },
        headers=_CACHEABLE,
    )


@require_safe
def protected_resource(request: HttpRequest) -> JsonResponse:
    """RFC 9728 section 2."""
    return JsonResponse(
        {
            "resource": addresses.resource(),
            "authorization_servers": [settings.ISSUER],
            "bearer_methods_supported": ["header"],
            "scopes_supported": [scope.value for scope in Scope],
            "authorization_details_types_supported": [authorization_details.TYPE],
            "resource_documentation": addresses.absolute("api:docs"),
        },
        headers=_CACHEABLE,
    )
