"""The corpus through the whole sync into the database: the same on SQLite and PostgreSQL, because both must be as here.

Bad rows come in one list among good ones; every other bad answer comes in a sync of its own, to a connection that holds
something already. Nothing is half stored, nothing of a bad value is in the clear, in the database or in a log.
"""

import io
import logging
import socket
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.apps import apps

from banks import institutions, job_requests, leases, sessions, sync
from banks.connector import Credentials
from banks.http.exchanges import HttpLimits
from banks.institutions import InstitutionData
from banks.models import Account, Balance, Connection, Institution, QuarantinedRow, SyncJob, Transaction
from banks.models import SyncTrigger as Trigger
from banks.normalize.entries import Column, Entry, entry
from banks.strict_json import canonical, parse
from banks.types import TransactionData
from banks.vault import Vault
from consents.scopes import Scope
from consents.states import ConnectionStatus
from tests.corpus import rows
from tests.corpus.bank import GOOD, KEY, LIMITS, PATHS, connector_of, good_row, headers_of, marked, routes
from tests.corpus.case import (
    ACCOUNT,
    ACCOUNT_ROW,
    BALANCE,
    CONSENT,
    PURCHASE,
    Answered,
    Case,
    Verdict,
    Where,
    accounts,
    balances,
    changed,
    page,
    told,
)
from tests.corpus.test_corpus import CASES
from tests.support import cast, linked
from tests.support.cast import NOW
from tests.support.hostile_server import HostileServer

pytestmark = pytest.mark.django_db

OF_ANSWERS = [case for case in CASES if case.where not in (Where.ROW, Where.LINK)]
SCOPES = frozenset({Scope.ACCOUNTS, Scope.BALANCES, Scope.TRANSACTIONS})
KEPT = Credentials(access_token="kept", access_expires_at=NOW + timedelta(minutes=9), refresh_token="kept-refresh")
HISTORY_DAYS = 30
HISTORY_FROM = NOW.date() - timedelta(days=HISTORY_DAYS)
OVER = replace(KEPT, access_expires_at=NOW)


class _ByPath(dict[str, bytes]):
    """Answers by path, whatever the query; those of a path with a query win."""

    def __contains__(self, path: object) -> bool:
        return isinstance(path, str) and super().__contains__(path.partition("?")[0])

    def __getitem__(self, path: str) -> bytes:
        return super().__getitem__(path.partition("?")[0])


class _Server(HostileServer):
    """Answers once and hangs up, so that an answer shorter than it says is one."""

    def _serve(self, raw: socket.socket) -> None:
        with raw:
            head = self._head(raw)
            if head is not None:
                raw.sendall(self.scripted[head.split(" ")[1]])


class _Bank:
    """The bank on a socket, as an institution, with one connection to it that a consent needs."""

    def __init__(self, server: HostileServer) -> None:
        self.server = server
        self.institution = _institution(server.origin)
        cast.permissive_policy(self.institution, now=NOW)
        self.connection = cast.connection(cast.alice(), self.institution, now=NOW)
        self.account = cast.account(self.connection, ACCOUNT)
        cast.authorised_consent(
            self.connection.user,
            cast.chat().platform,
            SCOPES,
            accounts=[cast.choice(self.account)],
            history_days=HISTORY_DAYS,
            now=NOW,
        )

    def answers(self, told_at: dict[str, Answered]) -> None:
        self.server.scripted = _ByPath({path: _raw(answer) for path, answer in told_at.items()})

    def sync(self, credentials: Credentials = KEPT) -> SyncJob:
        """One sync from where the connection stood at first; no trace of an earlier one decides."""
        SyncJob.objects.all().delete()
        owner = Vault.of(self.connection.id, self.connection.wrapped_key)
        Connection.objects.filter(id=self.connection.id).update(
            status=ConnectionStatus.ACTIVE,
            bank_consent_id=CONSENT,
            sealed_credentials=sessions.sealed(owner, credentials),
            refresh_started_at=None,
        )
        job_id = job_requests.enqueue(self.connection.id, trigger=Trigger.USER_PRESENT, now=NOW)
        held = leases.claim(job_id, now=NOW)
        assert held is not None
        sync.run(held, clock=lambda: NOW)
        return SyncJob.objects.get(id=job_id)


def _institution(origin: str) -> Institution:
    return institutions.add(
        InstitutionData(
            slug="corpus-bank",
            name="Corpus Bank",
            connector="uk_obie",
            version="4.0",
            issuer=origin,
            authorization_url=f"{origin}/authorize",
            token_url=f"{origin}/token",
            resource_url=f"{origin}/aisp",
            client_id="sluice",
            signing_key=KEY,
            country="GB",
            timezone="Europe/London",
            is_sandbox=True,
        ),
        now=NOW,
    )


def _raw(answer: Answered) -> bytes:
    lines = [f"HTTP/1.1 {answer.status} X", *(f"{name}: {value}" for name, value in headers_of(answer).items())]
    return "\r\n".join([*lines, "Connection: close", "", ""]).encode("latin-1") + answer.content


@pytest.fixture
def bank(monkeypatch: pytest.MonkeyPatch) -> Iterator[_Bank]:
    def small(**_given: object) -> HttpLimits:
        return LIMITS

    monkeypatch.setattr(sessions, "HttpLimits", small)
    with _Server() as server:
        yield _Bank(server)


@pytest.fixture
def logged() -> Iterator[io.StringIO]:
    """All that any logger says, from DEBUG on, as text with its extras."""
    sink = io.StringIO()

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            sink.write(f"{record.getMessage()} {record.__dict__}\n")

    handler, root = Handler(), logging.getLogger()
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield sink
    root.removeHandler(handler)
    root.setLevel(before)


# -- rows --------------------------------------------------------------------------------------------------------------


def test_t12_bad_rows_are_set_aside_and_all_others_are_stored(bank: _Bank, logged: io.StringIO) -> None:
    listed = [row for number, case in enumerate(rows.CASES) for row in (good_row(number), marked(case, number))]
    bank.answers({**GOOD, PATHS[Where.PAGE]: told(page(*listed))})

    job = bank.sync()

    assert (job.status, job.error_code) == ("COMMITTED", "")
    quarantined = [case for case in rows.CASES if case.verdict is Verdict.QUARANTINED]
    taken = [case for case in rows.CASES if case.verdict is Verdict.TAKEN]
    assert job.counts["quarantined"] == len(quarantined)
    assert job.counts["added"] == len(rows.CASES) + len(taken)
    _check_quarantine(bank)
    assert _stored() == _expected(listed)
    for clear in ("canary", "10.505", "GBX"):
        assert clear not in logged.getvalue()
    assert b"canary" not in everything_kept()
    assert b"unknown_currency" in everything_kept()  # the search finds what is there


def _check_quarantine(bank: _Bank) -> None:
    """Each bad row once, under its reason and field, sealed whole; nothing but that."""
    owner = Vault.of(bank.connection.id, bank.connection.wrapped_key)
    found: dict[bytes, tuple[Any, ...]] = {}
    for row in QuarantinedRow.objects.for_sync().filter(account_id=bank.account.id):
        opened = owner.open(f"quarantine:{row.digest}", bytes(row.sealed))
        found[opened] = (f"{row.reason} {row.field}", row.connector, row.first_seen_at)
    assert found == {
        _canonical(marked(case, number)): (case.check, "uk_obie", NOW)
        for number, case in enumerate(rows.CASES)
        if case.verdict is Verdict.QUARANTINED
    }


def _stored() -> dict[str, dict[str, Column]]:
    """Bank's id -> the columns of the row, as the database gives them back."""
    found: dict[str, dict[str, Column]] = {}
    for row in Transaction.objects.for_sync():
        found[row.bank_transaction_id or ""] = {name: getattr(row, name) for name in _COLUMNS}
    return found


def _expected(listed: list[Any]) -> dict[str, dict[str, Column]]:
    answers = {**GOOD, PATHS[Where.PAGE]: told(page(*listed))}
    made = [
        entry(row)
        for found in connector_of(answers).transactions(ACCOUNT, since=HISTORY_FROM, until=None)
        for row in found.rows
        if isinstance(row, TransactionData)
    ]
    assert all(isinstance(one, Entry) for one in made)
    return {str(one.columns["bank_transaction_id"]): dict(one.columns) for one in made if isinstance(one, Entry)}


_COLUMNS = tuple(next(iter(_expected([good_row(0)]).values())))


def _canonical(row: Any) -> bytes:
    return canonical(parse(told(row).content, depth_max=32, values_max=10_000))


def everything_kept() -> bytes:
    """Every value of every column of every table."""
    found: list[bytes] = []
    for model in apps.get_models(include_auto_created=True):
        manager = model.objects.for_sync() if hasattr(model.objects, "for_sync") else model._base_manager
        for row in manager.values_list(*[field.name for field in model._meta.concrete_fields]):
            found += [bytes(value) if isinstance(value, bytes | memoryview) else str(value).encode() for value in row]
    return b"\0".join(found)


# -- whole answers -----------------------------------------------------------------------------------------------------

#: What is stored before anything goes wrong; no case says any of it.
BEFORE: dict[str, Answered] = {
    **GOOD,
    PATHS[Where.PAGE]: told(page(PURCHASE | {"TransactionId": "before", "TransactionInformation": "BEFORE"})),
    PATHS[Where.BALANCES]: told(balances(changed(BALANCE, "Amount.Amount", "1.00"))),
    PATHS[Where.ACCOUNTS]: told(accounts(ACCOUNT_ROW | {"Nickname": "Before"})),
}
#: Of the good parts of bad answers.
SAID_IN_THEM = (b"GREENWAY", b"good", b"123000", b"Bills", b"Jane Smith", b"a-token")


REFUSED = [case for case in OF_ANSWERS if case.verdict is Verdict.REFUSED]


def _first_of_each_reason() -> list[Case]:
    found: dict[tuple[Where, str], Case] = {}
    for case in REFUSED:
        found.setdefault((case.where, case.check.partition(":")[0]), case)
    return list(found.values())


@pytest.mark.parametrize(
    "cases",
    [
        pytest.param(_first_of_each_reason(), id="one of each reason"),
        pytest.param(REFUSED, id="all", marks=pytest.mark.full),
    ],
)
def test_t12_of_a_bad_answer_nothing_is_stored_and_what_was_there_stays(
    cases: list[Case], bank: _Bank, logged: io.StringIO
) -> None:
    assert len(cases) > 30
    bank.answers(BEFORE)
    assert bank.sync().status == "COMMITTED"
    before = linked.contents()

    for case in cases:
        bank.answers(_while_it_stands(case, bank))
        job = bank.sync(OVER if case.where is Where.TOKEN else KEPT)
        assert (job.error_code, job.status in ("RETRY_WAIT", "FAILED")) == (case.check.partition(" ")[0], True), case
        assert linked.contents() == before, case
        assert not QuarantinedRow.objects.for_sync().exists(), case
        if case.where is Where.TOKEN:
            bank.connection.refresh_from_db()
            assert sessions.opened(bank.connection) == OVER, case

    kept = everything_kept()
    for said in SAID_IN_THEM:
        assert said not in kept, said
        assert said.decode() not in logged.getvalue(), said
    assert b"BEFORE" in kept  # the search finds what is there


def test_what_is_unknown_in_an_answer_does_not_cost_the_answer(bank: _Bank) -> None:
    for case in (case for case in OF_ANSWERS if case.verdict is Verdict.TAKEN):
        bank.answers(_while_it_stands(case, bank))

        job = bank.sync()

        assert (job.status, job.error_code) == ("COMMITTED", ""), case
        assert [row.bank_transaction_id for row in linked.rows() if row.status != "REMOVED"] == [
            "good" if case.where is Where.PAGE else "before"
        ], case
        (balance,) = Balance.objects.for_sync()
        stored = Account.objects.for_sync().get(id=bank.account.id)
        if case.where is Where.BALANCES:
            assert balance.amount_minor == 123000, case
            assert balance.type == ("OTHER" if case.check == "0.type" else "ITAV"), case
        if case.where is Where.ACCOUNTS:
            assert (stored.name, stored.currency) == (None if case.check == "0.name" else "Bills", "GBP"), case
    assert stored.coverage_first_on == HISTORY_FROM


def _while_it_stands(case: Case, bank: _Bank) -> dict[str, Answered]:
    found = {
        **BEFORE,
        **{path: answer for path, answer in routes(case, bank.server.origin).items() if path not in GOOD},
    }
    found[PATHS[case.where]] = routes(case, bank.server.origin)[PATHS[case.where]]
    if case.where is Where.CONSENT:
        found[PATHS[Where.ACCOUNTS]] = Answered(b"", status=401)  # then the bank is asked for the consent
    return found
