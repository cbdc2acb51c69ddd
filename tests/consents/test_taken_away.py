"""What the audit trail keeps of a narrowing: what went, in codes, and nothing of what stayed."""

from datetime import timedelta
from typing import Any

import pytest

from consents import lifecycle
from consents.lifecycle import Narrower
from consents.models import AuditEntry, Consent, ConsentAccount
from consents.scopes import LocationPrecision, Scope, SensitiveGroup
from tests.support import cast

pytestmark = pytest.mark.django_db

NOW = cast.NOW
SCOPES = (Scope.ACCOUNTS, Scope.TRANSACTIONS, Scope.MERCHANTS, Scope.LOCATIONS)


@pytest.fixture
def consent(db: None) -> Consent:
    return cast.authorised_consent(
        cast.alice(),
        cast.chat().platform,
        SCOPES,
        accounts=[cast.nowhere(), cast.nowhere()],
        location_precision=LocationPrecision.STORE,
        hidden_groups=[SensitiveGroup.HEALTH],
        now=NOW,
    )


def kept(consent: Consent, *, scopes: tuple[Scope, ...] = SCOPES, accounts: int = 2, **less: Any) -> dict[str, Any]:
    """Narrow it; the details of the entry."""
    ids = ConsentAccount.objects.order_by("id").values_list("account_id", flat=True)[:accounts]
    lifecycle.narrow(
        consent_id=consent.id,
        user_id=consent.user_id,
        scopes=scopes,
        account_ids=list(ids),
        narrower=Narrower(**less),
        actor=cast.BY_USER,
        now=NOW,
    )
    details: dict[str, Any] = AuditEntry.objects.get(action="consent.narrowed").details
    return details


def test_each_thing_that_went_is_named(consent: Consent) -> None:
    details = kept(
        consent,
        scopes=(Scope.ACCOUNTS, Scope.TRANSACTIONS, Scope.LOCATIONS),
        accounts=1,
        location_precision=LocationPrecision.CITY,
        on_platform_only=True,
        hidden_groups=frozenset({SensitiveGroup.HEALTH, SensitiveGroup.GAMBLING}),
        duration_days=7,
    )

    assert details == {
        "scopes": ["merchants"],
        "hidden_groups": ["GAMBLING"],
        "accounts": 1,
        "on_platform_only": True,
        "location_precision": "city",
        "expires_at": (NOW + timedelta(days=7)).isoformat(),
    }


def test_what_stayed_is_not(consent: Consent) -> None:
    assert kept(consent, accounts=1) == {"accounts": 1}


def test_places_that_go_with_their_scope_are_no_change_of_closeness(consent: Consent) -> None:
    assert kept(consent, scopes=(Scope.ACCOUNTS, Scope.TRANSACTIONS, Scope.MERCHANTS)) == {"scopes": ["locations"]}
