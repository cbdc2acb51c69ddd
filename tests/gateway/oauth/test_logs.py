"""Logs carry ids and codes. oauthlib at debug prints codes, tokens and whole answers: the settings keep it quiet."""

import logging

import pytest
from django.conf import settings

from consents import clock
from consents.models import Consent
from gateway.identity.models import User
from gateway.oauth import answers
from tests.gateway.oauth.conftest import VERIFIER
from tests.support import cast
from tests.support.cast import Member


def test_no_secret_reaches_any_log(alice: User, chat: Member, caplog: pytest.LogCaptureFixture) -> None:
    for name, configured in settings.LOGGING["loggers"].items():
        caplog.set_level(configured["level"], logger=name)
    caplog.set_level(logging.INFO)
    found = cast.ask(alice, chat, VERIFIER, scopes=["accounts"], purposes=["account_overview"])
    consent = cast.authorise(Consent.objects.get(id=found))
    code = cast.code_of(answers.granted(consent.id, alice.id, now=clock.now()))

    won = cast.exchange(chat, code, VERIFIER).json()
    minted = cast.refresh(chat, won["refresh_token"]).json()
    cast.post_form(chat, "/oauth/revoke", {"token": minted["access_token"]})
    cast.exchange(chat, code, VERIFIER)
    cast.refresh(chat, won["refresh_token"])

    written = "\n".join(repr(vars(record)) for record in caplog.records)
    assert "token request refused" in written
    secrets = (code, VERIFIER, chat.secret, cast.basic(chat), "state-of-the-platform", *_tokens(won), *_tokens(minted))
    assert not [secret for secret in secrets if secret in written]
    assert logging.getLogger("oauthlib").getEffectiveLevel() >= logging.WARNING
    assert logging.getLogger("oauth2_provider").getEffectiveLevel() >= logging.WARNING


def _tokens(answer: dict[str, str]) -> list[str]:
    return [answer[name] for name in ("access_token", "refresh_token") if name in answer]
