"""One account holder with something in every table there is, none of it a plain word.

CANARY and DIGITS stand in every column that a bank or a person could have filled; pages and dumps are searched for
them.
"""

from typing import Any
from uuid import uuid4

from django.db import models

from banks import vault
from banks.models import (
    Account,
    Balance,
    Connection,
    Finding,
    InstitutionGate,
    LinkSuggestion,
    QuarantinedRow,
    RawPayload,
    SyncJob,
    Transaction,
    UpstreamEnding,
)
from banks.vault import Vault
from consents import audit, lifecycle, operator_proposals, reports
from consents.events import EventType
from consents.models import BankPolicy, Consent, Delivery, Event, EventLog, Proposal
from consents.models.policy import ProposalKind
from consents.states import ReportCode
from gateway.identity.models import User
from tests.support import ledger
from tests.support.ledger import BY_OPERATOR, BY_USER, NOW, TODAY

CANARY = "CANARY"
#: In minor units of an amount, and as digits of numbers and addresses.
DIGITS = "7391846"
AMOUNT = int(DIGITS)
ADDRESS = "203.0.113.77"
#: As a page might write them.
SPOILT = (CANARY, DIGITS, "73918.46", "73,918.46", ADDRESS)


def person() -> User:
    return User.objects.create(
        username=f"{CANARY}-alice",
        first_name=CANARY,
        last_name=CANARY,
        email=f"{CANARY}@{DIGITS}.example",
        password=CANARY,
    )


def shared(owner: User) -> Consent:
    """An account of `owner` with rows of every kind, shared with a platform; the consent that shares it."""
    bank = ledger.institution()
    link = ledger.connection(owner, bank, bank_consent_id=f"{CANARY}-consent")
    Connection.objects.filter(id=link.id).update(
        wrapped_key=vault.wrap_new_key(link.id), sealed_credentials=CANARY.encode(), sealed_state=CANARY.encode()
    )
    link.refresh_from_db()
    account = Account.objects.for_sync().create(
        **_spoilt(
            Account, connection=link, institution=bank, user=owner, category="DEPOSIT", account_type="CACC",
            currency="GBP", masked_number=DIGITS[:4], fetched_at=NOW, content_hash=CANARY,
        )
    )  # fmt: skip
    _rows_of(account, link)
    return ledger.consent(owner, ledger.platform(), [account])


def _spoilt(model: type[models.Model], **kept: Any) -> dict[str, Any]:
    """Every column of a customer's table that is free to say anything, saying CANARY or DIGITS."""
    values: dict[str, Any] = {}
    for field in model._meta.concrete_fields:
        if field.name in kept or field.primary_key or field.is_relation or field.choices or not field.editable:
            continue
        if isinstance(field, models.CharField):
            values[field.name] = f"{CANARY}-{field.name}"[: field.max_length]
        elif isinstance(field, models.JSONField):
            values[field.name] = [{"value": f"{CANARY} {DIGITS}"}]
        elif isinstance(field, models.BinaryField):
            values[field.name] = f"{CANARY} {DIGITS}".encode()
        elif isinstance(field, models.GenericIPAddressField):
            values[field.name] = ADDRESS
        elif isinstance(field, models.IntegerField) and field.name.endswith("_minor"):
            values[field.name] = AMOUNT
    return {**values, **kept}


def _rows_of(account: Account, link: Connection) -> None:
    Balance.objects.for_sync().create(**_spoilt(Balance, account=account, type="ITAV", currency="GBP", as_of=NOW))
    entry = Transaction(
        **_spoilt(
            Transaction, account=account, status="BOOKED", listed_on=TODAY, currency="GBP", kind="CARD_PAYMENT",
            mcc="5942", place_country="GB", instructed_currency="EUR", change_sequence=1, first_seen_at=NOW,
            updated_at=NOW,
        )
    )  # fmt: skip
    entry.save(force_insert=True)
    RawPayload.objects.for_sync().create(account=account, transaction_id=entry.id, sealed=CANARY.encode())
    LinkSuggestion.objects.for_sync().create(
        account=account,
        pending_transaction_id=uuid4(),
        booked_transaction_id=entry.id,
        confidence_percent=80,
        created_at=NOW,
    )
    quarantined(account, link)


def quarantined(account: Account, link: Connection) -> None:
    QuarantinedRow.objects.for_sync().create(
        account=account,
        digest=f"{CANARY}-digest",
        reason="bad_date",
        field="BookingDateTime",
        connector="uk_obie",
        sealed=Vault.of(link.id, link.wrapped_key).seal("quarantine:d", CANARY.encode()) + CANARY.encode(),
        first_seen_at=NOW,
        last_seen_at=NOW,
    )


def happened(consent: Consent, link: Connection) -> None:
    """What the tables of work, policy and record hold after a day like others; `consent` ends at last."""
    bank, chat = link.institution, consent.platform
    SyncJob.objects.create(
        connection=link,
        institution=bank,
        trigger="USER_PRESENT",
        customer_ip_address=ADDRESS,
        next_attempt_at=NOW,
        created_at=NOW,
        error_code="upstream_timeout",
    )
    InstitutionGate.objects.create(institution=bank, bucket_thousandths=1, bucket_at=NOW, window_at=NOW)
    Finding.objects.create(kind="BALANCE_DRIFT", institution=bank, connection_id=link.id, opened_at=NOW, seen_at=NOW)
    UpstreamEnding.objects.create(
        institution=bank,
        bank_consent_id=f"{CANARY}-at-bank",
        connection_id=link.id,
        reason="no_consent_left",
        next_attempt_at=NOW,
        created_at=NOW,
    )
    if not BankPolicy.objects.filter(institution_id=bank.id).exists():
        ledger.policy(bank.id)
    Proposal.objects.create(
        institution_id=bank.id, platform=chat, kind="LIFT", reason_code="x", proposed_by=uuid4(), proposed_at=NOW
    )
    operator_proposals.propose(
        chat, ProposalKind.WITHDRAW, reason="COMPLAINTS", person=uuid4(), actor=BY_OPERATOR, now=NOW
    )
    reports.report(consent_id=consent.id, user_id=consent.user_id, code=ReportCode.NOT_ME, actor=BY_USER, now=NOW)
    EventLog.objects.create(platform=chat, last_sequence=3, acknowledged_sequence=1)
    event = Event.objects.filter(type=EventType.CONSENT_GRANTED).first()
    assert event is not None
    Delivery.objects.create(platform_id=chat.id, sequence=1, event=event, consent_id=consent.id, created_at=NOW)
    lifecycle.revoke(consent_id=consent.id, reason="user_revoked", actor=BY_USER, now=NOW)
    audit.seal()
