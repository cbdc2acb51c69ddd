"""Connections that outlive a job: whose they are, where they lead, how many are kept, and what never goes with them."""

import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest
from urllib3 import connectionpool

from banks import kept_connections, pinned
from banks.errors import AddressForbidden, BankError, BankTimeout, BankUnavailable
from banks.http.client import BankClient
from banks.http.exchanges import HttpLimits
from banks.pinned import KeptConnections
from tests.support.books import until
from tests.support.hostile_server import HostileServer, json_answer

AMPLE = HttpLimits(total_deadline_seconds=20)
SHORT = HttpLimits(total_deadline_seconds=0.3)


@pytest.fixture
def server() -> Iterator[HostileServer]:
    with HostileServer() as running:
        yield running


@pytest.fixture(autouse=True)
def nothing_kept() -> Iterator[None]:
    kept_connections.close_all()
    yield
    kept_connections.close_all()


def kept_for(jobs_max: int = 3) -> KeptConnections:
    return kept_connections.of(uuid4(), jobs_max=jobs_max)


def job(server: HostileServer, kept: KeptConnections, limits: HttpLimits = AMPLE, **changes: object) -> BankClient:
    """The client of one job."""
    origins = frozenset({server.origin})
    named = {"allowed_origins": origins, "allowed_loopback_origins": origins, "limits": limits, **changes}
    return BankClient(kept=kept, **named)  # type: ignore[arg-type]


def call(
    server: HostileServer, kept: KeptConnections, path: str = "/good", headers: Mapping[str, str] | None = None
) -> object:
    with job(server, kept) as client:
        return client.get_json(server.origin + path, headers=headers).json


def test_the_next_job_goes_on_with_the_connection(server: HostileServer) -> None:
    kept = kept_for()

    for number in range(3):
        assert call(server, kept, f"/good/{number}") == {"path": f"/good/{number}"}

    assert server.connections == 1


def test_an_institution_has_its_own_and_the_same_ones_each_time() -> None:
    one, other = uuid4(), uuid4()

    assert kept_connections.of(one, jobs_max=3) is kept_connections.of(one, jobs_max=3)
    assert kept_connections.of(one, jobs_max=3) is not kept_connections.of(other, jobs_max=3)


def test_two_institutions_at_one_address_share_no_connection(server: HostileServer) -> None:
    one, other = kept_for(), kept_for()

    for kept in (one, other, one, other):
        call(server, kept)

    assert server.connections == 2


def test_no_more_wait_idle_than_the_bank_takes_jobs(server: HostileServer) -> None:
    kept = kept_for(jobs_max=2)

    _at_once(server, kept, 5)
    until(lambda: server.connections == 5)  # who connects is not yet counted
    _at_once(server, kept, 5)

    until(lambda: server.connections >= 8)
    assert server.connections == 8  # two of the five were kept


def test_a_bank_that_takes_more_jobs_gets_connections_of_another_size(server: HostileServer) -> None:
    bank = uuid4()
    before = kept_connections.of(bank, jobs_max=2)
    call(server, before)

    after = kept_connections.of(bank, jobs_max=3)

    assert (before.connections_max, after.connections_max) == (2, 3)
    call(server, after)
    assert server.connections == 2  # the old ones were closed with what kept them


def test_no_bank_can_fill_the_process_and_the_bank_called_longest_ago_gives_way() -> None:
    assert kept_for(jobs_max=10_000).connections_max == kept_connections.CONNECTIONS_MAX
    first = uuid4()
    kept = kept_connections.of(first, jobs_max=1)

    for _ in range(kept_connections.INSTITUTIONS_MAX):
        kept_for()

    assert kept_connections.of(first, jobs_max=1) is not kept


def test_nothing_of_one_customers_call_goes_with_anothers(server: HostileServer) -> None:
    kept = kept_for()
    server.scripted["/alice"] = json_answer({}, headers="Set-Cookie: session=alice; Path=/\r\nX-Bank: alice\r\n")

    call(server, kept, "/alice", {"Authorization": "Bearer alice", "x-fapi-customer-ip-address": "192.0.2.1"})
    call(server, kept, "/good/bob", {"Authorization": "Bearer bob"})
    call(server, kept, "/good/nobody")

    _, bob, nobody = server.requests
    assert server.connections == 1
    assert "Bearer bob" in bob
    for head in (bob, nobody):
        assert "alice" not in head
        assert "cookie" not in head.lower()
        assert "192.0.2.1" not in head
    assert "authorization" not in nobody.lower()


def test_an_answer_that_nobody_asked_for_is_nobodys(server: HostileServer) -> None:
    """A bank, or somebody in its place, sends two answers to one call: the next customer must not read the second."""
    kept = kept_for()
    server.scripted["/two"] = json_answer({"of": "alice"}) + json_answer({"of": "alice again"})

    assert call(server, kept, "/two") == {"of": "alice"}
    for _ in range(3):
        assert call(server, kept, "/good/bob") == {"path": "/good/bob"}


@pytest.mark.parametrize("path", ["/truncated", "/gzip_broken", "/not_http"])
def test_a_connection_that_went_wrong_serves_nobody_after(server: HostileServer, path: str) -> None:
    kept = kept_for()
    with pytest.raises(BankError):
        call(server, kept, path)

    assert call(server, kept) == {"path": "/good"}
    assert server.connections == 2


def test_t10_a_connection_to_an_address_that_the_name_no_longer_has_is_not_used(server: HostileServer) -> None:
    kept = kept_for()
    origin = f"http://bank.localhost.example:{server.port}"
    answers = [["127.0.0.1"], ["127.0.0.2"], ["127.0.0.2", "127.0.0.1"]]

    def ask(addresses: list[str]) -> int:
        origins = frozenset({origin})
        with BankClient(
            kept=kept,
            allowed_origins=origins,
            allowed_loopback_origins=origins,
            limits=AMPLE,
            resolve=lambda host, port: addresses,
        ) as client:
            return client.get_json(f"{origin}/good").status

    assert ask(answers[0]) == 200
    with pytest.raises(BankUnavailable):  # nobody listens at the new address
        ask(answers[1])
    assert (server.connections, len(server.requests)) == (1, 1)
    assert ask(answers[2]) == 200


@pytest.mark.parametrize("allowed", [True, False])
def test_t10_a_connection_is_not_used_once_the_guard_says_no(server: HostileServer, allowed: bool) -> None:
    """The bank was a pretend one when its connection was opened."""
    kept = kept_for()
    call(server, kept)

    with job(server, kept, allowed_loopback_origins=frozenset({server.origin} if allowed else ())) as client:
        if allowed:
            client.get_json(f"{server.origin}/good")
        else:
            with pytest.raises(AddressForbidden):
                client.get_json(f"{server.origin}/good")

    assert len(server.requests) == (2 if allowed else 1)


def test_one_that_was_idle_for_long_is_left_to_the_bank(server: HostileServer, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = kept_for()
    call(server, kept)
    monkeypatch.setattr(pinned, "IDLE_SECONDS_MAX", 0.0)

    call(server, kept)

    assert server.connections == 2


def test_a_bank_that_has_just_hung_up_is_called_on_a_new_connection(
    server: HostileServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = kept_for()
    monkeypatch.setattr(connectionpool, "is_connection_dropped", lambda conn: False)  # its end is still on the way
    call(server, kept, "/gzip_good")

    assert call(server, kept) == {"path": "/good"}
    assert [head.split(" ")[1] for head in server.requests] == ["/gzip_good", "/good"]


def test_a_bank_that_hangs_up_on_a_new_connection_is_not_called_twice(server: HostileServer) -> None:
    kept = kept_for()
    call(server, kept)

    with pytest.raises(BankUnavailable):
        call(server, kept, "/hang_up")

    # On the kept one it may not have heard the call; on the new one it has.
    assert [head.split(" ")[1] for head in server.requests] == ["/good", "/hang_up", "/hang_up"]
    with pytest.raises(BankUnavailable):
        call(server, kept_for(), "/hang_up")
    assert len(server.requests) == 4


def test_what_must_not_be_said_twice_goes_on_a_new_connection(server: HostileServer) -> None:
    kept = kept_for()
    call(server, kept)

    with job(server, kept) as client:
        client.post_form(f"{server.origin}/good", {"grant_type": "refresh_token"})

    assert server.connections == 2


def test_each_call_has_its_own_deadline_on_connections_that_are_shared(server: HostileServer) -> None:
    kept = kept_for()
    call(server, kept)
    ends: list[str] = []

    def hang() -> None:
        with job(server, kept, SHORT) as client, pytest.raises(BankTimeout):
            client.get_json(f"{server.origin}/silence")
        ends.append("hung")

    hanging = threading.Thread(target=hang)
    hanging.start()
    for _ in range(3):
        call(server, kept)
    hanging.join(20)

    assert ends == ["hung"]
    assert call(server, kept) == {"path": "/good"}


def test_one_job_closes_nothing_of_anothers(server: HostileServer) -> None:
    kept = kept_for()
    with job(server, kept) as first:
        first.get_json(f"{server.origin}/good")
        with job(server, kept) as second:
            second.get_json(f"{server.origin}/good")
        first.get_json(f"{server.origin}/good")

    assert server.connections == 1


def _at_once(server: HostileServer, kept: KeptConnections, count: int) -> None:
    """So that each needs a connection of its own: nobody has an answer before all have asked."""
    together = threading.Barrier(count)

    def one(_: int) -> None:
        with job(server, kept) as client:
            pool = kept.to(client._checked(f"{server.origin}/good"))
            take = pool._get_conn
            client._budget.start(deadline=time.monotonic() + 20, received_max=0, may_reuse=True)
            client._budget.addresses = ("127.0.0.1",)
            connection = take()
            if connection.sock is None:
                connection.connect()
            together.wait(20)
            pool._put_conn(connection)

    with ThreadPoolExecutor(count) as threads:
        list(threads.map(one, range(count)))
