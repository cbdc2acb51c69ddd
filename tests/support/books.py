"""The bank's own books, read past Sluice; and hands to interfere with a sync at a chosen instant."""

import time
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connections as databases

from banks import held_jobs, read
from banks.authority import permit_for
from banks.connector import Credentials
from banks.dialects.uk_obie import UkObie
from banks.models import Account, Connection, SyncJob, Transaction
from consents import clock
from consents.models import Consent
from consents.scopes import Presence, Purpose, Scope
from tests.support import linked
from tests.support.bank_client import BankClient


class Books:
    """The bank's own ledger, read by a client of our own making that shares no line with Sluice."""

    def __init__(self, bank: Any) -> None:
        self._bank = bank
        self._clients: dict[str, BankClient] = {}

    def _client(self, customer: str) -> BankClient:
        if customer not in self._clients:
            client = BankClient(
                issuer=self._bank.issuer,
                client_id=self._bank.client_id,
                key=self._bank.client_key,
                redirect_uri=self._bank.redirect_uri,
            )
            self._clients[customer] = client.connect(customer)
        return self._clients[customer]

    def account_ids(self, customer: str) -> list[str]:
        listed = self._client(customer).api("GET", "/accounts").json()["Data"]["Account"]
        return [row["AccountId"] for row in listed]

    def entries(self, customer: str, account_id: str, *, since: date | None = None) -> dict[str, int]:
        """TransactionId -> signed minor units, of a list in pounds or euros."""
        query = {} if since is None else {"fromBookingDateTime": f"{since}T00:00:00"}
        told: dict[str, int] = {}
        for page in self._client(customer).pages(f"/accounts/{account_id}/transactions", **query):
            for row in page.json()["Data"]["Transaction"]:
                told[row["TransactionId"]] = _signed(row)
        return told

    def balances(self, customer: str, account_id: str) -> dict[str, int]:
        listed = self._client(customer).api("GET", f"/accounts/{account_id}/balances").json()["Data"]["Balance"]
        return {row["Type"]: _signed(row) for row in listed}


def _signed(row: dict[str, Any]) -> int:
    minor = Decimal(row["Amount"]["Amount"]) * 100
    assert minor == int(minor)
    return int(minor) if row["CreditDebitIndicator"] == "Credit" else -int(minor)


def stored(account: Account) -> dict[str, int]:
    return {str(row.bank_transaction_id): row.amount_minor for row in linked.rows(account)}


def served(consent: Consent) -> list[read.Answer]:
    """What the API would answer with now: balances and transactions of every account."""
    now = clock.now()
    permit = permit_for(
        Consent.objects.select_related("user", "platform").get(id=consent.id),
        purpose=Purpose.ACCOUNT_OVERVIEW,
        presence=Presence.ABSENT,
        now=now,
    )
    answers: list[read.Answer] = []
    for account in linked.accounts():
        answers.append(read.balances(permit, account.id, now=now, request_id="r"))
        if Scope.TRANSACTIONS in consent.scopes:
            wanted = read.TransactionFilter()
            answers.append(read.transactions(permit, account.id, wanted, now=now, request_id="r"))
    return answers


SOON = timedelta(seconds=1)


class Crash(BaseException):
    """What a kill looks like from inside: nothing catches it, nothing is tidied up."""


def held_until(held: held_jobs.Claim) -> Any:
    lease = SyncJob.objects.get(id=held.job_id).lease_until
    assert lease is not None
    return lease + SOON


def when_the_bank_has_answered(monkeypatch: pytest.MonkeyPatch, method: str, hand: Callable[[], Any]) -> None:
    """Once, after the whole answer of `method` arrived and before anything of it is written."""
    real, waiting = getattr(UkObie, method), [hand]

    def answered(connector: UkObie, *arguments: Any, **members: Any) -> Any:
        answer = real(connector, *arguments, **members)
        whole = answer if isinstance(answer, list) else list(answer)
        if waiting:
            waiting.pop()()
        return whole if isinstance(answer, list) else iter(whole)

    monkeypatch.setattr(UkObie, method, answered)


def crash_after_the_refresh(monkeypatch: pytest.MonkeyPatch) -> None:
    refresh = UkObie.refresh

    def crashed(connector: UkObie) -> Credentials:
        refresh(connector)
        raise Crash

    monkeypatch.setattr(UkObie, "refresh", crashed)


def rows_as_they_are() -> list[tuple[object, ...]]:
    names = [field.name for field in Transaction._meta.concrete_fields]
    return sorted(Transaction.objects.for_sync().values_list(*names), key=repr)


def invented_row(link: Connection, account: Account | None = None) -> Transaction:
    """A row the bank never had, beside a real one of some days ago."""
    like = linked.rows(account or linked.accounts()[0])[3]
    Connection.objects.filter(id=link.id).update(change_sequence=link.change_sequence + 1)
    fields = {field.name: getattr(like, field.name) for field in like._meta.concrete_fields if field.name != "pk"}
    fields.pop("account")
    import uuid

    changed = {"id": uuid.uuid4(), "identity_key": "0" * 64, "bank_transaction_id": "never", "status": "BOOKED"}
    return Transaction.objects.for_sync().create(
        **{**fields, **changed, "account_id": like.account_id, "change_sequence": link.change_sequence + 1}
    )


def until(condition: Callable[[], bool], *, seconds: float = 5.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def closing(hand: Callable[[], Any]) -> Any:
    try:
        return hand()
    finally:
        databases.close_all()
