"""T13, T14: what must be known to nobody is in no table and in no line of any log, after a whole life of a link."""

import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import StringIO
from uuid import uuid4

import pytest
from django.db import connection as database
from django.test import Client

from banks import endings, purge, sessions, upstream, vault
from banks.connector import Credentials
from banks.models import Account, Connection, Institution, RawPayload, Transaction, UpstreamEnding
from banks.vault import Unsealable, Vault
from consents import clock
from gateway.identity.models import User
from gateway.logs import LineFormatter
from tests.support import cast, linked
from tests.support.cast import Member
from tests.support.linked import ROWS, Linked

pytestmark = pytest.mark.django_db

#: Members of the bank's raw rows that no column of ours is named after: they lie in sealed payloads alone.
OF_A_PAYLOAD = ("CreditDebitIndicator", "BookingDateTime")


@dataclass
class Journey:
    """`secrets`: what opens something. `told`: what the bank told about its customer."""

    secrets: dict[str, str] = field(default_factory=dict)
    told: set[str] = field(default_factory=set)
    link: Connection | None = None


@pytest.fixture
def log() -> Iterator[StringIO]:
    """Every line of every logger from DEBUG on, as the service writes it."""
    written = StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(LineFormatter())
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield written
    root.removeHandler(handler)
    root.setLevel(level)


@pytest.fixture
def journey(world: Linked, log: StringIO) -> Journey:
    """Signed in, linked, synced, shared, read, refused, gone wrong at the bank; nothing is ended yet."""
    alice, member = cast.person("alice-of-the-canaries"), cast.chat()
    seen = Journey()
    seen.secrets |= {"password": cast.PASSWORD, "client secret": member.secret}
    _signs_in(alice, seen)
    first = world.consent(alice, member.platform, ROWS)
    linked.run()
    seen.link = linked.the_connection()
    _read_by_the_platform(alice, member, seen)
    world.fault(path_contains="transactions", status=500, times=1)
    linked.again(seen.link)
    credentials = sessions.opened(Connection.objects.select_related("institution").get())
    seen.secrets["bank access token"] = credentials.access_token
    assert credentials.refresh_token is not None
    seen.secrets["bank refresh token"] = credentials.refresh_token
    seen.secrets["signing key"] = json.loads(world.bank.client_key.export())["d"]
    seen.told = _what_the_bank_told()
    cast.revoke(first)
    return seen


def _signs_in(alice: User, seen: Journey) -> None:
    browser = Client()
    browser.post("/sign-in/", {"login": alice.username, "password": "wrong-" + cast.PASSWORD})
    browser.post("/sign-in/", {"login": alice.username, "password": cast.PASSWORD})
    seen.secrets["session"] = browser.session.session_key or ""
    seen.told.add(alice.username)


def _read_by_the_platform(alice: User, member: Member, seen: Journey) -> None:
    chosen = [cast.choice(account) for account in linked.accounts()]
    tokens = cast.tokens(alice, member, sorted(ROWS), accounts=chosen)
    seen.secrets |= {"access token": tokens.access_token, "refresh token": tokens.refresh_token}
    platform = Client(headers={"Authorization": tokens.authorization})
    listed = platform.get("/v1/accounts").json()["accounts"]
    for account in listed:
        assert platform.get(f"/v1/accounts/{account['account_id']}/balances").status_code == 200
        assert platform.get(f"/v1/accounts/{account['account_id']}/transactions").status_code == 200
    assert platform.get("/v1/transactions/sync").status_code == 200
    assert platform.get("/v1/transactions/sync?cursor=" + tokens.access_token).status_code == 400
    stranger = Client(headers={"Authorization": tokens.authorization + "x"})
    assert stranger.get("/v1/accounts").status_code == 401


def _what_the_bank_told() -> set[str]:
    rows = Transaction.objects.for_sync().values_list("description", "merchant_name", "counterparty_name")
    accounts = Account.objects.for_sync().values_list("name", "identifications")
    numbers = {one["value"] for _, identifications in accounts for one in identifications}
    words = {word for row in rows for word in row if word} | {name for name, _ in accounts if name}
    return {word for word in words | numbers if len(word) > 5}


def dump() -> str:
    """Every cell of every table, whatever the models say: what a copy of the database would hold."""
    cells: list[str] = []
    with database.cursor() as cursor:
        for table in database.introspection.table_names(cursor):
            cursor.execute(f"SELECT * FROM {database.ops.quote_name(table)}")
            cells += [_text(cell) for row in cursor.fetchall() for cell in row]
    return "\n".join(cells)


def _text(cell: object) -> str:
    return bytes(cell).decode("latin-1") if isinstance(cell, bytes | memoryview) else str(cell)


def test_t13_a_copy_of_the_database_holds_no_token_no_credential_and_no_raw_row(journey: Journey) -> None:
    copy = dump()

    assert [name for name, secret in journey.secrets.items() if secret in copy] == []
    # As members of an object: where a column came from may be named, by its provenance.
    assert [name for name in OF_A_PAYLOAD if f'"{name}":' in copy or f"'{name}':" in copy] == []
    # They are there, sealed: with the key of their connection each opens.
    payload = RawPayload.objects.for_sync().select_related("account__connection").first()
    assert payload is not None
    owner = Vault.of(payload.account.connection_id, payload.account.connection.wrapped_key)
    opened = owner.open(f"raw:{payload.transaction_id}", payload.sealed).decode()
    assert all(f'"{name}":' in opened for name in OF_A_PAYLOAD)


def test_t14_no_line_of_any_log_names_a_secret_or_what_a_bank_told(
    world: Linked, journey: Journey, log: StringIO, capfd: pytest.CaptureFixture[str]
) -> None:
    assert journey.link is not None
    endings.sweep(now=clock.now())
    for row in UpstreamEnding.objects.all():
        held = upstream.claim(row.id, now=clock.now())
        assert held is not None
        upstream.attempt(held, clock=clock.now)
    purge.sweep(now=clock.now())
    lines = log.getvalue() + "".join(capfd.readouterr())

    assert "invalid_token" in lines or '"level": "WARNING"' in lines  # it was listened to
    assert len(journey.told) > 20
    assert [name for name, secret in journey.secrets.items() if secret in lines] == []
    assert [word for word in journey.told if word in lines] == []


# -- moved, it opens nothing -------------------------------------------------------------------------------------------


def _sealed(user: User, bank: Institution, secret: str) -> tuple[Connection, dict[str, bytes]]:
    """A link with credentials, state and one raw row, all of them `secret`."""
    link = cast.connection(user, bank)
    owner = Vault.of(link.id, link.wrapped_key)
    credentials = Credentials(access_token=secret, access_expires_at=clock.now(), refresh_token=secret)
    raw = uuid4()
    columns = {
        "credentials": sessions.sealed(owner, credentials),
        "state": owner.seal("state", secret.encode()),
        f"raw:{raw}": owner.seal(f"raw:{raw}", secret.encode()),
    }
    return link, columns


def test_t13_a_ciphertext_that_is_moved_to_another_row_or_column_opens_for_nobody() -> None:
    bank = cast.institution()
    mine, of_mine = _sealed(cast.alice(), bank, "alices")
    yours, of_yours = _sealed(cast.bob(), bank, "bobs")

    for place, sealed in of_mine.items():
        assert Vault.of(mine.id, mine.wrapped_key).open(place, sealed)
        for other in {*of_mine, *of_yours}:
            for row, key in ((yours, yours.wrapped_key), (yours, mine.wrapped_key)):
                with pytest.raises(Unsealable):
                    Vault.of(row.id, key).open(other, sealed)
            if other != place:
                with pytest.raises(Unsealable):
                    Vault.of(mine.id, mine.wrapped_key).open(other, sealed)


def test_t13_a_swapped_row_fails_where_it_is_used() -> None:
    """As somebody would who can write to the database and wants another's data fetched for them."""
    bank = cast.institution()
    mine, of_mine = _sealed(cast.alice(), bank, "alices")
    yours, of_yours = _sealed(cast.bob(), bank, "bobs")
    Connection.objects.filter(id=mine.id).update(sealed_credentials=of_yours["credentials"])
    Connection.objects.filter(id=yours.id).update(
        sealed_credentials=of_mine["credentials"], wrapped_key=mine.wrapped_key
    )

    for link in Connection.objects.all():
        with pytest.raises(Unsealable):
            sessions.opened(link)


def test_t13_a_signing_key_that_is_moved_to_another_bank_signs_nothing() -> None:
    one, other = cast.institution("northbank"), cast.institution("southbank")

    assert vault.open_alone(one.id, "signing_key", one.sealed_signing_key)
    with pytest.raises(Unsealable):
        vault.open_alone(other.id, "signing_key", one.sealed_signing_key)
