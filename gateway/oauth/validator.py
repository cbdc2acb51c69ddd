"""The toolkit's validator for one token request (settings: OAUTH2_VALIDATOR_CLASS).

What it decides about consents and codes is ours; grammar, PKCE and token values are oauthlib's. Made without a
platform, as the toolkit's own views would make it, it refuses every client and every token.
"""

from datetime import datetime, timedelta
from typing import Any

from oauth2_provider.oauth2_validators import OAuth2Validator
from oauthlib.oauth2.rfc6749 import errors

from consents import audit
from consents.audit import Actor
from consents.models import AccessToken, Consent, Platform, RefreshToken
from consents.models.tokens import digest
from consents.states import ConsentStatus, Initiator
from gateway import pairwise
from gateway.oauth import addresses, authorization_details, statements
from gateway.oauth.statements import Minted

ACCESS_TOKEN_LIFETIME = timedelta(seconds=600)

_WAITING = (ConsentStatus.PAUSED, ConsentStatus.SUSPENDED)


class Contended(Exception):
    """What was read is no longer so, or is to be written down: once more, with the rows held."""


class Validator(OAuth2Validator):
    """For `platform`, which authenticated already, at `now`."""

    def __init__(
        self,
        platform: Platform | None = None,
        now: datetime | None = None,
        request_id: str = "",
        *,
        holds_rows: bool = True,
    ) -> None:
        """`holds_rows`: it runs inside the transaction of the whole exchange, and locks what it reads. Without, it
        raises Contended where it cannot do without.
        """
        super().__init__()
        self.holds_rows = holds_rows
        self.platform = platform
        self.now = now
        self.request_id = request_id
        #: A replay was punished: the one refusal whose writes must stay.
        self.replayed = False

    # -- the client: proved by gateway.oauth.clients before the transaction began --------------------------------------

    def client_authentication_required(self, request: Any, *args: Any, **kwargs: Any) -> bool:
        return True  # no public clients

    def authenticate_client_id(self, client_id: Any, request: Any, *args: Any, **kwargs: Any) -> bool:
        return False

    def authenticate_client(self, request: Any, *args: Any, **kwargs: Any) -> bool:
        if self.platform is None or self.now is None:
            return False
        request.client, request.client_id = self.platform, self.platform.client_id
        return True

    def validate_user(self, *args: Any, **kwargs: Any) -> bool:
        return False  # no password grant

    def validate_bearer_token(self, *args: Any, **kwargs: Any) -> bool:
        return False  # gateway.oauth.bearer is the only door

    # -- authorization code --------------------------------------------------------------------------------------------

    def validate_code(self, client_id: Any, code: str, client: Any, request: Any, *args: Any, **kwargs: Any) -> bool:
        """Of many at once one wins, and the others see a used code, if not here then with consent and grant held."""
        found = statements.grant(digest(code), client.id, held=self.holds_rows)
        if found is None:
            return False
        grant, consent = found
        if grant.used_at is not None:
            if not self.holds_rows:
                raise Contended
            self._punish_replay(grant, consent)
            return False
        if grant.expires <= self._now or grant.redirect_uri != request.redirect_uri:
            return False
        self._check_open(consent)
        request.grant, request.grant_id, request.bound_id, request.consent = grant, grant.pk, grant.pk, consent
        request.user, request.scopes = consent.user, sorted(consent.scopes)
        return True

    def get_code_challenge(self, code: str, request: Any) -> str:
        return str(request.grant.code_challenge)

    def get_code_challenge_method(self, code: str, request: Any) -> str:
        return str(request.grant.code_challenge_method)

    def is_pkce_required(self, client_id: Any, request: Any) -> bool:
        return True

    def confirm_redirect_uri(self, *args: Any, **kwargs: Any) -> bool:
        return True  # validate_code compared it: oauthlib's own error here is not the one RFC 6749 section 5.2 names

    def invalidate_authorization_code(self, client_id: Any, code: str, request: Any, *args: Any, **kwargs: Any) -> None:
        pass  # save_bearer_token did, in the statement that wrote its tokens

    def _punish_replay(self, grant: Any, consent: Consent) -> None:
        """Ends what the code minted (RFC 6749 section 4.1.2), and no more: ending the consent would let a client that
        submits twice by mistake cut off its own users.
        """
        AccessToken.objects.filter(grant=grant).delete()
        RefreshToken.objects.filter(grant=grant).delete()
        audit.record(
            "token.code_replayed",
            actor=Actor(initiator=Initiator.PLATFORM, request_id=self.request_id),
            now=self._now,
            user_pseudonym=consent.user.pseudonym,
            consent_id=consent.id,
            platform_id=consent.platform_id,
        )
        self.replayed = True

    def rotate_refresh_token(self, request: Any) -> bool:
        """Of a code's: made here. Without, oauthlib takes the value that the client sends along as `refresh_token`."""
        return True

    # -- refresh token -------------------------------------------------------------------------------------------------

    def validate_refresh_token(self, refresh_token: str, client: Any, request: Any, *args: Any, **kwargs: Any) -> bool:
        found = statements.refresh_token(digest(refresh_token), client.id, held=self.holds_rows)
        if found is None:
            return False
        stored, consent = found
        self._check_open(consent)
        request.grant_id, request.bound_id = stored.grant_id, stored.pk
        request.consent, request.user = consent, consent.user
        request.refresh_token = refresh_token
        return True

    def get_original_scopes(self, refresh_token: str, request: Any, *args: Any, **kwargs: Any) -> list[str]:
        return sorted(request.consent.scopes)

    # -- both ----------------------------------------------------------------------------------------------------------

    def save_bearer_token(self, token: dict[str, Any], request: Any, *args: Any, **kwargs: Any) -> None:
        """Always a new row: overwriting one, as the toolkit does, kills tokens handed out a moment ago."""
        consent: Consent = request.consent
        if set(request.scopes) != set(consent.scopes):
            # A token only points at its consent: one that claimed less would still open all of it.
            raise errors.InvalidScopeError(
                description="scope must be left out or equal what the consent grants", request=request
            )
        expires_at = min(self._now + ACCESS_TOKEN_LIFETIME, consent.expires_at)
        minted = self._minted(request)
        access_digest = digest(token["access_token"])
        if request.grant_type == "authorization_code":
            refresh_digest = digest(token["refresh_token"])
            is_written = statements.exchange_code(access_digest, refresh_digest, minted, expires_at=expires_at)
        else:
            is_written = statements.add_access_token(access_digest, minted, expires_at=expires_at)
        if not is_written:
            if self.holds_rows:  # user or platform, whose rows nobody holds: stopped since they were read
                raise errors.InvalidGrantError(request=request)
            raise Contended
        # oauthlib writes the answer from this dict afterwards.
        token["expires_in"] = int((expires_at - self._now).total_seconds())
        token["authorization_details"] = authorization_details.granted(consent)
        token["grant_id"] = pairwise.encode("con", consent.platform_id, consent.id)

    def _minted(self, request: Any) -> Minted:
        consent: Consent = request.consent
        return Minted(
            user_id=consent.user_id,
            platform_id=consent.platform_id,
            consent_id=consent.id,
            grant_id=request.grant_id,
            bound_id=request.bound_id,
            revision=consent.revision,
            scope=" ".join(sorted(request.scopes)),
            resource=addresses.resource(),
            now=self._now,
        )

    def _check_open(self, consent: Consent) -> None:
        """Only an AUTHORISED consent in date, of an active user and platform, mints. Raises InvalidGrantError."""
        if consent.status in _WAITING and not consent.is_expired(self._now):
            # The refresh token stays: the way back is the user's or the operator's, not a new authorization.
            raise errors.InvalidGrantError(description=f"the consent is {consent.status.lower()} for now")
        if consent.status != ConsentStatus.AUTHORISED or consent.is_expired(self._now):
            raise errors.InvalidGrantError(description="the consent has ended")
        if not consent.user.is_active or not consent.platform.is_usable(None):
            raise errors.InvalidGrantError

    @property
    def _now(self) -> datetime:
        assert self.now is not None  # authenticate_client refuses without it, and nothing comes before that
        return self.now
