"""The connector of docs/adding-a-bank.md, taken from the page and called verb by verb over HTTP."""

import inspect
import json
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from types import ModuleType
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from jwcrypto import jwk

from banks.connector import Connector, ConnectorContext, Credentials, InstitutionProfile, StartedAuthorisation
from banks.errors import (
    AccountUnavailable,
    BankConsentEnded,
    BankFormatChanged,
    BankRateLimited,
    BankRefused,
    BankUnavailable,
    ReauthorisationRequired,
)
from banks.http.client import BankClient
from banks.types import RejectedRow, Resource, TransactionData, TransactionStatus
from tests.docs.markdown import ROOT, read

NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)
VERBS = [name for name, member in inspect.getmembers(Connector, inspect.isfunction) if not name.startswith("_")]


@pytest.fixture(scope="module")
def module() -> Iterator[ModuleType]:
    page = read(ROOT / "docs" / "adding-a-bank.md")
    (block,) = [block for block in page.blocks if block.language == "python"]
    made = ModuleType("small_bank")
    sys.modules["small_bank"] = made
    exec(compile(block.text, f"{page.name}:{block.line}", "exec"), made.__dict__)
    yield made
    del sys.modules["small_bank"]


class SmallBankServer:
    """Its API as a table; `answers` may be changed, `asked` is what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, Any]] = []
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.issuer = f"http://127.0.0.1:{self.server.server_port}"
        entries = "/api/accounts/one/entries"
        self.answers: dict[str, tuple[int, Any]] = {
            "POST /token": (
                200, {"access_token": "t", "token_type": "Bearer", "expires_in": 600, "refresh_token": "second"},
            ),
            "POST /api/consents": (201, {"id": "c1"}),
            "GET /api/consents/c1": (200, {"state": "LIVE", "until": "2026-06-01T00:00:00Z"}),
            "DELETE /api/consents/c1": (204, None),
            "GET /api/accounts": (200, {"accounts": [
                {"id": "one", "label": "Everyday", "iban": "GB33BUKB20201555555555", "currency": "GBP"},
                {"id": "two", "currency": "EUR"},
            ]}),
            "GET /api/accounts/one/balance": (200, {
                "booked": {"Amount": "12.50", "Currency": "GBP"}, "is_overdrawn": True, "at": "2026-03-04T06:00:00Z",
            }),
            f"GET {entries}": (200, {"entries": [entry("e1", "-"), entry("e2", "1.234")], "next": f"{entries}/2"}),
            f"GET {entries}/2": (200, {"entries": [entry("e3", "7.00", booked=False)]}),
        }  # fmt: skip

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        bank = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                parts = urlsplit(self.path)
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
                bank.asked.append((f"{self.command} {parts.path}", body or parse_qs(parts.query)))
                status, told = bank.answers[f"{self.command} {parts.path}"]
                content = b"" if told is None else json.dumps(told).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = do_DELETE = answer

            def log_message(self, *_: Any) -> None:
                pass

        return Handler


def entry(identity: str, amount: str, *, booked: bool = True) -> dict[str, Any]:
    shown = "3.20" if amount == "-" else amount
    return {
        "id": identity, "day": "2026-03-02", "booked": booked, "text": f"Shop {identity}", "out": amount == "-",
        "sum": {"Amount": shown, "Currency": "GBP"},
    }  # fmt: skip


@pytest.fixture
def bank() -> Iterator[SmallBankServer]:
    made = SmallBankServer()
    Thread(target=made.server.serve_forever, daemon=True).start()
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture
def connector(module: ModuleType, bank: SmallBankServer) -> Iterator[Any]:
    origins = frozenset({bank.issuer})
    with BankClient(allowed_origins=origins, allowed_loopback_origins=origins) as http:
        context = ConnectorContext(
            institution=InstitutionProfile(
                slug="small",
                version="1",
                issuer=bank.issuer,
                authorization_url=f"{bank.issuer}/authorize",
                token_url=f"{bank.issuer}/token",
                resource_url=f"{bank.issuer}/api",
                client_id="sluice",
                signing_key=jwk.JWK.generate(kty="EC", crv="P-256").export_private(),
                redirect_uri="https://sluice.example/banks/small/callback",
                timezone="Europe/London",
            ),
            http=http,
            now=NOW,
            credentials=Credentials(
                access_token="t", access_expires_at=NOW + timedelta(minutes=5), refresh_token="first"
            ),
            bank_consent_id="c1",
        )
        yield module.SmallBank(context)


def test_it_has_every_verb_as_the_spi_writes_it(module: ModuleType) -> None:
    assert len(VERBS) == 8
    for verb in VERBS:
        theirs, ours = getattr(module.SmallBank, verb), getattr(Connector, verb)
        assert list(inspect.signature(theirs).parameters) == list(inspect.signature(ours).parameters), verb


def test_the_way_to_the_bank_and_back_ends_in_a_link(connector: Any, bank: SmallBankServer) -> None:
    started = connector.start_authorisation(
        resources=frozenset({Resource.BALANCES}), history_from=date(2026, 1, 1), expires_at=NOW, state="s"
    )
    sent = parse_qs(urlsplit(started.redirect_to).query)

    link = connector.finish_authorisation(started=started, parameters={"iss": bank.issuer, "code": "c"})

    assert (sent["consent"], sent["state"], sent["code_challenge_method"]) == (["c1"], ["s"], ["S256"])
    assert json.loads(bank.asked[1][1])["resources"] == ["balances"]
    assert link.bank_consent_id == "c1"
    assert link.consent_expires_at == datetime(2026, 6, 1, tzinfo=UTC)
    assert link.credentials.refresh_token == "second"


@pytest.mark.parametrize("back", [{"iss": "https://other.example", "code": "c"}, {"error": "access_denied"}, {}])
def test_no_and_the_answer_of_another_bank_are_no_link(
    connector: Any, bank: SmallBankServer, back: dict[str, str]
) -> None:
    started = StartedAuthorisation(redirect_to="", bank_consent_id="c1", verifier="v", nonce="")

    with pytest.raises(BankRefused):
        connector.finish_authorisation(started=started, parameters={"iss": bank.issuer, **back})

    assert bank.asked == []


def test_accounts_balances_and_every_page_are_read(connector: Any, bank: SmallBankServer) -> None:
    one, two = connector.accounts()
    (balance,) = connector.balances("one")
    first, second = connector.transactions("one", since=date(2026, 3, 1), until=date(2026, 3, 4))

    assert (one.name, one.masked_number, one.identifications[0].scheme_name) == ("Everyday", "5555", "IBAN")
    assert (two.name, two.masked_number, two.identifications) == (None, None, ())
    assert (balance.money.amount, balance.type) == (Decimal("-12.50"), "ITBD")
    row, refused = first.rows
    assert isinstance(row, TransactionData) and row.money.amount == Decimal("-3.20") and row.booked_on == row.listed_on
    assert isinstance(refused, RejectedRow) and refused.reason == "too_many_decimals"
    (pending,) = second.rows
    assert pending.status == TransactionStatus.PENDING and pending.booked_on is None
    assert bank.asked[2][1] == {"from": ["2026-03-01"], "to": ["2026-03-04"]}


def test_a_refresh_token_is_used_and_its_successor_kept(connector: Any, bank: SmallBankServer) -> None:
    assert connector.refresh().refresh_token == "second"
    assert "refresh_token=first" in bank.asked[0][1]


def test_ending_at_the_bank_counts_as_done_when_it_is_gone(connector: Any, bank: SmallBankServer) -> None:
    connector.revoke(bank_consent_id="c1")
    bank.answers["DELETE /api/consents/c1"] = (404, None)
    connector.revoke(bank_consent_id="c1")

    assert [name for name, _ in bank.asked].count("DELETE /api/consents/c1") == 2


@pytest.mark.parametrize(
    ("path", "status", "error"),
    [
        ("accounts", 401, ReauthorisationRequired),
        ("accounts", 429, BankRateLimited),
        ("accounts", 503, BankUnavailable),
        ("accounts/one/balance", 403, AccountUnavailable),
        ("accounts/one/balance", 404, AccountUnavailable),
    ],
)
def test_each_refusal_is_told_by_whose_it_is_to_mend(
    connector: Any, bank: SmallBankServer, path: str, status: int, error: type[Exception]
) -> None:
    bank.answers[f"GET /api/{path}"] = (status, {})

    with pytest.raises(error):
        connector.accounts() if path == "accounts" else connector.balances("one")


def test_a_consent_that_ended_at_the_bank_is_told_from_a_dead_token(connector: Any, bank: SmallBankServer) -> None:
    bank.answers["GET /api/accounts"] = (401, {})
    bank.answers["GET /api/consents/c1"] = (404, {})

    with pytest.raises(BankConsentEnded):
        connector.accounts()
    assert connector.consent_status(bank_consent_id="c1").ended


@pytest.mark.parametrize("broken", [[], {"accounts": [{"label": "no id"}]}, {"accounts": "none"}])
def test_an_account_that_cannot_be_read_does_not_vanish(connector: Any, bank: SmallBankServer, broken: Any) -> None:
    bank.answers["GET /api/accounts"] = (200, broken)

    with pytest.raises(BankFormatChanged):
        connector.accounts()
