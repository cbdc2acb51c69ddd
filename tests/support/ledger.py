"""Real rows for tests: people, banks, accounts and what happened on them, written through the sync door."""

import hashlib
import itertools
import secrets
from collections.abc import Collection, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

from banks import authority, models
from consents import lifecycle, platforms
from consents.audit import Actor
from consents.models import AccessToken, BankPolicy, Consent, Grant, Platform, RefreshToken
from consents.models.tokens import digest
from consents.policy import Permit
from consents.requested import RequestedAccess
from consents.scopes import LocationPrecision, Presence, Purpose, Scope, SensitiveGroup
from consents.states import Initiator, PlatformStatus
from gateway.identity.models import User

NOW = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
TODAY = NOW.date()

BY_USER = Actor(initiator=Initiator.USER)
BY_PLATFORM = Actor(initiator=Initiator.PLATFORM)
BY_OPERATOR = Actor(initiator=Initiator.OPERATOR)
SHOWN = lifecycle.Disclosure(version="1", sha256="0" * 64, locale="en")

#: Purposes and scopes of the widest consent there is without derived answers.
EVERYTHING_RELEASED = frozenset(
    {
        Scope.ACCOUNTS,
        Scope.ACCOUNT_NUMBERS,
        Scope.BALANCES,
        Scope.TRANSACTIONS,
        Scope.MERCHANTS,
        Scope.LOCATIONS,
        Scope.COUNTERPARTIES,
    }
)

_numbers = itertools.count(1)


def user(name: str) -> User:
    return User.objects.create(username=name)


def platform(name: str = "Chat", *, status: PlatformStatus = PlatformStatus.ACTIVE) -> Platform:
    made = platforms.register(
        name=name,
        redirect_uris=["https://chat.example/callback"],
        purposes=list(Purpose),
        attested=True,
        actor=BY_OPERATOR,
        now=NOW,
    ).platform
    if status != PlatformStatus.PENDING:
        platforms.change_status(made, PlatformStatus.ACTIVE, reason="approved", actor=BY_OPERATOR, now=NOW)
    if status not in (PlatformStatus.PENDING, PlatformStatus.ACTIVE):
        platforms.change_status(made, status, reason="test", actor=BY_OPERATOR, now=NOW)
    return made


def institution(slug: str = "acorn", **changes: Any) -> models.Institution:
    return models.Institution.objects.create(
        **{
            "slug": slug,
            "name": slug.title(),
            "country": "GB",
            "connector": "uk_obie",
            "version": "4.0",
            "issuer": f"https://{slug}.example",
            "authorization_url": f"https://{slug}.example/authorize",
            "token_url": f"https://{slug}.example/token",
            "resource_url": f"https://{slug}.example/aisp",
            "client_id": "sluice",
            "sealed_signing_key": b"",
            "created_at": NOW,
            **changes,
        }
    )


def connection(owner: User, bank: models.Institution, **changes: Any) -> models.Connection:
    return models.Connection.objects.create(
        **{"user": owner, "institution": bank, "wrapped_key": b"", "created_at": NOW, **changes}
    )


def account(link: models.Connection, **changes: Any) -> models.Account:
    number = next(_numbers)
    return models.Account.objects.for_sync().create(
        **{
            "connection": link,
            "institution_id": link.institution_id,
            "user_id": link.user_id,
            "bank_account_id": f"bank-{number}",
            "category": "DEPOSIT",
            "account_type": "CACC",
            "name": "Everyday",
            "currency": "GBP",
            "masked_number": "1234",
            "identifications": [{"scheme_name": "IBAN", "value": "GB33BUKB20201555555555"}],
            "content_hash": "0" * 64,
            "fetched_at": NOW,
            "balances_as_of": NOW,
            "transactions_as_of": NOW,
            "coverage_first_on": date(2024, 1, 1),
            "coverage_last_on": TODAY,
            **changes,
        }
    )


def balance(of: models.Account, **changes: Any) -> models.Balance:
    return models.Balance.objects.for_sync().create(
        **{
            "account": of,
            "type": "ITAV",
            "amount_minor": 12345,
            "currency": "GBP",
            "as_of": NOW,
            "content_hash": "0" * 64,
            **changes,
        }
    )


def unsaved_transaction(of: models.Account, **changes: Any) -> models.Transaction:
    """A classified card payment in a shop, with every releasable column filled in."""
    number = next(_numbers)
    return models.Transaction(
        **{
            "account": of,
            "identity_key": f"{number:064d}",
            "status": "BOOKED",
            "listed_on": TODAY - timedelta(days=1),
            "booked_on": TODAY - timedelta(days=1),
            "value_on": TODAY,
            "transacted_at": NOW - timedelta(days=1),
            "amount_minor": -1250,
            "currency": "GBP",
            "kind": "CARD_PAYMENT",
            "merchant_name": "Corner Books",
            "merchant_key": "corner-books",
            "mcc": "5942",
            "category": "BOOKS",
            "channel": "IN_STORE",
            "sensitive_group": SensitiveGroup.NONE,
            "place_country": "GB",
            "place_region": "Yorkshire",
            "place_city": "Leeds",
            "place_postal_code": "LS1 1AA",
            "place_address": "1 High Street",
            "instructed_amount_minor": -1500,
            "instructed_currency": "EUR",
            "exchange_rate": "0.8333",
            "counterparty_name": "Charlie Private",
            "counterparty_kind": "PERSON",
            "balance_after_minor": 98765,
            "description": "CORNER BOOKS LEEDS CHARLIE",
            "content_hash": "0" * 64,
            "change_sequence": number,
            "first_seen_at": NOW - timedelta(hours=12),
            "updated_at": NOW,
            **changes,
        }
    )


def transaction(of: models.Account, **changes: Any) -> models.Transaction:
    row = unsaved_transaction(of, **changes)
    row.save(force_insert=True)
    return row


def reference_digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def policy(institution_id: UUID, of: Platform | None = None, **changes: Any) -> BankPolicy:
    """In force for a year; allows everything unless `changes` say otherwise."""
    return BankPolicy.objects.create(
        **{
            "institution_id": institution_id,
            "platform": of,
            "effective_from": NOW - timedelta(days=365),
            "scopes": sorted(Scope),
            "purposes": sorted(Purpose),
            "location_precision": LocationPrecision.STORE,
            "requires_fapi2": False,
            "created_at": NOW,
            **changes,
        }
    )


def asked(scopes: Collection[Scope] = EVERYTHING_RELEASED, **changes: Any) -> RequestedAccess:
    return RequestedAccess(
        **{
            "scopes": frozenset(scopes),
            "purposes": frozenset({Purpose.ACCOUNT_OVERVIEW}),
            "location_precision": LocationPrecision.STORE if Scope.LOCATIONS in scopes else None,
            **changes,
        }
    )


def choice(of: models.Account) -> lifecycle.AccountChoice:
    return lifecycle.AccountChoice(account_id=of.id, connection_id=of.connection_id, institution_id=of.institution_id)


def consent(
    owner: User,
    of: Platform,
    accounts: Sequence[models.Account],
    scopes: Collection[Scope] = EVERYTHING_RELEASED,
    *,
    now: datetime = NOW,
    **changes: Any,
) -> Consent:
    """Asked by the platform and granted by the user, a minute apart; `changes` are members of the request."""
    lodged = lifecycle.request(
        user_id=owner.id, platform=of, asked=asked(scopes, **changes), actor=BY_PLATFORM, now=now - timedelta(minutes=1)
    )
    return lifecycle.authorise(
        consent_id=lodged.id,
        user_id=owner.id,
        accounts=[choice(account) for account in accounts],
        scopes=scopes,
        disclosure=SHOWN,
        actor=BY_USER,
        now=now,
    )


def permit(
    of: Consent, *, now: datetime = NOW, purpose: Purpose | None = None, presence: Presence = Presence.ABSENT
) -> Permit:
    """What this consent opens now, decided from its rows. Raises Denied."""
    fresh = Consent.objects.select_related("user", "platform").get(id=of.id)
    return authority.permit_for(fresh, purpose=purpose, presence=presence, now=now)


def tokens(of: Consent) -> tuple[AccessToken, RefreshToken, Grant]:
    """One of each that point at `of`."""
    common: dict[str, Any] = {"consent": of, "application": of.platform, "user": of.user, "scope": ""}
    grant = Grant.objects.create(
        **common, code=secrets.token_hex(8), expires=NOW + timedelta(minutes=1), redirect_uri="https://chat.example"
    )
    access = AccessToken.objects.create(
        **common, token=secrets.token_hex(8), expires=NOW + timedelta(minutes=10), grant=grant
    )
    refresh = RefreshToken.objects.create(
        **common, token=digest(secrets.token_hex(8)), access_token=access, grant=grant
    )
    return access, refresh, grant
