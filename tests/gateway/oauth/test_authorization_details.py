"""RFC 9396 JSON is read strictly: what is not exactly understood is refused."""

import json
from typing import Any

import pytest

from consents.requested import DURATION_DAYS_DEFAULT, HISTORY_DAYS_DEFAULT
from consents.scopes import LocationPrecision, Purpose, Scope, SensitiveGroup
from gateway.oauth.authorization_details import requested
from gateway.oauth.errors import Refused

GOOD: dict[str, Any] = {"type": "account_information", "scopes": ["balances"], "purposes": ["balance_check"]}
EVERYTHING = frozenset(Purpose)


def read(*objects: object, allowed: frozenset[Purpose] = EVERYTHING) -> Any:
    return requested(json.dumps(list(objects)), allowed_purposes=allowed)


def test_least_request_takes_the_defaults() -> None:
    asked = read(GOOD)

    assert asked.scopes == {Scope.BALANCES}
    assert asked.purposes == {Purpose.BALANCE_CHECK}
    assert (asked.duration_days, asked.history_days) == (DURATION_DAYS_DEFAULT, HISTORY_DAYS_DEFAULT)
    assert (asked.location_precision, asked.on_platform_only, asked.hidden_groups) == (None, False, frozenset())


def test_every_member_is_read() -> None:
    asked = read(
        {
            "type": "account_information",
            "scopes": ["merchants", "locations"],
            "purposes": ["account_overview"],
            "duration_days": 30,
            "history_days": 7,
            "location_precision": "city",
            "on_platform_only": True,
            "hidden_groups": ["HEALTH", "GAMBLING"],
        }
    )

    assert asked.scopes == {Scope.TRANSACTIONS, Scope.MERCHANTS, Scope.LOCATIONS}
    assert (asked.duration_days, asked.history_days) == (30, 7)
    assert asked.location_precision is LocationPrecision.CITY
    assert asked.on_platform_only is True
    assert asked.hidden_groups == {SensitiveGroup.HEALTH, SensitiveGroup.GAMBLING}


WRONG_MEMBERS: dict[str, dict[str, object]] = {
    "another type": {"type": "payment_initiation"},
    "no type": {"type": None},
    "unknown member": {"accounts": ["1"]},
    "scopes as text": {"scopes": "balances"},
    "scopes as object": {"scopes": {"balances": True}},
    "no scope": {"scopes": []},
    "a scope twice": {"scopes": ["balances", "balances"]},
    "unknown scope": {"scopes": ["payments"]},
    "the toolkit's everything": {"scopes": ["__all__"]},
    "scope of another type": {"scopes": [1]},
    "nested scope": {"scopes": [["balances"]]},
    "null scopes": {"scopes": None},
    "no purpose": {"purposes": []},
    "advertising": {"purposes": ["advertising"]},
    "purpose twice": {"purposes": ["balance_check", "balance_check"]},
    "beyond the purpose": {"scopes": ["locations", "transactions"]},
    "duration as boolean": {"duration_days": True},
    "duration as text": {"duration_days": "90"},
    "duration with a fraction": {"duration_days": 90.0},
    "duration zero": {"duration_days": 0},
    "duration negative": {"duration_days": -1},
    "duration beyond the most": {"duration_days": 366},
    "duration null": {"duration_days": None},
    "history as boolean": {"history_days": False},
    "history beyond the most": {"history_days": 731},
    "history enormous": {"history_days": 10**30},
    "precision without locations": {"location_precision": "city"},
    "unknown precision": {"location_precision": "metre"},
    "precision as list": {"location_precision": ["city"]},
    "flag as number": {"on_platform_only": 1},
    "flag as text": {"on_platform_only": "true"},
    "unknown group": {"hidden_groups": ["health"]},
    "group twice": {"hidden_groups": ["HEALTH", "HEALTH"]},
    "groups as text": {"hidden_groups": "HEALTH"},
}


@pytest.mark.parametrize("members", WRONG_MEMBERS.values(), ids=WRONG_MEMBERS.keys())
def test_wrong_member_is_refused(members: dict[str, object]) -> None:
    with pytest.raises(Refused) as refusal:
        read({**GOOD, **members})

    assert refusal.value.code == "invalid_authorization_details"
    assert refusal.value.description.isascii()


WRONG_TEXTS = {
    "empty": "",
    "not JSON": "scopes=balances",
    "one object, no array": json.dumps(GOOD),
    "no object": "[]",
    "two objects": json.dumps([GOOD, GOOD]),
    "array of text": '["account_information"]',
    "null": "null",
    "duplicate member": '[{"type":"account_information","scopes":["balances"],"scopes":["accounts"],"purposes":[]}]',
    "NaN": '[{"type":"account_information","scopes":["balances"],"purposes":["balance_check"],"duration_days":NaN}]',
    "trailing text": json.dumps([GOOD]) + " x",
    "lone surrogate": '[{"type":"\\ud800"}]',
    "NUL": '[{"type":"account_information\\u0000"}]',
    "byte order mark": "\ufeff" + json.dumps([GOOD]),
    "deep": "[" * 2000 + "]" * 2000,
    "deep without end": "[" * 4000,
    "ten kilobytes": json.dumps([{**GOOD, "scopes": ["balances"] * 1000}]),
}


@pytest.mark.parametrize("text", WRONG_TEXTS.values(), ids=WRONG_TEXTS.keys())
def test_wrong_text_is_refused(text: str) -> None:
    with pytest.raises(Refused) as refusal:
        requested(text, allowed_purposes=EVERYTHING)

    assert refusal.value.code == "invalid_authorization_details"


def test_purpose_the_platform_did_not_register_is_refused() -> None:
    with pytest.raises(Refused) as refusal:
        read(GOOD, allowed=frozenset({Purpose.BUDGETING}))

    assert "balance_check" in refusal.value.description


def test_unknown_member_is_not_echoed() -> None:
    with pytest.raises(Refused) as refusal:
        read({**GOOD, "<script>": 1})

    assert "script" not in refusal.value.description
