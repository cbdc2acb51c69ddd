"""/v1 for what a platform does as itself: HTTP in, one call, HTTP out."""

from typing import cast

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from gateway import errors
from gateway.api import examples, management, management_shapes, parameters, shapes, telling
from gateway.api.authentication import EitherTokenAuthentication, HasToken, PlatformTokenAuthentication
from gateway.api.caller import Caller, PlatformCaller
from gateway.api.schema import (
    CONSENT_ID,
    CONSENT_QUERY,
    EITHER_TOKEN,
    EVENT_QUERY,
    HEADERS,
    MANAGEMENT_HEADERS,
    PLATFORM_TOKEN,
    management_refusals,
    refusals,
)
from gateway.api.views import PlatformView, json_body


class ManagementView(PlatformView):
    """A /v1 address that takes the platform's own token."""

    authentication_classes = [PlatformTokenAuthentication]
    permission_classes = [HasToken]

    @property
    def platform_caller(self) -> PlatformCaller:
        """Raises PlatformTokenRequired."""
        if not isinstance(self.request.auth, PlatformCaller):
            raise errors.PlatformTokenRequired
        return self.request.auth


class InstitutionsView(ManagementView):
    authentication_classes = [EitherTokenAuthentication]

    @extend_schema(
        operation_id="listInstitutions",
        summary="Banks one may link",
        description="The directory. It holds no customer data, takes either kind of token, and answers under a paused "
        "consent too.",
        auth=EITHER_TOKEN,
        parameters=HEADERS,
        responses={200: shapes.Institutions, **refusals("platform_not_active")},
        examples=examples.of("listInstitutions"),
        tags=["Institutions"],
    )
    def get(self, request: Request) -> Response:
        parameters.none(request.query_params)
        return Response(management.institutions(cast(Caller | PlatformCaller, request.auth)))


class ConsentsView(ManagementView):
    @extend_schema(
        operation_id="listConsents",
        summary="Every consent your users were asked for, newest first",
        description="By their ids, and nothing of the people. Follow `next_cursor` with the same filter until null.",
        parameters=[*CONSENT_QUERY, *MANAGEMENT_HEADERS],
        responses={200: management_shapes.ManagedConsents, **management_refusals("cursor_invalid")},
        examples=examples.of("listConsents"),
        tags=["Management"],
    )
    def get(self, request: Request) -> Response:
        return Response(management.consents(self.platform_caller, parameters.consents(request.query_params)))


class ConsentByIdView(ManagementView):
    authentication_classes = [EitherTokenAuthentication]

    @extend_schema(
        operation_id="getConsentById",
        summary="How one consent stands",
        description="What its own token opens right now is at /v1/consent.",
        auth=PLATFORM_TOKEN,
        parameters=[CONSENT_ID, *MANAGEMENT_HEADERS],
        responses={200: management_shapes.ManagedConsent, **management_refusals("consent_not_found")},
        examples=examples.of("getConsentById"),
        tags=["Management"],
    )
    def get(self, request: Request, consent_id: str) -> Response:
        caller = self.platform_caller
        parameters.none(request.query_params)
        return Response(management.consent(caller, consent_id))

    @extend_schema(
        operation_id="endConsent",
        summary="End a consent",
        description="Final. Its tokens are dead when this returns. Works while paused or suspended. With the "
        "platform's own token any of its consents; with a user's token that token's alone.",
        auth=EITHER_TOKEN,
        parameters=[CONSENT_ID, *HEADERS],
        responses={204: None, **refusals("consent_not_found", "transition_refused")},
        tags=["Consent"],
    )
    def delete(self, request: Request, consent_id: str) -> Response:
        parameters.none(request.query_params)
        management.end_consent(cast(Caller | PlatformCaller, request.auth), consent_id)
        return Response(status=204)


class EventsView(ManagementView):
    @extend_schema(
        operation_id="listEvents",
        summary="What happened since, oldest first",
        description="Keep `next_after` and send it as `after`; without it you begin after what you acknowledged last. "
        "Events are kept for 30 days. A page may be empty though more follows: `has_more` says so. An event is told "
        "only while the consent lets you know of it, so a paused consent's banks are not heard of.",
        parameters=[*EVENT_QUERY, *MANAGEMENT_HEADERS],
        responses={200: management_shapes.Events, **management_refusals("cursor_invalid", "events_gone")},
        examples=examples.of("listEvents"),
        tags=["Events"],
    )
    def get(self, request: Request) -> Response:
        return Response(telling.events(self.platform_caller, parameters.events(request.query_params)))


class AcknowledgementsView(ManagementView):
    @extend_schema(
        operation_id="acknowledgeEvents",
        summary="Everything up to here is dealt with",
        description="Moves forward only: an older cursor changes nothing, so it may be sent again at any time.",
        parameters=MANAGEMENT_HEADERS,
        request=management_shapes.AcknowledgementWanted,
        responses={
            200: management_shapes.Acknowledgement,
            **management_refusals("cursor_invalid", "events_gone", "content_too_large", "unsupported_media_type"),
        },
        examples=examples.of("acknowledgeEvents"),
        tags=["Events"],
    )
    def post(self, request: Request) -> Response:
        parameters.none(request.query_params)
        return Response(telling.acknowledge(self.platform_caller, telling.wanted(json_body(request))))
