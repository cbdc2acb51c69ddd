"""Whether contestants say the same: the page of each account, row by row, member by member."""

import json
from collections.abc import Mapping
from typing import Any

from tests.benchmarks.asks import Ask, send
from tests.benchmarks.bench import Served, bearer
from tests.benchmarks.errors import Unsound

Flat = dict[str, object]

#: Stock's column -> our member, where they differ.
_STOCK = {"id": "transaction_id", "account": "account_id", "merchant_name": "merchant.name"}
_STOCK |= {name: f"merchant.{name}" for name in ("category", "mcc", "channel")}


def our_page(target: Mapping[str, Any]) -> Ask:
    return bearer(f"/v1/accounts/{target['told_account_id']}/transactions?limit=100", target["access_token"])


def stock_page(target: Mapping[str, Any]) -> Ask:
    return bearer(f"/accounts/{target['account_id']}/transactions/", target["access_token"])


def bare_page(target: Mapping[str, Any]) -> Ask:
    return bearer(f"/accounts/{target['account_id']}/transactions", target["access_token"])


def require_equal_pages(ours: Served, stock: Served, bare: Served) -> int:
    """Rows compared, over every account that is asked about. Raises Unsound."""
    compared = 0
    for mine, theirs in zip(ours.told["targets"], stock.told["targets"], strict=True):
        wanted = our_rows(_body(ours, our_page(mine))["transactions"], mine)
        for name, rows in (
            ("stock", stock_rows(_body(stock, stock_page(theirs))["results"])),
            ("bare", [flat(row) for row in _body(bare, bare_page(mine))["transactions"]]),
        ):
            require_equal(name, wanted, rows)
        compared += len(wanted)
    return compared


def require_equal(name: str, wanted: list[Flat], found: list[Flat]) -> None:
    """Raises Unsound, with the first difference."""
    if len(wanted) != len(found):
        raise Unsound(f"{name} has {len(found)} rows where we have {len(wanted)}")
    for number, (mine, theirs) in enumerate(zip(wanted, found, strict=True)):
        if mine != theirs:
            names = sorted(
                name for name in mine.keys() | theirs.keys() if mine.get(name, _NOTHING) != theirs.get(name, _NOTHING)
            )
            shown = ", ".join(f"{one}: {mine.get(one)!r} and {theirs.get(one)!r}" for one in names)
            raise Unsound(f"{name} differs from us in row {number}: {shown}")


_NOTHING = object()


def our_rows(rows: list[dict[str, Any]], target: Mapping[str, Any]) -> list[Flat]:
    """With the ids as they are: what the platform is told are others. Raises Unsound for an id that is no row's."""
    accounts = {target["told_account_id"]: target["account_id"]}
    told: list[Flat] = []
    for row in rows:
        if row["transaction_id"] not in target["ids"] or row["account_id"] not in accounts:
            raise Unsound(f"{row['transaction_id']} of {row['account_id']} is no id of the newest rows")
        ids = {"transaction_id": target["ids"][row["transaction_id"]], "account_id": accounts[row["account_id"]]}
        told.append({**flat(row), **ids})
    return told


def stock_rows(rows: list[dict[str, Any]]) -> list[Flat]:
    return [{_STOCK.get(name, name): value for name, value in row.items()} for row in rows]


def flat(row: Mapping[str, Any]) -> Flat:
    """`{"merchant": {"name": ...}}` -> `{"merchant.name": ...}`."""
    told: Flat = {}
    for name, value in row.items():
        told |= {f"{name}.{inner}": one for inner, one in value.items()} if isinstance(value, dict) else {name: value}
    return told


def _body(served: Served, ask: Ask) -> dict[str, Any]:
    answer = send(ask, served.web.port)
    if answer.status != 200:
        raise Unsound(f"{served.web.name}: {ask.path} was answered {answer.status}: {answer.body[:300]!r}")
    body: dict[str, Any] = json.loads(answer.body)
    return body
