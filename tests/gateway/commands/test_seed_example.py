"""The sample platform is registered by the seed: once, whatever port it gets at each start."""

from pathlib import Path

import pytest

from consents import clock
from consents.models import Platform
from consents.models.tokens import digest
from consents.states import PlatformStatus
from gateway.embedded import example, seed
from gateway.embedded.kept import Kept

pytestmark = pytest.mark.django_db


def test_another_port_is_the_same_platform_with_another_redirect_uri(tmp_path: Path) -> None:
    kept = Kept(tmp_path / "kept.json", {})

    first = seed._example("http://127.0.0.1:8003", kept, clock.now())
    second = seed._example("http://127.0.0.1:8004", kept, clock.now())

    row = Platform.objects.get(client_id=example.CLIENT_ID)
    assert row.redirect_uris == second["redirect_uri"] == "http://127.0.0.1:8004/callback"
    assert first["client_secret"] == second["client_secret"]
    assert row.client_secret == digest(second["client_secret"])
    assert (row.status, row.is_sandbox, list(row.purposes)) == (PlatformStatus.ACTIVE, True, ["budgeting"])
