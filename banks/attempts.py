"""Redirects to a bank that have not come back: one use, ten minutes, one session, one user, one bank."""

import hashlib
import json
import secrets
from collections.abc import Collection
from datetime import date, datetime, timedelta
from uuid import UUID

from banks import vault
from banks.connector import StartedAuthorisation
from banks.errors import LinkStateInvalid
from banks.models import Institution, LinkAttempt
from banks.types import Resource

#: A redirect that has not come back by then is forgotten.
ATTEMPT_WINDOW = timedelta(minutes=10)


def new_state() -> str:
    return secrets.token_urlsafe(32)


def digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def keep(
    *,
    state: str,
    session_key: str,
    user_id: UUID,
    institution: Institution,
    consent_id: UUID | None,
    renewed_connection_id: UUID | None,
    resources: Collection[Resource],
    history_from: date | None,
    started: StartedAuthorisation,
    now: datetime,
) -> None:
    """Remember where the browser was sent, and for which question or which renewal."""
    attempt = LinkAttempt(
        state_digest=digest(state),
        session_digest=digest(session_key),
        user_id=user_id,
        institution=institution,
        consent_id=consent_id,
        renewed_connection_id=renewed_connection_id,
        resources=sorted(resources),
        history_from=history_from,
        bank_consent_id=started.bank_consent_id,
        created_at=now,
        expires_at=now + ATTEMPT_WINDOW,
    )
    attempt.sealed_secrets = _sealed_secrets(attempt.id, started)
    attempt.save(force_insert=True)


def claimed(*, state: str, user_id: UUID, slug: str, session_key: str, now: datetime) -> LinkAttempt:
    """One use: whoever turns used_at from null has it (RFC 6749 section 10.12, RFC 9700 section 4.7).

    Raises LinkStateInvalid.
    """
    good = LinkAttempt.objects.filter(
        state_digest=digest(state),
        session_digest=digest(session_key),
        user_id=user_id,
        institution__slug=slug,
        used_at=None,
        expires_at__gt=now,
    )
    attempt = good.select_related("institution").first()
    if attempt is None or not good.update(used_at=now):
        raise LinkStateInvalid(slug)
    return attempt


def opened_secrets(attempt: LinkAttempt) -> StartedAuthorisation:
    """Raises Unsealable."""
    plain = json.loads(vault.open_alone(attempt.id, "link_secrets", attempt.sealed_secrets))
    return StartedAuthorisation(
        redirect_to=plain["redirect_to"],
        bank_consent_id=plain["bank_consent_id"],
        verifier=plain["verifier"],
        nonce=plain["nonce"],
    )


def _sealed_secrets(attempt_id: UUID, started: StartedAuthorisation) -> bytes:
    plain = {
        "redirect_to": started.redirect_to,
        "bank_consent_id": started.bank_consent_id,
        "verifier": started.verifier,
        "nonce": started.nonce,
    }
    return vault.seal_alone(attempt_id, "link_secrets", json.dumps(plain).encode())
