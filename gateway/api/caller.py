"""Who is calling and what that opens: token -> consent -> permit. No HTTP framework here."""

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from banks.authority import permit_for
from consents.denials import DENIALS, Denial, DenialCode
from consents.errors import Denied
from consents.models import Consent, Platform
from consents.policy import ENDED, Permit
from consents.scopes import Presence, Purpose
from consents.states import PlatformStatus
from gateway import problems
from gateway.oauth import bearer


@dataclass(frozen=True, kw_only=True)
class Caller:
    """A platform with a token whose consent has not ended. What it may read is `permit`, worked out when asked for."""

    consent: Consent
    platform: Platform
    purpose: Purpose | None  #: as the request named it
    now: datetime
    request_id: str

    @cached_property
    def decision(self) -> Permit | Denial:
        """Asked once per request."""
        return _decide(self.consent, self.purpose, self.now)

    @property
    def permit(self) -> Permit:
        """Raises Denied."""
        if isinstance(self.decision, Denial):
            raise Denied(self.decision)
        return self.decision

    def require_active_platform(self) -> None:
        """For what is not customer data, where a paused consent does no harm. Raises Denied."""
        if self.platform.status != PlatformStatus.ACTIVE:
            raise Denied(DENIALS[DenialCode.PLATFORM_NOT_ACTIVE])

    def refuse_as_it_stands(self) -> None:
        """Decide again from fresh rows: why a permit died while it was used. Raises Denied, or nothing."""
        fresh = Consent.objects.select_related("user", "platform").get(id=self.consent.id)
        decision = _decide(fresh, self.purpose, self.now)
        if isinstance(decision, Denial):
            raise Denied(decision)


def identify(authorization: str | None, purpose: str | None, *, now: datetime, request_id: str) -> Caller:
    """The caller behind these two headers, as they came; None where there was none.

    Raises TokenRefused, PurposeUnknown, and Denied when the consent has ended: its token is dead (401), whatever is
    asked. A paused or suspended consent is refused where data is (403), so that it can still be looked at and ended.
    """
    found = bearer.find(authorization, now=now)
    if isinstance(found, bearer.Refusal):
        raise problems.TokenRefused(present=found.cause is not bearer.Cause.MISSING)
    caller = Caller(
        consent=found.consent,
        platform=found.platform,
        purpose=None if purpose is None else _purpose(purpose),
        now=now,
        request_id=request_id,
    )
    if isinstance(caller.decision, Denial) and caller.decision.code in ENDED:
        raise Denied(caller.decision)
    return caller


def challenge(error: Exception) -> str | None:
    """WWW-Authenticate for a refusal (RFC 6750 section 3); None where the token is not what is wrong."""
    if isinstance(error, problems.TokenRefused) and not error.present:
        return bearer.challenge(None)
    problem = problems.problem_of(error)
    if problem is None:
        return None
    if problem.status == 401:
        return bearer.challenge("invalid_token")
    return bearer.challenge("insufficient_scope") if problem.code == "scope_not_granted" else None


def _decide(consent: Consent, purpose: Purpose | None, now: datetime) -> Permit | Denial:
    try:
        # Attestation of presence is not accepted from platforms yet: every call counts as unattended.
        return permit_for(consent, purpose=purpose, presence=Presence.ABSENT, now=now)
    except Denied as refused:
        return refused.denial


def _purpose(text: str) -> Purpose:
    try:
        return Purpose(text)
    except ValueError:
        raise problems.PurposeUnknown from None
