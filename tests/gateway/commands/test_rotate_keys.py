"""`rotate_keys`: everything under the newest key, nothing lost, whatever else is written meanwhile."""

import base64
import secrets
from io import StringIO
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.core.management import CommandError, call_command

from banks import rotation, vault
from banks.models import Connection, Institution
from banks.vault import Vault
from gateway.identity import factors as sealing
from tests.support import cast, factors

pytestmark = pytest.mark.django_db

OLD, NEW = "old", "new"


def _key() -> str:
    return base64.b64encode(secrets.token_bytes(32)).decode()


@pytest.fixture
def ring(settings: Any) -> dict[str, str]:
    """One key; `turned` adds another."""
    settings.VAULT_KEYS = {OLD: _key()}
    return settings.VAULT_KEYS  # type: ignore[no-any-return]


def turned(settings: Any) -> None:
    settings.VAULT_KEYS = {**settings.VAULT_KEYS, NEW: _key()}


def rotate() -> str:
    out = StringIO()
    call_command("rotate_keys", stdout=out)
    return out.getvalue()


def linked(name: str) -> tuple[Connection, bytes]:
    """A connection with something sealed by its own key."""
    link = cast.connection(cast.person(name), Institution.objects.first() or cast.institution())
    Connection.objects.filter(id=link.id).update(wrapped_key=vault.wrap_new_key(link.id))
    link.refresh_from_db()
    return link, Vault.of(link.id, link.wrapped_key).seal("credentials", b"token")


def under(sealed: bytes | memoryview) -> str:
    return bytes(sealed).partition(b"\0")[0].decode()


def test_data_keys_signing_keys_and_second_factors_move_and_open_what_they_did(ring: Any, settings: Any) -> None:
    link, token = linked("alice")
    bank = Institution.objects.get()
    Institution.objects.update(sealed_signing_key=vault.seal_alone(bank.id, "signing_key", b"private"))
    clerk = cast.person("clerk")
    secret = factors.set_up_codes(clerk)
    turned(settings)

    told = rotate()

    assert "connections: 1 of 1 looked at, 1 moved" in told
    assert "'old' stays for good" in told
    settings.VAULT_KEYS = {NEW: settings.VAULT_KEYS[NEW]}  # nothing needs the old one to be opened
    link.refresh_from_db()
    assert Vault.of(link.id, link.wrapped_key).open("credentials", token) == b"token"
    bank.refresh_from_db()
    assert vault.open_alone(bank.id, "signing_key", bank.sealed_signing_key) == b"private"
    assert sealing.opened(Authenticator.objects.get(user=clerk).data["secret"]) == secret


def test_again_it_moves_nothing(ring: Any, settings: Any) -> None:
    linked("alice")
    turned(settings)
    rotate()

    assert "1 looked at, 0 moved" in rotate()


def test_with_one_key_alone_there_is_nothing_to_do(ring: Any) -> None:
    linked("alice")

    assert "Everything is under 'old'" in rotate()


def test_it_goes_batch_by_batch_and_tells_each(ring: Any, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(5):
        linked(f"person{number}")
    monkeypatch.setattr(rotation, "BATCH", 2)
    turned(settings)

    told = rotate()

    assert [line for line in told.splitlines() if line.startswith("connections")] == [
        "connections: 2 of 5 looked at, 2 moved",
        "connections: 4 of 5 looked at, 4 moved",
        "connections: 5 of 5 looked at, 5 moved",
    ]
    assert {under(link.wrapped_key) for link in Connection.objects.all()} == {NEW}


def test_a_key_that_was_destroyed_stays_destroyed(ring: Any, settings: Any) -> None:
    link, _ = linked("alice")
    Connection.objects.filter(id=link.id).update(wrapped_key=b"")
    turned(settings)

    rotate()

    assert bytes(Connection.objects.get().wrapped_key) == b""


def test_what_is_purged_while_it_runs_is_not_written_back(
    ring: Any, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    link, _ = linked("alice")
    turned(settings)
    rewrap = vault.rewrap

    def purged_meanwhile(wrapped: bytes, owner_id: Any) -> bytes:
        Connection.objects.filter(id=link.id).update(wrapped_key=b"")
        return rewrap(wrapped, owner_id)

    monkeypatch.setattr(vault, "rewrap", purged_meanwhile)

    rotate()

    assert bytes(Connection.objects.get().wrapped_key) == b""


def test_a_row_whose_key_is_missing_is_left_and_told_and_the_others_move(ring: Any, settings: Any) -> None:
    lost, _ = linked("alice")
    before = bytes(lost.wrapped_key)
    settings.VAULT_KEYS = {"another": _key()}
    found, _ = linked("bob")
    turned(settings)

    # The first link's key, and the bank's signing key.
    with pytest.raises(CommandError, match="2 could be opened by no key"):
        rotate()

    assert bytes(Connection.objects.get(id=lost.id).wrapped_key) == before
    assert under(Connection.objects.get(id=found.id).wrapped_key) == NEW
