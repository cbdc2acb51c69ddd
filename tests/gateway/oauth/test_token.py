"""POST /oauth/token with a code."""

import base64
import json
from collections.abc import Callable
from datetime import timedelta
from io import BytesIO
from typing import Any
from urllib.parse import urlencode

import pytest
from django.conf import settings
from django.db import connection
from django.test import Client

from consents import clock, lifecycle, platforms
from consents.models import AccessToken, AuditEntry, Consent, Grant, Platform, RefreshToken
from consents.models.platform import PlatformProfile
from consents.models.tokens import digest
from consents.states import ConsentStatus, PlatformStatus
from gateway import pairwise
from gateway.identity.models import User
from gateway.oauth import answers, bearer
from gateway.oauth.bearer import Bearer
from tests.gateway.oauth.conftest import VERIFIER
from tests.support import cast
from tests.support.cast import Member

Rows = Callable[[], dict[str, int]]
FORM = "application/x-www-form-urlencoded"


def code_for(user: User, member: Member, **members: object) -> str:
    """A fresh code, by the real way."""
    asked = {"scopes": ["accounts", "balances"], "purposes": ["account_overview"], **members}
    consent = cast.authorise(Consent.objects.get(id=cast.ask(user, member, VERIFIER, **asked)))
    return cast.code_of(answers.granted(consent.id, user.id, now=clock.now()))


def fields(member: Member, code: str, /, **overrides: str | None) -> dict[str, str]:
    good = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": member.redirect_uri,
        "code_verifier": VERIFIER,
    }
    return {name: value for name, value in {**good, **overrides}.items() if value is not None}


def post(body: str | bytes, authorization: str | None, *, content_type: str = FORM, path: str = "/oauth/token") -> Any:
    headers = {} if authorization is None else {"Authorization": authorization}
    return Client(raise_request_exception=False).generic("POST", path, body, content_type=content_type, headers=headers)


def basic(text: str | bytes) -> str:
    raw = text if isinstance(text, bytes) else text.encode()
    return f"Basic {base64.b64encode(raw).decode()}"


def assert_refused(answer: Any, status: int, error: str) -> None:
    body = answer.json()
    assert (answer.status_code, body["error"]) == (status, error), body
    assert body["error_description"].isascii()
    assert answer["Cache-Control"] == "no-store"
    assert ("WWW-Authenticate" in answer) == (status == 401)
    if status == 401:
        assert answer["WWW-Authenticate"].startswith("Basic ")


class NeverComes:
    """A body that is announced and not sent: to read it is to wait."""

    def read(self, *_: object) -> bytes:
        raise AssertionError("the body was asked for")

    readline = read


@pytest.mark.parametrize("path", ["/oauth/token", "/oauth/revoke"])
@pytest.mark.parametrize("authorization", [None, "Basic eDp5", "Bearer x"])
def test_nobody_waits_for_the_body_of_a_stranger(db: None, path: str, authorization: str | None) -> None:
    headers = {} if authorization is None else {"Authorization": authorization}

    answer = Client().post(
        path, content_type=FORM, headers=headers, **{"wsgi.input": NeverComes(), "CONTENT_LENGTH": "1000"}
    )

    assert_refused(answer, 401, "invalid_client")


# -- what a good exchange gives ----------------------------------------------------------------------------------------


def test_answer_says_what_was_granted(alice: User, chat: Member) -> None:
    answer = cast.exchange(chat, code_for(alice, chat, duration_days=30, history_days=7), VERIFIER)

    consent = Consent.objects.get()
    body = answer.json()
    assert answer.status_code == 200
    assert (answer["Cache-Control"], answer["Pragma"]) == ("no-store", "no-cache")
    assert answer["Content-Type"] == "application/json"
    assert (body["token_type"], body["expires_in"], body["scope"]) == ("Bearer", 600, "accounts balances")
    assert body["grant_id"] == pairwise.encode("con", chat.platform.id, consent.id)
    assert str(consent.id) not in answer.content.decode()
    assert body["authorization_details"] == [
        {
            "type": "account_information",
            "scopes": ["accounts", "balances"],
            "purposes": ["account_overview"],
            "duration_days": 30,
            "history_from": (consent.created_at.date() - timedelta(days=7)).isoformat(),
            "location_precision": None,
            "on_platform_only": False,
            "hidden_groups": [],
            "expires_at": consent.expires_at.isoformat(timespec="seconds"),
        }
    ]
    assert body.keys() == {
        "access_token",
        "token_type",
        "expires_in",
        "refresh_token",
        "scope",
        "authorization_details",
        "grant_id",
    }


def test_rows_point_at_consent_user_platform_and_grant(alice: User, chat: Member) -> None:
    cast.exchange(chat, code_for(alice, chat), VERIFIER)

    consent, grant = Consent.objects.get(), Grant.objects.get()
    assert grant.used_at is not None
    for row in (AccessToken.objects.get(), RefreshToken.objects.get()):
        assert (row.consent_id, row.user_id, row.application_id) == (consent.id, alice.id, chat.platform.id)
        assert row.grant_id == grant.pk
        assert row.resource == [f"{settings.ISSUER}/v1"]


def test_no_table_holds_a_usable_secret(alice: User, chat: Member) -> None:
    code = code_for(alice, chat)
    body = cast.exchange(chat, code, VERIFIER).json()

    assert AccessToken.objects.get().token_checksum == digest(body["access_token"])
    secrets = (code, body["access_token"], body["refresh_token"], chat.secret, VERIFIER)
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f'SELECT * FROM "{table}"')
            text = repr(cursor.fetchall())
            assert not [secret for secret in secrets if secret in text], table


def test_access_token_never_outlives_its_consent(alice: User, chat: Member) -> None:
    code = code_for(alice, chat)
    soon = clock.now() + timedelta(seconds=100)
    Consent.objects.update(expires_at=soon)

    body = cast.exchange(chat, code, VERIFIER).json()

    assert 90 <= body["expires_in"] <= 100
    assert AccessToken.objects.get().expires == soon


# -- what a code does not open -----------------------------------------------------------------------------------------

WRONG_FIELDS: dict[str, tuple[str, dict[str, str | None]]] = {
    "no grant_type": ("invalid_request", {"grant_type": None}),
    "password": ("unsupported_grant_type", {"grant_type": "password", "username": "alice", "password": cast.PASSWORD}),
    "device": ("unsupported_grant_type", {"grant_type": "urn:ietf:params:oauth:grant-type:device_code"}),
    "exchange": ("unsupported_grant_type", {"grant_type": "urn:ietf:params:oauth:grant-type:token-exchange"}),
    "unknown grant_type": ("unsupported_grant_type", {"grant_type": "x" * 10_000}),
    "no code": ("invalid_request", {"code": None}),
    "empty code": ("invalid_request", {"code": ""}),
    "unknown code": ("invalid_grant", {"code": "nothing"}),
    "code of ten kilobytes": ("invalid_grant", {"code": "c" * 10_000}),
    "code with NUL": ("invalid_request", {"code": "a\x00b"}),
    "code that is a checksum": ("invalid_grant", {"code": digest("nothing")}),
    "no redirect_uri": ("invalid_request", {"redirect_uri": None}),
    "another redirect_uri": ("invalid_grant", {"redirect_uri": "https://chat.example/other"}),
    "no verifier": ("invalid_request", {"code_verifier": None}),
    "another verifier": ("invalid_grant", {"code_verifier": "x" * 43}),
    "verifier that is the challenge": ("invalid_grant", {"code_verifier": cast.challenge(VERIFIER)}),
    "verifier not ASCII": ("invalid_grant", {"code_verifier": "ä" * 43}),
    "another resource": ("invalid_target", {"resource": "https://elsewhere.example"}),
    "authorization_details": ("invalid_authorization_details", {"authorization_details": "[]"}),
    "another client_id": ("invalid_request", {"client_id": "somebody"}),
    "secret in the body too": ("invalid_request", {"client_secret": "x"}),
    "assertion in the body too": ("invalid_request", {"client_assertion": "x"}),
}


@pytest.mark.parametrize(("error", "overrides"), WRONG_FIELDS.values(), ids=WRONG_FIELDS.keys())
def test_wrong_field_is_refused_and_costs_nothing(
    alice: User, chat: Member, rows: Rows, error: str, overrides: dict[str, str | None]
) -> None:
    code = code_for(alice, chat)
    before = rows()

    answer = cast.post_form(chat, "/oauth/token", fields(chat, code, **overrides))

    assert_refused(answer, 400, error)
    assert rows() == before
    assert Grant.objects.get().used_at is None
    assert cast.exchange(chat, code, VERIFIER).status_code == 200


def test_scope_and_the_one_resource_may_be_said_again(alice: User, chat: Member) -> None:
    said = fields(chat, code_for(alice, chat), resource=f"{settings.ISSUER}/v1", client_id=chat.platform.client_id)

    assert cast.post_form(chat, "/oauth/token", said).status_code == 200


def test_code_of_another_platform_is_unknown_and_stays_good(alice: User, chat: Member, budget: Member) -> None:
    code = code_for(alice, chat)

    stolen = cast.post_form(budget, "/oauth/token", fields(chat, code))

    assert_refused(stolen, 400, "invalid_grant")
    assert cast.exchange(chat, code, VERIFIER).status_code == 200


@pytest.mark.parametrize("chosen", ["guess", " ", "refresh"])
def test_a_client_does_not_choose_its_refresh_token(alice: User, bob: User, chat: Member, chosen: str) -> None:
    """oauthlib would take it: 256 random bits are ours to give, and one value for two users would open either."""
    told = [
        post(urlencode(fields(chat, code_for(user, chat), refresh_token=chosen)), cast.basic(chat))
        for user in (alice, bob)
    ]

    assert [answer.status_code for answer in told] == [200, 200]
    given = {answer.json()["refresh_token"] for answer in told}
    assert len(given) == 2 and chosen not in given
    assert all(len(one) == 43 for one in given)
    assert cast.refresh(chat, chosen).status_code == 400


class LateBody(BytesIO):
    """Of a sender who takes his time."""

    def __init__(self, body: bytes, comes: Callable[[], None]) -> None:
        super().__init__(body)
        self._comes = comes

    def read(self, *size: Any) -> bytes:
        self._comes()
        return super().read(*size)


def test_code_dies_after_sixty_seconds_while_its_request_is_still_on_the_way(
    alice: User, chat: Member, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = urlencode(fields(chat, code_for(alice, chat)))
    real, late = clock.now, [timedelta(0)]
    monkeypatch.setattr(clock, "now", lambda: real() + late[0])
    sent: dict[str, Any] = {
        "wsgi.input": LateBody(body.encode(), lambda: late.__setitem__(0, timedelta(seconds=61))),
        "headers": {"Authorization": cast.basic(chat)},
    }

    answer = Client().post("/oauth/token", body, content_type=FORM, **sent)

    assert_refused(answer, 400, "invalid_grant")


def test_code_dies_after_sixty_seconds(alice: User, chat: Member) -> None:
    code = code_for(alice, chat)
    Grant.objects.update(expires=clock.now())

    assert_refused(cast.exchange(chat, code, VERIFIER), 400, "invalid_grant")
    assert not AccessToken.objects.exists()


@pytest.mark.parametrize("status", sorted(set(ConsentStatus) - {ConsentStatus.AUTHORISED}))
def test_code_opens_nothing_unless_the_consent_is_authorised(alice: User, chat: Member, status: ConsentStatus) -> None:
    code = code_for(alice, chat)
    Consent.objects.update(status=status)

    assert_refused(cast.exchange(chat, code, VERIFIER), 400, "invalid_grant")
    assert not AccessToken.objects.exists()


def test_code_of_a_consent_past_its_instant_opens_nothing(alice: User, chat: Member) -> None:
    code = code_for(alice, chat)
    Consent.objects.update(expires_at=clock.now())

    assert_refused(cast.exchange(chat, code, VERIFIER), 400, "invalid_grant")


def test_code_of_an_inactive_user_opens_nothing(alice: User, chat: Member) -> None:
    code = code_for(alice, chat)
    alice.is_active = False
    alice.save()

    assert_refused(cast.exchange(chat, code, VERIFIER), 400, "invalid_grant")


def test_code_ends_with_its_consent(alice: User, chat: Member) -> None:
    code = code_for(alice, chat)
    cast.revoke(Consent.objects.get())

    assert_refused(cast.exchange(chat, code, VERIFIER), 400, "invalid_grant")


def test_t8_replayed_code_ends_what_it_minted_and_nothing_else(alice: User, chat: Member, rows: Rows) -> None:
    other = cast.tokens(alice, chat)
    code = code_for(alice, chat)
    minted = cast.exchange(chat, code, VERIFIER).json()
    later = cast.refresh(chat, minted["refresh_token"]).json()

    replay = cast.exchange(chat, code, VERIFIER)

    assert_refused(replay, 400, "invalid_grant")
    assert_refused(cast.refresh(chat, minted["refresh_token"]), 400, "invalid_grant")
    for dead in (minted["access_token"], later["access_token"]):
        assert not isinstance(bearer.find(f"Bearer {dead}", now=clock.now()), Bearer)
    assert isinstance(bearer.find(other.authorization, now=clock.now()), Bearer)
    assert cast.refresh(chat, other.refresh_token).status_code == 200
    assert set(Consent.objects.values_list("status", flat=True)) == {ConsentStatus.AUTHORISED}
    entry = AuditEntry.objects.get(action="token.code_replayed")
    assert (entry.platform_id, entry.user_pseudonym) == (chat.platform.id, alice.pseudonym)


def test_t8_replay_is_recognised_without_verifier_and_after_its_sixty_seconds(alice: User, chat: Member) -> None:
    code = code_for(alice, chat)
    cast.exchange(chat, code, VERIFIER)
    Grant.objects.update(expires=clock.now())

    assert_refused(cast.exchange(chat, code, "x" * 43), 400, "invalid_grant")

    assert not AccessToken.objects.exists()
    assert not RefreshToken.objects.exists()


def test_replay_by_another_platform_ends_nothing(alice: User, chat: Member, budget: Member) -> None:
    code = code_for(alice, chat)
    cast.exchange(chat, code, VERIFIER)

    assert_refused(cast.post_form(budget, "/oauth/token", fields(chat, code)), 400, "invalid_grant")

    assert AccessToken.objects.count() == 1


# -- who may ask -------------------------------------------------------------------------------------------------------


def test_id_and_secret_are_form_encoded_before_they_are_joined(alice: User) -> None:
    member = cast.platform("colon")
    Platform.objects.filter(id=member.platform.id).update(client_id="a:b c/ü", client_secret=digest("s:+% ü"))
    member = Member(Platform.objects.get(id=member.platform.id), "s:+% ü", member.redirect_uri)

    assert cast.exchange(member, code_for(alice, member), VERIFIER).status_code == 200


def credentials(member: Member) -> dict[str, str | None]:
    """Authorization headers that prove nothing."""
    identity, secret = member.platform.client_id, member.secret
    return {
        "none": None,
        "empty": "",
        "scheme alone": "Basic",
        "bearer": f"Bearer {secret}",
        "wrong secret": basic(f"{identity}:wrong"),
        "empty secret": basic(f"{identity}:"),
        "the stored hash": basic(f"{identity}:{digest(secret)}"),
        "unknown client": basic(f"nobody:{secret}"),
        "no colon": basic(identity),
        "client with NUL": basic(f"a%00b:{secret}"),
        "raw NUL": basic(f"\0:{secret}"),
        "not base64": "Basic !!!!",
        "base64 without padding": basic(f"{identity}:{secret}x").rstrip("=") + "A",
        "invalid UTF-8": basic(b"\xff\xfe:\xff"),
        "encoded invalid UTF-8": basic(f"%ff:{secret}"),
        "ten kilobytes": basic("a" * 10_000 + ":b"),
        "not ASCII": "Basic ä",
    }


@pytest.mark.parametrize("kind", list(credentials(Member(Platform(client_id="x"), "y", ""))))
@pytest.mark.parametrize("path", ["/oauth/token", "/oauth/revoke"])
def test_client_that_does_not_prove_itself_gets_401(
    alice: User, chat: Member, rows: Rows, kind: str, path: str
) -> None:
    code = code_for(alice, chat)
    before = rows()

    answer = post(urlencode({**fields(chat, code), "token": "x"}), credentials(chat)[kind], path=path)

    assert_refused(answer, 401, "invalid_client")
    assert rows() == before


@pytest.mark.parametrize("path", ["/oauth/token", "/oauth/revoke"])
def test_secret_in_the_body_is_refused(alice: User, chat: Member, path: str) -> None:
    body = {
        **fields(chat, code_for(alice, chat)),
        "token": "x",
        "client_id": chat.platform.client_id,
        "client_secret": chat.secret,
    }

    assert_refused(post(urlencode(body), None, path=path), 401, "invalid_client")


@pytest.mark.parametrize("status", [PlatformStatus.INACTIVE, PlatformStatus.SUSPENDED, PlatformStatus.REVOKED])
@pytest.mark.parametrize("path", ["/oauth/token", "/oauth/revoke"])
def test_platform_that_is_not_active_is_no_client(alice: User, chat: Member, status: PlatformStatus, path: str) -> None:
    code = code_for(alice, chat)
    platforms.change_status(chat.platform, status, reason="test", actor=cast.BY_OPERATOR, now=clock.now())

    assert_refused(cast.post_form(chat, path, {**fields(chat, code), "token": "x"}), 401, "invalid_client")


def test_platform_of_the_other_profile_cannot_use_its_secret(alice: User, chat: Member) -> None:
    code = code_for(alice, chat)
    Platform.objects.filter(id=chat.platform.id).update(profile=PlatformProfile.FAPI2)

    assert_refused(cast.exchange(chat, code, VERIFIER), 401, "invalid_client")


# -- bodies that are none ----------------------------------------------------------------------------------------------

BAD_BODIES: dict[str, tuple[int, str, bytes]] = {
    "JSON": (400, "application/json", json.dumps({"grant_type": "refresh_token"}).encode()),
    "JSON under a form's name": (400, FORM, b'{"grant_type": "refresh_token"}'),
    "no type": (400, "", b"grant_type=refresh_token"),
    "text": (400, "text/plain", b"grant_type=refresh_token"),
    "multipart": (400, "multipart/form-data; boundary=x", b"--x--"),
    "another charset": (400, f"{FORM}; charset=utf-16", b"grant_type=refresh_token"),
    "unknown charset": (400, f"{FORM}; charset=nonsense", b"grant_type=refresh_token"),
    "empty": (400, FORM, b""),
    "invalid UTF-8": (400, FORM, b"grant_type=\xff\xfe"),
    "encoded invalid UTF-8": (400, FORM, b"grant_type=%ff%fe"),
    "NUL": (400, FORM, b"grant_type=refresh_token&refresh_token=%00"),
    "repeated": (400, FORM, b"grant_type=refresh_token&refresh_token=a&refresh_token=a"),
    "repeated empty": (400, FORM, b"grant_type=refresh_token&refresh_token=a&refresh_token="),
    "repeated unknown": (400, FORM, b"grant_type=refresh_token&refresh_token=a&x=1&x=2"),
    "hundreds of fields": (400, FORM, b"&".join(b"a%d=b" % index for index in range(500))),
    "twenty kilobytes": (413, FORM, b"grant_type=refresh_token&refresh_token=" + b"a" * 20_000),
    "a megabyte": (413, FORM, b"grant_type=refresh_token&refresh_token=" + b"a" * 1_000_000),
}


@pytest.mark.parametrize(("status", "content_type", "body"), BAD_BODIES.values(), ids=BAD_BODIES.keys())
@pytest.mark.parametrize("path", ["/oauth/token", "/oauth/revoke"])
def test_bad_body_is_a_clear_refusal(
    chat: Member, rows: Rows, status: int, content_type: str, body: bytes, path: str
) -> None:
    before = rows()

    answer = post(body, cast.basic(chat), content_type=content_type, path=path)

    assert_refused(answer, status, "invalid_request")
    assert rows() == before


@pytest.mark.parametrize("path", ["/oauth/token", "/oauth/revoke"])
def test_parameters_in_the_address_are_refused(alice: User, chat: Member, path: str) -> None:
    query = urlencode({**fields(chat, code_for(alice, chat)), "token": "x"})

    assert_refused(post(b"", cast.basic(chat), path=f"{path}?{query}"), 400, "invalid_request")


@pytest.mark.parametrize("path", ["/oauth/token", "/oauth/revoke"])
@pytest.mark.parametrize("method", ["get", "head", "put", "patch", "delete", "options"])
def test_only_post_is_served(chat: Member, path: str, method: str) -> None:
    answer = getattr(Client(raise_request_exception=False), method)(path, headers={"Authorization": cast.basic(chat)})

    assert answer.status_code == 405
    assert "Access-Control-Allow-Origin" not in answer


def test_no_page_of_another_origin_may_read_an_answer(alice: User, chat: Member) -> None:
    answer = Client().post(
        "/oauth/token",
        urlencode(fields(chat, code_for(alice, chat))),
        content_type=FORM,
        headers={"Authorization": cast.basic(chat), "Origin": "https://chat.example"},
    )

    assert answer.status_code == 200
    assert "Access-Control-Allow-Origin" not in answer


def test_expired_consent_written_down_by_the_sweep_ends_its_tokens(alice: User, chat: Member) -> None:
    tokens = cast.tokens(alice, chat)
    lifecycle.expire_due(now=tokens.consent.expires_at)

    assert not AccessToken.objects.exists()
    assert_refused(cast.refresh(chat, tokens.refresh_token), 400, "invalid_grant")
