"""What an answer of hostile size or slowness costs, measured in a process of its own, through all of the connector.

The limits are those in use. Only the deadline is shorter, as that of a job is which has little time left.
"""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.hostile_server import HostileServer
from tests.support.sandbox_bank import new_key

ROOT = Path(__file__).parents[3]
DEADLINE_SECONDS = 4
#: The machine may be busy; an answer that is not cut off takes for ever.
SLACK_SECONDS = 12
MEMORY_MIB = 64

CHILD = """
import json, sys, time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from banks.connector import ConnectorContext, Credentials, InstitutionProfile
from banks.dialects.uk_obie import UkObie
from banks.errors import BankError
from banks.http.client import BankClient

origin, key, seconds, behaviours, calls = json.loads(sys.argv[1])
NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)

def kib(name):  # not getrusage: its maximum begins with what the parent process used
    return int(Path("/proc/self/status").read_text().split(name + ":")[1].split()[0])

def connector(behaviour):
    root = origin + "/" + behaviour
    profile = InstitutionProfile(
        slug="hostile", version="4.0", issuer=origin, authorization_url=root, token_url=root + "/token",
        resource_url=root, client_id="sluice", signing_key=key, redirect_uri=root, timezone="Europe/London",
    )
    client = BankClient(
        allowed_origins=frozenset({origin}), allowed_loopback_origins=frozenset({origin}),
        job_deadline_monotonic=time.monotonic() + seconds,
    )
    credentials = Credentials(access_token="a", access_expires_at=NOW + timedelta(hours=1), refresh_token="r")
    return UkObie(ConnectorContext(institution=profile, http=client, now=NOW, credentials=credentials))

CALLS = {
    "accounts": lambda one: one.accounts(),
    "balances": lambda one: one.balances("22289"),
    "transactions": lambda one: list(one.transactions("22289", since=date(2026, 2, 1), until=None)),
    "refresh": lambda one: one.refresh(),
    "consent_status": lambda one: one.consent_status(bank_consent_id="consent-1"),
}

def ended(behaviour, call):
    started = time.monotonic()
    try:
        CALLS[call](connector(behaviour))
        how = "taken"
    except BankError as error:
        how = error.code
    return how, time.monotonic() - started

for call in CALLS:
    ended("good", call)
before = kib("VmRSS")
found = {f"{behaviour} {call}": ended(behaviour, call) for behaviour in behaviours for call in calls}
print(json.dumps([found, (kib("VmHWM") - before) / 1024]))
"""


@pytest.fixture(scope="module")
def server() -> Iterator[HostileServer]:
    with HostileServer() as running:
        yield running


def measured(
    server: HostileServer, seconds: float, behaviours: list[str], calls: list[str]
) -> tuple[dict[str, str], float]:
    """Behaviour and call -> how it ended, each by the deadline; and how far memory grew, in MiB."""
    arguments = json.dumps([server.origin, str(new_key("EC").export()), seconds, behaviours, calls])
    ran = subprocess.run(
        [sys.executable, "-c", CHILD, arguments], cwd=ROOT, capture_output=True, text=True, timeout=240, check=False
    )
    assert ran.returncode == 0, ran.stderr[-2000:]
    found, grown = json.loads(ran.stdout)
    late = {name: taken for name, (_how, taken) in found.items() if taken > seconds + SLACK_SECONDS}
    assert late == {}
    return {name: how for name, (how, _taken) in found.items()}, grown


linux_only = pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="reads the peak of memory from Linux's /proc"
)


@linux_only
def test_an_answer_of_any_size_costs_at_most_64_mebibytes(
    server: HostileServer, record_property: Callable[[str, object], None]
) -> None:
    endless = ["endless_body", "endless_rows", "endless_chunks", "gzip_bomb", "gzip_bomb_chunked", "gzip_rows"]
    calls = ["accounts", "transactions", "refresh"]

    found, grown = measured(server, 60, endless, calls)

    record_property("rss_growth_mib", grown)
    assert found == {f"{behaviour} {call}": "answer_too_large" for behaviour in endless for call in calls}
    assert grown <= MEMORY_MIB


@linux_only
def test_the_dearest_answer_that_is_still_taken_costs_no_more(
    server: HostileServer, record_property: Callable[[str, object], None]
) -> None:
    calls = ["accounts", "balances", "transactions"]

    found, grown = measured(server, 60, ["dearest"], calls)

    record_property("rss_growth_mib", grown)
    assert found == {f"dearest {call}": "taken" for call in calls}
    assert grown <= MEMORY_MIB


@linux_only
def test_a_byte_per_second_is_cut_off_at_the_deadline(server: HostileServer) -> None:
    calls = ["accounts", "transactions", "consent_status"]

    found, grown = measured(server, DEADLINE_SECONDS, ["byte_per_second"], calls)

    assert found == {f"byte_per_second {call}": "upstream_timeout" for call in calls}
    assert grown <= MEMORY_MIB
