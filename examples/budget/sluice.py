"""The client of Sluice: an OAuth client of the standard profile (RFC 9700), and a caller of the API."""

import base64
import hashlib
import json
import secrets
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from threading import Lock
from typing import Any
from urllib.parse import urlencode

import requests

from examples.budget.configuration import Configuration

Json = dict[str, Any]

TIMEOUT_SECONDS = 20
PAGE_ROWS = 500
#: A token that is as good as out of date: the request that carries it takes a moment.
SPARE_SECONDS = 30

#: What this app asks for. It works without shop names, so it says that they are optional.
SCOPES = ("accounts", "balances", "transactions", "merchants")
OPTIONAL_SCOPES = ("merchants",)
PURPOSE = "budgeting"
DURATION_DAYS = 90
HISTORY_DAYS = 90


class Refused(Exception):
    """Sluice said no (RFC 9457). `code` is what to act on; `message` is a plain sentence that people may read."""

    def __init__(self, problem: Mapping[str, Any]) -> None:
        self.code: str = problem["code"]
        self.status: int = problem["status"]
        self.owner: str | None = problem.get("owner")
        self.message: str = problem.get("display_message") or "This does not work right now."
        self.action_url: str | None = problem.get("action_url")
        self.retry_after: int | None = problem.get("retry_after")
        self.next_after: str | None = problem.get("next_after")
        super().__init__(f"{self.status} {self.code} {problem.get('request_id', '')}".rstrip())


class TokenRefused(Exception):
    """The authorization server gives no token: `invalid_grant`, `invalid_client` ... (RFC 6749 section 5.2)."""

    def __init__(self, error: str) -> None:
        super().__init__(error)
        self.error = error


class Unreachable(Exception):
    """No answer, or none that Sluice would give."""


@dataclass(frozen=True, slots=True)
class Question:
    """A user on their way: the address to send them to, and what must be known when they come back."""

    url: str
    state: str
    verifier: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """`consent_id`: the token endpoint calls it `grant_id`. `access_expires_at`: seconds since 1970."""

    consent_id: str
    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    access_expires_at: float

    @property
    def is_fresh(self) -> bool:
        return time.time() < self.access_expires_at - SPARE_SECONDS


class Sluice:
    def __init__(self, configuration: Configuration) -> None:
        self._configuration = configuration
        self._api = f"{configuration.issuer}/v1"
        self._metadata: Json = {}
        self._own: tuple[str, float] = ("", 0.0)
        self._lock = Lock()

    # -- OAuth ---------------------------------------------------------------------------------------------------------

    def question(self) -> Question:
        """A new request for consent (RFC 6749 section 4.1.1, RFC 7636, RFC 9396)."""
        state, verifier = secrets.token_urlsafe(32), secrets.token_urlsafe(48)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        details = {
            "type": "account_information",
            "scopes": SCOPES,
            "optional_scopes": OPTIONAL_SCOPES,
            "purposes": [PURPOSE],
            "duration_days": DURATION_DAYS,
            "history_days": HISTORY_DAYS,
        }
        query = {
            "response_type": "code",
            "client_id": self._configuration.client_id,
            "redirect_uri": self._configuration.redirect_uri,
            "state": state,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
            "authorization_details": json.dumps([details]),
        }
        return Question(f"{self._endpoint('authorization_endpoint')}?{urlencode(query)}", state, verifier)

    def redeem(self, code: str, verifier: str) -> Tokens:
        """The code for tokens, within 60 seconds. Raises TokenRefused, Unreachable."""
        redirect_uri = self._configuration.redirect_uri
        answer = self._token(
            grant_type="authorization_code", code=code, code_verifier=verifier, redirect_uri=redirect_uri
        )
        return _tokens(answer, answer["grant_id"])

    def renewed(self, tokens: Tokens) -> Tokens:
        """The refresh token for a new access token. Raises TokenRefused: `invalid_grant` while the consent is paused or
        suspended too, so ask `consent` before you throw it away. Raises Unreachable.
        """
        answer = self._token(grant_type="refresh_token", refresh_token=tokens.refresh_token)
        return _tokens({"refresh_token": tokens.refresh_token, **answer}, tokens.consent_id)

    # -- a user's data -------------------------------------------------------------------------------------------------

    def read(self, tokens: Tokens, path: str, **query: str) -> Json:
        """Raises Refused, Unreachable."""
        return self._answer("GET", path, tokens.access_token, params=query)

    def transactions(self, tokens: Tokens, account_id: str, **query: str) -> Iterator[Json]:
        """Every row of one account that fits, newest first, page by page. Raises Refused, Unreachable."""
        query = {"limit": str(PAGE_ROWS), **query}
        while True:
            page = self.read(tokens, f"/accounts/{account_id}/transactions", **query)
            yield from page["transactions"]
            if page["next_cursor"] is None:
                return
            query["cursor"] = page["next_cursor"]

    def refresh(self, tokens: Tokens, *, customer_ip_address: str, idempotency_key: str) -> Json:
        """Ask the banks for fresh data and wait a little. The user has just pressed a button, so we say that they are
        there. Raises Refused, Unreachable.
        """
        headers = {
            "Prefer": "wait=8",
            "Idempotency-Key": idempotency_key,
            "x-fapi-customer-ip-address": customer_ip_address,
            "x-fapi-auth-date": format_datetime(datetime.now(UTC), usegmt=True),
        }
        return self._answer("POST", "/refreshes", tokens.access_token, json={}, headers=headers)

    # -- what is the platform's own ------------------------------------------------------------------------------------

    def consent(self, consent_id: str) -> Json:
        """How it stands, whoever stopped it. Raises Refused, Unreachable."""
        return self._answer("GET", f"/consents/{consent_id}", self._own_token())

    def end(self, consent_id: str) -> None:
        """For good; a consent that had ended already is fine. Raises Refused, Unreachable."""
        self._answer("DELETE", f"/consents/{consent_id}", self._own_token())

    def events(self, after: str) -> Json:
        """Raises Refused (`events_gone`: its `next_after` says where to go on), Unreachable."""
        return self._answer("GET", "/events", self._own_token(), params={"after": after} if after else {})

    def acknowledge(self, through: str) -> None:
        """Raises Refused, Unreachable."""
        self._answer("POST", "/events/acknowledgements", self._own_token(), json={"through": through})

    def _own_token(self) -> str:
        with self._lock:
            token, expires_at = self._own
            if time.time() >= expires_at - SPARE_SECONDS:
                answer = self._token(grant_type="client_credentials")
                token, expires_at = answer["access_token"], time.time() + answer["expires_in"]
                self._own = (token, expires_at)
            return token

    # -- HTTP ----------------------------------------------------------------------------------------------------------

    def _endpoint(self, name: str) -> str:
        """From the metadata (RFC 8414), whose issuer must be the one we asked (section 3.3). Raises Unreachable."""
        if not self._metadata:
            issuer = self._configuration.issuer
            found = _json(_call("GET", f"{issuer}/.well-known/oauth-authorization-server"))
            if found.get("issuer") != issuer:
                raise Unreachable("the metadata is another server's")
            self._metadata = found
        return str(self._metadata[name])

    def _token(self, **form: str) -> Json:
        credentials = (self._configuration.client_id, self._configuration.client_secret)
        response = _call("POST", self._endpoint("token_endpoint"), data=form, auth=credentials)
        answer = _json(response)
        if response.status_code == 200:
            return answer
        if response.status_code in (400, 401):
            raise TokenRefused(str(answer.get("error")))
        raise Unreachable(f"token endpoint: {response.status_code}")

    def _answer(self, method: str, path: str, token: str, **options: Any) -> Json:
        headers = {"Authorization": f"Bearer {token}", **options.pop("headers", {})}
        response = _call(method, self._api + path, headers=headers, **options)
        if response.status_code == 204:
            return {}
        answer = _json(response)
        if response.status_code < 400:
            return answer
        if "code" not in answer:
            # A machine on the way speaks JSON too.
            raise Unreachable(f"{response.status_code} that is not Sluice's")
        raise Refused(answer)


def _tokens(answer: Json, consent_id: str) -> Tokens:
    return Tokens(
        consent_id=consent_id,
        access_token=answer["access_token"],
        refresh_token=answer["refresh_token"],
        access_expires_at=time.time() + answer["expires_in"],
    )


def _call(method: str, url: str, **options: Any) -> requests.Response:
    try:
        # A redirect would carry the token to somewhere else.
        return requests.request(method, url, timeout=TIMEOUT_SECONDS, allow_redirects=False, **options)
    except requests.RequestException as error:
        raise Unreachable(type(error).__name__) from error


def _json(response: requests.Response) -> Json:
    try:
        answer = response.json()
    except requests.JSONDecodeError as error:
        raise Unreachable(f"{response.status_code} without JSON") from error
    if not isinstance(answer, dict):
        raise Unreachable(f"{response.status_code} without a JSON object")
    return answer
