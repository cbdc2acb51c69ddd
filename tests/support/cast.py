"""The people, platforms and banks that tests speak of, made through the real functions wherever one exists.

Alice and Bob hold accounts; Charlie has nothing. `chat` and `budget` are two platforms that must never see each other.
"""

import base64
import hashlib
import json
import re
import secrets
import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any
from urllib.parse import parse_qs, quote_plus, urlencode, urlsplit
from uuid import UUID

from django.contrib.auth.hashers import make_password
from django.test import Client

from banks import vault
from banks.models import Account, Connection, Institution
from banks.types import AccountCategory, Resource
from consents import clock, lifecycle, platforms
from consents.audit import Actor
from consents.lifecycle import AccountChoice, Disclosure
from consents.models import AccessToken, BankPolicy, Consent, Grant, Platform, RefreshToken
from consents.requested import RequestedAccess, checked
from consents.scopes import LocationPrecision, Purpose, Scope, SensitiveGroup
from consents.states import Initiator, PlatformStatus, PolicyStatus
from gateway.identity.models import User
from gateway.oauth import addresses, answers

NOW = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
PASSWORD = "correct horse battery staple"
DISCLOSURE = Disclosure(version="test", sha256="0" * 64, locale="en")

BY_USER = Actor(initiator=Initiator.USER, request_id="req_test_user")
BY_PLATFORM = Actor(initiator=Initiator.PLATFORM, request_id="req_test_platform")
BY_OPERATOR = Actor(initiator=Initiator.OPERATOR, request_id="req_test_operator")


@dataclass(frozen=True, slots=True)
class Member:
    """A platform of the cast with the secret only it knows, and where it wants the browser back."""

    platform: Platform
    secret: str
    redirect_uri: str


# -- people ------------------------------------------------------------------------------------------------------------


def person(username: str) -> User:
    """An active user whose password is PASSWORD."""
    return User.objects.create(username=username, password=_encoded_password())


@cache
def _encoded_password() -> str:
    """Hashed once a run: hashing for every person of every test would be most of its time."""
    return make_password(PASSWORD)


def alice() -> User:
    return person("alice")


def bob() -> User:
    return person("bob")


def charlie() -> User:
    return person("charlie")


# -- platforms ---------------------------------------------------------------------------------------------------------


def platform(
    name: str,
    *,
    redirect_uri: str = "",
    purposes: Collection[Purpose] = tuple(Purpose),
    status: PlatformStatus = PlatformStatus.ACTIVE,
    now: datetime | None = None,
) -> Member:
    """A registered platform, ACTIVE unless `status` says otherwise (any status its table reaches from ACTIVE)."""
    now = now or clock.now()
    redirect_uri = redirect_uri or f"https://{name}.example/callback"
    made = platforms.register(
        name=name, redirect_uris=[redirect_uri], purposes=purposes, attested=True, actor=BY_OPERATOR, now=now
    )
    if status != PlatformStatus.PENDING:
        _move(made.platform, PlatformStatus.ACTIVE, now)
    if status not in (PlatformStatus.PENDING, PlatformStatus.ACTIVE):
        _move(made.platform, status, now)
    return Member(made.platform, made.client_secret, redirect_uri)


def chat() -> Member:
    return platform("chat")


def budget() -> Member:
    return platform("budget")


def _move(row: Platform, target: PlatformStatus, now: datetime) -> None:
    platforms.change_status(row, target, reason="test", actor=BY_OPERATOR, now=now)


# -- banks -------------------------------------------------------------------------------------------------------------


def institution(slug: str = "northbank", *, is_sandbox: bool = True, now: datetime | None = None) -> Institution:
    """A bank as a row; nothing answers at its addresses."""
    identity = uuid.uuid4()
    return Institution.objects.create(
        id=identity,
        slug=slug,
        name=slug.title(),
        country="GB",
        timezone="Europe/London",
        connector="uk_obie",
        version="3.1",
        issuer=f"https://{slug}.example",
        authorization_url=f"https://{slug}.example/authorize",
        token_url=f"https://{slug}.example/token",
        resource_url=f"https://{slug}.example/api",
        client_id="sluice",
        sealed_signing_key=vault.seal_alone(identity, "signing_key", b"not a key"),
        is_sandbox=is_sandbox,
        created_at=now or clock.now(),
    )


def permissive_policy(bank: Institution, row: Platform | None = None, *, now: datetime | None = None) -> BankPolicy:
    """A policy in force since yesterday that accepts everything; general unless `row` names a platform."""
    now = now or clock.now()
    return BankPolicy.objects.create(
        institution_id=bank.id,
        platform=row,
        effective_from=now - timedelta(days=1),
        status=PolicyStatus.ALLOW,
        scopes=sorted(Scope),
        purposes=sorted(Purpose),
        location_precision=LocationPrecision.STORE,
        requires_fapi2=False,
        created_at=now,
    )


def connection(user: User, bank: Institution, *, now: datetime | None = None) -> Connection:
    """An ACTIVE link of `user` to `bank`, whose own consent covers everything."""
    identity = uuid.uuid4()
    return Connection.objects.create(
        id=identity,
        user=user,
        institution=bank,
        resources=sorted(Resource),
        wrapped_key=vault.wrap_new_key(identity),
        created_at=now or clock.now(),
    )


def account(link: Connection, bank_account_id: str = "current", *, currency: str = "GBP") -> Account:
    """One account of `link`, without balances or transactions."""
    return Account.objects.for_sync().create(
        connection=link,
        institution_id=link.institution_id,
        user_id=link.user_id,
        bank_account_id=bank_account_id,
        category=AccountCategory.DEPOSIT,
        account_type="CACC",
        name=bank_account_id.title(),
        currency=currency,
        masked_number="1234",
        content_hash="",
        fetched_at=link.created_at,
    )


def linked_accounts(
    user: User, bank: Institution, names: Sequence[str] = ("current", "savings"), *, now: datetime | None = None
) -> list[AccountChoice]:
    """A new connection of `user` to `bank` with an account per name, as choices for `lifecycle.authorise`."""
    link = connection(user, bank, now=now)
    return [choice(account(link, name)) for name in names]


def choice(row: Account) -> AccountChoice:
    return AccountChoice(account_id=row.id, connection_id=row.connection_id, institution_id=row.institution_id)


# -- consents ----------------------------------------------------------------------------------------------------------


def requested_consent(
    user: User,
    row: Platform,
    scopes: Collection[Scope] = (Scope.ACCOUNTS, Scope.BALANCES),
    *,
    purposes: Collection[Purpose] = (Purpose.ACCOUNT_OVERVIEW,),
    duration_days: int = 90,
    history_days: int = 90,
    location_precision: LocationPrecision | None = None,
    on_platform_only: bool = False,
    hidden_groups: Collection[SensitiveGroup] = (),
    now: datetime | None = None,
) -> Consent:
    """What a platform asks, checked and lodged; AWAITING_AUTHORISATION."""
    asked = checked(
        RequestedAccess(
            scopes=frozenset(scopes),
            purposes=frozenset(purposes),
            duration_days=duration_days,
            history_days=history_days,
            location_precision=location_precision,
            on_platform_only=on_platform_only,
            hidden_groups=frozenset(hidden_groups),
        ),
        allowed_purposes=frozenset(Purpose(purpose) for purpose in row.purposes),
    )
    return lifecycle.request(user_id=user.id, platform=row, asked=asked, actor=BY_PLATFORM, now=now or clock.now())


def authorise(consent: Consent, accounts: Collection[AccountChoice] = (), *, now: datetime | None = None) -> Consent:
    """The user says yes to everything asked; `accounts` default to one that exists nowhere."""
    return lifecycle.authorise(
        consent_id=consent.id,
        user_id=consent.user_id,
        accounts=accounts or [nowhere()],
        scopes=[Scope(scope) for scope in consent.scopes],
        disclosure=DISCLOSURE,
        actor=BY_USER,
        now=now or clock.now(),
    )


def authorised_consent(
    user: User,
    row: Platform,
    scopes: Collection[Scope] = (Scope.ACCOUNTS, Scope.BALANCES),
    *,
    accounts: Collection[AccountChoice] = (),
    purposes: Collection[Purpose] = (Purpose.ACCOUNT_OVERVIEW,),
    duration_days: int = 90,
    history_days: int = 90,
    location_precision: LocationPrecision | None = None,
    on_platform_only: bool = False,
    hidden_groups: Collection[SensitiveGroup] = (),
    now: datetime | None = None,
) -> Consent:
    """Asked and authorised by the lifecycle's own functions; no authorization request stands behind it."""
    lodged = requested_consent(
        user,
        row,
        scopes,
        purposes=purposes,
        duration_days=duration_days,
        history_days=history_days,
        location_precision=location_precision,
        on_platform_only=on_platform_only,
        hidden_groups=hidden_groups,
        now=now,
    )
    return authorise(lodged, accounts, now=now)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """What a platform holds after the whole flow. `answer` is the token endpoint's JSON."""

    access_token: str
    refresh_token: str
    grant_id: str
    consent: Consent
    answer: dict[str, Any]

    @property
    def authorization(self) -> str:
        """For `headers={"Authorization": ...}` of Django's test client."""
        return f"Bearer {self.access_token}"


def tokens(
    user: User,
    member: Member,
    scopes: Collection[Scope] = (Scope.ACCOUNTS, Scope.BALANCES),
    *,
    accounts: Collection[AccountChoice] = (),
    purposes: Collection[Purpose] = (Purpose.ACCOUNT_OVERVIEW,),
    **members: object,
) -> Tokens:
    """Through the real flow: the platform asks, `user` signs in and says yes, the platform exchanges its code.

    `members`: further members of `authorization_details` (duration_days, history_days, location_precision ...).
    """
    verifier = secrets.token_urlsafe(48)
    consent_id = ask(user, member, verifier, scopes=scopes, purposes=purposes, **members)
    consent = authorise(Consent.objects.get(id=consent_id), accounts)
    answer = exchange(member, code_of(answers.granted(consent.id, user.id, now=clock.now())), verifier)
    assert answer.status_code == 200, answer.content
    body = answer.json()
    return Tokens(
        access_token=body["access_token"],
        refresh_token=body["refresh_token"],
        grant_id=body["grant_id"],
        consent=consent,
        answer=body,
    )


def issued(consent: Consent, *, now: datetime | None = None) -> Tokens:
    """Tokens as the flow leaves them, without going through it: for tests of what a token opens, not of how it came."""
    now = now or clock.now()
    common = {"consent": consent, "application": consent.platform, "user": consent.user, "scope": ""}
    resource, access, renewal = [addresses.resource()], secrets.token_urlsafe(32), secrets.token_urlsafe(32)
    grant = Grant.objects.create(
        **common, code=secrets.token_urlsafe(32), expires=now + timedelta(minutes=1), redirect_uri="https://x.example"
    )
    AccessToken.objects.create(
        **common, grant=grant, token=access, expires=now + timedelta(minutes=10), resource=resource
    )
    RefreshToken.objects.create(**common, grant=grant, token=renewal, resource=resource)
    return Tokens(access_token=access, refresh_token=renewal, grant_id=str(grant.pk), consent=consent, answer={})


def authorization_query(member: Member, verifier: str, **members: object) -> dict[str, str]:
    """The parameters of a good request; `members` are those of `authorization_details`."""
    details = {"type": "account_information", **members}
    return {
        "response_type": "code",
        "client_id": member.platform.client_id,
        "redirect_uri": member.redirect_uri,
        "state": "state-of-the-platform",
        "code_challenge": challenge(verifier),
        "code_challenge_method": "S256",
        "authorization_details": json.dumps(
            [details], default=lambda value: sorted(value) if isinstance(value, set | frozenset) else list(value)
        ),
    }


def challenge(verifier: str) -> str:
    """S256 (RFC 7636 section 4.2)."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def ask(user: User, member: Member, verifier: str, **members: object) -> UUID:
    """The browser of `user`, signed in, follows the platform's link; the id of the consent that awaits an answer."""
    browser = Client()
    browser.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    answer = browser.get("/oauth/authorize", authorization_query(member, verifier, **members))
    assert answer.status_code == 303, answer.content
    found = re.search(r"[0-9a-f]{8}-[0-9a-f-]{27}", answer["Location"])
    assert found is not None, answer["Location"]
    return UUID(found[0])


def code_of(address: str) -> str:
    return parse_qs(urlsplit(address).query)["code"][0]


def basic(member: Member) -> str:
    """The Authorization header of a platform at the token endpoint."""
    joined = f"{quote_plus(member.platform.client_id)}:{quote_plus(member.secret)}"
    return f"Basic {base64.b64encode(joined.encode()).decode()}"


def post_form(member: Member, path: str, fields: Mapping[str, str]) -> Any:
    """A form-encoded POST by the platform itself, without cookies; an exception in the view is a 500, as in life."""
    return Client(raise_request_exception=False).post(
        path,
        urlencode(fields),
        content_type="application/x-www-form-urlencoded",
        headers={"Authorization": basic(member)},
    )


def exchange(member: Member, code: str, verifier: str) -> Any:
    """The platform's token request for a code."""
    fields = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": member.redirect_uri,
        "code_verifier": verifier,
    }
    return post_form(member, "/oauth/token", fields)


def refresh(member: Member, refresh_token: str) -> Any:
    """The platform's token request for a refresh token."""
    return post_form(member, "/oauth/token", {"grant_type": "refresh_token", "refresh_token": refresh_token})


def platform_token(member: Member) -> str:
    """A token of the platform's own."""
    answer = post_form(member, "/oauth/token", {"grant_type": "client_credentials"})
    assert answer.status_code == 200, answer.content
    return str(answer.json()["access_token"])


def revoke(consent: Consent, *, now: datetime | None = None) -> Consent:
    return lifecycle.revoke(
        consent_id=consent.id, user_id=consent.user_id, reason="test", actor=BY_USER, now=now or clock.now()
    )


def nowhere() -> AccountChoice:
    """An account that no table has: enough where only the consent matters."""
    return AccountChoice(account_id=uuid.uuid4(), connection_id=uuid.uuid4(), institution_id=uuid.uuid4())


def stranger() -> UUID:
    return uuid.uuid4()
