"""UK Open Banking Read/Write, account information, v3.1.11 and v4.0: the connector.

Authorisation is in `authorisation`, rows in `accounts` and `parse`, code lists in `codes`. It makes one attempt at each
call, keeps no state, and asks for nothing that the resources of the consent do not need. When the bank turns a token
away it looks at the consent `context.bank_consent_id`, to tell an ended consent from a dead token.
"""

from collections.abc import Iterator
from datetime import date, datetime
from typing import ClassVar, NoReturn
from urllib.parse import quote, urlencode

from banks.connector import ConnectorContext, ConnectorInfo, Credentials, Link, StartedAuthorisation
from banks.dialects.members import RowRejected
from banks.dialects.uk_obie import authorisation
from banks.dialects.uk_obie.accounts import latest_of_each_type, parse_account, parse_balance
from banks.dialects.uk_obie.codes import VERSIONS
from banks.dialects.uk_obie.parse import parse_coverage, parse_pages_total, parse_transaction
from banks.errors import (
    AccountUnavailable,
    AnswerTooLarge,
    BankFormatChanged,
    BankMisconfigured,
    NotSupported,
    ReauthorisationRequired,
)
from banks.http.answers import Answer
from banks.strict_json import JsonValue
from banks.types import (
    AccountData,
    BalanceData,
    BankConsentStatus,
    RejectedRow,
    Resource,
    TransactionData,
    TransactionPage,
)


class UkObie:
    """See banks.connector.Connector. Raises NotSupported when made for a version that it does not speak."""

    info: ClassVar[ConnectorInfo] = ConnectorInfo(
        slug="uk_obie",
        name="UK Open Banking Read/Write",
        versions=tuple(VERSIONS),
        history_days_max=730,
        consent_days_max=365,
    )

    def __init__(self, context: ConnectorContext) -> None:
        version = VERSIONS.get(context.institution.version)
        if version is None:
            raise NotSupported("version")
        self._context = context
        self._version = version
        self._root = context.institution.resource_url

    def start_authorisation(
        self, *, resources: frozenset[Resource], history_from: date | None, expires_at: datetime | None, state: str
    ) -> StartedAuthorisation:
        return authorisation.start(
            self._context, resources=resources, history_from=history_from, expires_at=expires_at, state=state
        )

    def finish_authorisation(self, *, started: StartedAuthorisation, parameters: dict[str, str]) -> Link:
        link = authorisation.finish(self._context, started=started, parameters=parameters, version=self._version)
        self._context.bank_consent_id = link.bank_consent_id
        self._context.credentials = link.credentials
        return link

    def refresh(self) -> Credentials:
        credentials = authorisation.refresh(self._context)
        self._context.credentials = credentials
        return credentials

    def revoke(self, *, bank_consent_id: str) -> None:
        authorisation.delete_consent(self._context, bank_consent_id, self._version)

    def consent_status(self, *, bank_consent_id: str) -> BankConsentStatus:
        return authorisation.consent_status(self._context, bank_consent_id, self._version)

    def accounts(self) -> list[AccountData]:
        """All accounts under the consent. One that cannot be read fails the call: it must not vanish quietly."""
        try:
            return [parse_account(row, version=self._version) for row in self._rows("accounts", "Account")]
        except RowRejected as error:
            raise BankFormatChanged(f"account {error}") from None

    def balances(self, bank_account_id: str) -> list[BalanceData]:
        """All balances of one account. One that cannot be read fails the call: the rest alone would mislead."""
        try:
            return latest_of_each_type(
                parse_balance(row, bank_account_id=bank_account_id, version=self._version)
                for row in self._rows(_under(bank_account_id, "balances"), "Balance", needed=True, of_account=True)
            )
        except RowRejected as error:
            raise BankFormatChanged(f"balance {error}") from None

    def transactions(self, bank_account_id: str, *, since: date, until: date | None) -> Iterator[TransactionPage]:
        # The profile wants no offset here and lets the bank ignore one.
        query = {"fromBookingDateTime": f"{since.isoformat()}T00:00:00"}
        if until is not None:
            query["toBookingDateTime"] = f"{until.isoformat()}T23:59:59"
        count = 0
        for answer in self._pages(f"{_under(bank_account_id, 'transactions')}?{urlencode(query)}", of_account=True):
            listed, meta = _listed(answer, "Transaction"), _body(answer).get("Meta")
            count += len(listed)
            if count > self._context.http.limits.rows_max:
                raise AnswerTooLarge("rows")
            yield TransactionPage(
                rows=tuple(self._taken(listed, bank_account_id, since, until)),
                coverage=parse_coverage(meta),
                pages_total=parse_pages_total(meta),
            )
            del answer, listed, meta  # see _pages

    def _taken(
        self, listed: list[JsonValue], bank_account_id: str, since: date, until: date | None
    ) -> Iterator[TransactionData | RejectedRow]:
        """Empties `listed`: a long page in the bank's form and in ours at once would cost twice its memory."""
        listed.reverse()
        while listed:
            row = parse_transaction(listed.pop(), bank_account_id=bank_account_id, version=self._version)
            # A bank that ignores the filter must not widen what is kept.
            if row is not None and not (_is_before(row, since) or _is_after(row, until)):
                yield row

    def _rows(self, path: str, name: str, *, needed: bool = False, of_account: bool = False) -> Iterator[JsonValue]:
        for answer in self._pages(path, of_account=of_account):
            yield from _listed(answer, name, needed=needed)
            del answer  # see _pages

    def _pages(self, path: str, *, of_account: bool = False) -> Iterator[Answer]:
        credentials = self._context.credentials
        if credentials is None:
            raise ReauthorisationRequired("no_credentials")
        for answer in self._context.http.pages(
            f"{self._root}/{path}",
            _next_link,
            root_url=self._root,
            headers=lambda: authorisation.headers(
                credentials.access_token, customer_ip_address=self._context.customer_ip_address
            ),
        ):
            if answer.status != 200:
                self._refuse(answer, of_account=of_account)
            yield answer
            del answer  # before the next is fetched: two pages at once would cost twice

    def _refuse(self, answer: Answer, *, of_account: bool) -> NoReturn:
        """Who is at fault. Only what concerns the token itself, or all accounts, can end the customer's link."""
        about_token = answer.status == 401 and "invalid_token" in answer.headers.get("www-authenticate", "")
        if about_token or (not of_account and answer.status in (401, 403)):
            raise authorisation.why_unauthorised(self._context, answer, self._version)
        if of_account and answer.status in (401, 403, 404):
            raise AccountUnavailable("refused", upstream_status=answer.status)
        if answer.status >= 400:
            raise BankMisconfigured("request_refused", upstream_status=answer.status)
        raise BankFormatChanged("status", upstream_status=answer.status)


def _under(bank_account_id: str, resource: str) -> str:
    return f"accounts/{quote(bank_account_id, safe='')}/{resource}"


def _body(answer: Answer) -> dict[str, JsonValue]:
    if not isinstance(answer.json, dict):
        raise BankFormatChanged("envelope")
    return answer.json


def _listed(answer: Answer, name: str, *, needed: bool = False) -> list[JsonValue]:
    """Data.<name>; an absent list is an empty one where the document lets the bank leave it out."""
    data = _body(answer).get("Data")
    if not isinstance(data, dict):
        raise BankFormatChanged("missing_member Data")
    rows = data.get(name)
    if rows is None and not needed:
        return []
    if not isinstance(rows, list):
        raise BankFormatChanged(f"missing_member Data.{name}")
    return rows


def _next_link(answer: Answer) -> str | None:
    links = _body(answer).get("Links")
    if links is None:
        return None
    if not isinstance(links, dict):
        raise BankFormatChanged("bad_type Links")
    link = links.get("Next")
    if link is None or isinstance(link, str):
        return link
    raise BankFormatChanged("bad_type Links.Next")


def _is_before(row: object, since: date) -> bool:
    return isinstance(row, TransactionData) and row.listed_on < since


def _is_after(row: object, until: date | None) -> bool:
    return until is not None and isinstance(row, TransactionData) and row.listed_on > until
