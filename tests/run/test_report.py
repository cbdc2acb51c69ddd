"""What a started instance says."""

import json
from pathlib import Path

import pytest

from gateway.embedded import report
from gateway.embedded.instance import Instance
from tests.architecture.source import ROOT
from tests.run.stand_in import SEED

INSTANCE = Instance(Path("/srv/sluice"), 8000, 8001, 8002)


def test_json_is_one_line_and_adds_nothing_to_the_seed() -> None:
    line = report.as_json(INSTANCE, {**SEED, "surprise": "left out"}, {"worker": 7})

    assert "\n" not in line
    assert json.loads(line) == {
        "issuer": "http://127.0.0.1:8000",
        "api": "http://127.0.0.1:8000/v1",
        "portal": "http://127.0.0.1:8000/",
        "docs": "http://127.0.0.1:8000/docs/",
        "processes": {"worker": 7},
        **SEED,
    }


def test_seed_without_anything_still_makes_a_report() -> None:
    assert json.loads(report.as_json(INSTANCE, {}, {}))["users"] == []
    assert "Platforms" not in report.as_text(INSTANCE, {}, 2.0)


def test_text_has_the_customers_of_every_bank_and_no_control_token() -> None:
    text = report.as_text(INSTANCE, SEED, 2.0)

    assert "Customers of First Bank" in text and "Customers of Card Issuer" in text
    assert "http://127.0.0.1:8001" in text and "http://127.0.0.1:8002" in text
    assert "moves the clock" not in text and "/control" not in text
    assert "moves the clock" in report.as_json(INSTANCE, SEED, {})


def test_text_lines_up_rows_of_different_keys() -> None:
    seed = {"users": [{"username": "alice", "role": "customer"}, {"username": "bob", "note": "locked", "more": ["x"]}]}

    text = report.as_text(INSTANCE, seed, 2.0)

    assert "  username  role      note\n  alice     customer\n  bob                 locked" in text
    assert "more" not in text


def test_text_shows_the_first_customers_of_a_bank_and_where_the_others_are() -> None:
    users = [{"username": f"user{number}", "scenario": "plain"} for number in range(40)]
    seed = {"banks": [{"name": "First Bank", "slug": "first-bank", "issuer": "http://127.0.0.1:8001", "users": users}]}

    text = report.as_text(INSTANCE, seed, 2.0)

    assert "user6 " in text and "user7" not in text
    assert "and 33 more, with whom the bank misbehaves as real banks do: http://127.0.0.1:8001/" in text
    assert json.loads(report.as_json(INSTANCE, seed, {}))["banks"] == seed["banks"]


def test_text_has_what_staff_need_for_their_one_time_codes_and_how_to_get_one() -> None:
    text = report.as_text(INSTANCE, SEED, 2.0)

    assert "BOBSSECRET" in text and "OLGASSECRET" in text
    assert "manage.py one_time_code NAME" in text
    assert "one_time_code" not in report.as_text(INSTANCE, {**SEED, "operators": []}, 2.0)


def test_the_command_for_a_code_asks_the_instance_that_was_started(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SLUICE_VENV", "SLUICE_DATA_DIRECTORY", "SLUICE_SECRETS_DIRECTORY"):
        monkeypatch.delenv(name, raising=False)
    usual = Instance(ROOT / "var", 8000, 8001, 8002)

    assert "  .venv/bin/python manage.py one_time_code NAME" in report.as_text(usual, SEED, 2.0)
    told = "  SLUICE_DATA_DIRECTORY=/srv/sluice .venv/bin/python manage.py one_time_code NAME"
    assert told in report.as_text(INSTANCE, SEED, 2.0)


def test_text_says_where_staff_and_operators_sign_in() -> None:
    text = report.as_text(INSTANCE, SEED, 2.0)

    assert "  Staff of First Bank   http://127.0.0.1:8000/backoffice/first-bank/\n" in text
    assert "  Staff of Card Issuer  http://127.0.0.1:8000/backoffice/card-issuer/\n" in text
    assert "  Operators             http://127.0.0.1:8000/operator/\n" in text


def test_an_instance_with_the_sample_platform_says_where_it_is() -> None:
    with_example = Instance(Path("/srv/sluice"), 8000, 8001, 8002, 8003)

    assert json.loads(report.as_json(with_example, SEED, {}))["example"] == "http://127.0.0.1:8003/"
    assert "Sample platform" in report.as_text(with_example, SEED, 2.0)
    assert "Sample platform" not in report.as_text(INSTANCE, SEED, 2.0)
