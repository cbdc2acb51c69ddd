"""The page that explains, asks and tells how far it is; and the file itself, for its owner after a fresh proof."""

from collections.abc import Iterator
from typing import cast
from uuid import UUID

from django.http import Http404, HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from consents import clock
from gateway.identity import assurance
from gateway.portal.download import jobs
from gateway.portal.download.tables import TITLES
from gateway.portal.models import ExportStatus
from gateway.portal.pages import PersonRequest, SeeOther, actor_of, page

FILE_NAME = "sluice-data.zip"


@require_http_methods(["GET", "HEAD", "POST"])
@page
def download(request: PersonRequest) -> HttpResponse:
    """GET tells; POST asks for a copy, and only right after a proof that it is this person."""
    now = clock.now()
    if request.method == "POST":
        if not assurance.is_fresh(request, request.user, now=now):
            return SeeOther(assurance.proof_address(request.user, then=reverse("portal:download")))
        jobs.request(request.user, actor=actor_of(request), now=now)
        return SeeOther(reverse("portal:download"))
    live, ended = jobs.live(request.user.id), jobs.newest_ended(request.user.id, now=now)
    context = {
        "live": live,
        "stage": TITLES.get(live.stage, "") if live else "",
        "ready": jobs.ready(request.user.id, now=now),
        "failed": ended if ended and ended.status == ExportStatus.FAILED and not live else None,
    }
    return render(request, "portal/download/page.html", context)


@require_safe
@page
def download_file(request: PersonRequest, job_id: UUID) -> HttpResponse:
    now = clock.now()
    job = jobs.ready(request.user.id, now=now, job_id=job_id)
    if job is None:
        raise Http404  # not there, not yet, no longer, or somebody else's: one answer
    if not assurance.is_fresh(request, request.user, now=now):
        return SeeOther(assurance.proof_address(request.user, then=request.path))
    pieces: Iterator[bytes] = iter(())
    if request.method == "GET":
        jobs.fetched(job, actor=actor_of(request), now=now)
        pieces = jobs.content(job)
    response = StreamingHttpResponse(pieces, content_type="application/zip")
    response["Content-Disposition"] = f'attachment; filename="{FILE_NAME}"'
    response["Content-Length"] = str(job.size_bytes)
    return cast(HttpResponse, response)  # as good as one for every caller; Django has them side by side
