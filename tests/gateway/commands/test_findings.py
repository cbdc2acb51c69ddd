"""`findings`: the operator sees what is wrong and where, and nothing that a bank told of a customer."""

import json
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from banks import store
from banks.models import Account, Connection, Finding
from banks.types import RejectedRow
from tests.support import cast
from tests.support.cast import NOW

pytestmark = pytest.mark.django_db

CANARY = "Canary Feeds 40 Perch Road"


@pytest.fixture
def account() -> Account:
    return cast.account(cast.connection(cast.alice(), cast.institution()), "everyday")


def told(*arguments: str) -> str:
    out = StringIO()
    call_command("findings", *arguments, stdout=out)
    return out.getvalue()


def as_json(*arguments: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(told("--json", *arguments))
    return found


def set_aside(account: Account, *fields: str) -> None:
    rows = [RejectedRow(reason="too_many_decimals", field=field, raw=f"{CANARY} {field}".encode()) for field in fields]
    link = Connection.objects.get(id=account.connection_id)
    store.quarantine(link, account.id, rows, connector="uk_obie", now=NOW)


def finding(account: Account, **columns: Any) -> Finding:
    return Finding.objects.create(
        kind="BALANCE_DRIFT",
        code="quarantined_rows",
        institution_id=account.institution_id,
        connection_id=account.connection_id,
        account_id=account.id,
        opened_at=NOW,
        seen_at=NOW,
        **columns,
    )


def test_nothing_wrong_is_said_so() -> None:
    assert told().split("\n")[:4] == [
        "Open findings",
        "  None: nothing is known to be wrong.",
        "Rows set aside",
        "  None: every row could be taken.",
    ]


def test_a_row_set_aside_is_told_by_reason_member_and_connector_and_not_by_its_value(account: Account) -> None:
    set_aside(account, "Amount.Amount", "Balance.Amount.Amount")
    finding(account)

    text, parsed = told(), as_json()

    assert "too_many_decimals" in text and "Amount.Amount" in text and "uk_obie" in text and "northbank" in text
    assert [(row["reason"], row["rows"]) for row in parsed["quarantined"]] == [("too_many_decimals", 1)] * 2
    assert [(row["kind"], row["code"], row["bank"]) for row in parsed["findings"]] == [
        ("BALANCE_DRIFT", "quarantined_rows", "northbank")
    ]
    for output in (text, json.dumps(parsed)):
        assert "Canary" not in output and "everyday" not in output and "alice" not in output


def test_what_is_right_again_is_not_listed(account: Account) -> None:
    finding(account, closed_at=NOW + timedelta(hours=1))

    assert as_json()["findings"] == []


def test_one_bank_is_listed_alone(account: Account) -> None:
    cast.institution("southbank")
    set_aside(account, "Amount.Amount")
    finding(account)

    assert as_json("--bank", "southbank") == {"findings": [], "quarantined": []}
    assert len(as_json("--bank", "northbank")["findings"]) == 1


def test_an_unknown_bank_is_named() -> None:
    with pytest.raises(CommandError, match="There is no bank nowhere"):
        told("--bank", "nowhere")
