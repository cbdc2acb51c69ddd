"""What the bank's staff does at the command line."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.management import CommandError
from django.db import OperationalError

from banks.sandbox.management.commands import serve
from tests.support.bank_client import BankClient
from tests.support.sandbox_bank import ROOT, SandboxBank, new_key


def test_scenarios_as_json_are_the_people_who_can_log_in(bank: SandboxBank) -> None:
    people = json.loads(bank.manage("scenarios", "--json"))

    assert [person["username"] for person in people] == list(bank.control("GET", "/control/state")["people"])
    assert all(set(person) == {"username", "password", "scenario"} for person in people)
    assert {person["password"] for person in people} == {"sandbox"}


def _without_a_bank(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SANDBOX_")} | variables
    command = [sys.executable, "-m", "banks.sandbox", *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False)


def test_scenarios_can_be_listed_where_no_bank_is_set_up(bank: SandboxBank) -> None:
    listed = _without_a_bank("scenarios", "--json")

    assert (listed.returncode, listed.stderr) == (0, "")
    assert listed.stdout == bank.manage("scenarios", "--json")


def test_help_lists_the_commands_of_a_bank_before_there_is_one() -> None:
    helped = _without_a_bank("--help")

    assert (helped.returncode, helped.stderr) == (0, "")
    assert {"register_client", "scenarios", "serve"} <= set(helped.stdout.split())


def test_a_command_that_needs_a_bank_names_all_that_is_missing_in_one_line() -> None:
    refused = _without_a_bank("serve", "--port", "1")

    assert refused.returncode == 2
    assert refused.stderr == "Set SANDBOX_DATA_DIRECTORY and SANDBOX_ISSUER: see banks/sandbox/settings.py.\n"


@pytest.mark.parametrize("command", [["scenarios"], ["serve", "--port", "1"]], ids=["scenarios", "serve"])
def test_a_bank_that_does_not_exist_is_one_line_with_those_that_do(command: list[str], tmp_path: Path) -> None:
    set_up = {"SANDBOX_ISSUER": "http://127.0.0.1:1", "SANDBOX_DATA_DIRECTORY": str(tmp_path / "data")}
    refused = _without_a_bank(*command, SANDBOX_BANK="third", **(set_up if "serve" in command else {}))

    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr == "SANDBOX_BANK is one of first, card; not 'third'.\n"
    assert not (tmp_path / "data").exists()


def test_registering_for_programs_names_the_customers_too(bank: SandboxBank, tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    file.write_text(json.dumps({"keys": [json.loads(new_key("EC").export_public())]}), encoding="utf-8")
    arguments = ("--client-id", "program", "--name", "P", "--jwks", str(file), "--redirect-uri", bank.redirect_uri)

    answer = json.loads(bank.manage("register_client", "--json", *arguments))

    assert answer == {"client_id": "program", "customers": json.loads(bank.manage("scenarios", "--json"))}


def test_registering_again_updates_the_client(bank: SandboxBank, stranger: BankClient) -> None:
    uris = [bank.redirect_uri, "https://one.example/cb"]

    bank.register("stranger", "Another name", stranger.key, *uris)

    clients = {client["client_id"]: client for client in bank.control("GET", "/control/state")["clients"]}
    assert clients["stranger"] == {"client_id": "stranger", "name": "Another name", "redirect_uris": uris}


@pytest.mark.parametrize(
    ("keys", "uri", "complaint"),
    [
        ("private", "https://a.example/cb", "private key"),
        ("public", "http://a.example/cb", "redirect URI"),
        ("nothing", "https://a.example/cb", "not a JWK Set"),
    ],
)
def test_unsafe_registrations_are_refused_in_words(
    bank: SandboxBank, tmp_path: Path, keys: str, uri: str, complaint: str
) -> None:
    key = new_key("EC")
    text = {"private": key.export(), "public": key.export_public()}.get(keys)
    file = tmp_path / "keys.json"
    file.write_text(json.dumps({"keys": [json.loads(text)]} if text else {}), encoding="utf-8")
    arguments = ("--client-id", "unsafe", "--name", "Unsafe", "--jwks", str(file), "--redirect-uri", uri)

    with pytest.raises(subprocess.CalledProcessError) as refused:
        bank.manage("register_client", *arguments)

    assert complaint in refused.value.stderr
    assert "Traceback" not in refused.value.stderr


def test_a_bank_whose_tables_cannot_be_made_says_so_and_is_not_to_be_started_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise OperationalError("disk I/O error")

    monkeypatch.setattr(serve, "call_command", broken)

    with pytest.raises(CommandError, match="The bank's tables: disk I/O error") as refused:
        serve.Command().handle(host="127.0.0.1", port=1)

    assert refused.value.returncode == os.EX_CONFIG
