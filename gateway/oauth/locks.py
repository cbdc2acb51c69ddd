"""One order of locks: the consent first, then its grant or tokens.

Whoever ends a consent holds its row (consents.lifecycle), so that minting and ending never interleave.
"""

from uuid import UUID

from consents.models import Consent


def locked_consent(consent_id: UUID) -> Consent | None:
    """The consent with its user and platform, its row held until the transaction ends; None when it is gone."""
    rows = Consent.objects.select_for_update(no_key=True, of=("self",)).select_related("user", "platform")
    return rows.filter(id=consent_id).first()
