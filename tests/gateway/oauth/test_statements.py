"""What a grant costs the database, and that text compiled once says what the ORM says."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.db.models import F
from django.test.utils import CaptureQueriesContext

from banks.usage_sql import is_one_statement
from consents import clock
from consents.models import AccessToken, Consent, Grant, Platform, PlatformToken, RefreshToken
from consents.models.tokens import digest
from consents.states import ConsentStatus, PlatformStatus
from gateway.identity.models import User
from gateway.oauth import answers, limits, statements
from tests import environment
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
        return won[-1]

    # The client; the code with its consent, user and platform; the code is used, and two tokens.
    if is_one_statement():
        exchanged, refreshed, refused = ["SELECT", "SELECT", "WITH"], ["SELECT", "SELECT", "WITH"], ["SELECT", "SELECT"]
    else:
        exchanged = ["SELECT", "BEGIN", "SELECT", "UPDATE", "INSERT", "INSERT", "COMMIT"]
        refreshed = ["SELECT", "BEGIN", "SELECT", "INSERT", "COMMIT"]
        refused = ["SELECT", "BEGIN", "SELECT", "ROLLBACK"]
    exchange()  # compiled
    code = code_for(alice, chat)
    assert statements_of(exchange) == exchanged
    token = won[-1].json()["refresh_token"]
    cast.refresh(chat, token)
    assert statements_of(lambda: cast.refresh(chat, token)) == refreshed
    own = {"grant_type": "client_credentials"}
    assert statements_of(lambda: cast.post_form(chat, "/oauth/token", own)) == ["SELECT", "INSERT"]
    assert statements_of(lambda: cast.refresh(chat, "x"), 400) == refused


@pytest.mark.parametrize("held", [True, False])
def test_a_code_comes_with_its_consent_user_and_platform_as_they_are(
    alice: User, chat: Member, budget: Member, held: bool
) -> None:
    code = digest(code_for(alice, chat))
    found = statements.grant(code, chat.platform.id, held=held)
    assert found is not None

    grant, consent = found

    assert_read_as_stored(grant, Grant.objects.get())
    assert_read_as_stored(consent, Consent.objects.get())
    assert_read_as_stored(consent.user, alice)
    assert_read_as_stored(consent.platform, Platform.objects.get(id=chat.platform.id))
    assert statements.grant(code, budget.platform.id, held=held) is None
    assert statements.grant(digest("another"), chat.platform.id, held=held) is None


@pytest.mark.parametrize("held", [True, False])
def test_a_refresh_token_comes_with_its_consent_while_it_lives(
    alice: User, chat: Member, budget: Member, held: bool
) -> None:
    token = digest(cast.tokens(alice, chat).refresh_token)
    found = statements.refresh_token(token, chat.platform.id, held=held)
    assert found is not None

    assert_read_as_stored(found[0], RefreshToken.objects.get())
    assert_read_as_stored(found[1], Consent.objects.get())
    assert found[1].user.is_active and found[1].platform.is_usable(None)
    assert statements.refresh_token(token, budget.platform.id, held=held) is None
    RefreshToken.objects.update(revoked=clock.now())
    assert statements.refresh_token(token, chat.platform.id, held=held) is None


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
        bound_id=grant.pk,
        revision=tokens.consent.revision,
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

    Grant.objects.update(used_at=None)
    tokens.consent.refresh_from_db()

    assert statements.exchange_code(digest("an-access-token"), digest("a-refresh-token"), minted, expires_at=now)
    for kind, raw, more in ((AccessToken, "an-access-token", {"expires": now}), (RefreshToken, "a-refresh-token", {})):
        by_model: Any = kind(token="", **columns, **more)
        by_model._raw_token = f"{raw} once more"  # its checksum is made from it
        by_model.save(force_insert=True)
        by_text = kind.objects.get(token_checksum=digest(raw))
        alike = {"id", "token_checksum", "created", "updated"}
        assert values(by_text, alike) == values(kind.objects.get(pk=by_model.pk), alike)
        assert (by_text.created, by_text.updated) == (now, now)
    assert Grant.objects.get().used_at == now


#: What may have come between reading a code or refresh token and writing what it mints.
MEANWHILE: dict[str, Callable[[], Any]] = {
    "the consent changed": lambda: Consent.objects.update(revision=F("revision") + 1),
    "the consent was paused": lambda: Consent.objects.update(status=ConsentStatus.PAUSED),
    "the user was shut out": lambda: User.objects.update(is_active=False),
    "the platform was suspended": lambda: Platform.objects.update(status=PlatformStatus.SUSPENDED),
    "the code was used": lambda: Grant.objects.update(used_at=clock.now()),
    "the refresh token was given up": lambda: RefreshToken.objects.update(revoked=clock.now()),
}
one_statement = pytest.mark.skipif(
    environment.database() == environment.SQLITE, reason="SQLite writes with the rows held: nothing comes between"
)


def presenting(way: str, user: User, member: Member) -> Callable[[], Any]:
    """To exchange a fresh code, or to refresh by what one brought; there is no access token yet."""
    code = code_for(user, member)
    if way == "exchange_code":
        return lambda: cast.exchange(member, code, VERIFIER)
    token = cast.exchange(member, code, VERIFIER).json()["refresh_token"]
    AccessToken.objects.all().delete()
    return lambda: cast.refresh(member, token)


@one_statement
@pytest.mark.parametrize(
    ("way", "meanwhile"),
    [
        *(("exchange_code", one) for one in MEANWHILE if one != "the refresh token was given up"),
        *(("add_access_token", one) for one in MEANWHILE if one != "the code was used"),
    ],
)
def test_t8_nothing_is_minted_of_what_is_not_as_it_was_read(
    alice: User, chat: Member, monkeypatch: pytest.MonkeyPatch, way: str, meanwhile: str
) -> None:
    ask = presenting(way, alice, chat)
    write, wrote = getattr(statements, way), list[bool]()

    def late(*arguments: Any, **more: Any) -> bool:
        if not wrote:
            MEANWHILE[meanwhile]()
        wrote.append(write(*arguments, **more))
        return wrote[-1]

    monkeypatch.setattr(statements, way, late)
    answer = ask()

    assert wrote[0] is False
    if meanwhile == "the consent changed":  # and is open still: asked once more, with the rows held
        assert (answer.status_code, wrote, AccessToken.objects.count()) == (200, [False, True], 1)
    else:
        assert (answer.status_code, answer.json()["error"], len(wrote)) == (400, "invalid_grant", 1)
        assert not AccessToken.objects.exists()


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


@one_statement
@pytest.mark.parametrize("way", ["exchange_code", "add_access_token"])
def test_who_is_stopped_while_the_rows_are_held_is_refused_as_at_any_other_time(
    alice: User, chat: Member, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    """The rows of user and platform are nobody's to hold: many a consent would wait for them."""
    ask = presenting(way, alice, chat)
    write, wrote = getattr(statements, way), list[bool]()

    def late(*arguments: Any, **more: Any) -> bool:
        MEANWHILE["the platform was suspended" if wrote else "the consent changed"]()
        wrote.append(write(*arguments, **more))
        return wrote[-1]

    monkeypatch.setattr(statements, way, late)
    answer = ask()

    assert wrote == [False, False]
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")
    assert not AccessToken.objects.exists()
