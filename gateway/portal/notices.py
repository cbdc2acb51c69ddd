"""Everything a person was told, newest first: nobody misses a receipt because a mail did not come."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from gateway.notify import notices, writing
from gateway.notify.models import Notice, NoticeStatus
from gateway.notify.writing import Letter
from gateway.portal.pages import PersonRequest, page

PAGE_SIZE = 20

#: Why no mail went out, by code; what stands on the page alone because it is old needs no word.
_NOT_MAILED = {
    "address_missing": "We have no mail address of yours, so this stands here only.",
    "address_unusable": "Your mail address cannot be used, so this stands here only.",
    "mail_not_configured": "This Sluice sends no mail, so this stands here only.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeLine:
    """One notice as it is read."""

    id: UUID
    at: datetime
    letter: Letter
    mail: str


@require_safe
@page
def notice_list(request: PersonRequest) -> HttpResponse:
    pages = Paginator(notices.of(request.user.id), PAGE_SIZE)
    shown = pages.get_page(request.GET.get("page"))
    rows = list(shown.object_list)
    letters = writing.letters(rows)
    lines = [NoticeLine(id=row.id, at=row.occurred_at, letter=letters[row.id], mail=_mail(row)) for row in rows]
    return render(request, "portal/notices/list.html", {"notices": lines, "shown": shown})


def _mail(row: Notice) -> str:
    if row.status == NoticeStatus.SENT and row.sent_at is not None:
        return f"Sent to you by mail on {row.sent_at.day} {row.sent_at:%B %Y}."
    if row.status == NoticeStatus.FAILED:
        return "We could not send this by mail. Please check your mail address."
    if row.status == NoticeStatus.KEPT:
        return _NOT_MAILED.get(row.error_code, "")
    return "We are sending this by mail." if not row.attempts else "We have not been able to send this by mail yet."
