"""A page of 100 transactions: ours beside the stock app's, beside a bare WSGI app's, and when nothing changed."""

from dataclasses import replace

from tests.benchmarks import equality
from tests.benchmarks.asks import Ask, send
from tests.benchmarks.bench import Bench, Served
from tests.benchmarks.errors import Unsound
from tests.benchmarks.figures import Baseline, Figure, Goal, Sense
from tests.benchmarks.rounds import Contestant, Cost

UNIT = "us CPU"
OURS, STOCK, BARE, UNCHANGED = "ours", "stock", "bare", "unchanged"
STOCK_APP = "the stock app's page"
BARE_APP = "a bare WSGI app's page"


def measure(bench: Bench) -> list[Figure]:
    ours, stock, bare = bench.ours(bench.size.rows), bench.stock(), bench.bare()
    compared = equality.require_equal_pages(ours, stock, bare)
    bench.say(f"{compared} rows are the same in all three, member by member")
    unchanged, is_offered = _conditional(ours)
    costs = bench.rounds.measure(
        [
            Contestant(name=OURS, web=ours.web, asks=[equality.our_page(one) for one in ours.told["targets"]]),
            Contestant(name=STOCK, web=stock.web, asks=[equality.stock_page(one) for one in stock.told["targets"]]),
            Contestant(name=BARE, web=bare.web, asks=[equality.bare_page(one) for one in bare.told["targets"]]),
            Contestant(name=UNCHANGED, web=ours.web, asks=unchanged),
        ]
    )
    rows = f"{bench.size.rows:,}".replace(",", " ")
    return [
        figure(
            f"page of 100 of {rows} rows", costs[OURS], Baseline(name=STOCK_APP, value=costs[STOCK].total), 1 / 6,
            note=_seen(costs[STOCK]),
        ),
        figure(
            "the same page, beside the limit", costs[OURS], Baseline(name=BARE_APP, value=costs[BARE].total), 2,
            note=_seen(costs[BARE]),
        ),
        figure(
            "unchanged page (304)", costs[UNCHANGED], Baseline(name=STOCK_APP, value=costs[STOCK].total), 1 / 15,
            note="" if is_offered else "not offered: the answer had no ETag, and the whole page was sent",
        ),
    ]  # fmt: skip


def figure(name: str, cost: Cost, baseline: Baseline, at_most: float, *, note: str = "") -> Figure:
    """What one request costs in all, held against a baseline by their ratio."""
    return Figure(
        name=name,
        value=cost.total,
        unit=UNIT,
        baseline=baseline,
        goal=Goal(sense=Sense.AT_MOST, value=at_most, of_ratio=True),
        parts=dict(cost.parts),
        note=note,
    )


def _seen(cost: Cost) -> str:
    return "baseline: " + ", ".join(f"{name} {value:.0f}" for name, value in cost.parts.items())


def _conditional(ours: Served) -> tuple[list[Ask], bool]:
    """The same pages, by who has them already (RFC 9110 section 13.1.2). False: nothing is offered to ask by."""
    asks: list[Ask] = []
    for target in ours.told["targets"]:
        ask = equality.our_page(target)
        tag = send(ask, ours.web.port).headers.get("etag")
        if tag is None:
            return [equality.our_page(one) for one in ours.told["targets"]], False
        conditional = replace(ask, headers={**ask.headers, "If-None-Match": tag}, status=304)
        if (status := send(conditional, ours.web.port).status) != 304:
            raise Unsound(f"an unchanged page was answered {status}, not 304")
        asks.append(conditional)
    return asks, True
