"""Real threads against a real database: what happens when everything arrives at once.

A code presented eight times at once is one exchange and seven replays, and replays end what the code minted
(RFC 6749 section 4.1.2): exactly one 200, and afterwards not one token of that grant; the consent lives on.
"""

import os
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from django.db import connection, connections, transaction

from consents import clock, lifecycle, platforms
from consents.errors import ConsentError
from consents.models import AccessToken, AuditEntry, Consent, Grant, Platform, RefreshToken
from consents.models.tokens import digest
from consents.states import ConsentStatus, PlatformStatus
from gateway.identity.models import User
from gateway.oauth import answers, bearer, housekeeping, statements
from gateway.oauth.bearer import Bearer
from gateway.oauth.errors import AlreadyAnswered
from tests import environment
from tests.gateway.oauth.conftest import VERIFIER
from tests.run.watching import eventually
from tests.support import cast
from tests.support.cast import Member

#: SQLite lets its writers in one after another, so that each further round there meets little that is new.
_FEWER = environment.database() == environment.SQLITE and os.environ.get("SLUICE_TEST_FULL") != "1"
ROUNDS = int(os.environ.get("SLUICE_TEST_RACE_ROUNDS", "6" if _FEWER else "20"))
ASKED: dict[str, Any] = {"scopes": ["accounts", "balances"], "purposes": ["account_overview"]}

pytestmark = pytest.mark.django_db(transaction=True)


def together(calls: Sequence[Callable[[], Any]]) -> list[Any]:
    """What each call returned or raised; all begin at one barrier, each in a thread with a connection of its own."""
    barrier = threading.Barrier(len(calls))
    results: list[Any] = [None] * len(calls)

    def run(index: int, call: Callable[[], Any]) -> None:
        try:
            barrier.wait(30)
            results[index] = call()
        except Exception as error:
            results[index] = error
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return results


def statuses(results: Sequence[Any]) -> Counter[Any]:
    return Counter(getattr(result, "status_code", repr(result)) for result in results)


def usable(token: str) -> bool:
    return isinstance(bearer.find(f"Bearer {token}", now=clock.now()), Bearer)


@pytest.fixture
def alice(transactional_db: None) -> User:
    return cast.alice()


@pytest.fixture
def chat(transactional_db: None) -> Member:
    return cast.chat()


def consented(user: User, member: Member) -> Consent:
    return cast.authorise(Consent.objects.get(id=cast.ask(user, member, VERIFIER, **ASKED)))


def test_t8_one_code_eight_times_at_once_is_one_exchange(alice: User, chat: Member) -> None:
    for _ in range(ROUNDS):
        consent = consented(alice, chat)
        code = cast.code_of(answers.granted(consent.id, alice.id, now=clock.now()))

        results = together([lambda code=code: cast.exchange(chat, code, VERIFIER)] * 8)  # type: ignore[misc]

        assert statuses(results) == {200: 1, 400: 7}
        refused = [result.json()["error"] for result in results if result.status_code == 400]
        assert refused == ["invalid_grant"] * 7
        won = next(result.json() for result in results if result.status_code == 200)
        assert not usable(won["access_token"])
        assert not AccessToken.objects.filter(consent=consent).exists()
        assert not RefreshToken.objects.filter(consent=consent).exists()
        assert AuditEntry.objects.filter(action="token.code_replayed", consent_id=consent.id).count() == 7
        assert Consent.objects.get(id=consent.id).status == ConsentStatus.AUTHORISED


def test_refreshes_at_once_all_give_usable_tokens(alice: User, chat: Member) -> None:
    for _ in range(ROUNDS):
        tokens = cast.tokens(alice, chat)

        results = together([lambda held=tokens: cast.refresh(chat, held.refresh_token)] * 3)  # type: ignore[misc]

        assert statuses(results) == {200: 3}
        fresh = {result.json()["access_token"] for result in results}
        assert len(fresh) == 3
        assert all(usable(token) for token in (*fresh, tokens.access_token))
        assert AccessToken.objects.filter(consent=tokens.consent).count() == 4


def test_revocation_against_refresh_leaves_nothing_usable(alice: User, chat: Member) -> None:
    for _ in range(ROUNDS):
        tokens = cast.tokens(alice, chat)

        def revoke(consent: Consent = tokens.consent) -> str:
            lifecycle.revoke(consent_id=consent.id, reason="test", actor=cast.BY_USER, now=clock.now())
            return "revoked"

        def again(token: str = tokens.refresh_token) -> Any:
            return cast.refresh(chat, token)

        results = together([again, revoke, again])

        answered = [results[0], results[2]]
        assert results[1] == "revoked", results[1]
        assert set(statuses(answered)) <= {200, 400}
        assert not any(usable(answer.json().get("access_token", "x")) for answer in answered)
        assert not usable(tokens.access_token)
        assert not AccessToken.objects.filter(consent=tokens.consent).exists()
        assert not RefreshToken.objects.filter(consent=tokens.consent).exists()


def test_revocation_against_the_exchange_leaves_nothing_usable(alice: User, chat: Member) -> None:
    for _ in range(ROUNDS):
        consent = consented(alice, chat)
        code = cast.code_of(answers.granted(consent.id, alice.id, now=clock.now()))

        def revoke(consent: Consent = consent) -> str:
            lifecycle.revoke(consent_id=consent.id, reason="test", actor=cast.BY_USER, now=clock.now())
            return "revoked"

        def exchange(code: str = code) -> Any:
            return cast.exchange(chat, code, VERIFIER)

        exchanged, revoked = together([exchange, revoke])

        assert revoked == "revoked", revoked
        assert exchanged.status_code in (200, 400), exchanged
        assert not AccessToken.objects.filter(consent=consent).exists()
        assert not Grant.objects.filter(consent=consent).exists()


def test_giving_up_a_refresh_token_against_refreshing_leaves_nothing_usable(alice: User, chat: Member) -> None:
    for _ in range(ROUNDS):
        tokens = cast.tokens(alice, chat)

        def give_up(token: str = tokens.refresh_token) -> Any:
            return cast.post_form(chat, "/oauth/revoke", {"token": token})

        def again(token: str = tokens.refresh_token) -> Any:
            return cast.refresh(chat, token)

        results = together([again, give_up, again, housekeeping_now])

        assert results[1].status_code == 200
        assert set(statuses([results[0], results[2]])) <= {200, 400}
        assert not isinstance(results[3], Exception), results[3]
        assert not AccessToken.objects.filter(consent=tokens.consent).exists()
        assert not RefreshToken.objects.filter(consent=tokens.consent).exists()


def housekeeping_now() -> Any:
    return housekeeping.forget_expired(clock.now())


def test_t8_one_decision_answered_eight_times_at_once_gives_one_code(alice: User, chat: Member) -> None:
    for _ in range(ROUNDS):
        consent = consented(alice, chat)

        results = together(
            [lambda held=consent: answers.granted(held.id, alice.id, now=clock.now())] * 8  # type: ignore[misc]
        )

        assert sum(isinstance(result, str) for result in results) == 1, results
        assert sum(isinstance(result, AlreadyAnswered) for result in results) == 7, results
        assert Grant.objects.filter(consent=consent).count() == 1


def test_answer_against_revocation_is_one_or_the_other(alice: User, chat: Member) -> None:
    for _ in range(ROUNDS):
        consent = consented(alice, chat)

        def revoke(consent: Consent = consent) -> Any:
            return lifecycle.revoke(consent_id=consent.id, reason="test", actor=cast.BY_USER, now=clock.now())

        def answer(consent: Consent = consent) -> str:
            return answers.granted(consent.id, alice.id, now=clock.now())

        answered, revoked = together([answer, revoke])

        assert not isinstance(revoked, ConsentError), revoked
        assert not Grant.objects.filter(consent=consent).exists()
        if isinstance(answered, str):
            assert cast.exchange(chat, cast.code_of(answered), VERIFIER).json()["error"] == "invalid_grant"


@pytest.mark.skipif(environment.database() == environment.SQLITE, reason="SQLite has one writer at a time")
def test_a_platform_that_ends_waits_for_the_exchange_of_a_code_and_takes_its_tokens(alice: User, chat: Member) -> None:
    consent = consented(alice, chat)
    answers.granted(consent.id, alice.id, now=clock.now())
    code, now, ended = Grant.objects.get(), clock.now(), list[Any]()
    minted = statements.Minted(
        user_id=alice.id,
        platform_id=chat.platform.id,
        consent_id=consent.id,
        grant_id=code.pk,
        bound_id=code.pk,
        revision=Consent.objects.get().revision,
        scope="accounts balances",
        resource="",
        now=now,
    )

    def end() -> Platform:
        return platforms.change_status(
            chat.platform, PlatformStatus.REVOKED, reason="test", actor=cast.BY_OPERATOR, now=now
        )

    ending = threading.Thread(target=lambda: ended.extend(together([end])))
    with transaction.atomic():
        assert statements.exchange_code(digest("access"), digest("refresh"), minted, expires_at=now)
        ending.start()
        eventually(_somebody_waits)
    ending.join(60)

    assert not isinstance(ended[0], Exception), ended
    assert Platform.objects.get().status == PlatformStatus.REVOKED
    assert not any(rows.objects.exists() for rows in (AccessToken, RefreshToken, Grant))


def _somebody_waits() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
        return bool(cursor.fetchone()[0])
