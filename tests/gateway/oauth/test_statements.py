"""What a grant costs the database, and that text compiled once says what the ORM says."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from consents import clock
from consents.models import AccessToken, Consent, Grant, Platform, PlatformToken, RefreshToken
from consents.models.tokens import digest
from consents.states import PlatformStatus
from gateway.identity.models import User
from gateway.oauth import answers, limits, statements
from tests.gateway.oauth.conftest import VERIFIER
from tests.support import cast
from tests.support.cast import Member


@pytest.fixture(autouse=True)
def no_counting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Limits cost what test_limits says, or one round trip to Redis."""
    monkeypatch.setattr(limits, "_counted", lambda names, window_at: [1] * len(names))


def code_for(user: User, member: Member) -> str:
    asked = cast.ask(user, member, VERIFIER, scopes=["accounts", "balances"], purposes=["account_overview"])
    consent = cast.authorise(Consent.objects.get(id=asked))
    return cast.code_of(answers.granted(consent.id, user.id, now=clock.now()))


def statements_of(call: Callable[[], Any], status: int = 200) -> list[str]:
    """The first words of each, transactions' own among them."""
    with CaptureQueriesContext(connection) as captured:
        answer = call()
    assert answer.status_code == status, answer.content
    return [one["sql"].split()[0] for one in captured.captured_queries]


@pytest.mark.django_db(transaction=True)
def test_what_each_grant_asks_of_the_database() -> None:
    alice, chat = cast.alice(), cast.chat()
    code = code_for(alice, chat)
    won: list[Any] = []

    def exchange() -> Any:
        won.append(cast.exchange(chat, code, VERIFIER))
        return won[0]

    # The client; the code with its consent, user and platform; the code is used, and two tokens.
    writes = ["WITH"] if connection.vendor == "postgresql" else ["UPDATE", "INSERT", "INSERT"]
    assert statements_of(exchange) == ["SELECT", "BEGIN", "SELECT", *writes, "COMMIT"]
    token = won[0].json()["refresh_token"]
    assert statements_of(lambda: cast.refresh(chat, token)) == ["SELECT", "BEGIN", "SELECT", "INSERT", "COMMIT"]
    own = {"grant_type": "client_credentials"}
    assert statements_of(lambda: cast.post_form(chat, "/oauth/token", own)) == ["SELECT", "INSERT"]
    assert statements_of(lambda: cast.refresh(chat, "x"), 400) == ["SELECT", "BEGIN", "SELECT", "ROLLBACK"]


def test_a_code_comes_with_its_consent_user_and_platform_as_they_are(alice: User, chat: Member, budget: Member) -> None:
    code = digest(code_for(alice, chat))
    found = statements.locked_grant(code, chat.platform.id)
    assert found is not None

    grant, consent = found

    assert_read_as_stored(grant, Grant.objects.get())
    assert_read_as_stored(consent, Consent.objects.get())
    assert_read_as_stored(consent.user, alice)
    assert_read_as_stored(consent.platform, Platform.objects.get(id=chat.platform.id))
    assert statements.locked_grant(code, budget.platform.id) is None
    assert statements.locked_grant(digest("another"), chat.platform.id) is None


def test_a_refresh_token_comes_with_its_consent_while_it_lives(alice: User, chat: Member, budget: Member) -> None:
    token = digest(cast.tokens(alice, chat).refresh_token)
    found = statements.locked_refresh_token(token, chat.platform.id)
    assert found is not None

    assert_read_as_stored(found[0], RefreshToken.objects.get())
    assert_read_as_stored(found[1], Consent.objects.get())
    assert found[1].user.is_active and found[1].platform.is_usable(None)
    assert statements.locked_refresh_token(token, budget.platform.id) is None
    RefreshToken.objects.update(revoked=clock.now())
    assert statements.locked_refresh_token(token, chat.platform.id) is None


@pytest.mark.parametrize("status", PlatformStatus)
def test_only_an_active_platform_is_a_client(chat: Member, status: PlatformStatus) -> None:
    Platform.objects.update(status=status)

    found = statements.active_platform(chat.platform.client_id)

    assert (found is not None) == (status == PlatformStatus.ACTIVE)
    if found is not None:
        assert_read_as_stored(found, Platform.objects.get())


def test_rows_are_written_as_the_models_would(alice: User, chat: Member, settings: Any) -> None:
    tokens = cast.tokens(alice, chat)
    grant, now = Grant.objects.get(), clock.now()
    minted = statements.Minted(
        user_id=alice.id,
        platform_id=chat.platform.id,
        consent_id=tokens.consent.id,
        grant_id=grant.pk,
        scope="accounts",
        resource="https://one.example/v1",
        now=now,
    )
    columns = {
        "user": alice,
        "application": chat.platform,
        "consent": tokens.consent,
        "grant": grant,
        "scope": "accounts",
        "resource": ["https://one.example/v1"],
    }

    statements.exchange_code(digest("an-access-token"), digest("a-refresh-token"), minted, expires_at=now)
    for kind, raw, more in ((AccessToken, "an-access-token", {"expires": now}), (RefreshToken, "a-refresh-token", {})):
        by_model: Any = kind(token="", **columns, **more)
        by_model._raw_token = f"{raw} once more"  # its checksum is made from it
        by_model.save(force_insert=True)
        by_text = kind.objects.get(token_checksum=digest(raw))
        alike = {"id", "token_checksum", "created", "updated"}
        assert values(by_text, alike) == values(kind.objects.get(pk=by_model.pk), alike)
        assert (by_text.created, by_text.updated) == (now, now)
    assert Grant.objects.get().used_at == now


def test_the_resource_of_a_token_follows_the_issuer(alice: User, chat: Member, settings: Any) -> None:
    refresh_token = cast.tokens(alice, chat).refresh_token
    settings.ISSUER = "https://another.example"

    assert cast.refresh(chat, refresh_token).status_code == 200
    assert AccessToken.objects.order_by("-id")[0].resource == ["https://another.example/v1"]


def test_a_platforms_own_token_is_written_as_the_model_would(chat: Member) -> None:
    token = cast.platform_token(chat)

    row = PlatformToken.objects.get(token_digest=digest(token))

    assert row.platform_id == chat.platform.id
    assert row.id.version == 4


def values(row: Any, apart: set[str]) -> dict[str, Any]:
    return {one.attname: getattr(row, one.attname) for one in row._meta.concrete_fields if one.attname not in apart}


def assert_read_as_stored(read: Any, stored: Any) -> None:
    """Every column that was read; at least two were, and not all."""
    names = {one.attname for one in read._meta.concrete_fields} - read.get_deferred_fields()
    assert read.pk == stored.pk and len(names) > 1
    assert {name: getattr(read, name) for name in names} == {name: getattr(stored, name) for name in names}
