"""Pages for what went wrong before a view could say it."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from gateway.portal.pages import private


@private
def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """A form that did not come from our own page, or came too late. Django's reason stays out of the answer."""
    return render(request, "portal/problem.html", {"cause": "form_expired"}, status=403)
