"""Sealing at rest: what was sealed opens in its own place, under a key of the ring, and nowhere else."""

import base64
import secrets
from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import pytest

from banks import vault
from banks.vault import Unsealable, Vault

CONNECTION, OTHER = UUID(int=1), UUID(int=2)
SECRET = b'{"refresh_token": "very secret"}'


def _key() -> str:
    return base64.b64encode(secrets.token_bytes(32)).decode()


@pytest.fixture
def ring(settings: Any) -> dict[str, str]:
    settings.VAULT_KEYS = {"first": _key()}
    return settings.VAULT_KEYS


def _opened(wrapped: bytes, owner: UUID = CONNECTION) -> Vault:
    return Vault.of(owner, wrapped)


def test_what_is_sealed_opens_again_and_tells_nothing_meanwhile(ring: dict[str, str]) -> None:
    safe = _opened(vault.wrap_new_key(CONNECTION))

    sealed = safe.seal("credentials", SECRET)

    assert safe.open("credentials", sealed) == SECRET
    assert b"secret" not in sealed
    assert safe.seal("credentials", SECRET) != sealed


def test_a_memoryview_as_postgresql_returns_it_opens_too(ring: dict[str, str]) -> None:
    wrapped = vault.wrap_new_key(CONNECTION)
    sealed = _opened(wrapped).seal("credentials", SECRET)

    assert Vault.of(CONNECTION, memoryview(wrapped)).open("credentials", memoryview(sealed)) == SECRET  # type: ignore[arg-type]


def moved_to_another_field(safe: Vault, sealed: bytes) -> bytes:
    return safe.open("state", sealed)


def moved_to_another_connection(safe: Vault, sealed: bytes) -> bytes:
    return Vault(OTHER, safe.key).open("credentials", sealed)


def opened_with_another_connections_key(safe: Vault, sealed: bytes) -> bytes:
    return Vault(CONNECTION, _opened(vault.wrap_new_key(OTHER), OTHER).key).open("credentials", sealed)


def one_bit_turned(safe: Vault, sealed: bytes) -> bytes:
    return safe.open("credentials", sealed[:-1] + bytes([sealed[-1] ^ 1]))


def nonce_turned(safe: Vault, sealed: bytes) -> bytes:
    return safe.open("credentials", bytes([sealed[0] ^ 1]) + sealed[1:])


def cut_short(safe: Vault, sealed: bytes) -> bytes:
    return safe.open("credentials", sealed[:20])


def nothing_left(safe: Vault, sealed: bytes) -> bytes:
    return safe.open("credentials", b"")


@pytest.mark.parametrize(
    "spoilt",
    [
        moved_to_another_field,
        moved_to_another_connection,
        opened_with_another_connections_key,
        one_bit_turned,
        nonce_turned,
        cut_short,
        nothing_left,
    ],
)
def test_t13_altered_or_moved_it_does_not_open(ring: dict[str, str], spoilt: Callable[[Vault, bytes], bytes]) -> None:
    safe = _opened(vault.wrap_new_key(CONNECTION))
    sealed = safe.seal("credentials", SECRET)

    with pytest.raises(Unsealable) as refused:
        spoilt(safe, sealed)

    assert "secret" not in str(refused.value)


def test_every_data_key_is_its_own(ring: dict[str, str]) -> None:
    keys = {_opened(vault.wrap_new_key(CONNECTION)).key for _ in range(20)}

    assert len(keys) == 20
    assert all(len(key) == 32 for key in keys)


def test_t13_a_wrapped_key_moved_to_another_connection_does_not_open(ring: dict[str, str]) -> None:
    with pytest.raises(Unsealable):
        Vault.of(OTHER, vault.wrap_new_key(CONNECTION))


# -- rotation ---------------------------------------------------------------------------------------------------------


def test_t13_after_a_rotation_old_keys_open_new_ones_are_wrapped_anew_and_rewrapping_moves_them(
    ring: dict[str, str], settings: Any
) -> None:
    old = vault.wrap_new_key(CONNECTION)
    sealed = _opened(old).seal("credentials", SECRET)
    settings.VAULT_KEYS = {**ring, "second": _key()}

    rewrapped = vault.rewrap(old, CONNECTION)

    assert old.startswith(b"first\0") and rewrapped.startswith(b"second\0")
    assert vault.wrap_new_key(CONNECTION).startswith(b"second\0")
    assert _opened(old).open("credentials", sealed) == SECRET
    assert _opened(rewrapped).open("credentials", sealed) == SECRET


def test_once_a_key_has_left_the_ring_only_what_was_rewrapped_opens(ring: dict[str, str], settings: Any) -> None:
    old = vault.wrap_new_key(CONNECTION)
    sealed = _opened(old).seal("credentials", SECRET)
    second = _key()
    settings.VAULT_KEYS = {**ring, "second": second}
    rewrapped = vault.rewrap(old, CONNECTION)
    settings.VAULT_KEYS = {"second": second}

    assert _opened(rewrapped).open("credentials", sealed) == SECRET
    with pytest.raises(Unsealable):
        Vault.of(CONNECTION, old)


def test_a_key_of_the_same_name_but_another_value_opens_nothing(ring: dict[str, str], settings: Any) -> None:
    wrapped = vault.wrap_new_key(CONNECTION)
    settings.VAULT_KEYS = {"first": _key()}

    with pytest.raises(Unsealable):
        Vault.of(CONNECTION, wrapped)


@pytest.mark.parametrize("rubbish", [b"", b"first", b"first\0", b"\xff\xfe\0rubbish", b"nobody\0" + b"x" * 60])
def test_rubbish_is_unsealable_and_nothing_worse(ring: dict[str, str], rubbish: bytes) -> None:
    with pytest.raises(Unsealable):
        Vault.of(CONNECTION, rubbish)
    with pytest.raises(Unsealable):
        vault.rewrap(rubbish, CONNECTION)


def test_a_row_without_a_key_of_its_own_is_sealed_for_its_place_too(ring: dict[str, str]) -> None:
    bank = uuid4()
    sealed = vault.seal_alone(bank, "signing_key", SECRET)

    assert vault.open_alone(bank, "signing_key", sealed) == SECRET
    for owner, field in ((uuid4(), "signing_key"), (bank, "client_secret")):
        with pytest.raises(Unsealable):
            vault.open_alone(owner, field, sealed)


# -- digests ----------------------------------------------------------------------------------------------------------


def test_a_digest_stays_the_same_after_a_rotation_and_differs_by_purpose_value_and_root(
    ring: dict[str, str], settings: Any
) -> None:
    before = vault.keyed_digest("account", "GB33BUKB20201555555555")
    settings.VAULT_KEYS = {**ring, "second": _key()}

    assert vault.keyed_digest("account", "GB33BUKB20201555555555") == before
    assert vault.keyed_digest("reference", "GB33BUKB20201555555555") != before
    assert vault.keyed_digest("account", "GB33BUKB20201555555556") != before
    settings.VAULT_KEYS = {"other": _key()}
    assert vault.keyed_digest("account", "GB33BUKB20201555555555") != before


def test_no_representation_of_an_open_vault_shows_its_key(ring: dict[str, str]) -> None:
    safe = _opened(vault.wrap_new_key(CONNECTION))

    assert repr(safe.key) not in repr(safe)
    assert safe.key.hex() not in str(safe)
