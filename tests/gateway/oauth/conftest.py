"""What the OAuth tests share: counted rows, and stand-ins for pages that others own."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.urls import NoReverseMatch, reverse

from consents.models import AccessToken, AuditEntry, Consent, Event, Grant, RefreshToken
from gateway.oauth.models import AuthorizationRequest

VERIFIER = "a-verifier-of-at-least-forty-three-characters-0123456789"


@pytest.fixture(autouse=True)
def _pages_of_others(settings: Any, tmp_path: Path) -> None:
    """The real portal and sign-in page when they are there; else stand-ins, so that these tests need neither."""
    try:
        reverse("account_login"), reverse("portal:consents"), reverse("oauth:token")
    except NoReverseMatch:
        settings.ROOT_URLCONF = "tests.gateway.oauth.urls"
        (tmp_path / "base.html").write_text("{% block title %}{% endblock %}{% block content %}{% endblock %}")
        settings.TEMPLATES = [{**settings.TEMPLATES[0], "DIRS": [tmp_path, *settings.TEMPLATES[0]["DIRS"]]}]


@pytest.fixture
def rows(db: None) -> Callable[[], dict[str, int]]:
    """How many rows each table of the flow holds; equal before and after means that nothing was written."""
    tables = (Consent, AuthorizationRequest, Grant, AccessToken, RefreshToken, AuditEntry, Event)
    return lambda: {table.__name__: table.objects.count() for table in tables}
