"""Answers that are no JSON, or not all of it."""

import time
from collections.abc import Iterator
from typing import Any

from django.http import HttpResponse, StreamingHttpResponse

from banks.sandbox.behaviours.base import Behaviour, Visit

_ERROR_PAGE = "<!doctype html><html><head><title>Error</title></head><body><h1>Something went wrong</h1></body></html>"

_SENT_WITHIN_SECONDS = 0.2


class Truncated(Behaviour):
    """Transactions: the connection ends before Content-Length is reached. Balances: half a
    document, in an answer that ends as it should.

    The list of accounts is whole, so that a customer can connect.
    """

    def answer(self, response: HttpResponse, visit: Visit) -> Any:
        half = response.content[: len(response.content) // 2]
        match visit.resource:
            case "balances":
                response.content = half
            case "transactions":
                headers = {**response.headers, "Content-Length": str(len(response.content))}
                # Streamed: a server that is handed the whole body at once would trust it over the header.
                return StreamingHttpResponse(_once(half), status=response.status_code, headers=headers)
        return response


class Malformed(Behaviour):
    """Transactions: an HTML error page with status 200. Balances: application/json that is not JSON."""

    def answer(self, response: HttpResponse, visit: Visit) -> Any:
        match visit.resource:
            case "balances":
                response.content = b"{'Data': {'Balance': [}"
            case "transactions":
                response.content = _ERROR_PAGE.encode()
                response.headers["Content-Type"] = "text/html; charset=utf-8"
        return response


def _once(part: bytes) -> Iterator[bytes]:
    yield part
    # A server that hears of the end in the same moment hangs up before it has sent anything at all.
    time.sleep(_SENT_WITHIN_SECONDS)
