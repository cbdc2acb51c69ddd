"""Which proofs a session has seen, as the pages that ask for one see it."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client, RequestFactory

from consents import clock
from gateway.identity import assurance
from gateway.identity.models import User
from tests.support import cast, factors


def request_of(browser: Client, user: User) -> Any:
    request: Any = RequestFactory().get("/")
    request.session, request.user = browser.session, user
    return request


def test_signing_in_by_password_is_a_proof_and_no_second_factor(alice: User) -> None:
    browser = Client()
    browser.post("/sign-in/", {"login": "alice", "password": cast.PASSWORD})
    request = request_of(browser, alice)

    assert assurance.proved_at(request) is not None
    assert assurance.second_factor_at(request) is None
    assert assurance.is_fresh(request, alice, now=clock.now())
    assert not assurance.is_stepped_up(request, now=clock.now())


def test_code_at_sign_in_is_a_step_up(alice: User) -> None:
    secret = factors.set_up_codes(alice)
    browser = Client()
    browser.post("/sign-in/", {"login": "alice", "password": cast.PASSWORD})
    browser.post("/sign-in/second-factor/", {"code": factors.code_of(secret)})

    assert assurance.is_stepped_up(request_of(browser, alice), now=clock.now())


def test_whoever_has_a_second_factor_is_fresh_by_it_alone(alice: User) -> None:
    factors.set_up_codes(alice)
    browser = factors.browser_of(alice)

    assert not assurance.is_fresh(request_of(browser, alice), alice, now=clock.now())
    factors.prove(browser, alice)
    assert assurance.is_fresh(request_of(browser, alice), alice, now=clock.now())


@pytest.mark.parametrize(("minutes", "is_fresh"), [(4, True), (6, False)])
def test_proof_ages(alice: User, minutes: int, is_fresh: bool) -> None:
    request = request_of(factors.proved(alice), alice)
    later = clock.now() + timedelta(minutes=minutes)

    assert assurance.is_fresh(request, alice, now=later) == is_fresh
    assert assurance.is_stepped_up(request, now=later) == is_fresh


def test_recovery_codes_alone_are_no_second_factor(alice: User) -> None:
    from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes

    RecoveryCodes.activate(alice)

    assert not assurance.has_second_factor(alice)
