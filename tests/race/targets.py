"""Whom the readers read and the hands stop: each target has a person, a platform and a bank of its own."""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction

from banks.models import Account, Institution
from consents.models import AccessToken, Consent, Grant, Platform, RefreshToken
from consents.models.tokens import digest
from consents.scopes import Scope
from gateway import pairwise
from gateway.identity.models import User
from gateway.oauth import addresses
from tests.race.messages import Ask
from tests.support import cast, factors, ledger
from tests.support.cast import Member

TOKENS = 3
ROWS = 20
SCOPES = (Scope.ACCOUNTS, Scope.BALANCES, Scope.TRANSACTIONS)
_LIFE = timedelta(days=1)  # longer than any race: no token ends by the clock


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One consent that is read and then stopped, and what each hand needs to do it."""

    user: User
    member: Member
    bank: Institution
    consent: Consent
    refresh_token: str
    session_key: str
    asks: tuple[Ask, ...]

    @property
    def platform(self) -> Platform:
        return self.member.platform

    @property
    def access_token(self) -> str:
        return self.asks[0].token


def bystander(now: datetime) -> Platform:
    """One platform that everybody uses too, and that nobody stops."""
    return cast.platform("Bystander", now=now).platform


def make(index: int, other: Platform, now: datetime) -> Target:
    """`index` is what the reads are told apart by."""
    with transaction.atomic():
        name = f"race-{index}-{secrets.token_hex(4)}"
        user, member = cast.person(name), cast.platform(name, now=now)
        bank = cast.institution(name, now=now)
        cast.permissive_policy(bank, now=now)
        account = _account(user, bank, now)
        consent = cast.authorised_consent(user, member.platform, SCOPES, accounts=[cast.choice(account)], now=now)
        elsewhere = cast.authorised_consent(user, other, SCOPES, accounts=[cast.choice(account)], now=now)
        grant = _grant(consent, now)
        asks = [_ask(index, False, account, consent, grant, now, number) for number in range(2 * TOKENS)]
        asks.append(_ask(index, True, account, elsewhere, _grant(elsewhere, now), now, 0))
        return Target(
            user=user,
            member=member,
            bank=bank,
            consent=consent,
            refresh_token=_refresh_token(consent, grant),
            session_key=_session(user),
            asks=tuple(asks),
        )


def _account(user: User, bank: Institution, now: datetime) -> Account:
    account = ledger.account(cast.connection(user, bank, now=now), fetched_at=now)
    ledger.balance(account, as_of=now)
    day = now.date() - timedelta(days=1)
    rows = [ledger.unsaved_transaction(account, listed_on=day, booked_on=day) for _ in range(ROWS)]
    type(rows[0]).objects.for_sync().bulk_create(rows)
    return account


def _ask(
    index: int, is_bystander: bool, account: Account, consent: Consent, grant: Grant, now: datetime, number: int
) -> Ask:
    """Every token reads balances and transactions in turn."""
    token = secrets.token_urlsafe(32)
    AccessToken.objects.create(**_common(consent), grant=grant, token=token, expires=now + _LIFE, resource=_resource())
    record = ("balances", "transactions")[number % 2]
    account_id = pairwise.encode("acc", consent.platform_id, account.id)
    return Ask(index, is_bystander, f"/v1/accounts/{account_id}/{record}", token)


def _grant(consent: Consent, now: datetime) -> Grant:
    code, uri = secrets.token_urlsafe(32), "https://race.example/callback"
    granted: Grant = Grant.objects.create(**_common(consent), code=code, expires=now + _LIFE, redirect_uri=uri)
    return granted


def _refresh_token(consent: Consent, grant: Grant) -> str:
    token = secrets.token_urlsafe(32)
    RefreshToken.objects.create(**_common(consent), grant=grant, token=token, resource=_resource())
    assert RefreshToken.objects.filter(token_checksum=digest(token)).exists()
    return token


def _common(consent: Consent) -> dict[str, object]:
    return {"consent": consent, "application": consent.platform, "user": consent.user, "scope": ""}


def _resource() -> list[str]:
    return [addresses.resource()]


def _session(user: User) -> str:
    """The key of a session in which this person is signed in, as their browser's cookie holds it."""
    key = factors.browser_of(user).session.session_key
    assert key is not None
    return key
