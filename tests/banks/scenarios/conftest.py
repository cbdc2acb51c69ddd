"""Customers in trouble, each on a stage of their own; the bank is as it was afterwards."""

import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from banks.sandbox.people import SCENARIOS
from consents.models import Platform
from consents.scopes import Scope
from gateway.identity.models import User
from tests.banks.scenarios.scene import Scene
from tests.support.linked import ROWS, Linked
from tests.support.sandbox_bank import SandboxBank

Play = Callable[..., Scene]


@pytest.fixture
def world(sandbox: SandboxBank, db: None) -> Iterator[Linked]:
    """The bank as an institution that promises what its books hold: 13 months."""
    yield Linked(sandbox, history_days_max=395)
    sandbox.control("DELETE", "/control/faults")


@pytest.fixture
def play(world: Linked, alice: User, chat: Platform) -> Iterator[Play]:
    """`play("limited", history_days=20)`: linked, nothing fetched yet. `seconds`: how long the scenario waits."""
    playing: list[str] = []

    def begin(
        customer: str,
        *,
        history_days: int = 20,
        scopes: frozenset[Scope] = ROWS,
        user: User = alice,
        seconds: float | None = None,
    ) -> Scene:
        playing.append(customer)
        world.bank.control("POST", f"/control/people/{customer}", json={"stage": 0, "seconds": seconds})
        return Scene(world, customer, user, chat).link(history_days=history_days, scopes=scopes)

    yield begin
    world.bank.control("DELETE", "/control/clock")
    for customer in playing:
        assert customer in SCENARIOS
        world.bank.control("POST", f"/control/people/{customer}", json={"stage": 0, "seconds": None})


@pytest.fixture(autouse=True)
def nobody_else_is_called(sandbox: SandboxBank, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Whatever a bank writes into its answers: no other host is even looked up."""
    asked: set[str] = set()
    real = socket.getaddrinfo

    def looked_up(host: Any, *arguments: Any, **members: Any) -> Any:
        asked.add(host.decode() if isinstance(host, bytes) else str(host))
        return real(host, *arguments, **members)

    monkeypatch.setattr(socket, "getaddrinfo", looked_up)
    yield
    assert asked <= {"127.0.0.1", "localhost"}
