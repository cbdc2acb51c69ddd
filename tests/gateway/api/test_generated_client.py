"""A Python client made from the served document by somebody else's generator reads what there is, in typed models."""

import importlib
import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from django.test import Client

from banks.models import Connection, Institution
from consents.scopes import Scope
from gateway.identity.models import User
from tests.gateway.api import world
from tests.support import cast
from tests.support.cast import Member, Tokens

pytestmark = pytest.mark.django_db(transaction=True)

PACKAGE = "sluice_client"
ROWS = 7
SCOPES = (Scope.ACCOUNTS, Scope.BALANCES, Scope.TRANSACTIONS, Scope.MERCHANTS)


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The directory that holds the package; a warning of the generator fails."""
    directory = tmp_path_factory.mktemp("generated")
    (directory / "openapi.json").write_text(json.dumps(Client().get("/openapi.json").json()))
    (directory / "config.yml").write_text("post_hooks: []\n")
    made = subprocess.run(
        [
            *(sys.executable, "-m", "openapi_python_client", "generate", "--path", "openapi.json", "--meta", "none"),
            *("--config", "config.yml", "--output-path", PACKAGE, "--fail-on-warning"),
        ],
        cwd=directory,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert made.returncode == 0, made.stdout + made.stderr
    sys.path.insert(0, str(directory))
    yield directory
    sys.path.remove(str(directory))
    for name in [name for name in sys.modules if name.partition(".")[0] == PACKAGE]:
        del sys.modules[name]


def part(name: str) -> ModuleType:
    return importlib.import_module(f"{PACKAGE}.{name}")


class Calls:
    """The generated functions over one token; each must answer with the model that its name promises."""

    def __init__(self, origin: str, token: str) -> None:
        self.client = part("client").AuthenticatedClient(base_url=origin, token=token, raise_on_unexpected_status=True)

    def call(self, operation: str, model: str, *arguments: Any, **options: Any) -> Any:
        answer = part(f"api.{operation}").sync(*arguments, client=self.client, **options)
        assert type(answer).__name__ == model, answer
        return answer


@pytest.fixture
def tokens(alice: User, chat: Member, northbank: Institution) -> Tokens:
    """Alice said yes, through the real flow, to an account with ROWS rows."""
    (row,) = world.accounts_of(alice, northbank)
    world.balance(row)
    world.transactions(row, ROWS, added_sequence=1, refiled_sequence=1)
    Connection.objects.filter(id=row.connection_id).update(change_sequence=ROWS)
    return cast.tokens(alice, chat, SCOPES, accounts=[cast.choice(row)])


def test_a_users_accounts_balances_and_every_page_of_transactions(
    generated: Path, live_server: Any, tokens: Tokens
) -> None:
    calls = Calls(live_server.url, tokens.access_token)

    (account,) = calls.call("accounts.list_accounts", "Accounts").accounts
    (balance,) = calls.call("accounts.list_balances", "Balances", account.account_id).balances
    rows, cursor, pages = [], part("types").UNSET, 0
    while cursor is not None:
        page = calls.call("transactions.list_transactions", "Transactions", account.account_id, limit=3, cursor=cursor)
        rows += page.transactions
        cursor, pages = page.next_cursor, pages + 1

    assert (account.name, account.currency, account.institution.name) == ("Current", "GBP", "Northbank")
    assert account.as_of == world.FETCHED_AT
    assert Decimal(balance.amount) == Decimal("-12.50")
    assert balance.credit_debit_indicator == "DEBIT"
    assert pages == 3
    assert len({row.transaction_id for row in rows}) == ROWS
    assert {row.listed_on for row in rows} == {datetime.now(UTC).date() - timedelta(days=1)}
    assert {row.merchant.name for row in rows} == {"Boulangerie"}
    assert not any(row.location for row in rows)


def test_changes_are_followed_to_their_end(generated: Path, live_server: Any, tokens: Tokens) -> None:
    calls = Calls(live_server.url, tokens.access_token)
    copy: dict[str, Any] = {}
    cursor, has_more = part("types").UNSET, True

    while has_more:
        answer = calls.call("transactions.sync_transactions", "TransactionChanges", limit=3, cursor=cursor)
        copy |= {row.transaction_id: row for row in [*answer.added, *answer.modified]}
        cursor, has_more = answer.next_cursor, answer.has_more

    assert len(copy) == ROWS
    assert answer.removed == []
    assert calls.call("consent.get_consent", "Consent").status == "AUTHORISED"


def test_a_platforms_own_events_and_consents(generated: Path, live_server: Any, tokens: Tokens, chat: Member) -> None:
    calls = Calls(live_server.url, cast.platform_token(chat))
    cast.revoke(tokens.consent)

    answer = calls.call("events.list_events", "Events")
    wanted = part("models").AcknowledgementWanted(through=answer.next_after)
    acknowledged = calls.call("events.acknowledge_events", "Acknowledgement", body=wanted)
    (consent,) = calls.call("management.list_consents", "ManagedConsents").consents

    assert [event.type_ for event in answer.events] == ["consent.granted", "consent.revoked"]
    assert answer.events[1].details.initiator == "USER"
    assert acknowledged.acknowledged_through
    assert (consent.status, consent.status_initiator) == ("REVOKED", "USER")


def test_a_refusal_comes_as_a_problem(generated: Path, live_server: Any, tokens: Tokens) -> None:
    calls = Calls(live_server.url, tokens.access_token)
    cast.revoke(tokens.consent)

    problem = calls.call("accounts.list_accounts", "Problem")

    assert (problem.status, problem.code) == (401, "invalid_token")
