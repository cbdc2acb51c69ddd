"""What a copy holds, table by table: everything that Sluice keeps about one person, and nothing about another.

Rows come in pages of 500; `step` is called after each, so that a worker says it lives and learns when it is not wanted.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

from django.db.models import Model, Q, QuerySet

from banks import directory, read, renewal
from banks.directory import InstitutionCard
from banks.errors import AccountNotFound
from banks.normalize.money import to_text
from consents import traffic
from consents.models import AuditEntry, Consent, ConsentAccount, CustomerLookup, Report, UsageRow
from consents.ownership import owner_permit
from consents.policy import Permit
from gateway import words
from gateway.identity.models import User
from gateway.notify.models import Notice

PAGE = 500
#: One permit for each page: made, used and forgotten.
_PERMIT_LIFETIME = timedelta(minutes=1)

TITLES = {
    "profile": "Your profile",
    "consents": "What you share and shared",
    "consent_accounts": "Accounts in what you share",
    "consent_history": "What happened to what you share",
    "reads": "Every read of your data by an app",
    "lookups": "Look-ups of you by staff of a bank",
    "reports": "What you reported",
    "notices": "What we told you",
    "bank_links": "Your bank links",
    "accounts": "Your accounts",
    "balances": "Your balances",
    "transactions": "Your transactions",
    "packing": "Packing the file",
}

Cell = object
TableRow = Mapping[str, Cell]
Step = Callable[[], None]
_Row = TypeVar("_Row", bound=Model)


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """`name` is the file's; `columns` are those of each row, in order. `rows` can be walked once."""

    name: str
    title: str
    columns: tuple[str, ...]
    rows: Iterator[TableRow]


def tables(user: User, *, clock: Callable[[], datetime], step: Step) -> Iterator[Table]:
    """In the order in which they are read."""
    made = _Tables(user, clock, step, {card.id: card for card in directory.institutions()})
    for name, columns in _COLUMNS.items():
        rows: Iterator[Mapping[str, Cell]] = getattr(made, name)()
        yield Table(name=name, title=TITLES[name], columns=columns, rows=_plain_rows(columns, rows))


_PROFILE = ("user_id", "username", "email", "first_name", "last_name", "joined_at", "last_sign_in_at")
_CONSENTS = (
    *("consent_id", "platform", "legal_name", "status", "status_reason", "status_by", "status_changed_at"),
    *("scopes", "scopes_in_words", "purposes", "history_from", "location_precision", "on_platform_only"),
    *("hidden_groups", "duration_type", "duration_days", "requested_at", "granted_at", "expires_at", "ended_at"),
    *("disclosure_version", "disclosure_sha256", "disclosure_locale"),
)
_CONSENT_ACCOUNTS = (
    *("consent_id", "account_id", "bank", "status", "status_reason", "status_by", "added_at", "status_changed_at"),
)
_HISTORY = ("consent_id", "occurred_at", "action", "by", "from_status", "to_status", "reason", "bank")
_READS = (
    *("read_at", "platform", "consent_id", "what", "rows", "bank", "account_id"),
    *("purpose", "scopes", "presence", "request_id"),
)
_LOOKUPS = ("looked_up_at", "bank", "reason", "request_id")
_REPORTS = ("reported_at", "consent_id", "code", "request_id", "closed_at", "outcome")
_NOTICES = ("occurred_at", "kind", "consent_id", "status", "sent_at")
_BANK_LINKS = ("connection_id", "bank", "status", "ends_at", "last_read_at", "deleted_from")
_ACCOUNTS = (
    *("account_id", "bank", "name", "account_type", "category", "status", "currency", "masked_number"),
    *("identifications", "as_of"),
)
_BALANCES = ("account_id", "bank", "type", "amount", "currency", "credit_lines", "as_of")
_TRANSACTIONS = (
    *("transaction_id", "account_id", "bank", "listed_on", "status", "booked_on", "value_on", "transacted_at"),
    *("amount", "currency", "kind", "merchant_name", "category", "mcc", "channel"),
    *("place_country", "place_region", "place_city", "place_postal_code", "place_address"),
    *("instructed_amount", "instructed_currency", "exchange_rate", "counterparty_name"),
    *("balance_after", "description"),
)

#: In the order in which they are read and written.
_COLUMNS = {
    "profile": _PROFILE,
    "consents": _CONSENTS,
    "consent_accounts": _CONSENT_ACCOUNTS,
    "consent_history": _HISTORY,
    "reads": _READS,
    "lookups": _LOOKUPS,
    "reports": _REPORTS,
    "notices": _NOTICES,
    "bank_links": _BANK_LINKS,
    "accounts": _ACCOUNTS,
    "balances": _BALANCES,
    "transactions": _TRANSACTIONS,
}


class _Tables:
    """The rows of each table; each method is named as its table."""

    def __init__(
        self, user: User, clock: Callable[[], datetime], step: Step, banks: Mapping[UUID, InstitutionCard]
    ) -> None:
        self._user = user
        self._clock = clock
        self._step = step
        self._banks = banks

    # -- about the person --

    def profile(self) -> Iterator[TableRow]:
        user = self._user
        yield {
            "user_id": user.id,
            "username": user.username,
            "email": user.email,
            "first_name": user.first_name,
            "last_name": user.last_name,
            "joined_at": user.date_joined,
            "last_sign_in_at": user.last_login,
        }

    def notices(self) -> Iterator[TableRow]:
        for row in self._paged(Notice.objects.filter(user=self._user), "created_at"):
            yield {
                "occurred_at": row.occurred_at,
                "kind": row.kind,
                "consent_id": row.consent_id,
                "status": row.status,
                "sent_at": row.sent_at,
            }

    # -- what is shared --

    def _own_consents(self) -> QuerySet[Consent]:
        return Consent.objects.filter(user=self._user).select_related("platform")

    def consents(self) -> Iterator[TableRow]:
        for row in self._paged(self._own_consents(), "created_at"):
            yield {
                "consent_id": row.id,
                "platform": row.platform.name,
                "legal_name": row.platform.legal_name,
                "status": row.status,
                "status_reason": row.status_reason,
                "status_by": row.status_initiator,
                "status_changed_at": row.status_changed_at,
                "scopes": row.scopes,
                "scopes_in_words": [
                    words.SCOPE_WORDS[scope].label for scope in words.SCOPE_WORDS if scope in row.scopes
                ],
                "purposes": row.purposes,
                "history_from": row.history_from,
                "location_precision": row.location_precision,
                "on_platform_only": row.on_platform_only,
                "hidden_groups": row.hidden_groups,
                "duration_type": row.duration_type,
                "duration_days": row.duration_days,
                "requested_at": row.created_at,
                "granted_at": row.authorised_at,
                "expires_at": row.expires_at,
                "ended_at": row.ended_at,
                "disclosure_version": row.disclosure_version,
                "disclosure_sha256": row.disclosure_sha256,
                "disclosure_locale": row.disclosure_locale,
            }

    def consent_accounts(self) -> Iterator[TableRow]:
        for row in self._paged(ConsentAccount.objects.filter(consent__user=self._user), "added_at"):
            yield {
                "consent_id": row.consent_id,
                "account_id": row.account_id,
                "bank": self._bank(row.institution_id),
                "status": row.status,
                "status_reason": row.status_reason,
                "status_by": row.status_initiator,
                "added_at": row.added_at,
                "status_changed_at": row.status_changed_at,
            }

    def consent_history(self) -> Iterator[TableRow]:
        """Who else acted is told as a kind of hand, never as a person."""
        for consent in self._paged(self._own_consents(), "created_at"):
            for row in self._paged(AuditEntry.objects.filter(consent_id=consent.id), "occurred_at"):
                yield {
                    "consent_id": consent.id,
                    "occurred_at": row.occurred_at,
                    "action": row.action,
                    "by": row.initiator,
                    "from_status": row.from_status,
                    "to_status": row.to_status,
                    "reason": row.reason_code,
                    "bank": self._bank(row.institution_id),
                }

    def reads(self) -> Iterator[TableRow]:
        platforms = dict(self._own_consents().values_list("platform_id", "platform__name"))
        for month in traffic.usage_months(self._clock().date()):
            for row in self._paged(UsageRow.objects.filter(month=month, user_id=self._user.id), "read_at"):
                yield {
                    "read_at": row.read_at,
                    "platform": platforms.get(row.platform_id),
                    "consent_id": row.consent_id,
                    "what": row.record,
                    "rows": row.rows,
                    "bank": self._bank(row.institution_id),
                    "account_id": row.account_id,
                    "purpose": row.purpose or None,
                    "scopes": row.scopes,
                    "presence": row.presence,
                    "request_id": row.request_id,
                }

    def lookups(self) -> Iterator[TableRow]:
        """Which bank and why; who of its staff it was is theirs, and not in here."""
        for row in self._paged(CustomerLookup.objects.filter(user_id=self._user.id), "looked_up_at"):
            yield {
                "looked_up_at": row.looked_up_at,
                "bank": self._bank(row.institution_id),
                "reason": row.reason_code,
                "request_id": row.request_id,
            }

    def reports(self) -> Iterator[TableRow]:
        for row in self._paged(Report.objects.filter(user_id=self._user.id), "reported_at"):
            yield {
                "reported_at": row.reported_at,
                "consent_id": row.consent_id,
                "code": row.code,
                "request_id": row.request_id,
                "closed_at": row.closed_at,
                "outcome": row.outcome,
            }

    # -- what banks told --

    def bank_links(self) -> Iterator[TableRow]:
        for card in renewal.own_connections(self._user.id, now=self._clock()):
            yield {
                "connection_id": card.id,
                "bank": self._bank(card.institution_id),
                "status": card.status,
                "ends_at": card.ends_at,
                "last_read_at": card.last_succeeded_at,
                "deleted_from": card.deleted_from,
            }

    def accounts(self) -> Iterator[TableRow]:
        if not self._own_accounts():
            return  # a permit over nothing opens nothing, and says so
        now = self._clock()
        for row in read.accounts(self._permit(now), now=now, request_id=_REQUEST_ID).rows:
            yield {**row, "account_id": row["id"], "bank": self._bank(row["institution_id"])}

    def balances(self) -> Iterator[TableRow]:
        for institution_id, account_id in self._own_accounts():
            for row in self._balances_of(account_id):
                yield {
                    **row,
                    "account_id": account_id,
                    "bank": self._bank(institution_id),
                    "amount": _money(row["amount_minor"], row["currency"]),
                    "credit_lines": [_credit_line(line) for line in _list(row["credit_lines"])],
                }

    def transactions(self) -> Iterator[TableRow]:
        for institution_id, account_id in self._own_accounts():
            for row in self._transactions_of(account_id):
                yield {
                    **row,
                    "transaction_id": row["id"],
                    "account_id": account_id,
                    "bank": self._bank(institution_id),
                    "amount": _money(row["amount_minor"], row["currency"]),
                    "instructed_amount": _money(row["instructed_amount_minor"], row["instructed_currency"]),
                    "balance_after": _money(row["balance_after_minor"], row["currency"]),
                }

    def _balances_of(self, account_id: UUID) -> list[read.Row]:
        now = self._clock()
        self._step()
        try:
            return list(read.balances(self._permit(now), account_id, now=now, request_id=_REQUEST_ID).rows)
        except AccountNotFound:
            return []  # deleted since the list was made

    def _transactions_of(self, account_id: UUID) -> Iterator[read.Row]:
        after: read.Position | None = None
        while True:
            now = self._clock()
            wanted = read.TransactionFilter(limit=PAGE, after=after)
            try:
                page = read.transactions(self._permit(now), account_id, wanted, now=now, request_id=_REQUEST_ID)
            except AccountNotFound:
                return  # deleted since the list was made
            yield from page.rows
            self._step()
            if page.next is None:
                return
            after = page.next

    def _own_accounts(self) -> list[tuple[UUID, UUID]]:
        return directory.own_accounts(self._user.id)

    def _permit(self, now: datetime) -> Permit:
        return owner_permit(self._user.id, self._own_accounts(), expires_at=now + _PERMIT_LIFETIME)

    def _bank(self, institution_id: object) -> str | None:
        card = self._banks.get(institution_id) if isinstance(institution_id, UUID) else None
        return None if card is None else card.name

    def _paged(self, rows: QuerySet[_Row], at: str) -> Iterator[_Row]:
        """By (`at`, id), a page at a time: no cursor stays open while others write."""
        after = Q()
        while True:
            page: list[Any] = list(rows.filter(after).order_by(at, "id")[:PAGE])
            yield from page
            self._step()
            if len(page) < PAGE:
                return
            last = page[-1]
            instant = getattr(last, at)
            after = Q(**{f"{at}__gt": instant}) | Q(**{at: instant, "id__gt": last.id})


#: In the usage log the holder's own reads have no row; the id only tells logs apart.
_REQUEST_ID = "download"


def _money(amount_minor: object, currency: object) -> str | None:
    """Exact, as a decimal string; None where either is unknown."""
    if not isinstance(amount_minor, int) or not isinstance(currency, str):
        return None
    return to_text(amount_minor, currency)


def _credit_line(line: object) -> dict[str, Cell]:
    assert isinstance(line, Mapping)
    return {
        "included": line["included"],
        "type": line["type"],
        "amount": _money(line["amount_minor"], line["currency"]),
        "currency": line["currency"],
    }


def _list(value: object) -> list[object]:
    assert isinstance(value, list)
    return value


def _plain_rows(columns: tuple[str, ...], rows: Iterable[Mapping[str, Cell]]) -> Iterator[TableRow]:
    """Exactly the columns, as JSON knows them."""
    return ({column: _plain(row[column]) for column in columns} for row in rows)


def _plain(value: Cell) -> Cell:
    """Days as YYYY-MM-DD; instants as RFC 3339 in UTC with Z; ids and enums as text; the rest as it is."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    return str(value) if isinstance(value, UUID | str) else value
