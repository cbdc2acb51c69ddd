"""The data directory of an embedded instance: private, generated once, wiped only when it is one."""

import base64
import errno
import json
import logging
import os
import socket
import stat
from pathlib import Path

import pytest

from gateway import supervisor
from gateway.embedded import banks, logs
from gateway.embedded import instance as instances
from gateway.embedded.errors import CannotStart
from gateway.embedded.instance import Instance
from gateway.logs import LineFormatter


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
        "sandbox_card_control_token",
    }
    assert len(set(first.values())) == 5
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


@pytest.mark.parametrize("options", [[], ["--reset"]], ids=["start", "reset"])
@pytest.mark.parametrize("beneath", ["", "below"], ids=["a file", "beneath a file"])
def test_a_data_directory_that_cannot_be_made_is_told_with_what_to_choose(
    tmp_path: Path, beneath: str, options: list[str]
) -> None:
    (tmp_path / "file").touch()
    data = tmp_path / "file" / beneath
    chosen = supervisor.parser().parse_args(["--data-directory", str(data), *options])

    with pytest.raises(CannotStart) as refused:
        supervisor.prepare_instance(chosen)

    told = f"{data} cannot be written: it is not a directory. Choose another --data-directory."
    assert str(refused.value) == told


def test_a_disk_that_takes_nothing_is_told_with_its_own_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(directory: Path) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(instances, "make_secrets", full)

    with pytest.raises(CannotStart, match=r"cannot be written: No space left on device[.] Choose another"):
        supervisor.prepare_instance(supervisor.parser().parse_args(["--data-directory", str(tmp_path / "data")]))


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
    monkeypatch.setenv("SANDBOX_ISSUER", "https://elsewhere.example")
    instances.make_secrets(tmp_path / "secrets")

    environment = Instance(tmp_path, 8100, 8101, 8102).environment()

    assert environment["SLUICE_ISSUER"] == "http://127.0.0.1:8100"
    assert not [name for name in environment if name.startswith("SANDBOX_")]
    assert environment["SLUICE_DATA_DIRECTORY"] == str(tmp_path)
    assert environment["DATABASE_URL"] == "postgresql://db/sluice"


def test_each_bank_has_an_origin_a_directory_and_a_control_token_of_its_own(tmp_path: Path) -> None:
    instances.make_secrets(tmp_path / "secrets")

    first, card = (bank.environment() for bank in Instance(tmp_path, 8100, 8101, 8102).banks())

    assert (first["SANDBOX_BANK"], card["SANDBOX_BANK"]) == ("first", "card")
    assert (first["SANDBOX_ISSUER"], card["SANDBOX_ISSUER"]) == ("http://127.0.0.1:8101", "http://127.0.0.1:8102")
    assert (first["SANDBOX_DATA_DIRECTORY"], card["SANDBOX_DATA_DIRECTORY"]) == (
        str(tmp_path / "bank"), str(tmp_path / "card"),
    )
    assert first["SANDBOX_CONTROL_TOKEN"] != card["SANDBOX_CONTROL_TOKEN"]


def test_banks_arrive_as_they_were_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    instances.make_secrets(tmp_path / "secrets")
    known = Instance(tmp_path, 8100, 8101, 8102).banks()
    ((name, value),) = banks.told(known).items()
    monkeypatch.setenv(name, value)

    assert banks.heard() == list(known)
    assert known[0].control_token not in repr(known)


def test_ports_not_asked_for_keep_out_of_the_way_of_those_that_were() -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        start = probe.getsockname()[1] + 1

    ports = instances.choose_ports({"--port": None, "--bank-port": None, "--card-port": start + 1}, start)

    assert ports["--card-port"] == start + 1
    assert len(set(ports.values())) == 3
    assert start + 1 not in (ports["--port"], ports["--bank-port"])


def test_one_port_asked_for_twice_is_an_error() -> None:
    with pytest.raises(CannotStart, match="Each needs a port of its own"):
        instances.choose_ports({"--port": None, "--bank-port": 8100, "--card-port": 8100}, 8000)


JOB_ENDED = '{"at": "2026-01-02T03:04:05.000+00:00", "level": "%s", "logger": "banks.leases", "message": "job ended"}'


@pytest.mark.parametrize(
    ("line", "is_shown"),
    [
        (JOB_ENDED % "INFO", False),
        (JOB_ENDED % "WARNING", True),
        (JOB_ENDED % "ERROR", True),
        ("[WARNING] Configuration allows spawning up to 8 Python threads, which seems quite high", False),
        ("[WARNING] Killing worker-1", True),
        ("[ERROR] Unexpected exit from worker-1", True),
        ("GET /style.css 200", False),
        ("POST /connect 500", True),
        ("Traceback (most recent call last):", True),
        ("no such table", True),
    ],
)
def test_routine_goes_to_the_log_alone_and_everything_else_to_the_terminal_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], line: str, is_shown: bool
) -> None:
    log = logs.Log(tmp_path, "web")

    log.line(line)

    assert log.file.read_text() == f"{line}\n"
    assert capsys.readouterr().err == (f"web    | {line}\n" if is_shown else "")


def test_a_line_of_our_formatter_is_known_by_its_level(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log, formatter = logs.Log(tmp_path, "web"), LineFormatter()
    for level in (logging.INFO, logging.WARNING):
        log.line(formatter.format(logging.LogRecord("gateway", level, "", 0, f"at {level}", None, None)))

    shown = capsys.readouterr().err

    assert "at 30" in shown and "at 20" not in shown


def test_large_log_is_rotated_when_its_process_starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "ROTATE_BYTES", 10)
    for text in ("first start", "second start", "third start", "fourth start", "fifth start"):
        logs.Log(tmp_path, "web").line(text)

    assert [(tmp_path / f"web.log{end}").read_text().split()[0] for end in ("", ".1", ".2", ".3")] == [
        "fifth",
        "fourth",
        "third",
        "second",
    ]
    assert len(list(tmp_path.iterdir())) == 4


def test_large_log_is_rotated_while_its_process_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "ROTATE_BYTES", 10)
    log = logs.Log(tmp_path, "web")
    for text in ("first", "second", "third", "fourth"):
        log.line(text)

    assert (tmp_path / "web.log.1").read_text() == "first\nsecond\n"
    assert (tmp_path / "web.log").read_text() == "third\nfourth\n"
