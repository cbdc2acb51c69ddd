"""The people, platforms and banks that tests speak of, made through the real functions wherever one exists.

Alice and Bob hold accounts; Charlie has nothing. `chat` and `budget` are two platforms that must never see each other.
"""

import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from banks import vault
from banks.models import Account, Connection, Institution
from banks.types import AccountCategory
from consents import clock, lifecycle, platforms
from consents.audit import Actor
from consents.lifecycle import AccountChoice, Disclosure
from consents.models import BankPolicy, Consent, Platform
from consents.requested import RequestedAccess, checked
from consents.scopes import LocationPrecision, Purpose, Scope, SensitiveGroup
from consents.states import Initiator, PlatformStatus, PolicyStatus
from gateway.identity.models import User

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
    return User.objects.create_user(username=username, password=PASSWORD)


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
    """An ACTIVE link of `user` to `bank`."""
    identity = uuid.uuid4()
    return Connection.objects.create(
        id=identity,
        user=user,
        institution=bank,
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
        category=AccountCategory.DEPOSIT if hasattr(AccountCategory, "DEPOSIT") else next(iter(AccountCategory)),
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


def revoke(consent: Consent, *, now: datetime | None = None) -> Consent:
    return lifecycle.revoke(
        consent_id=consent.id, user_id=consent.user_id, reason="test", actor=BY_USER, now=now or clock.now()
    )


def nowhere() -> AccountChoice:
    """An account that no table has: enough where only the consent matters."""
    return AccountChoice(account_id=uuid.uuid4(), connection_id=uuid.uuid4(), institution_id=uuid.uuid4())


def stranger() -> UUID:
    return uuid.uuid4()
