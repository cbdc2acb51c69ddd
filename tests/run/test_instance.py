"""The data directory of an embedded instance: private, generated once, wiped only when it is one."""

import base64
import json
import socket
import stat
from pathlib import Path

import pytest

from gateway.embedded import instance as instances
from gateway.embedded import logs
from gateway.embedded.errors import CannotStart
from gateway.embedded.instance import Instance


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_secrets_are_generated_once_and_private(tmp_path: Path) -> None:
    directory = tmp_path / "secrets"
    instances.make_secrets(directory)
    first = {file.name: file.read_text() for file in directory.iterdir()}

    instances.make_secrets(directory)

    assert {file.name: file.read_text() for file in directory.iterdir()} == first
    assert set(first) == {
        "sluice_secret_key", "sluice_vault_keys", "sluice_pairwise_root_key", "sandbox_control_token",
    }
    assert len(set(first.values())) == 4
    assert mode(directory) == 0o700
    assert {mode(file) for file in directory.iterdir()} == {0o600}


def test_keys_are_32_bytes_each(tmp_path: Path) -> None:
    instances.make_secrets(tmp_path / "secrets")

    ring = json.loads((tmp_path / "secrets" / "sluice_vault_keys").read_text())
    root = (tmp_path / "secrets" / "sluice_pairwise_root_key").read_text()

    assert [len(base64.b64decode(key, validate=True)) for key in [*ring.values(), root]] == [32, 32]


def test_data_directory_is_private_even_if_it_was_not(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)

    instances.lock(tmp_path)

    assert mode(tmp_path) == 0o700


def test_wipe_leaves_the_lock_and_never_follows_a_link(tmp_path: Path) -> None:
    data, outside = tmp_path / "data", tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").touch()
    instances.lock(data)
    (data / "sluice.sqlite3").touch()
    (data / "link").symlink_to(outside)
    instances.make_secrets(data / "secrets")

    instances.wipe(data)

    assert [entry.name for entry in data.iterdir()] == [instances.LOCK]
    assert (outside / "kept").exists()


def test_only_a_data_directory_may_be_wiped(tmp_path: Path) -> None:
    assert instances.is_ours(tmp_path / "absent")
    assert instances.is_ours(tmp_path)

    (tmp_path / "thesis.txt").touch()

    assert not instances.is_ours(tmp_path)


def test_busy_port_is_an_error_when_asked_for_and_skipped_when_not() -> None:
    with socket.create_server(("127.0.0.1", 0)) as busy:
        port = busy.getsockname()[1]

        with pytest.raises(CannotStart, match=f"Port {port} is in use"):
            instances.choose_port(port, 8000, "--port")
        assert instances.choose_port(None, port, "--port") > port


@pytest.mark.parametrize("port", [0, -1, 65536])
def test_port_out_of_range_is_an_error(port: int) -> None:
    with pytest.raises(CannotStart, match="is not a port"):
        instances.choose_port(port, 8000, "--port")


def test_environment_names_this_instance_and_passes_the_operators_servers_through(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://db/sluice")
    monkeypatch.setenv("SLUICE_ISSUER", "https://elsewhere.example")
    instances.make_secrets(tmp_path / "secrets")

    environment = Instance(tmp_path, 8100, 8101).environment()

    assert environment["SLUICE_ISSUER"] == "http://127.0.0.1:8100"
    assert environment["SANDBOX_ISSUER"] == "http://127.0.0.1:8101"
    assert environment["SLUICE_DATA_DIRECTORY"] == str(tmp_path)
    assert environment["DATABASE_URL"] == "postgresql://db/sluice"


def test_large_log_is_rotated_when_its_process_starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "ROTATE_BYTES", 10)
    for text in ("first start", "second start", "third start", "fourth start", "fifth start"):
        logs.Log(tmp_path, "web").line(text)

    assert [(tmp_path / f"web.log{end}").read_text().split()[0] for end in ("", ".1", ".2", ".3")] == [
        "fifth", "fourth", "third", "second",
    ]
    assert len(list(tmp_path.iterdir())) == 4
