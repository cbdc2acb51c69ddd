"""A platform: an OAuth client of the standard profile (RFC 9700) and a caller of the API. Only `requests`."""

import base64
import hashlib
import json
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import requests

TIMEOUT_SECONDS = 30


class Refused(Exception):
    """The answer was not the one the protocol promises."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request on its way: what must come back with the answer."""

    url: str
    state: str
    verifier: str = field(repr=False)


class Platform:
    def __init__(self, *, issuer: str, client_id: str, client_secret: str, redirect_uri: str) -> None:
        self.client_id = client_id
        self.redirect_uri = redirect_uri
        self._secret = client_secret
        self._session = requests.Session()
        self._session.trust_env = False
        self.metadata = self._discover(issuer)

    def ask(self, *, scopes: list[str], purposes: list[str], **limits: Any) -> Asked:
        """The address to send the user's browser to (RFC 6749 section 4.1.1, RFC 7636, RFC 9396)."""
        state, verifier = secrets.token_urlsafe(24), secrets.token_urlsafe(48)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        details = [{"type": "account_information", "scopes": scopes, "purposes": purposes, **limits}]
        parameters = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": self.redirect_uri,
            "state": state,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
            "authorization_details": json.dumps(details),
        }
        return Asked(f"{self.metadata['authorization_endpoint']}?{urlencode(parameters)}", state, verifier)

    def redeem(self, asked: Asked, returned: str) -> dict[str, Any]:
        """Check what the browser brought back and change the code for tokens. Raises Refused."""
        answer = {name: values[0] for name, values in parse_qs(urlsplit(returned).query).items()}
        if not returned.startswith(f"{self.redirect_uri}?") or answer.get("state") != asked.state:
            raise Refused("the answer is not to our question")
        # RFC 9207: an answer of another server must not be redeemed at this one.
        if answer.get("iss") != self.metadata["issuer"]:
            raise Refused("iss is not the server we asked")
        if "code" not in answer:
            raise Refused(f"{answer.get('error')}: {answer.get('error_description', '')}")
        response = self._session.post(
            self.metadata["token_endpoint"],
            data={
                "grant_type": "authorization_code",
                "code": answer["code"],
                "redirect_uri": self.redirect_uri,
                "code_verifier": asked.verifier,
            },
            auth=(self.client_id, self._secret),
            timeout=TIMEOUT_SECONDS,
        )
        if response.status_code != 200:
            raise Refused(f"token endpoint: {response.status_code} {response.text[:200]}")
        tokens: dict[str, Any] = response.json()
        return tokens

    def own_token(self) -> str:
        """A token of the platform's own, for what is no customer's (RFC 6749 section 4.4). Raises Refused."""
        response = self._session.post(
            self.metadata["token_endpoint"],
            data={"grant_type": "client_credentials"},
            auth=(self.client_id, self._secret),
            timeout=TIMEOUT_SECONDS,
        )
        if response.status_code != 200:
            raise Refused(f"token endpoint: {response.status_code} {response.text[:200]}")
        return str(response.json()["access_token"])

    def get(self, url: str, token: str, **query: str) -> requests.Response:
        """Waits, when it is told that it asked too often."""
        headers = {"Authorization": f"Bearer {token}"}
        while True:
            response = self._session.get(url, params=query, headers=headers, timeout=TIMEOUT_SECONDS)
            if response.status_code != 429:
                return response
            time.sleep(float(response.headers.get("Retry-After", "1")))

    def delete(self, url: str, token: str) -> int:
        """The status of the answer."""
        headers = {"Authorization": f"Bearer {token}"}
        return self._session.delete(url, headers=headers, timeout=TIMEOUT_SECONDS).status_code

    def acknowledge(self, url: str, token: str, through: str) -> None:
        """Everything up to this position was dealt with. Raises Refused."""
        headers = {"Authorization": f"Bearer {token}"}
        response = self._session.post(url, json={"through": through}, headers=headers, timeout=TIMEOUT_SECONDS)
        if response.status_code not in (200, 204):
            raise Refused(f"{url}: {response.status_code} {response.text[:200]}")

    def read(self, url: str, token: str, **query: str) -> dict[str, Any]:
        """The JSON of a 200. Raises Refused."""
        response = self.get(url, token, **query)
        if response.status_code != 200:
            raise Refused(f"{url}: {response.status_code} {response.text[:200]}")
        body: dict[str, Any] = response.json()
        return body

    def post(self, url: str, token: str, *, wait_seconds: int) -> dict[str, Any]:
        """The JSON of a 200 or 202; the server may wait that long for the end (RFC 7240). Raises Refused."""
        headers = {"Authorization": f"Bearer {token}", "Prefer": f"wait={wait_seconds}"}
        response = self._session.post(url, json={}, headers=headers, timeout=TIMEOUT_SECONDS)
        if response.status_code not in (200, 202):
            raise Refused(f"{url}: {response.status_code} {response.text[:200]}")
        body: dict[str, Any] = response.json()
        return body

    def transactions(self, account_url: str, token: str) -> Iterator[dict[str, Any]]:
        """Every page of an account's transactions, as the server sent it."""
        query: dict[str, str] = {"limit": "500"}
        while True:
            page = self.read(f"{account_url}/transactions", token, **query)
            yield page
            if page["next_cursor"] is None:
                return
            query["cursor"] = page["next_cursor"]

    def _discover(self, issuer: str) -> dict[str, Any]:
        """RFC 8414; the issuer inside must be the one asked (section 3.3)."""
        response = self._session.get(f"{issuer}/.well-known/oauth-authorization-server", timeout=TIMEOUT_SECONDS)
        response.raise_for_status()
        found: dict[str, Any] = response.json()
        if found["issuer"] != issuer:
            raise Refused("the metadata is another server's")
        return found
