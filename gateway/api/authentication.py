"""DRF's view of gateway.api.caller: `request.auth` is a Caller or a PlatformCaller; `request.user` stays None.

The account holder is not the one asking, so no code may mistake them for it.
"""

from typing import TYPE_CHECKING

from rest_framework.authentication import BaseAuthentication
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from consents import clock
from gateway.api.caller import Caller, PlatformCaller, identify, identify_either, identify_platform
from gateway.oauth import bearer
from gateway.request_ids import request_id_of

if TYPE_CHECKING:  # rest_framework.views loads this module while it is being imported
    from rest_framework.views import APIView


class ConsentTokenAuthentication(BaseAuthentication):
    """A bearer token in the Authorization header, and nowhere else (RFC 6750 section 2.1, RFC 9700 section 4.3.2)."""

    def authenticate(self, request: Request) -> tuple[None, Caller]:
        """Raises TokenRefused, ConsentTokenRequired, PurposeUnknown, RequestInvalid, Denied."""
        return None, identify(request.headers, now=clock.now(), request_id=request_id_of(request))

    def authenticate_header(self, request: Request) -> str:
        return bearer.challenge(None)


class PlatformTokenAuthentication(BaseAuthentication):
    """The same header, with a token of the platform's own."""

    def authenticate(self, request: Request) -> tuple[None, PlatformCaller]:
        """Raises TokenRefused, PlatformTokenRequired, PurposeUnknown, RequestInvalid, Denied."""
        return None, identify_platform(request.headers, now=clock.now(), request_id=request_id_of(request))

    def authenticate_header(self, request: Request) -> str:
        return bearer.challenge(None)


class EitherTokenAuthentication(BaseAuthentication):
    """The same header; where both kinds of token open something, each its own."""

    def authenticate(self, request: Request) -> tuple[None, Caller | PlatformCaller]:
        """Raises TokenRefused, PurposeUnknown, RequestInvalid, Denied."""
        return None, identify_either(request.headers, now=clock.now(), request_id=request_id_of(request))

    def authenticate_header(self, request: Request) -> str:
        return bearer.challenge(None)


class HasConsentToken(BasePermission):
    """The default of every DRF view: without a caller there is no answer."""

    def has_permission(self, request: Request, view: "APIView") -> bool:
        return isinstance(request.auth, Caller)


class HasToken(BasePermission):
    """Of views that say themselves which kind of token they take."""

    def has_permission(self, request: Request, view: "APIView") -> bool:
        return isinstance(request.auth, Caller | PlatformCaller)
