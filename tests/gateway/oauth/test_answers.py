"""The platform gets one answer per request, and a code only for what the user authorised."""

from datetime import timedelta
from urllib.parse import parse_qsl, urlsplit

import pytest
from django.conf import settings

from consents import clock, lifecycle
from consents.errors import ConsentNotFound
from consents.models import Consent, Grant
from consents.models.tokens import digest
from consents.states import AUTHORISATION_WINDOW, ConsentStatus
from gateway.identity.models import User
from gateway.oauth import answers
from gateway.oauth.errors import AlreadyAnswered, NotAnswerable
from gateway.oauth.models import AuthorizationRequest
from tests.gateway.oauth.conftest import VERIFIER
from tests.support import cast
from tests.support.cast import Member


def asked(user: User, member: Member) -> Consent:
    """Lodged by the real endpoint, waiting for the user."""
    found = cast.ask(user, member, VERIFIER, scopes=["accounts", "balances"], purposes=["account_overview"])
    return Consent.objects.get(id=found)


def parameters(address: str) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(address).query))


def test_granted_returns_code_state_and_iss(alice: User, chat: Member) -> None:
    consent = cast.authorise(asked(alice, chat))
    now = clock.now()

    address = answers.granted(consent.id, alice.id, now=now)

    back = parameters(address)
    grant = Grant.objects.get()
    assert address.startswith(f"{chat.redirect_uri}?")
    assert back.keys() == {"code", "state", "iss"}
    assert (back["state"], back["iss"]) == ("state-of-the-platform", settings.ISSUER)
    assert grant.code == digest(back["code"])
    assert back["code"] not in [str(value) for value in Grant.objects.values_list("code", "claims", "nonce").get()]
    assert (grant.expires, grant.used_at) == (now + timedelta(seconds=60), None)
    assert (grant.consent_id, grant.user_id, grant.application_id) == (consent.id, alice.id, chat.platform.id)
    assert (grant.redirect_uri, grant.code_challenge_method) == (chat.redirect_uri, "S256")
    assert grant.code_challenge == cast.challenge(VERIFIER)
    assert grant.resource == [f"{settings.ISSUER}/v1"]
    assert AuthorizationRequest.objects.get().answered_at == now


def test_second_answer_is_refused_and_makes_no_code(alice: User, chat: Member) -> None:
    consent = cast.authorise(asked(alice, chat))
    answers.granted(consent.id, alice.id, now=clock.now())

    with pytest.raises(AlreadyAnswered):
        answers.granted(consent.id, alice.id, now=clock.now())

    assert Grant.objects.count() == 1


def test_stranger_gets_no_code_for_somebody_elses_consent(alice: User, bob: User, chat: Member) -> None:
    consent = cast.authorise(asked(alice, chat))

    with pytest.raises(ConsentNotFound):
        answers.granted(consent.id, bob.id, now=clock.now())
    with pytest.raises(ConsentNotFound):
        answers.refused(consent.id, bob.id, now=clock.now())
    with pytest.raises(ConsentNotFound):
        answers.granted(cast.stranger(), alice.id, now=clock.now())

    assert AuthorizationRequest.objects.get().answered_at is None


@pytest.mark.parametrize("status", sorted(set(ConsentStatus) - {ConsentStatus.AUTHORISED}))
def test_only_an_authorised_consent_gets_a_code(alice: User, chat: Member, status: ConsentStatus) -> None:
    consent = asked(alice, chat)
    Consent.objects.filter(id=consent.id).update(status=status)

    with pytest.raises(NotAnswerable):
        answers.granted(consent.id, alice.id, now=clock.now())

    assert not Grant.objects.exists()
    assert AuthorizationRequest.objects.get().answered_at is None


def test_authorised_consent_past_its_instant_gets_no_code(alice: User, chat: Member) -> None:
    consent = cast.authorise(asked(alice, chat))

    with pytest.raises(NotAnswerable):
        answers.granted(consent.id, alice.id, now=consent.expires_at)


def test_refusal_goes_back_once_with_state_and_iss(alice: User, chat: Member) -> None:
    consent = asked(alice, chat)
    lifecycle.reject(consent_id=consent.id, user_id=alice.id, reason="declined", actor=cast.BY_USER, now=clock.now())

    back = parameters(answers.refused(consent.id, alice.id, "access_denied", now=clock.now()))

    assert (back["error"], back["state"], back["iss"]) == ("access_denied", "state-of-the-platform", settings.ISSUER)
    assert "code" not in back
    with pytest.raises(AlreadyAnswered):
        answers.refused(consent.id, alice.id, "access_denied", now=clock.now())


def test_request_nobody_answered_can_be_refused_by_the_clock(alice: User, chat: Member) -> None:
    consent = asked(alice, chat)

    back = parameters(answers.refused(consent.id, alice.id, now=consent.created_at + AUTHORISATION_WINDOW))

    assert back["error"] == "access_denied"


@pytest.mark.parametrize(
    "status",
    [ConsentStatus.AWAITING_AUTHORISATION, ConsentStatus.AUTHORISED, ConsentStatus.PAUSED, ConsentStatus.SUSPENDED],
)
def test_living_consent_cannot_be_refused(alice: User, chat: Member, status: ConsentStatus) -> None:
    consent = asked(alice, chat)
    Consent.objects.filter(id=consent.id).update(status=status)

    with pytest.raises(NotAnswerable):
        answers.refused(consent.id, alice.id, now=clock.now())


def test_no_error_of_our_own_invention_is_sent(alice: User, chat: Member) -> None:
    with pytest.raises(ValueError, match="sorry"):
        answers.refused(asked(alice, chat).id, alice.id, "sorry", now=clock.now())


def test_redirect_origin_is_the_platforms(alice: User) -> None:
    member = cast.platform("ported", redirect_uri="https://ported.example:8443/cb?x=1")

    assert answers.redirect_origin(asked(alice, member).id) == "https://ported.example:8443"
    with pytest.raises(ConsentNotFound):
        answers.redirect_origin(cast.stranger())


def test_consent_without_a_request_has_no_answer(alice: User, chat: Member) -> None:
    consent = cast.authorised_consent(alice, chat.platform)

    with pytest.raises(AlreadyAnswered):
        answers.granted(consent.id, alice.id, now=clock.now())
