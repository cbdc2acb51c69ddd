"""Entries of the usage log in words: one line of a page, one record of an export."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from consents.models import CustomerLookup, Platform, UsageRow
from consents.scopes import Presence, Purpose, Record, Scope
from gateway import words
from gateway.portal import accounts, sharing_words
from gateway.portal.accounts import GONE, AccountLabel
from gateway.portal.summaries import bank_name_of
from gateway.portal.usage import Entry

ALL_ACCOUNTS = "All accounts you chose"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadLine:
    """One read, or one look-up by a bank's staff. `reference` is the request id, for asking us about it.

    Of a look-up: `who` is the bank, `purpose` is the reason they gave; `rows` and `consent_id` are None.
    """

    at: datetime
    who: str
    what: str
    bank: str
    account: str
    rows: int | None
    purpose: str
    presence: str
    scopes: tuple[str, ...]
    reference: str
    consent_id: UUID | None

    @property
    def is_lookup(self) -> bool:
        return self.consent_id is None


def lines(entries: Sequence[Entry], user_id: UUID, *, now: datetime, request_id: str) -> list[ReadLine]:
    """In the order given; three queries, however many."""
    reads = [entry for entry in entries if isinstance(entry, UsageRow)]
    platforms = dict(Platform.objects.filter(id__in={row.platform_id for row in reads}).values_list("id", "name"))
    banks = bank_name_of({entry.institution_id for entry in entries if entry.institution_id is not None})
    labelled = accounts.labels(user_id, _accounts(reads), now=now, request_id=request_id)
    return [
        _read(entry, platforms, banks, labelled) if isinstance(entry, UsageRow) else _lookup(entry, banks)
        for entry in entries
    ]


@dataclass(frozen=True, slots=True)
class _AtBank:
    institution_id: UUID
    account_id: UUID


def _accounts(reads: Iterable[UsageRow]) -> set[_AtBank]:
    return {
        _AtBank(row.institution_id, row.account_id)
        for row in reads
        if row.institution_id is not None and row.account_id is not None
    }


def _read(
    row: UsageRow, platforms: dict[UUID, str], banks: dict[UUID, str], labelled: dict[UUID, AccountLabel]
) -> ReadLine:
    return ReadLine(
        at=row.read_at,
        who=platforms.get(row.platform_id, "An app that is no longer here"),
        what=words.RECORD_WORDS[Record(row.record)],
        bank=banks.get(row.institution_id, "") if row.institution_id is not None else "",
        account=_account(row.account_id, labelled),
        rows=row.rows,
        purpose=words.PURPOSE_WORDS[Purpose(row.purpose)][0] if row.purpose else "",
        presence=words.PRESENCE_WORDS[_presence(row)],
        scopes=tuple(words.SCOPE_WORDS[Scope(scope)].label for scope in row.scopes),
        reference=row.request_id,
        consent_id=row.consent_id,
    )


def _lookup(row: CustomerLookup, banks: dict[UUID, str]) -> ReadLine:
    bank = banks.get(row.institution_id, "Your bank")
    return ReadLine(
        at=row.looked_up_at,
        who=bank,
        what="Your bank looked up your sharing",
        bank=bank,
        account="",
        rows=None,
        purpose=sharing_words.lookup_reason(row.reason_code),
        presence="",
        scopes=(),
        reference=row.request_id,
        consent_id=None,
    )


def _presence(row: UsageRow) -> Presence:
    # A row of an earlier release knows only that somebody was there; a platform's word did not count then.
    return Presence(row.presence or (Presence.PRESENT if row.attended else Presence.ABSENT))


def _account(account_id: UUID | None, labelled: dict[UUID, AccountLabel]) -> str:
    if account_id is None:
        return ALL_ACCOUNTS
    return labelled[account_id].text if account_id in labelled else GONE
