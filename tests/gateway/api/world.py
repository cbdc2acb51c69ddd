"""Data to read, and a platform's own client: each of its answers is held against the served OpenAPI document."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from urllib.parse import quote, urlencode

from django.test import Client

from banks.models import Account, Balance, Institution, Transaction
from consents.models import UsageRow
from consents.scopes import Purpose, Scope, SensitiveGroup
from gateway import pairwise
from gateway.identity.models import User
from tests.gateway.api import contract
from tests.support import cast
from tests.support.cast import Member, Tokens

FETCHED_AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
ALL_ROWS = (Scope.ACCOUNTS, Scope.BALANCES, Scope.TRANSACTIONS)
OVERVIEW = (Purpose.ACCOUNT_OVERVIEW,)


@dataclass(frozen=True, slots=True)
class Api:
    """What a platform can do with one token; `purpose` goes into the Purpose header."""

    tokens: "Tokens | Own | None"
    purpose: str | None = None

    def get(
        self, path: str, query: Mapping[str, object] | Sequence[tuple[str, object]] | str = "", **headers: str
    ) -> Any:
        return self.call("GET", path, query, **headers)

    def delete(self, path: str, **headers: str) -> Any:
        return self.call("DELETE", path, **headers)

    def post(self, path: str, body: bytes | str = b"", content_type: str = "application/json", **headers: str) -> Any:
        """Sent as it is; checked against the document as every answer."""
        answer = self.unchecked("POST", path, body=body, content_type=content_type, **headers)
        contract.check("POST", path, answer)
        return answer

    def call(
        self,
        method: str,
        path: str,
        query: Mapping[str, object] | Sequence[tuple[str, object]] | str = "",
        **headers: str,
    ) -> Any:
        """`query`: pairs to encode, or the string as it goes over the wire. Header names with underscores."""
        answer = self.unchecked(method, path, query, **headers)
        contract.check(method, path, answer)
        return answer

    def unchecked(
        self,
        method: str,
        path: str,
        query: Mapping[str, object] | Sequence[tuple[str, object]] | str = "",
        body: bytes | str = b"",
        content_type: str = "application/octet-stream",
        **headers: str,
    ) -> Any:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.tokens is not None:
            sent.setdefault("Authorization", self.tokens.authorization)
        if self.purpose is not None:
            sent.setdefault("Purpose", self.purpose)
        encoded = query if isinstance(query, str) else urlencode(query)
        client = Client(raise_request_exception=False)
        address = quote(path, safe="/%")
        return client.generic(method, address, body, content_type, headers=sent, QUERY_STRING=encoded)


@dataclass(frozen=True, slots=True)
class Own:
    """A platform's own token, in the place of one that points at a consent."""

    access_token: str

    @property
    def authorization(self) -> str:
        return f"Bearer {self.access_token}"


def manager(member: Member) -> Api:
    """What the platform does as itself."""
    return Api(Own(cast.platform_token(member)))


def usage() -> list[UsageRow]:
    return list(UsageRow.objects.order_by("read_at", "id"))


def seen(member: Member, kind: str, value: uuid.UUID) -> str:
    return pairwise.encode(kind, member.platform.id, value)


def accounts_of(user: User, bank: Institution, names: Sequence[str] = ("current",)) -> list[Account]:
    """A new connection with fetched accounts; `current` has one balance and two rows."""
    link = cast.connection(user, bank)
    rows = []
    for name in names:
        row = cast.account(link, name)
        Account.objects.for_sync().filter(id=row.id).update(
            identifications=[{"scheme_name": "IBAN", "value": "GB33BUKB20201555555555"}],
            fetched_at=FETCHED_AT,
            balances_as_of=FETCHED_AT,
            transactions_as_of=FETCHED_AT,
            coverage_first_on=date(2020, 1, 1),
            coverage_last_on=datetime.now(UTC).date(),
        )
        rows.append(row)
    return rows


def balance(account: Account, amount_minor: int = -1250, *, currency: str = "GBP", **columns: object) -> Balance:
    return Balance.objects.for_sync().create(
        account=account,
        type="ITAV",
        amount_minor=amount_minor,
        currency=currency,
        credit_lines=[{"included": True, "type": "Pre-Agreed", "amount_minor": 50000, "currency": currency}],
        as_of=FETCHED_AT,
        content_hash="",
        **columns,
    )


def transaction_row(account: Account, number: int = 0, **columns: Any) -> Transaction:
    """A card payment in Paris yesterday, every column filled, nothing sensitive about it."""
    yesterday = datetime.now(UTC).date() - timedelta(days=1)
    filled: dict[str, Any] = {
        "account_id": account.id,
        "identity_key": f"row-{number}",
        "status": "BOOKED",
        "listed_on": yesterday,
        "booked_on": yesterday,
        "value_on": yesterday,
        "transacted_at": FETCHED_AT,
        "amount_minor": -420,
        "currency": "GBP",
        "kind": "CARD_PAYMENT",
        "merchant_name": "Boulangerie",
        "merchant_key": "boulangerie",
        "mcc": "5462",
        "category": "food_and_drink",
        "channel": "IN_STORE",
        "sensitive_group": SensitiveGroup.NONE,
        "place_country": "FR",
        "place_region": "Ile-de-France",
        "place_city": "Paris",
        "place_postal_code": "75001",
        "place_address": "1 rue du Four",
        "instructed_amount_minor": -500,
        "instructed_currency": "EUR",
        "exchange_rate": "0.84",
        "counterparty_name": "Marie Dupont",
        "balance_after_minor": 10_000,
        "description": "CARD 1234 BOULANGERIE PARIS",
        "content_hash": "",
        "change_sequence": number + 1,
        "first_seen_at": FETCHED_AT,
        "updated_at": FETCHED_AT,
    }
    return Transaction(**{**filled, **columns})


def transactions(account: Account, count: int = 1, **columns: Any) -> list[Transaction]:
    rows = [transaction_row(account, number, **columns) for number in range(count)]
    return list(Transaction.objects.for_sync().bulk_create(rows))
