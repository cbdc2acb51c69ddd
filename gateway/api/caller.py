"""Who is calling and what that opens: token -> consent -> permit. No HTTP framework here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from typing import NoReturn, Self

from banks.authority import permit_for
from consents.denials import DENIALS, Denial, DenialCode
from consents.errors import Denied
from consents.models import Consent, Platform
from consents.policy import ENDED, Permit
from consents.policy_facts import Slice
from consents.scopes import Presence, Purpose
from consents.states import PlatformStatus
from gateway import errors, problems
from gateway.api import presence, refused_calls
from gateway.api.presence import Attestation
from gateway.oauth import bearer, platform_tokens


@dataclass(frozen=True, kw_only=True)
class Caller:
    """A platform with a token whose consent has not ended. What it may read is `permit`, worked out when asked for."""

    consent: Consent
    platform: Platform
    purpose: Purpose | None  #: as the request named it
    attestation: Attestation | None  #: the platform's word that the user is there
    now: datetime
    request_id: str
    slices: Sequence[Slice] | None = None  #: as they came with the token; None: they are read when they are needed

    @property
    def claimed(self) -> Presence:
        return Presence.ABSENT if self.attestation is None else Presence.ATTESTED

    @cached_property
    def decision(self) -> Permit | Denial:
        """Asked once per request."""
        try:
            return permit_for(
                self.consent, purpose=self.purpose, presence=self.claimed, now=self.now, slices=self.slices
            )
        except Denied as refused:
            return refused.denial

    @property
    def permit(self) -> Permit:
        """Raises Denied."""
        if isinstance(self.decision, Denial):
            self.refuse(self.decision)
        return self.decision

    def require_active_platform(self) -> None:
        """For what is not customer data, where a paused consent does no harm. Raises Denied."""
        if self.platform.status != PlatformStatus.ACTIVE:
            raise Denied(DENIALS[DenialCode.PLATFORM_NOT_ACTIVE])

    def again(self, now: datetime) -> Self:
        """The same caller, to be decided anew from fresh rows."""
        fresh = Consent.objects.select_related("user", "platform").get(id=self.consent.id)
        return replace(self, consent=fresh, platform=fresh.platform, now=now, slices=None)

    def refuse_as_it_stands(self) -> None:
        """Decide again: why a permit died while it was used. Raises Denied, or nothing."""
        fresh = self.again(self.now)
        if isinstance(fresh.decision, Denial):
            fresh.refuse(fresh.decision)

    def refuse(self, denial: Denial) -> NoReturn:
        """Raises Denied, counted for the banks it concerns."""
        refused_calls.count(self.consent, denial, purpose=self.purpose, presence=self.claimed, now=self.now)
        raise Denied(denial)


@dataclass(frozen=True, kw_only=True)
class PlatformCaller:
    """An ACTIVE platform with a token of its own: it opens what is no customer's, and no customer's data."""

    platform: Platform
    now: datetime
    request_id: str


def identify(headers: Mapping[str, str], *, now: datetime, request_id: str) -> Caller:
    """The caller behind the headers Authorization, Purpose and those of gateway.api.presence.

    Raises TokenRefused, ConsentTokenRequired, PurposeUnknown, RequestInvalid, and Denied when the consent has ended:
    its token is dead (401), whatever is asked. A paused or suspended consent is refused where data is (403), so that it
    can still be looked at and ended.
    """
    found = bearer.find(headers.get("Authorization"), now=now)
    if isinstance(found, bearer.Refusal):
        if not isinstance(platform_tokens.find(headers.get("Authorization"), now=now), bearer.Refusal):
            raise errors.ConsentTokenRequired
        raise errors.TokenRefused(present=found.cause is not bearer.Cause.MISSING)
    purpose = headers.get("Purpose")
    caller = Caller(
        consent=found.consent,
        platform=found.platform,
        purpose=None if purpose is None else _purpose(purpose),
        attestation=presence.attestation(headers, now=now),
        now=now,
        request_id=request_id,
        slices=found.slices,
    )
    if isinstance(caller.decision, Denial) and caller.decision.code in ENDED:
        caller.refuse(caller.decision)
    return caller


def identify_platform(headers: Mapping[str, str], *, now: datetime, request_id: str) -> PlatformCaller:
    """The platform behind the header Authorization.

    Raises PlatformTokenRequired for a user's token that is good for something; for any other, what `identify` raises.
    """
    found = platform_tokens.find(headers.get("Authorization"), now=now)
    if isinstance(found, bearer.Refusal):
        identify(headers, now=now, request_id=request_id)
        raise errors.PlatformTokenRequired
    return PlatformCaller(platform=found.platform, now=now, request_id=request_id)


def identify_either(headers: Mapping[str, str], *, now: datetime, request_id: str) -> Caller | PlatformCaller:
    """Whichever of the two the token is. Raises what `identify` raises."""
    found = platform_tokens.find(headers.get("Authorization"), now=now)
    if isinstance(found, bearer.Refusal):
        return identify(headers, now=now, request_id=request_id)
    return PlatformCaller(platform=found.platform, now=now, request_id=request_id)


#: The token is good for something, but not for this (RFC 6750 section 3.1).
_INSUFFICIENT = frozenset({"scope_not_granted", "consent_token_required", "platform_token_required"})


def challenge(error: Exception) -> str | None:
    """WWW-Authenticate for a refusal (RFC 6750 section 3); None where the token is not what is wrong."""
    if isinstance(error, errors.TokenRefused) and not error.present:
        return bearer.challenge(None)
    problem = problems.problem_of(error)
    if problem is None:
        return None
    if problem.status == 401:
        return bearer.challenge("invalid_token")
    return bearer.challenge("insufficient_scope") if problem.code in _INSUFFICIENT else None


def _purpose(text: str) -> Purpose:
    try:
        return Purpose(text)
    except ValueError:
        raise errors.PurposeUnknown from None
