"""Sluice as the sample platform hears it: answers by path, and what it was asked."""

import json
from collections.abc import Callable, Mapping
from typing import Any

import requests

ISSUER = "https://sluice.example"
CONSENT = "con_0123456789abcdef0123456789abcdef"
ACCOUNT = "acc_0123456789abcdef0123456789abcdef"

Answer = tuple[int, Mapping[str, Any]]


def account(**members: Any) -> dict[str, Any]:
    return {
        "account_id": ACCOUNT,
        "name": "Everyday",
        "institution": {"id": "first", "name": "First Bank"},
        "masked_number": "6819",
        "as_of": "2026-03-04T06:12:09Z",
        **members,
    }


def row(amount: str, kind: str = "CARD_PAYMENT", *, currency: str = "GBP", **members: Any) -> dict[str, Any]:
    return {
        "amount": amount, "currency": currency, "kind": kind, "status": "BOOKED", "listed_on": "2026-03-02", **members,
    }  # fmt: skip


def event(kind: str, *, initiator: str = "USER", number: int = 1) -> dict[str, Any]:
    return {
        "event_id": f"evt_{number}", "type": kind, "occurred_at": "2026-03-04T08:00:00Z", "consent_id": CONSENT,
        "details": {"initiator": initiator, "reason": "test"},
    }  # fmt: skip


def problem(code: str, status: int, **members: Any) -> Answer:
    return status, {"code": code, "status": status, "display_message": "Words of Sluice.", **members}


class FakeSluice:
    """`answers`: "METHOD /path" -> (status, body); change them as the story goes on. `asked`: each request."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.tokens: dict[str, Answer] = {
            "authorization_code": (200, self.token(refresh_token="refresh", grant_id=CONSENT)),
            "refresh_token": (200, self.token()),
            "client_credentials": (200, self.token("own")),
        }
        self.answers: dict[str, Answer] = {
            "GET /.well-known/oauth-authorization-server": (200, {
                "issuer": ISSUER, "authorization_endpoint": f"{ISSUER}/oauth/authorize",
                "token_endpoint": f"{ISSUER}/oauth/token",
            }),
            "GET /v1/accounts": (200, {"accounts": [account()]}),
            f"GET /v1/accounts/{ACCOUNT}": (200, {"account": account()}),
            f"GET /v1/accounts/{ACCOUNT}/balances": (200, {
                "as_of": "2026-03-04T06:12:09Z", "balances": [{"type": "ITAV", "amount": "1240.55", "currency": "GBP"}],
            }),
            f"GET /v1/accounts/{ACCOUNT}/transactions": (200, {"transactions": [row("-23.40")], "next_cursor": None}),
            "GET /v1/transactions/sync": (200, {"update_status": "CURRENT"}),
            "POST /v1/refreshes": (202, {"status": "RUNNING"}),
            f"GET /v1/consents/{CONSENT}": (200, {"status": "REVOKED", "status_initiator": "USER"}),
            f"DELETE /v1/consents/{CONSENT}": (204, {}),
            "GET /v1/events": (200, {"events": [], "next_after": "first", "has_more": False}),
            "POST /v1/events/acknowledgements": (200, {}),
        }  # fmt: skip
        self.before: Callable[[str], None] = lambda name: None

    @staticmethod
    def token(text: str = "access", **members: Any) -> dict[str, Any]:
        return {"access_token": text, "token_type": "Bearer", "expires_in": 600, **members}

    def request(self, method: str, url: str, **options: Any) -> requests.Response:
        assert url.startswith(ISSUER) and options["timeout"] and options["allow_redirects"] is False
        name = f"{method} {url.removeprefix(ISSUER)}"
        self.before(name)
        self.asked.append((name, options))
        if name == "POST /oauth/token":
            status, body = self.tokens[options["data"]["grant_type"]]
        else:
            status, body = self.answers[name]
        answer = requests.Response()
        answer.status_code = status
        answer._content = json.dumps(body).encode()
        return answer

    def names(self) -> list[str]:
        return [name for name, _ in self.asked]
