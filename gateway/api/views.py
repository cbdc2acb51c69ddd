"""/v1: HTTP in, one call, HTTP out. What is read is gateway.api.reads'."""

from typing import Any, ClassVar, cast

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from drf_spectacular.utils import OpenApiResponse, extend_schema, extend_schema_view
from rest_framework.exceptions import NotAcceptable, UnsupportedMediaType
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from gateway.api import examples, hot, parameters, reads, refreshing, shapes
from gateway.api.caller import Caller, PlatformCaller, challenge
from gateway.api.calls import Call
from gateway.api.schema import (
    ACCOUNT_ID,
    CHANGE_QUERY,
    DATA,
    HEADERS,
    IDEMPOTENCY_KEY,
    LOCATION,
    NOT_MODIFIED,
    PREFER,
    PREFERENCE_APPLIED,
    REFRESH_ID,
    TAGGED,
    TRANSACTION_QUERY,
    refusals,
)


class JsonOnly(BaseContentNegotiation):
    """DRF's own would read `?format=`, and take `;q=0` for a yes."""

    def select_parser(self, request: Request, parsers: Any) -> BaseParser:
        return cast(BaseParser, parsers[0])  # never used: bodies are read by json_body

    def select_renderer(self, request: Request, renderers: Any, format_suffix: str | None = None) -> Any:
        """Raises NotAcceptable."""
        if not request._request.accepts("application/json"):
            raise NotAcceptable
        renderer: BaseRenderer = renderers[0]
        return renderer, renderer.media_type


def json_body(request: Request) -> bytes:
    """As it came; empty when there is none. Raises UnsupportedMediaType, RequestDataTooBig.

    Not DRF's parsers: they take two members of one name for one, and fall over what is nested deeply.
    """
    body: bytes = request._request.body
    if body and request.content_type.partition(";")[0].strip().lower() != "application/json":
        raise UnsupportedMediaType(request.content_type)
    return body


class PlatformView(APIView):
    """A /v1 address: a caller is required, JSON is spoken, nothing is stored on the way."""

    content_negotiation_class = JsonOnly
    metadata_class = None

    call: Call

    def initialize_request(self, request: HttpRequest, *args: object, **kwargs: object) -> Request:
        self.call = Call(request)
        return super().initialize_request(request, *args, **kwargs)

    def check_throttles(self, request: Request) -> None:
        """DRF's hook: after the caller is known and before anything is done. Raises RateLimited."""
        self.call.comes_from(cast(Caller | PlatformCaller, request.auth))

    @property
    def caller(self) -> Caller:
        return cast(Caller, self.request.auth)

    @extend_schema(exclude=True)
    def options(self, request: Any, *args: object, **kwargs: object) -> Response:
        """The Allow header, and no CORS: a browser page is not a platform."""
        return Response(status=204)

    def handle_exception(self, exc: Exception) -> Any:
        exc = self.call.refused(exc)
        response = super().handle_exception(exc)
        if value := challenge(exc):
            response["WWW-Authenticate"] = value
        return response

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        response = super().finalize_response(request, response, *args, **kwargs)
        self.call.finish(response)
        return response


class HotView(PlatformView):
    """GET and HEAD are gateway.api.hot's, with its middleware or without; what is said of them here, the document's."""

    read: ClassVar[hot.Read]

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        if request.method in hot.METHODS:
            return self.get(request, **kwargs)
        return super().dispatch(request, *args, **kwargs)

    def get(self, request: HttpRequest, **named: str) -> HttpResponse:
        """Before DRF has made anything of it: `request` is Django's."""
        return hot.answered(request, type(self).read, *named.values())


@extend_schema_view(
    get=extend_schema(
        operation_id="listAccounts",
        summary="Every account this consent opens",
        description="Members that the consent does not open are absent; null means unknown.",
        parameters=TAGGED,
        responses={200: shapes.Accounts, 304: NOT_MODIFIED, **refusals(*DATA)},
        examples=examples.of("listAccounts"),
        tags=["Accounts"],
    )
)
class AccountsView(HotView):
    read = staticmethod(hot.accounts)


@extend_schema_view(
    get=extend_schema(
        operation_id="getAccount",
        summary="One account",
        parameters=[ACCOUNT_ID, *TAGGED],
        responses={200: shapes.OneAccount, 304: NOT_MODIFIED, **refusals(*DATA, "account_not_found")},
        examples=examples.of("getAccount"),
        tags=["Accounts"],
    )
)
class AccountView(HotView):
    read = staticmethod(hot.account)


@extend_schema_view(
    get=extend_schema(
        operation_id="listBalances",
        summary="Typed balances of one account",
        parameters=[ACCOUNT_ID, *TAGGED],
        responses={200: shapes.Balances, 304: NOT_MODIFIED, **refusals(*DATA, "account_not_found")},
        examples=examples.of("listBalances"),
        tags=["Accounts"],
    )
)
class BalancesView(HotView):
    read = staticmethod(hot.balances)


@extend_schema_view(
    get=extend_schema(
        operation_id="listTransactions",
        summary="Transactions of one account, newest first",
        description="Ordered by (`listed_on`, id), descending. Follow `next_cursor` with the same filters until null.",
        parameters=[ACCOUNT_ID, *TRANSACTION_QUERY, *TAGGED],
        responses={
            200: shapes.Transactions,
            304: NOT_MODIFIED,
            **refusals(*DATA, "account_not_found", "cursor_invalid"),
        },
        examples=examples.of("listTransactions"),
        tags=["Transactions"],
    )
)
class TransactionsView(HotView):
    read = staticmethod(hot.transactions)


@extend_schema_view(
    get=extend_schema(
        operation_id="syncTransactions",
        summary="What changed since last time, over all accounts",
        description="For keeping a copy. Without a cursor everything comes as `added`. Follow `next_cursor` while "
        "`has_more`, then keep it for the next time. What changes while you page comes with the next walk. A row that "
        "only falls out of the consent's window as days pass is not told: drop it by its `listed_on`.",
        parameters=[*CHANGE_QUERY, *HEADERS],
        responses={200: shapes.TransactionChanges, **refusals(*DATA, "cursor_invalid", "cursor_stale")},
        examples=examples.of("syncTransactions"),
        tags=["Transactions"],
    )
)
class TransactionChangesView(HotView):
    read = staticmethod(hot.changes)


class RefreshesView(PlatformView):
    @extend_schema(
        operation_id="startRefresh",
        summary="Ask the banks for fresh data",
        description="Says at once what was begun; the data is read as always once it is there. Banks allow a number of "
        "fetches a day while the user is away; with the user there, send the two x-fapi headers.",
        parameters=[IDEMPOTENCY_KEY, PREFER, LOCATION, PREFERENCE_APPLIED, *HEADERS],
        request=shapes.RefreshWanted,
        responses={
            200: OpenApiResponse(shapes.Refresh, description="It has ended."),
            202: OpenApiResponse(shapes.Refresh, description="It goes on: look at the address in Location."),
            **refusals(
                *DATA,
                "account_not_found",
                "content_too_large",
                "unsupported_media_type",
                "idempotency_key_reused",
                "refresh_refused",
            ),
        },
        examples=examples.of("startRefresh"),
        tags=["Refreshes"],
    )
    def post(self, request: Request) -> Response:
        parameters.none(request.query_params)
        asked = refreshing.wanted(
            json_body(request),
            idempotency_key=request.headers.get("Idempotency-Key"),
            prefer=request.headers.get("Prefer"),
        )
        told = refreshing.start(self.caller, asked)
        headers = {"Location": reverse("api:refresh", args=[told.refresh_id])}
        if told.waited_seconds is not None:
            headers["Preference-Applied"] = f"wait={told.waited_seconds}"
        return Response(told.body, status=200 if told.has_ended else 202, headers=headers)


class RefreshView(PlatformView):
    @extend_schema(
        operation_id="getRefresh",
        summary="How a refresh stands",
        parameters=[REFRESH_ID, *HEADERS],
        responses={200: shapes.Refresh, **refusals(*DATA, "refresh_not_found")},
        examples=examples.of("getRefresh"),
        tags=["Refreshes"],
    )
    def get(self, request: Request, refresh_id: str) -> Response:
        parameters.none(request.query_params)
        return Response(refreshing.standing(self.caller, refresh_id).body)


class ConsentView(PlatformView):
    @extend_schema(
        operation_id="getConsent",
        summary="What this token opens, until when",
        description="Answers under a paused or suspended consent too; `denial` then says who can change it.",
        parameters=HEADERS,
        responses={200: shapes.Consent, **refusals("platform_not_active")},
        examples=examples.of("getConsent"),
        tags=["Consent"],
    )
    def get(self, request: Request) -> Response:
        parameters.none(request.query_params)
        return Response(reads.consent(self.caller))
