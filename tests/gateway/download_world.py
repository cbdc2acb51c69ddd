"""A person with two banks and much on record, and the copy made of it, opened again."""

import csv
import io
import json
import uuid
import zipfile
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from banks.models import Account, Transaction
from consents import clock
from consents.models import Consent, CustomerLookup, Report, UsageRow
from consents.scopes import Scope
from consents.states import ReportCode
from gateway.identity.models import User
from gateway.portal.download import jobs
from gateway.portal.models import ExportJob
from gateway.portal.tasks import make_export
from tests.support import cast, ledger

READS, TRANSACTIONS = 1_200, 1_200


@dataclass(frozen=True, slots=True)
class Copy:
    """The ZIP of one job."""

    files: dict[str, bytes]

    def json(self, name: str) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = json.loads(self.files[f"sluice-data/json/{name}.json"])
        return rows

    def csv(self, name: str) -> list[dict[str, str]]:
        text = self.files[f"sluice-data/csv/{name}.csv"].decode("utf-8-sig")
        return list(csv.DictReader(io.StringIO(text)))

    @property
    def html(self) -> str:
        return self.files["sluice-data/index.html"].decode()

    @property
    def everything(self) -> str:
        return "\n".join(content.decode() for content in self.files.values())


def copy_of(user: User) -> Copy:
    """Asked for, made, and put together again from its pieces."""
    job = jobs.request(user, actor=cast.BY_USER, now=clock.now())
    make_export(str(job.id))
    return opened(job.id)


def opened(job_id: UUID) -> Copy:
    job = ExportJob.objects.get(id=job_id)
    assert job.status == "READY", (job.status, job.error_code)
    whole = b"".join(jobs.content(job))
    assert len(whole) == job.size_bytes
    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        assert archive.testzip() is None
        return Copy({name: archive.read(name) for name in archive.namelist()})


def much_on_record(person: User, mark: str, *, reads: int = READS, transactions: int = TRANSACTIONS) -> Consent:
    """Accounts at two banks, shared with two platforms; `mark` stands in every text a bank told."""
    banks = [cast.institution(f"{mark}-{side}".lower()) for side in ("north", "south")]
    accounts = [_account(person, bank, mark) for bank in banks]
    rows(accounts[0], mark, transactions)
    ledger.transaction(accounts[1], description=f"{mark}-text", counterparty_name=f"{mark}-payee")
    choices = [cast.choice(account) for account in accounts]
    scopes = (Scope.ACCOUNTS, Scope.BALANCES, Scope.TRANSACTIONS)
    first = cast.authorised_consent(person, cast.platform(f"{mark}-chat").platform, scopes, accounts=choices)
    cast.revoke(cast.authorised_consent(person, cast.platform(f"{mark}-budget").platform, accounts=choices[:1]))
    _reads(first, accounts[0].id, reads)
    for _ in range(2):
        CustomerLookup.objects.create(
            user_id=person.id,
            institution_id=banks[0].id,
            staff_pseudonym=uuid.uuid5(uuid.NAMESPACE_DNS, "staff"),
            reason_code="customer_asked",
            request_id=f"{mark}-lookup",
            looked_up_at=clock.now(),
        )
    Report.objects.create(
        consent=first,
        user_id=person.id,
        code=ReportCode.TOO_OFTEN,
        reported_at=clock.now(),
        request_id=f"{mark}-report",
    )
    return first


def _account(person: User, bank: Any, mark: str) -> Account:
    account = ledger.account(
        cast.connection(person, bank),
        name=f"{mark}-account",
        identifications=[{"scheme_name": "IBAN", "value": f"{mark}-iban"}],
    )
    ledger.balance(account, amount_minor=-12345)
    return account


def rows(account: Account, mark: str, count: int) -> None:
    today = clock.now().date()
    made = [
        ledger.unsaved_transaction(
            account,
            listed_on=today - timedelta(days=number % 400),
            amount_minor=-100 - number,
            merchant_name=f"{mark}-shop",
            description=f"=cmd|{mark}",
            counterparty_name=f"{mark}-payee",
        )
        for number in range(count)
    ]
    Transaction.objects.for_sync().bulk_create(made)


def _reads(consent: Consent, account_id: UUID, count: int) -> None:
    now = clock.now()
    instants = [now - timedelta(minutes=7 * number) for number in range(count)]
    UsageRow.objects.bulk_create(
        UsageRow(
            month=at.date().replace(day=1),
            user_id=consent.user_id,
            consent_id=consent.id,
            platform_id=consent.platform_id,
            account_id=account_id,
            record="balance",
            purpose="account_overview",
            scopes=consent.scopes,
            rows=1,
            presence="ABSENT",
            request_id=f"req_{consent.user_id}",
            read_at=at,
        )
        for at in instants
    )
