"""'This looks wrong': puts a consent on hold at once and tells the operator; the person can take it back."""

from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_http_methods

from consents import clock, reports
from consents.errors import ReportNotFound
from consents.states import ReportCode
from gateway.portal import sharing_words, usage
from gateway.portal.changes.acts import done, to_consent
from gateway.portal.own import own_or_404
from gateway.portal.pages import PersonRequest, actor_of, page
from gateway.portal.summaries import Summary, summaries


@require_http_methods(["GET", "HEAD", "POST"])
@page
def report(request: PersonRequest, consent_id: UUID) -> HttpResponse:
    """`read`: the request id of the read meant; without it, the consent as a whole."""
    (summary,) = summaries([own_or_404(request, consent_id)], request.user.id, now=clock.now())
    if summary.granted_at is None:
        return to_consent(consent_id)
    read = _read(request, consent_id)
    if request.method != "POST":
        return _asked(request, summary, read)
    code = request.POST.get("code", "")
    if code not in tuple(ReportCode):
        return _asked(request, summary, read, error="Choose what looks wrong")
    return _reported(request, summary, ReportCode(code), read)


@require_http_methods(["GET", "HEAD", "POST"])
@page
def withdraw(request: PersonRequest, consent_id: UUID) -> HttpResponse:
    if request.method == "POST":
        _withdrawn(request, consent_id)
    return to_consent(own_or_404(request, consent_id).id)


def _reported(request: PersonRequest, summary: Summary, code: ReportCode, read: str) -> HttpResponse:
    kept = done(
        lambda: reports.report(
            consent_id=summary.id,
            user_id=request.user.id,
            code=code,
            actor=actor_of(request),
            now=clock.now(),
            request_id=read,
        )
    )
    if kept is not None:
        messages.success(request, "Thank you. We keep your report and look into it.")
    return to_consent(summary.id)


def _withdrawn(request: PersonRequest, consent_id: UUID) -> None:
    try:
        done(
            lambda: reports.withdraw(
                consent_id=consent_id, user_id=request.user.id, actor=actor_of(request), now=clock.now()
            )
        )
    except ReportNotFound:
        pass  # closed or taken back a moment ago: the consent's own page says so


def _read(request: PersonRequest, consent_id: UUID) -> str:
    """Raises Http404 for a request that read nothing here."""
    read = request.POST.get("read", "") if request.method == "POST" else request.GET.get("read", "")
    # No request id has a NUL; PostgreSQL takes none in a text.
    if read and ("\x00" in read or not usage.was_read(request.user.id, consent_id, read, now=clock.now())):
        raise Http404
    return read


def _asked(request: PersonRequest, summary: Summary, read: str, *, error: str = "") -> HttpResponse:
    context = {
        "consent": summary,
        "read": read,
        "codes": [(code, *sharing_words.REPORT_WORDS[code]) for code in ReportCode],
        "error": error,
    }
    return render(request, "portal/report.html", context, status=422 if error else 200)
