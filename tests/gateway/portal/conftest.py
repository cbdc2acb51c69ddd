"""Alice's browser, and the requests that wait for her answer."""

from collections.abc import Callable
from datetime import timedelta
from hashlib import sha256
from uuid import UUID

import pytest
from django.test import Client

from banks.models import Institution, LinkAttempt
from consents import clock
from consents.models import AuditEntry, Consent, ConsentAccount, Event, Grant, Report, Revocation, UsageRow
from consents.states import ConsentStatus
from gateway.identity.models import User
from gateway.oauth.models import AuthorizationRequest
from tests.support import cast
from tests.support.cast import Member

VERIFIER = "a-verifier-of-at-least-forty-three-characters-0123456789"
BACKEND = "django.contrib.auth.backends.ModelBackend"


def signed_in(user: User) -> Client:
    """A browser of `user`; like every test client it needs no CSRF token."""
    client = Client()
    client.force_login(user, backend=BACKEND)
    return client


def show_accounts(browser: Client, consent: Consent, bank: Institution, *names: str) -> list[UUID]:
    """As if `browser` had just come back from `bank`, which showed these accounts."""
    now = clock.now()
    link = cast.connection(consent.user, bank)
    ids = [cast.account(link, name).id for name in names]
    LinkAttempt.objects.create(
        state_digest=str(link.id),
        session_digest=sha256((browser.session.session_key or "").encode()).hexdigest(),
        user=consent.user,
        institution=bank,
        consent_id=consent.id,
        bank_consent_id="at-the-bank",
        sealed_secrets=b"",
        created_at=now,
        expires_at=now,
        used_at=now,
        connection_id=link.id,
        account_ids=sorted(str(one) for one in ids),
    )
    return ids


def read_by_platform(consent: Consent, *, days_ago: float = 0, rows: int = 2, **columns: object) -> UsageRow:
    """As if its platform had read balances."""
    at = clock.now() - timedelta(days=days_ago)
    return UsageRow.objects.create(
        **{
            "month": at.date().replace(day=1),
            "user_id": consent.user_id,
            "consent_id": consent.id,
            "platform_id": consent.platform_id,
            "record": "balance",
            "purpose": "account_overview",
            "rows": rows,
            "request_id": "req_of_a_platform",
            "read_at": at,
            **columns,
        }
    )


@pytest.fixture
def sharing(alice: User, chat: Member, northbank: Institution) -> Consent:
    """Alice shares two accounts with `chat`, and her bank lets her."""
    return cast.authorised_consent(alice, chat.platform, accounts=cast.linked_accounts(alice, northbank))


@pytest.fixture
def browser(alice: User) -> Client:
    return signed_in(alice)


@pytest.fixture
def asked(alice: User, chat: Member) -> Consent:
    """Lodged by the real endpoint: `chat` asks Alice for accounts and balances for 90 days."""
    found = cast.ask(alice, chat, VERIFIER, scopes=["accounts", "balances"], purposes=["account_overview"])
    return Consent.objects.get(id=found)


@pytest.fixture
def shown(browser: Client, asked: Consent, northbank: Institution) -> list[UUID]:
    """The accounts of Alice that her bank showed for `asked`."""
    return show_accounts(browser, asked, northbank, "everyday", "savings")


@pytest.fixture
def chosen(browser: Client, asked: Consent, shown: list[UUID]) -> UUID:
    """The one account that Alice has ticked so far."""
    browser.post(f"/connect/{asked.id}/accounts/", {"account": [str(shown[0])]})
    return shown[0]


@pytest.fixture
def traces(db: None) -> Callable[[], object]:
    """Equal before and after: nothing was decided, linked, answered or recorded."""

    def look() -> object:
        return (
            sorted(Consent.objects.values_list("id", "status", "revision")),
            [table.objects.count() for table in (LinkAttempt, Event, AuditEntry, Grant, Report, Revocation)],
            sorted(ConsentAccount.objects.values_list("id", "status")),
            sorted(AuthorizationRequest.objects.values_list("id", "answered_at")),
        )

    return look


def status_of(consent: Consent) -> ConsentStatus:
    return ConsentStatus(Consent.objects.values_list("status", flat=True).get(id=consent.id))
