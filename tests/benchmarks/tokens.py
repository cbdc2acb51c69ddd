"""The token endpoint: what a code, a refresh and a platform's own token cost the web tree, beside the toolkit's own."""

import base64
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote_plus, urlencode

from tests.benchmarks.asks import Ask
from tests.benchmarks.bench import Bench
from tests.benchmarks.figures import Baseline, Figure, Goal, Sense
from tests.benchmarks.rounds import Contestant, Cost

UNIT = "us CPU"
AT_MOST_US = 2000.0
STOCK_APP = "stock toolkit, PBKDF2"
_WAYS = {"code": "exchange of a code", "refresh": "refresh", "own": "client_credentials"}


def measure(bench: Bench) -> list[Figure]:
    ours, stock = bench.ours(bench.size.rows), bench.stock()
    asks = our_asks(ours.told)
    theirs = stock_asks(stock.told)
    costs = bench.rounds.measure(
        [
            *(Contestant(name=f"ours {way}", web=ours.web, asks=asks[way], once=way == "code") for way in _WAYS),
            *(Contestant(name=f"stock {way}", web=stock.web, asks=theirs[way], once=way != "own") for way in _WAYS),
        ]
    )
    return [_figure(told, costs[f"ours {way}"], costs[f"stock {way}"]) for way, told in _WAYS.items()]


def _figure(name: str, ours: Cost, stock: Cost) -> Figure:
    beside = ", ".join(f"{part} {value:.0f}" for part, value in ours.parts.items())
    return Figure(
        name=f"token: {name}, web tree",
        value=ours.web,
        unit=UNIT,
        baseline=Baseline(name=STOCK_APP, value=stock.web),
        goal=Goal(sense=Sense.AT_MOST, value=AT_MOST_US),
        note=f"in all: {beside}",
    )


def our_asks(told: Mapping[str, Any]) -> dict[str, list[Ask]]:
    """A refresh token of ours does not rotate: it is good for as many requests as one likes."""
    headers = _basic(told["client_id"], told["secret"])
    return {
        "code": [_post("/oauth/token", headers, _exchange(told, code)) for code in told["codes"]],
        "refresh": [_post("/oauth/token", headers, _refresh(one["refresh_token"])) for one in told["targets"]],
        "own": [_post("/oauth/token", headers, {"grant_type": "client_credentials"})],
    }


def stock_asks(told: Mapping[str, Any]) -> dict[str, list[Ask]]:
    headers = _basic(told["client_id"], told["secret"])
    own = _basic(told["own_client_id"], told["secret"])
    return {
        "code": [_post("/o/token/", headers, _exchange(told, code)) for code in told["codes"]],
        "refresh": [_post("/o/token/", headers, _refresh(token)) for token in told["refresh_tokens"]],
        "own": [_post("/o/token/", own, {"grant_type": "client_credentials"})],
    }


def _exchange(told: Mapping[str, Any], code: str) -> dict[str, str]:
    return {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": told["redirect_uri"],
        "code_verifier": told["verifier"],
    }


def _refresh(token: str) -> dict[str, str]:
    return {"grant_type": "refresh_token", "refresh_token": token}


def _basic(client_id: str, secret: str) -> dict[str, str]:
    """RFC 6749 section 2.3.1."""
    joined = f"{quote_plus(client_id)}:{quote_plus(secret)}".encode()
    return {
        "Authorization": f"Basic {base64.b64encode(joined).decode()}",
        "Content-Type": "application/x-www-form-urlencoded",
    }


def _post(path: str, headers: Mapping[str, str], fields: Mapping[str, str]) -> Ask:
    return Ask(method="POST", path=path, headers=headers, body=urlencode(fields))
