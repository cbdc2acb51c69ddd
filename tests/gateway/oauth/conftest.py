"""What the OAuth tests share: counted rows and one verifier."""

from collections.abc import Callable

import pytest

from consents.models import AccessToken, AuditEntry, Consent, Event, Grant, RefreshToken
from gateway.oauth.models import AuthorizationRequest

VERIFIER = "a-verifier-of-at-least-forty-three-characters-0123456789"


@pytest.fixture
def rows(db: None) -> Callable[[], dict[str, int]]:
    """How many rows each table of the flow holds; equal before and after means that nothing was written."""
    tables = (Consent, AuthorizationRequest, Grant, AccessToken, RefreshToken, AuditEntry, Event)
    return lambda: {table.__name__: table.objects.count() for table in tables}
