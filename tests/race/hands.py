"""The four hands, and every way in which each of them stops a consent. A way returns when its stop is acknowledged."""

import http.client
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlencode

from django.conf import settings

from consents import clock, lifecycle, platforms, policies
from consents.audit import Actor
from consents.policies import PolicyTerms
from consents.states import Initiator, PlatformStatus, PolicyStatus
from gateway import pairwise
from gateway.identity.models import User
from tests.race.targets import Target
from tests.support import cast

BY_USER = Actor(initiator=Initiator.USER)
BY_BANK = Actor(initiator=Initiator.BANK)
BY_OPERATOR = Actor(initiator=Initiator.OPERATOR)


@dataclass(frozen=True, slots=True)
class Service:
    """The server under test, as a client sees it."""

    host: str
    port: int

    def call(self, method: str, path: str, headers: Mapping[str, str], form: Mapping[str, str] | None = None) -> int:
        """One request on a connection of its own; the status."""
        connection = http.client.HTTPConnection(self.host, self.port, timeout=60)
        body = None if form is None else urlencode(form)
        kind = {} if form is None else {"Content-Type": "application/x-www-form-urlencoded"}
        try:
            connection.request(method, path, body=body, headers={**headers, **kind})
            answer = connection.getresponse()
            answer.read()
            return answer.status
        finally:
            connection.close()


Do = Callable[[Target, Service], None]


@dataclass(frozen=True, slots=True)
class Way:
    hand: str
    name: str
    do: Do
    spares_others: bool = True  #: another platform of the same person goes on reading


# -- the user ---------------------------------------------------------------------------------------------------------


def stop_in_the_portal(target: Target, service: Service) -> None:
    token = secrets.token_hex(16)
    cookies = {settings.SESSION_COOKIE_NAME: target.session_key, settings.CSRF_COOKIE_NAME: token}
    status = service.call(
        "POST",
        f"/consents/{target.consent.id}/stop/",
        {"Cookie": "; ".join(f"{name}={value}" for name, value in cookies.items()), "Origin": settings.ISSUER},
        {"csrfmiddlewaretoken": token},
    )
    assert status == 303, status


def revoke_as_the_user(target: Target, service: Service) -> None:
    lifecycle.revoke(
        consent_id=target.consent.id, user_id=target.user.id, reason="user_request", actor=BY_USER, now=clock.now()
    )


def pause(target: Target, service: Service) -> None:
    lifecycle.pause(consent_id=target.consent.id, user_id=target.user.id, actor=BY_USER, now=clock.now())


def stop_everything(target: Target, service: Service) -> None:
    lifecycle.revoke_all(user_id=target.user.id, reason="user_request", actor=BY_USER, now=clock.now())


# -- the platform -----------------------------------------------------------------------------------------------------


def delete_the_consent(target: Target, service: Service) -> None:
    consent_id = pairwise.encode("con", target.platform.id, target.consent.id)
    headers = {"Authorization": f"Bearer {target.access_token}"}
    status = service.call("DELETE", f"/v1/consents/{consent_id}", headers)
    assert status == 204, status


def give_the_tokens_back(target: Target, service: Service) -> None:
    """RFC 7009: a refresh token takes the access tokens of its grant along."""
    headers = {"Authorization": cast.basic(target.member)}
    status = service.call("POST", "/oauth/revoke", headers, {"token": target.refresh_token})
    assert status == 200, status


# -- the bank ---------------------------------------------------------------------------------------------------------


def revoke_one_customers_consent(target: Target, service: Service) -> None:
    lifecycle.revoke_accounts(
        consent_id=target.consent.id,
        institution_id=target.bank.id,
        reason="bank_request",
        actor=BY_BANK,
        now=clock.now(),
    )


def suspend_one_customers_accounts(target: Target, service: Service) -> None:
    lifecycle.suspend_accounts(
        consent_id=target.consent.id,
        institution_id=target.bank.id,
        reason="bank_request",
        actor=BY_BANK,
        now=clock.now(),
    )


def suspend_the_platform_here(target: Target, service: Service) -> None:
    _sign(target, PolicyStatus.SUSPEND)


def block_the_platform_here(target: Target, service: Service) -> None:
    _sign(target, PolicyStatus.BLOCK)


def block_everybody_here(target: Target, service: Service) -> None:
    _sign(target, PolicyStatus.BLOCK, everybody=True)


def _sign(target: Target, status: PolicyStatus, *, everybody: bool = False) -> None:
    policies.sign(
        institution_id=target.bank.id,
        platform_id=None if everybody else target.platform.id,
        terms=PolicyTerms(scopes=frozenset(), purposes=frozenset(), status=status),
        approved_by=[],
        actor=BY_BANK,
        now=clock.now(),
    )


# -- the operator -----------------------------------------------------------------------------------------------------


def suspend_the_consent(target: Target, service: Service) -> None:
    lifecycle.suspend(consent_id=target.consent.id, reason="operator_request", actor=BY_OPERATOR, now=clock.now())


def suspend_the_platform(target: Target, service: Service) -> None:
    now: datetime = clock.now()
    platforms.change_status(
        target.platform, PlatformStatus.SUSPENDED, reason="operator_request", actor=BY_OPERATOR, now=now
    )


def deactivate_the_user(target: Target, service: Service) -> None:
    User.objects.filter(id=target.user.id).update(is_active=False)


WAYS: tuple[Way, ...] = (
    Way("user", "the portal's stop", stop_in_the_portal),
    Way("user", "revoke", revoke_as_the_user),
    Way("user", "pause", pause),
    Way("user", "stop everything", stop_everything, spares_others=False),
    Way("platform", "DELETE /v1/consents/{id}", delete_the_consent),
    Way("platform", "POST /oauth/revoke", give_the_tokens_back),
    Way("bank", "one customer's consent revoked", revoke_one_customers_consent),
    Way("bank", "one customer's accounts suspended", suspend_one_customers_accounts),
    Way("bank", "the platform suspended at this bank", suspend_the_platform_here),
    Way("bank", "the platform blocked at this bank", block_the_platform_here),
    Way("bank", "the whole bank blocked", block_everybody_here, spares_others=False),
    Way("operator", "one consent suspended", suspend_the_consent),
    Way("operator", "the platform suspended", suspend_the_platform),
    Way("operator", "the user deactivated", deactivate_the_user, spares_others=False),
)
HANDS = tuple(dict.fromkeys(way.hand for way in WAYS))


def way_of(hand: str, number: int) -> Way:
    """Each of a hand's ways in turn."""
    ways = [way for way in WAYS if way.hand == hand]
    return ways[number % len(ways)]
