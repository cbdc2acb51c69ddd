"""Tokens: who may have one, how often, and what ends it. Negatives as tables; each row is one attack or one mistake."""

import base64
import json
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from operator import or_
from typing import Any

import pytest
import requests
from jwcrypto import jwk, jws

from tests.banks.sandbox.conftest import client_of
from tests.support.bank_client import ASSERTION_TYPE, BankClient, Pkce, sign
from tests.support.sandbox_bank import SandboxBank, new_key

OTHER_KEY = new_key("EC")


def code_of(client: BankClient, pkce: Pkce, user: str = "empty") -> str:
    consent_id = client.create_consent().json()["Data"]["ConsentId"]
    return client.decide(client.request_object(consent_id, pkce), user)["code"]


def error_of(answer: requests.Response) -> tuple[int, str]:
    """Status and error, after checking the form of RFC 6749 section 5.2."""
    assert answer.headers["Cache-Control"] == "no-store"
    assert set(answer.json()) <= {"error", "error_description"}
    return answer.status_code, answer.json()["error"]


# -- discovery ------------------------------------------------------------------------------------------------------


def test_discovery_says_what_the_bank_does(bank: SandboxBank) -> None:
    found = requests.get(f"{bank.issuer}/.well-known/openid-configuration", timeout=5).json()

    assert found["issuer"] == bank.issuer
    assert found["authorization_response_iss_parameter_supported"] is True
    assert found["token_endpoint_auth_methods_supported"] == ["private_key_jwt"]
    assert found["code_challenge_methods_supported"] == ["S256"]
    assert all(found[name].startswith(bank.issuer) for name in ("authorization_endpoint", "token_endpoint", "jwks_uri"))


def test_jwks_holds_public_keys_only(bank: SandboxBank) -> None:
    (key,) = requests.get(f"{bank.issuer}/oauth/jwks", timeout=5).json()["keys"]

    assert "d" not in key
    assert key["alg"] == "ES256"


# -- client authentication ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kty", ["EC", "RSA"])
def test_es256_and_ps256_authenticate(client: BankClient, stranger: BankClient, kty: str) -> None:
    answer = (client if kty == "EC" else stranger).token(grant_type="client_credentials", scope="accounts")

    assert answer.status_code == 200
    assert answer.json() | {"access_token": ""} == {
        "access_token": "",
        "token_type": "Bearer",
        "expires_in": 600,
        "scope": "accounts",
    }


def unsigned(client: BankClient) -> str:
    _, payload, _ = client.assertion().split(".")
    header = base64.urlsafe_b64encode(b'{"alg":"none"}').rstrip(b"=").decode()
    return f"{header}.{payload}.AA"


def by_public_key_as_secret(client: BankClient) -> str:
    """Signed with HMAC and the public key's own text: the classic confusion of algorithms."""
    secret = jwk.JWK(kty="oct", k=base64.urlsafe_b64encode(client.key.export_public().encode()).rstrip(b"=").decode())
    token = jws.JWS(json.dumps({"iss": client.client_id, "sub": client.client_id, "aud": client.issuer}))
    token.add_signature(secret, protected=json.dumps({"alg": "HS256", "kid": client.key["kid"]}))
    return str(token.serialize(compact=True))


def with_doubled_member(client: BankClient) -> str:
    now = int(time.time())
    text = (
        f'{{"iss":"{client.client_id}","sub":"{client.client_id}","aud":"{client.issuer}","aud":"x",'
        f'"jti":"{uuid.uuid4()}","exp":{now + 60},"aud":"{client.issuer}"}}'
    )
    token = jws.JWS(text)
    token.add_signature(client.key, protected=json.dumps({"alg": "ES256", "kid": client.key["kid"]}))
    return str(token.serialize(compact=True))


def tampered(client: BankClient) -> str:
    header, payload, signature = client.assertion().split(".")
    claims = json.loads(base64.urlsafe_b64decode(payload + "=="))
    changed = base64.urlsafe_b64encode(json.dumps({**claims, "extra": 1}).encode()).rstrip(b"=").decode()
    return f"{header}.{changed}.{signature}"


def in_seconds(seconds: float) -> float:
    return time.time() + seconds


REFUSED_ASSERTIONS: dict[str, Callable[[BankClient], str]] = {
    "aud of somebody else": lambda c: c.assertion(aud="https://bank.example"),
    "aud the token endpoint": lambda c: c.assertion(aud=f"{c.issuer}/oauth/token"),
    "aud with a slash": lambda c: c.assertion(aud=f"{c.issuer}/"),
    "aud a list of us alone": lambda c: c.assertion(aud=[c.issuer]),
    "aud a list of several": lambda c: c.assertion(aud=[c.issuer, "https://bank.example"]),
    "no aud": lambda c: c.assertion(aud=None),
    "expired": lambda c: c.assertion(exp=in_seconds(-1)),
    "no exp": lambda c: c.assertion(exp=None),
    "exp an hour ahead": lambda c: c.assertion(exp=in_seconds(3600)),
    "exp a text": lambda c: c.assertion(exp=str(in_seconds(60))),
    "exp a truth value": lambda c: c.assertion(exp=True),
    "exp beyond all calendars": lambda c: c.assertion(exp=1e300),
    "exp not a number": lambda c: c.assertion(exp=float("nan")),
    "not valid yet": lambda c: c.assertion(nbf=in_seconds(200)),
    "issued in the future": lambda c: c.assertion(iat=in_seconds(200)),
    "no jti": lambda c: c.assertion(jti=None),
    "empty jti": lambda c: c.assertion(jti=""),
    "jti a number": lambda c: c.assertion(jti=7),
    "iss of somebody else": lambda c: c.assertion(iss="stranger"),
    "sub of nobody": lambda c: c.assertion(sub="nobody", iss="nobody"),
    "sub of another client": lambda c: c.assertion(sub="stranger", iss="stranger"),
    "no sub": lambda c: c.assertion(sub=None),
    "sub a list": lambda c: c.assertion(sub=[c.client_id]),
    "another key": lambda c: c.assertion(key=OTHER_KEY),
    "another key under our kid": lambda c: c.assertion(key=OTHER_KEY, header={"kid": c.key["kid"]}),
    "unknown kid": lambda c: c.assertion(header={"kid": "none"}),
    "crit": lambda c: c.assertion(header={"crit": ["b64"], "b64": True}),
    "alg none": unsigned,
    "alg HS256 with the public key": by_public_key_as_secret,
    "doubled aud": with_doubled_member,
    "tampered": tampered,
    "half a character in sub": lambda c: c.assertion(sub="\ud800", iss="\ud800"),
    "half a character in jti": lambda c: c.assertion(jti="\ud800"),
    "empty": lambda c: "",
    "two parts": lambda c: "a.b",
    "five parts": lambda c: "aa.bb.cc.dd.ee",
    "no JSON": lambda c: "aaaa.aaaa.aaaa",
    "a very long one": lambda c: "a" * 50_000,
    "not ASCII": lambda c: "é.é.é",
}


@pytest.mark.parametrize("forge", REFUSED_ASSERTIONS.values(), ids=REFUSED_ASSERTIONS.keys())
def test_a_bad_client_assertion_is_invalid_client(
    client: BankClient, stranger: BankClient, forge: Callable[[BankClient], str]
) -> None:
    form = {"grant_type": "client_credentials", "client_assertion_type": ASSERTION_TYPE}
    form["client_assertion"] = forge(client)

    assert error_of(client.http.post(f"{client.issuer}/oauth/token", data=form, timeout=5)) == (401, "invalid_client")


def test_an_assertion_is_taken_once(client: BankClient) -> None:
    assertion = client.assertion()

    assert client.token(assertion=assertion, grant_type="client_credentials").status_code == 200
    assert error_of(client.token(assertion=assertion, grant_type="client_credentials")) == (401, "invalid_client")


def test_an_assertion_without_a_kid_is_taken_when_one_key_fits(client: BankClient) -> None:
    assert client.token(assertion=client.assertion(header={"kid": None}), grant_type="client_credentials").ok


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ({}, (400, "unsupported_grant_type")),
        ({"grant_type": "password"}, (400, "unsupported_grant_type")),
        ({"grant_type": "client_credentials", "scope": "payments"}, (400, "invalid_scope")),
        ({"grant_type": "client_credentials", "client_id": "stranger"}, (401, "invalid_client")),
        ({"grant_type": "client_credentials", "client_assertion_type": "x"}, (401, "invalid_client")),
        ({"grant_type": ["client_credentials", "client_credentials"]}, (400, "invalid_request")),
        ({"grant_type": "authorization_code", "code": "x", "code_verifier": "short"}, (400, "invalid_request")),
        ({"grant_type": "authorization_code", "code": "x", "code_verifier": "v" * 43}, (400, "invalid_grant")),
        ({"grant_type": "refresh_token"}, (400, "invalid_grant")),
        ({"grant_type": "refresh_token", "refresh_token": "é\x00"}, (400, "invalid_grant")),
    ],
)
def test_bad_token_requests(client: BankClient, form: dict[str, Any], expected: tuple[int, str]) -> None:
    proof = {"client_assertion_type": ASSERTION_TYPE, "client_assertion": client.assertion()}

    assert error_of(client.http.post(f"{client.issuer}/oauth/token", data=proof | form, timeout=5)) == expected


def test_the_token_endpoint_takes_forms_by_post_only(client: BankClient) -> None:
    url = f"{client.issuer}/oauth/token"

    assert error_of(client.http.get(url, timeout=5)) == (405, "invalid_request")
    assert error_of(client.http.post(url, json={}, timeout=5)) == (400, "invalid_request")


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"a=" + b"x" * 100_000, "application/x-www-form-urlencoded"),
        (b"&".join(b"a%d=1" % number for number in range(200)), "application/x-www-form-urlencoded"),
        (b"a=1", "application/x-www-form-urlencoded; charset=utf-16"),
        (b"\xff\xfe=\xff", "application/x-www-form-urlencoded"),
        (b"", "application/x-www-form-urlencoded"),
        (b"--x", "multipart/form-data; boundary=x"),
    ],
)
def test_forms_that_cannot_be_read_are_refused_in_form(client: BankClient, body: bytes, kind: str) -> None:
    answer = client.http.post(f"{client.issuer}/oauth/token", data=body, headers={"Content-Type": kind}, timeout=5)

    assert error_of(answer)[0] in (400, 401)


# -- codes ----------------------------------------------------------------------------------------------------------


def test_a_code_opens_tokens_with_an_id_token_of_the_intent(client: BankClient, bank: SandboxBank) -> None:
    pkce = Pkce()
    consent_id = client.create_consent().json()["Data"]["ConsentId"]
    back = client.decide(client.request_object(consent_id, pkce, nonce="n-0S6_WzA2Mj"), "empty")

    tokens = client.exchange(back["code"], pkce).json()

    (key,) = requests.get(f"{bank.issuer}/oauth/jwks", timeout=5).json()["keys"]
    signed = jws.JWS()
    signed.deserialize(tokens["id_token"], jwk.JWK(**key))
    claims = json.loads(signed.payload)
    assert claims["openbanking_intent_id"] == claims["sub"] == consent_id
    assert (claims["iss"], claims["aud"], claims["nonce"]) == (bank.issuer, client.client_id, "n-0S6_WzA2Mj")
    assert tokens["expires_in"] == 600 and tokens["token_type"] == "Bearer"


def test_scope_accounts_alone_gives_no_id_token(client: BankClient) -> None:
    pkce = Pkce()
    consent_id = client.create_consent().json()["Data"]["ConsentId"]
    request_object = client.request_object(consent_id, pkce, scope="accounts", nonce=None)

    back = client.decide(request_object, "empty", scope="accounts")
    tokens = client.exchange(back["code"], pkce).json()

    assert (tokens["scope"], "id_token" in tokens) == ("accounts", False)


def test_a_code_used_twice_ends_the_tokens_it_made(client: BankClient) -> None:
    pkce = Pkce()
    code = code_of(client, pkce)
    client.tokens = client.exchange(code, pkce).json()
    assert client.api("GET", "/accounts").status_code == 200

    assert error_of(client.exchange(code, pkce)) == (400, "invalid_grant")

    assert client.api("GET", "/accounts").status_code == 401
    assert error_of(client.refresh(client.tokens["refresh_token"])) == (400, "invalid_grant")


def test_a_failed_exchange_does_not_burn_the_code(client: BankClient, stranger: BankClient) -> None:
    pkce = Pkce()
    code = code_of(client, pkce)

    assert error_of(stranger.exchange(code, pkce)) == (400, "invalid_grant")
    assert error_of(client.exchange(code, Pkce())) == (400, "invalid_grant")
    assert error_of(client.exchange(code, pkce, redirect_uri=f"{client.redirect_uri}/x")) == (400, "invalid_grant")

    assert client.exchange(code, pkce).status_code == 200


# -- refresh tokens -------------------------------------------------------------------------------------------------


def test_a_refresh_token_is_replaced_at_each_use(client: BankClient) -> None:
    client.connect("empty")
    first = client.tokens

    client.tokens = client.refresh(first["refresh_token"]).json()

    assert client.tokens["refresh_token"] != first["refresh_token"]
    assert client.api("GET", "/accounts").status_code == 200
    assert client.refresh(client.tokens["refresh_token"]).status_code == 200


def test_an_old_refresh_token_ends_the_whole_family(client: BankClient) -> None:
    client.connect("empty")
    old = client.tokens["refresh_token"]
    client.tokens = client.refresh(old).json()
    assert client.api("GET", "/accounts").status_code == 200

    assert error_of(client.refresh(old)) == (400, "invalid_grant")

    assert client.api("GET", "/accounts").status_code == 401
    assert error_of(client.refresh(client.tokens["refresh_token"])) == (400, "invalid_grant")


def test_a_family_ends_alone(client: BankClient, bank: SandboxBank) -> None:
    other = client_of(bank, None).connect("empty")
    client.connect("empty")
    old = client.tokens["refresh_token"]
    client.refresh(old)
    client.refresh(old)

    assert other.api("GET", "/accounts").status_code == 200


def test_another_client_cannot_use_nor_burn_a_refresh_token(client: BankClient, stranger: BankClient) -> None:
    client.connect("empty")

    assert error_of(stranger.refresh(client.tokens["refresh_token"])) == (400, "invalid_grant")
    assert client.refresh(client.tokens["refresh_token"]).status_code == 200


@pytest.mark.parametrize("kind", ["code", "refresh token"])
def test_of_many_uses_at_once_exactly_one_succeeds(client: BankClient, kind: str) -> None:
    pkce = Pkce()
    code = code_of(client, pkce)
    client.tokens = client.exchange(code, pkce).json() if kind == "refresh token" else {}
    forms = [
        {"grant_type": "authorization_code", "code": code, "redirect_uri": client.redirect_uri}
        | {"code_verifier": pkce.verifier}
        if kind == "code"
        else {"grant_type": "refresh_token", "refresh_token": client.tokens["refresh_token"]}
        for _ in range(6)
    ]
    proofs = [{"client_assertion_type": ASSERTION_TYPE, "client_assertion": client.assertion()} for _ in forms]

    with ThreadPoolExecutor(6) as pool:
        url = f"{client.issuer}/oauth/token"
        answers = list(pool.map(lambda form: requests.post(url, data=form, timeout=20), map(or_, forms, proofs)))

    assert sorted(answer.status_code for answer in answers) == [200] + [400] * 5
    # The others were replays, so what the one got is revoked.
    (won,) = (answer.json() for answer in answers if answer.ok)
    assert client.api("GET", "/accounts", token=won["access_token"]).status_code == 401


# -- at rest --------------------------------------------------------------------------------------------------------


def test_no_token_or_code_is_in_the_database_file(client: BankClient, bank: SandboxBank) -> None:
    pkce = Pkce()
    code = code_of(client, pkce)
    tokens = client.exchange(code, pkce).json()

    data = b"".join(file.read_bytes() for file in (bank.directory / "data").glob("sandbox.sqlite3*"))

    for secret in (code, tokens["access_token"], tokens["refresh_token"], client.own_token(), pkce.verifier):
        assert secret.encode() not in data


def test_what_the_bank_keeps_is_for_its_owner_only(bank: SandboxBank) -> None:
    files = list((bank.directory / "data").iterdir())

    assert {file.name for file in files} >= {"sandbox.sqlite3", "secret_key", "signing_key.json"}
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}
    assert (bank.directory / "data").stat().st_mode & 0o777 == 0o700


def test_the_helper_signs_what_it_is_given() -> None:
    token = sign({"a": 1}, OTHER_KEY, typ="x")

    header = json.loads(base64.urlsafe_b64decode(token.split(".")[0] + "=="))
    assert header == {"alg": "ES256", "kid": OTHER_KEY["kid"], "typ": "x"}
