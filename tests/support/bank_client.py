"""A small, honest client of a UK Open Banking bank, and a browser that reads forms: for tests only.

It signs with the client's key, walks a customer through login and consent as a browser without JavaScript would, and
keeps the tokens. Every single step can be done alone, or wrongly, by giving other claims or fields.
"""

import base64
import hashlib
import json
import secrets
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any
from urllib.parse import parse_qs, urljoin, urlsplit

import requests
from jwcrypto import jwk, jws

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ALL_PERMISSIONS = (
    "ReadAccountsDetail",
    "ReadBalances",
    "ReadTransactionsDetail",
    "ReadTransactionsCredits",
    "ReadTransactionsDebits",
)
TIMEOUT = 20


def sign(claims: dict[str, Any], key: jwk.JWK, **header: Any) -> str:
    """A compact JWS; alg follows the key unless the header says otherwise."""
    protected = {"alg": "ES256" if key["kty"] == "EC" else "PS256", "kid": key["kid"]} | header
    token = jws.JWS(json.dumps(claims))
    token.add_signature(key, protected=json.dumps({k: v for k, v in protected.items() if v is not None}))
    return str(token.serialize(compact=True))


@dataclass(slots=True, kw_only=True)
class Form:
    """One HTML form: where it goes, its named fields with their values, and its submit buttons."""

    action: str
    method: str
    fields: list[tuple[str, str]] = field(default_factory=list)
    choices: list[tuple[str, str, bool]] = field(default_factory=list)  #: check boxes: name, value, ticked
    buttons: list[tuple[str, str]] = field(default_factory=list)


class _FormReader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        name, value, kind = given.get("name") or "", given.get("value") or "", given.get("type") or "text"
        if tag == "form":
            self.forms.append(Form(action=given.get("action") or "", method=(given.get("method") or "get").upper()))
        elif not self.forms:
            return
        elif tag == "input" and kind == "checkbox":
            self.forms[-1].choices.append((name, value, "checked" in given))
        elif tag == "input" and name:
            self.forms[-1].fields.append((name, value))
        elif tag == "button":
            self.forms[-1].buttons.append((name, value))


def forms(page: requests.Response) -> list[Form]:
    reader = _FormReader()
    reader.feed(page.text)
    return reader.forms


class Browser:
    """Cookies, redirects within the bank, and forms. Stops at the door of anybody else's origin."""

    def __init__(self, origin: str) -> None:
        self.origin = origin
        self.session = requests.Session()

    def get(self, url: str) -> requests.Response:
        return self._follow(self.session.get(url, allow_redirects=False, timeout=TIMEOUT))

    def submit(self, page: requests.Response, fields: dict[str, str | list[str]]) -> requests.Response:
        """Send the page's only form with these fields filled in. Hidden fields go along; nothing is ticked unasked."""
        (form,) = forms(page)
        filled = dict(form.fields) | fields
        target, headers = urljoin(page.url, form.action), {"Referer": page.url}
        answer = self.session.post(target, data=filled, headers=headers, allow_redirects=False, timeout=TIMEOUT)
        return self._follow(answer)

    def _follow(self, response: requests.Response) -> requests.Response:
        while response.is_redirect:
            target = urljoin(response.url, response.headers["Location"])
            if not target.startswith(f"{self.origin}/"):
                break
            response = self.session.get(target, allow_redirects=False, timeout=TIMEOUT)
        return response


@dataclass(slots=True, kw_only=True)
class Pkce:
    verifier: str = field(default_factory=lambda: secrets.token_urlsafe(48))

    @property
    def challenge(self) -> str:
        return base64.urlsafe_b64encode(hashlib.sha256(self.verifier.encode()).digest()).rstrip(b"=").decode()


class BankClient:
    """One registered client of one bank; after `connect` also one customer's tokens."""

    def __init__(
        self,
        *,
        issuer: str,
        client_id: str,
        key: jwk.JWK,
        redirect_uri: str,
        resource_path: str = "/open-banking/v4.0/aisp",
    ) -> None:
        self.issuer = issuer
        self.resource_path = resource_path
        self.client_id = client_id
        self.key = key
        self.redirect_uri = redirect_uri
        self.http = requests.Session()
        self.tokens: dict[str, Any] = {}
        self.consent_id = ""
        self._own_token = ""

    # -- OAuth ------------------------------------------------------------------------------------------------------

    def assertion(self, *, key: jwk.JWK | None = None, header: dict[str, Any] | None = None, **changed: Any) -> str:
        """A client assertion; claims given as None are left out."""
        now = int(time.time())
        claims = {"iss": self.client_id, "sub": self.client_id, "aud": self.issuer, "jti": str(uuid.uuid4())}
        return sign(_without_none(claims | {"iat": now, "exp": now + 60} | changed), key or self.key, **(header or {}))

    def token(self, *, assertion: str | None = None, **form: str) -> requests.Response:
        """POST to the token endpoint."""
        proof = {"client_assertion_type": ASSERTION_TYPE, "client_assertion": assertion or self.assertion()}
        return self.http.post(f"{self.issuer}/oauth/token", data=proof | form, timeout=TIMEOUT)

    def own_token(self) -> str:
        """A client-credentials token, kept."""
        if not self._own_token:
            answer = self.token(grant_type="client_credentials", scope="accounts")
            answer.raise_for_status()
            self._own_token = answer.json()["access_token"]
        return self._own_token

    def request_object(
        self,
        consent_id: str,
        pkce: Pkce,
        *,
        key: jwk.JWK | None = None,
        header: dict[str, Any] | None = None,
        **changed: Any,
    ) -> str:
        """A signed authorization request for this consent; claims given as None are left out."""
        now = int(time.time())
        intent = {"openbanking_intent_id": {"value": consent_id, "essential": True}}
        claims: dict[str, Any] = {
            "iss": self.client_id,
            "aud": self.issuer,
            "client_id": self.client_id,
            "response_type": "code",
            "redirect_uri": self.redirect_uri,
            "scope": "openid accounts",
            "state": secrets.token_urlsafe(12),
            "nonce": secrets.token_urlsafe(12),
            "code_challenge": pkce.challenge,
            "code_challenge_method": "S256",
            "claims": {"id_token": intent, "userinfo": intent},
            "iat": now,
            "nbf": now,
            "exp": now + 300,
        }
        return sign(_without_none(claims | changed), key or self.key, **(header or {}))

    def authorization_url(self, request_object: str, **changed: str) -> str:
        query = {
            "client_id": self.client_id,
            "response_type": "code",
            "scope": "openid accounts",
            "request": request_object,
        } | changed
        return str(requests.Request("GET", f"{self.issuer}/oauth/authorize", params=query).prepare().url)

    def exchange(self, code: str, pkce: Pkce, **changed: str) -> requests.Response:
        form = {"code": code, "redirect_uri": self.redirect_uri, "code_verifier": pkce.verifier}
        return self.token(grant_type="authorization_code", **(form | changed))

    def refresh(self, refresh_token: str) -> requests.Response:
        return self.token(grant_type="refresh_token", refresh_token=refresh_token)

    # -- consents and resources -------------------------------------------------------------------------------------

    def api(
        self,
        method: str,
        path: str,
        *,
        token: str | None = None,
        headers: dict[str, str] | None = None,
        **arguments: Any,
    ) -> requests.Response:
        """Call the bank; `path` below the AISP root, or a whole link. Customer's token unless another is given."""
        url = path if path.startswith("http") else f"{self.issuer}{self.resource_path}{path}"
        bearer = self.tokens.get("access_token", "") if token is None else token
        sent = {"Authorization": f"Bearer {bearer}", "Accept": "application/json"} | (headers or {})
        return self.http.request(method, url, headers=sent, timeout=TIMEOUT, **arguments)

    def create_consent(self, *permissions: str, **dates: str) -> requests.Response:
        body = {"Data": {"Permissions": list(permissions or ALL_PERMISSIONS), **dates}, "Risk": {}}
        return self.api("POST", "/account-access-consents", token=self.own_token(), json=body)

    def pages(self, path: str, **query: str) -> Iterator[requests.Response]:
        """Every page of a list, following Links.Next."""
        answer = self.api("GET", path, params=query)
        yield answer
        while "Next" in (links := answer.json()["Links"]):
            answer = self.api("GET", links["Next"])
            yield answer

    # -- the whole walk ---------------------------------------------------------------------------------------------

    def decide(
        self,
        request_object: str,
        user: str,
        *,
        decision: str = "allow",
        accounts: list[str] | None = None,
        **query: str,
    ) -> dict[str, str]:
        """Log in as `user`, decide, and give back what the bank sent to the redirect URI. All accounts unless named.

        `query` changes or adds parameters beside the request object.
        """
        browser = Browser(self.issuer)
        login = browser.get(self.authorization_url(request_object, **query))
        consent = browser.submit(login, {"username": user, "password": "sandbox"})
        offered = [value for name, value, _ in forms(consent)[0].choices if name == "accounts"]
        chosen = offered if accounts is None else accounts
        return returned(browser.submit(consent, {"accounts": chosen, "decision": decision}))

    def connect(self, user: str, *permissions: str, accounts: list[str] | None = None, **dates: str) -> "BankClient":
        """Consent, login, decision, tokens. Afterwards `api` speaks for this customer."""
        created = self.create_consent(*permissions, **dates)
        created.raise_for_status()
        self.consent_id = created.json()["Data"]["ConsentId"]
        pkce = Pkce()
        back = self.decide(self.request_object(self.consent_id, pkce), user, accounts=accounts)
        answer = self.exchange(back["code"], pkce)
        answer.raise_for_status()
        self.tokens = answer.json()
        return self


def returned(response: requests.Response) -> dict[str, str]:
    """The parameters of a redirect that left the bank."""
    assert response.status_code == 303, f"{response.status_code}: {response.text[:500]}"
    return {name: values[0] for name, values in parse_qs(urlsplit(response.headers["Location"]).query).items()}


def _without_none(claims: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in claims.items() if value is not None}
