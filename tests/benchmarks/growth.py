"""Whether the price of a page grows with the table, or with how far down one reads."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from tests.benchmarks import equality
from tests.benchmarks.asks import Ask, send
from tests.benchmarks.bench import Bench, Served
from tests.benchmarks.errors import Unsound
from tests.benchmarks.figures import Baseline, Figure
from tests.benchmarks.page import figure
from tests.benchmarks.rounds import Contestant

FEW, MANY, FIRST, DEEP = "few rows", "many rows", "first page", "deep page"
_WALK_LIMIT = 500  #: rows a page on the way down


def measure(bench: Bench) -> list[Figure]:
    few, many = bench.ours(bench.size.few), bench.ours(bench.size.rows)
    big = many.told["big"]
    costs = bench.rounds.measure(
        [
            Contestant(name=FEW, web=few.web, asks=[equality.our_page(one) for one in few.told["targets"]]),
            Contestant(name=MANY, web=many.web, asks=[equality.our_page(one) for one in many.told["targets"]]),
            Contestant(name=FIRST, web=many.web, asks=[equality.our_page(big)]),
            Contestant(name=DEEP, web=many.web, asks=[deep_page(many, big)]),
        ]
    )
    return [
        figure(
            f"growth from {_spaced(bench.size.few)} to {_spaced(bench.size.rows)} rows",
            costs[MANY],
            Baseline(name=f"page of {_spaced(bench.size.few)} rows", value=costs[FEW].total),
            1.5,
        ),
        figure(
            f"page at depth 99 % of {_spaced(big['rows'])} rows of one account",
            costs[DEEP],
            Baseline(name="its first page", value=costs[FIRST].total),
            1.3,
        ),
    ]


def deep_page(served: Served, big: Mapping[str, Any]) -> Ask:
    """The page of 100 behind 99 % of the account's rows, found by walking there as a platform would."""
    first = equality.our_page(big)
    left = big["rows"] - max(100, big["rows"] // 100)
    cursor: str | None = None
    while left > 0:
        limit = min(left, _WALK_LIMIT)
        page = json.loads(send(_at(first, limit, cursor), served.web.port).body)
        if len(page["transactions"]) != limit:
            raise Unsound(f"a page of {limit} has {len(page['transactions'])} rows, {left} before the deep one")
        left, cursor = left - limit, page["next_cursor"]
    deep = _at(first, 100, cursor)
    if len(json.loads(send(deep, served.web.port).body)["transactions"]) != 100:
        raise Unsound("the deep page is not full")
    return deep


def _at(first: Ask, limit: int, cursor: str | None) -> Ask:
    after = "" if cursor is None else f"&cursor={cursor}"
    return replace(first, path=f"{first.path.partition('?')[0]}?limit={limit}{after}")


def _spaced(number: int) -> str:
    return f"{number:,}".replace(",", " ")
