"""Pause and resume: the person's own switch, good at once in both directions."""

from uuid import UUID

from django.http import HttpResponse
from django.views.decorators.http import require_http_methods

from consents import clock, lifecycle
from gateway.portal.changes.acts import done, to_consent
from gateway.portal.own import own_or_404
from gateway.portal.pages import PersonRequest, actor_of, page


@require_http_methods(["GET", "HEAD", "POST"])
@page
def pause(request: PersonRequest, consent_id: UUID) -> HttpResponse:
    """POST only; a GET, as after signing in again, leads to the page with the button."""
    if request.method == "POST":
        done(
            lambda: lifecycle.pause(
                consent_id=consent_id, user_id=request.user.id, actor=actor_of(request), now=clock.now()
            )
        )
    return to_consent(own_or_404(request, consent_id).id)


@require_http_methods(["GET", "HEAD", "POST"])
@page
def resume(request: PersonRequest, consent_id: UUID) -> HttpResponse:
    """The same for the way back."""
    if request.method == "POST":
        done(
            lambda: lifecycle.resume(
                consent_id=consent_id, user_id=request.user.id, actor=actor_of(request), now=clock.now()
            )
        )
    return to_consent(own_or_404(request, consent_id).id)
