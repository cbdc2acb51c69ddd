"""Pages of a list that grows at the front.

The page parameter is opaque and signed: it names the page and the day of the books, so that a list read over midnight
stays one list. It opens nothing by itself; permissions are checked on every page.
"""

import math
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from urllib.parse import urlencode

from django.core import signing
from django.http import HttpRequest

from banks.sandbox.answers import FIELD_INVALID, ObError
from banks.sandbox.settings import SANDBOX_ISSUER

PAGE_SIZE = 100
#: Without a time stamp: equal pages have equal links.
_SIGNER = signing.Signer(salt="sandbox.page")


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """`number` counts from 1; `today`: the day of the books this list was begun on."""

    number: int
    today: date


def asked_for(request: HttpRequest, today: date) -> Page:
    """The page of this request. Raises 400 for a parameter that the bank did not make, or made too long ago."""
    text = request.GET.get("page")
    if text is None:
        return Page(number=1, today=today)
    try:
        number, day = _SIGNER.unsign_object(text)
        page = Page(number=int(number), today=date.fromisoformat(day))
    except (signing.BadSignature, ValueError, TypeError) as problem:
        raise ObError(400, (FIELD_INVALID, "Not a page of this bank."), path="page") from problem
    if not today - timedelta(days=1) <= page.today <= today:
        raise ObError(400, (FIELD_INVALID, "This page is too old; start again."), path="page")
    return page


def total_pages(rows: int) -> int:
    """At least one: an empty list is one empty page."""
    return max(1, math.ceil(rows / PAGE_SIZE))


def cut(rows: list[Any], page: Page) -> list[Any]:
    """The rows of this page. Raises 400 beyond the last page."""
    if page.number > total_pages(len(rows)):
        raise ObError(400, (FIELD_INVALID, "There are fewer pages."), path="page")
    return rows[(page.number - 1) * PAGE_SIZE : page.number * PAGE_SIZE]


def links(request: HttpRequest, page: Page, total: int) -> dict[str, str]:
    """Self, First, Prev, Next and Last; those that apply, with the request's own filters."""
    numbers = {"First": 1, "Last": total}
    if page.number > 1:
        numbers["Prev"] = page.number - 1
    if page.number < total:
        numbers["Next"] = page.number + 1
    links = {name: _link(request, number, page.today) for name, number in numbers.items()}
    return {"Self": SANDBOX_ISSUER + request.get_full_path()} | links


def _link(request: HttpRequest, number: int, today: date) -> str:
    query = {name: value for name, value in request.GET.items() if name != "page"}
    query["page"] = _SIGNER.sign_object([number, today.isoformat()])
    return f"{SANDBOX_ISSUER}{request.path}?{urlencode(query)}"
