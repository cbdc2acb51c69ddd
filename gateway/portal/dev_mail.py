"""/dev/mail: what an embedded instance would have mailed to the person who is signed in. Elsewhere there is none."""

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from gateway.notify import mailbox
from gateway.portal.pages import PersonRequest, page, private


@require_safe
@private
def dev_mail(request: HttpRequest) -> HttpResponse:
    if not settings.EMBEDDED:
        raise Http404  # before anybody is asked to sign in for it
    return _own(request)


@page
def _own(request: PersonRequest) -> HttpResponse:
    return render(request, "portal/notices/dev_mail.html", {"mails": mailbox.of(request.user.email)})
