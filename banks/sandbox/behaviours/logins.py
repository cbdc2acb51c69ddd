"""Access that ends: at the token endpoint, by the customer's own hand, or sooner than was asked for."""

from datetime import datetime, timedelta
from typing import Any

from banks.sandbox.answers import ObError
from banks.sandbox.behaviours import memory
from banks.sandbox.behaviours.base import Behaviour, Visit
from banks.sandbox.models import AccountAccessConsent, ConsentStatus
from banks.sandbox.tokens import InvalidGrant
from banks.sandbox.wire import instant

SHORT_LIFE = timedelta(seconds=60)


class LoginLost(Behaviour):
    """From stage 1 on, a week after the first answer, no token works; until the customer logs in again."""

    stage_days = 7

    def authorised(self, user: str, now: datetime) -> dict[str, Any]:
        memory.restart(user)
        return {}

    def grant(self, stage: int) -> None:
        if stage:
            raise InvalidGrant("the customer has to log in again")

    def arrive(self, visit: Visit) -> None:
        if visit.stage:
            # As for a token that never was: no body (Read/Write profile, 401).
            raise ObError(401, headers={"WWW-Authenticate": 'Bearer error="invalid_token"'})


class ConsentRevoked(Behaviour):
    """From stage 1 on the customer has ended access at the bank; until the customer allows it again."""

    def authorised(self, user: str, now: datetime) -> dict[str, Any]:
        memory.restart(user)
        return {}

    def befall(self, consent: AccountAccessConsent, stage: int, now: datetime) -> None:
        if stage and consent.status == ConsentStatus.AUTH:
            changes = {"status": ConsentStatus.CANC, "status_updated_at": now}
            AccountAccessConsent.objects.filter(pk=consent.pk, status=ConsentStatus.AUTH).update(**changes)
            consent.status, consent.status_updated_at = ConsentStatus.CANC, now


class ShortConsent(Behaviour):
    """The consent ends SHORT_LIFE after it was allowed, however long was asked for, and says so from then on."""

    def authorised(self, user: str, now: datetime) -> dict[str, Any]:
        expires_at = (now + SHORT_LIFE).replace(microsecond=0)
        return {"expires_at": expires_at, "expiration": instant(expires_at)}
