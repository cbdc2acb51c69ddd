"""One running bank of each kind, and clients whose every answer is held against their version's official document."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

from tests.support.bank_client import BankClient
from tests.support.obie_document import Document, account_information
from tests.support.sandbox_bank import SandboxBank, new_key

Customers = Callable[..., BankClient]


@pytest.fixture(scope="session")
def bank() -> Iterator[SandboxBank]:
    with SandboxBank() as running:
        yield running


@pytest.fixture(scope="session")
def document() -> Document:
    return account_information()


@pytest.fixture(scope="session")
def card_bank() -> Iterator[SandboxBank]:
    with SandboxBank(kind="card") as running:
        yield running


@pytest.fixture(scope="session")
def card_document() -> Document:
    return account_information("3.1.11")


def client_of(bank: SandboxBank, document: Document | None) -> BankClient:
    """A client of this bank; with a document, any API answer that departs from it fails the test on the spot."""
    client = BankClient(
        issuer=bank.issuer,
        client_id=bank.client_id,
        key=bank.client_key,
        redirect_uri=bank.redirect_uri,
        resource_path=bank.resource_path,
    )

    def check(response: requests.Response, *_: Any, **__: Any) -> None:
        if document is not None and (response.url or "").startswith(bank.aisp):
            problems = document.problems(response)
            assert not problems, f"{response.request.method} {response.url} {response.status_code}: {problems[:5]}"

    client.http.hooks["response"].append(check)
    return client


@pytest.fixture
def client(bank: SandboxBank, document: Document) -> BankClient:
    """The client, with nobody's consent yet."""
    return client_of(bank, document)


@pytest.fixture
def card_client(card_bank: SandboxBank, card_document: Document) -> BankClient:
    """As `client`, at the card issuer."""
    return client_of(card_bank, card_document)


@pytest.fixture(scope="session")
def connected(bank: SandboxBank, document: Document) -> Customers:
    """connected("happy", "ReadBalances", ...): a client with that customer's tokens. One walk for equal arguments."""
    return _customers(bank, document)


@pytest.fixture(scope="session")
def card_connected(card_bank: SandboxBank, card_document: Document) -> Customers:
    """As `connected`, at the card issuer."""
    return _customers(card_bank, card_document)


def _customers(bank: SandboxBank, document: Document) -> Customers:
    kept: dict[Any, BankClient] = {}

    def connect(user: str, *permissions: str, **arguments: Any) -> BankClient:
        key = (user, permissions, repr(sorted(arguments.items())))
        if key not in kept:
            kept[key] = client_of(bank, document).connect(user, *permissions, **arguments)
        return kept[key]

    return connect


@pytest.fixture(scope="session")
def stranger(bank: SandboxBank, document: Document) -> BankClient:
    """A second client of the bank, with an RSA key (PS256)."""
    other = client_of(bank, document)
    other.client_id, other.key = "stranger", new_key("RSA")
    bank.register("stranger", "Stranger", other.key, bank.redirect_uri)
    return other


@pytest.fixture
def faults(bank: SandboxBank) -> Iterator[Callable[..., None]]:
    """faults(user="happy", status=503): set one; all are gone after the test."""

    def add(**description: Any) -> None:
        bank.control("POST", "/control/faults", json=description)

    yield add
    bank.control("DELETE", "/control/faults")


@pytest.fixture
def calendar(bank: SandboxBank) -> Iterator[Callable[[int], None]]:
    """calendar(1): the bank's day moves one ahead, until the test is over."""
    yield from _calendar(bank)


@pytest.fixture
def card_calendar(card_bank: SandboxBank) -> Iterator[Callable[[int], None]]:
    yield from _calendar(card_bank)


def _calendar(bank: SandboxBank) -> Iterator[Callable[[int], None]]:
    def ahead(days: int) -> None:
        bank.control("POST", "/control/today", json={"days_ahead": days})

    yield ahead
    ahead(0)


@pytest.fixture
def clock(bank: SandboxBank) -> Iterator[Callable[..., Any]]:
    """clock(seconds_ahead=61), clock(books_on="2026-03-29"): the bank's clock, put right again after the test."""

    def move(**changes: Any) -> Any:
        return bank.control("POST", "/control/clock", json=changes)

    yield move
    bank.control("DELETE", "/control/clock")


@pytest.fixture
def turn(bank: SandboxBank) -> Iterator[Callable[..., Any]]:
    """turn("drift", stage=1), turn("slow", seconds=0.1): a scenario's switches; it begins anew after the test."""
    turned = set()

    def switch(name: str, **switches: Any) -> Any:
        turned.add(name)
        return bank.control("POST", f"/control/people/{name}", json=switches)

    yield switch
    for name in turned:
        bank.control("POST", f"/control/people/{name}", json={"stage": 0, "seconds": None})
