"""What has run out goes; what still ties a grant together stays."""

from datetime import timedelta

import pytest

from consents import clock
from consents.models import AccessToken, Consent, Grant, RefreshToken
from gateway.identity.models import User
from gateway.oauth import answers, housekeeping, tasks
from gateway.oauth.housekeeping import KEPT, Forgotten
from gateway.oauth.models import AuthorizationRequest
from tests.gateway.oauth.conftest import VERIFIER
from tests.support import cast
from tests.support.cast import Member


def test_nothing_in_date_is_removed(alice: User, chat: Member) -> None:
    cast.tokens(alice, chat)

    assert housekeeping.forget_expired(clock.now()) == Forgotten(0, 0, 0)


def test_expired_access_tokens_go_and_the_grant_lives_on(alice: User, chat: Member) -> None:
    tokens = cast.tokens(alice, chat)
    later = clock.now() + KEPT + timedelta(minutes=11)

    forgotten = housekeeping.forget_expired(later)

    assert forgotten == Forgotten(access_tokens=1, grants=0, authorization_requests=1, request_counts=1)
    assert RefreshToken.objects.count() == 1
    minted = cast.refresh(chat, tokens.refresh_token)
    assert minted.status_code == 200
    cast.post_form(chat, "/oauth/revoke", {"token": tokens.refresh_token})
    assert not AccessToken.objects.exists()


def test_unused_code_goes_a_day_after_it_ran_out(alice: User, chat: Member) -> None:
    asked = {"scopes": ["accounts"], "purposes": ["account_overview"]}
    consent = cast.authorise(Consent.objects.get(id=cast.ask(alice, chat, VERIFIER, **asked)))
    answers.granted(consent.id, alice.id, now=clock.now())
    expires = Grant.objects.get().expires

    assert housekeeping.forget_expired(expires + KEPT - timedelta(seconds=90)).grants == 0
    assert housekeeping.forget_expired(expires + KEPT).grants == 1


def test_used_code_goes_once_its_tokens_are_gone(alice: User, chat: Member) -> None:
    tokens = cast.tokens(alice, chat)
    cast.post_form(chat, "/oauth/revoke", {"token": tokens.refresh_token})

    assert housekeeping.forget_expired(clock.now() + KEPT + timedelta(minutes=11)).grants == 1


def test_more_than_a_batch_goes_in_one_sweep(alice: User, chat: Member, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(housekeeping, "BATCH", 2)
    tokens = cast.tokens(alice, chat)
    for _ in range(4):
        cast.refresh(chat, tokens.refresh_token)
    AccessToken.objects.update(expires=clock.now())

    assert housekeeping.forget_expired(clock.now()).access_tokens == 5


def test_task_sweeps(alice: User, chat: Member) -> None:
    cast.tokens(alice, chat)
    AccessToken.objects.update(expires=clock.now())
    AuthorizationRequest.objects.update(created_at=clock.now() - KEPT)

    tasks.sweep()

    assert not AccessToken.objects.exists()
    assert not AuthorizationRequest.objects.exists()
    assert tasks.sweep.name == "oauth.sweep"
