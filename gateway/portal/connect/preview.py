"""Three rows as the platform would get them, and what stays hidden: by the decision and the seam that serve it later.

The rows are the holder's own, shown to the holder alone; nothing of a preview is kept, logged or sent.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from banks import authority, directory, read
from banks.read import Row, Tally, TransactionFilter
from consents.denials import Denial
from consents.facts import consent_facts
from consents.lifecycle import AccountChoice
from consents.models import Consent
from consents.ownership import preview_permit
from consents.policy import Permit, PermitSlice
from consents.scopes import Purpose, Record, Scope
from consents.states import PlatformStatus
from gateway import pairwise, words
from gateway.portal.connect import examples, kept_back
from gateway.portal.connect.field_words import cells
from gateway.words import ScopeWords

ROWS = 3
#: A permit for one page: made, used and forgotten within the request.
_LIFETIME = timedelta(minutes=1)
#: What tells most comes first; one kind of record is shown.
_RECORDS = (Record.TRANSACTION, Record.BALANCE, Record.ACCOUNT)
_KINDS = {Record.TRANSACTION: "txn", Record.ACCOUNT: "acc"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What goes over for `purposes`. `records`: the rows as they were read; `rows`: the same in words.

    `record` None: no row at all goes over, only what is worked out (`derived`). `is_example`: nothing is stored yet,
    and the rows are made up.
    """

    purposes: list[str]
    is_refused: bool
    record: Record | None
    records: list[Row]
    rows: list[list[tuple[str, str]]]
    is_example: bool
    derived: list[ScopeWords]
    hidden_fields: list[kept_back.Reason]
    hidden_rows: list[str]


def previews(
    asked: Consent, wanted: Consent, chosen: Sequence[AccountChoice], *, now: datetime, request_id: str
) -> list[Preview]:
    """One for each purpose, or for several that open the same. `wanted` is `asked` as it would now be allowed."""
    facts, slices = consent_facts(wanted), authority.slices_chosen(chosen, wanted.platform_id, now=now)
    platform = PlatformStatus(wanted.platform.status)
    by_answer: list[tuple[Permit | Denial, list[Purpose]]] = []
    for purpose in (one for one in Purpose if one in wanted.purposes):
        answer = preview_permit(facts, slices, platform, purpose, now=now, expires_at=now + _LIFETIME)
        same = next((purposes for known, purposes in by_answer if _opens(known) == _opens(answer)), None)
        if same is None:
            by_answer.append((answer, [purpose]))
        else:
            same.append(purpose)
    return [_preview(asked, wanted, answer, purposes, now, request_id) for answer, purposes in by_answer]


def _opens(answer: Permit | Denial) -> object:
    return None if isinstance(answer, Denial) else answer.slices


def _preview(
    asked: Consent,
    wanted: Consent,
    answer: Permit | Denial,
    purposes: list[Purpose],
    now: datetime,
    request_id: str,
) -> Preview:
    named = [words.PURPOSE_WORDS[purpose][0] for purpose in purposes]
    if isinstance(answer, Denial):
        return _nothing(named)
    record = next((one for one in _RECORDS if any(part.fields(one) for part in answer.slices)), None)
    records = [] if record is None else _read(answer, record, now, request_id)
    tallies = _tallies(answer, now) if record == Record.TRANSACTION else {}
    stored = sum(_every(tally) for tally in tallies.values()) if record == Record.TRANSACTION else len(records)
    is_example = record is not None and not stored
    if record is not None and is_example:
        part = answer.opening(record)[0]
        records = examples.rows(record, part, now=now)
    return Preview(
        purposes=named,
        is_refused=False,
        record=record,
        records=records,
        rows=[] if record is None else _in_words(record, records, answer, wanted),
        is_example=is_example,
        derived=words.describe(frozenset[Scope]().union(*(part.derivable for part in answer.slices)), None),
        hidden_fields=[] if record is None else kept_back.reasons(asked, wanted, record, answer.opening(record)),
        hidden_rows=kept_back.rows(wanted.platform.name, tallies.values()),
    )


def _nothing(purposes: list[str]) -> Preview:
    return Preview(
        purposes=purposes,
        is_refused=True,
        record=None,
        records=[],
        rows=[],
        is_example=False,
        derived=[],
        hidden_fields=[],
        hidden_rows=[],
    )


# -- through the seam --------------------------------------------------------------------------------------------------


def _read(permit: Permit, record: Record, now: datetime, request_id: str) -> list[Row]:
    if record == Record.ACCOUNT:
        return list(read.accounts(permit, now=now, request_id=request_id).rows[:ROWS])
    accounts = _accounts(permit.opening(record))
    if record == Record.BALANCE:
        found = (row for one in accounts for row in read.balances(permit, one, now=now, request_id=request_id).rows)
        return list(found)[:ROWS]
    wanted = TransactionFilter(limit=ROWS)
    pages = [read.transactions(permit, one, wanted, now=now, request_id=request_id).rows for one in accounts]
    return sorted((row for page in pages for row in page), key=_listed, reverse=True)[:ROWS]


def _listed(row: Row) -> tuple[date, str]:
    listed_on = row["listed_on"]
    assert isinstance(listed_on, date)
    return listed_on, str(row["id"])


def _accounts(parts: Iterable[PermitSlice]) -> list[UUID]:
    return sorted(account_id for part in parts for account_id in part.account_ids)


def _tallies(permit: Permit, now: datetime) -> dict[UUID, Tally]:
    accounts = _accounts(permit.opening(Record.TRANSACTION))
    return {account_id: read.tally(permit, account_id, now=now) for account_id in accounts}


def _every(tally: Tally) -> int:
    return tally.shown + tally.before_window + tally.in_hidden_groups + tally.off_platform


# -- in words ----------------------------------------------------------------------------------------------------------


def _in_words(record: Record, records: Sequence[Row], permit: Permit, wanted: Consent) -> list[list[tuple[str, str]]]:
    cards = directory.by_id(part.institution_id for part in permit.slices)
    names = {institution_id: card.name for institution_id, card in cards.items()}
    return [_row(record, row, names, wanted) for row in records]


def _row(record: Record, row: Row, banks: dict[UUID, str], wanted: Consent) -> list[tuple[str, str]]:
    institution_id, row_id = row.get("institution_id"), row.get("id")
    bank = banks.get(institution_id, "") if isinstance(institution_id, UUID) else ""
    told = cells(record, row, bank)
    if isinstance(row_id, UUID) and record in _KINDS:
        code = pairwise.encode(_KINDS[record], wanted.platform_id, row_id)
        told.append((f"A code that only {wanted.platform.name} gets", code))
    return told
