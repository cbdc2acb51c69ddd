"""The consents of the person who is signed in: somebody else's are not there at all."""

from uuid import UUID

from django.db.models import QuerySet
from django.http import Http404

from consents.models import Consent
from gateway.portal.pages import PersonRequest


def own(request: PersonRequest) -> QuerySet[Consent]:
    """With user and platform; in no order."""
    return Consent.objects.filter(user_id=request.user.id).select_related("user", "platform")


def own_or_404(request: PersonRequest, consent_id: UUID) -> Consent:
    consent = own(request).filter(id=consent_id).first()
    if consent is None:
        raise Http404
    return consent
