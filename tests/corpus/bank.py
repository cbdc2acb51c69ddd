"""A bank that answers well everywhere but where a case says: in this process, or on a socket.

`Bank.observed` runs one case through the whole dialect, and the row through normalization, and says what became of it
in the words of the case. The HTTP client is the real one; only its sockets are not there.
"""

import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from datetime import date, timedelta
from typing import Any

from urllib3 import HTTPResponse

from banks import accounts as recognition
from banks.connector import ConnectorContext, Credentials, InstitutionProfile, StartedAuthorisation
from banks.dialects.uk_obie import UkObie
from banks.errors import BankError
from banks.http.client import BankClient
from banks.http.exchanges import HttpLimits
from banks.normalize.entries import Entry, entry
from banks.types import RejectedRow, TransactionData
from tests.corpus.answers import CLAIMS, id_token
from tests.corpus.case import (
    ACCOUNT,
    ACCOUNT_ROW,
    BALANCE,
    CONSENT,
    CONSENT_DATA,
    PURCHASE,
    TOKEN,
    Answered,
    Case,
    Verdict,
    Where,
    accounts,
    balances,
    consent,
    page,
    told,
)
from tests.support.cast import NOW
from tests.support.sandbox_bank import new_key

ORIGIN = "https://bank.example"
#: Small, so that what is too much need not be much.
LIMITS = HttpLimits(decoded_bytes_max=1_500_000, pages_max=4, rows_max=1500, json_values_max=50_000)
SINCE = date(2026, 2, 1)

PATHS = {
    Where.PAGE: f"/aisp/accounts/{ACCOUNT}/transactions",
    Where.BALANCES: f"/aisp/accounts/{ACCOUNT}/balances",
    Where.ACCOUNTS: "/aisp/accounts",
    Where.CONSENT: f"/aisp/account-access-consents/{CONSENT}",
    Where.TOKEN: "/token",
    Where.LINK: "/token",
}
GOOD: dict[str, Answered] = {
    PATHS[Where.PAGE]: told(page(PURCHASE)),
    PATHS[Where.BALANCES]: told(balances(BALANCE)),
    PATHS[Where.ACCOUNTS]: told(accounts(ACCOUNT_ROW)),
    PATHS[Where.CONSENT]: told(consent(CONSENT_DATA)),
    PATHS[Where.TOKEN]: told(TOKEN | {"id_token": id_token(CLAIMS)}),
}
KEY = str(new_key("EC").export())


def routes(case: Case, origin: str) -> dict[str, Answered]:
    """Path -> answer while this case stands. Links of a case may speak of {origin} and {first}."""
    where = PATHS[case.where]
    found = {**GOOD, where: case.value}
    waiting = [case.value]
    while waiting:
        for path, answer in waiting.pop().also:
            found[path] = answer
            waiting.append(answer)
    first = f"{where}?fromBookingDateTime={SINCE}T00%3A00%3A00"
    return {path: _filled(answer, origin, first) for path, answer in found.items()}


def _filled(answer: Answered, origin: str, first: str) -> Answered:
    if b'"{' not in answer.content:
        return answer
    content = answer.content.replace(b"{origin}", origin.encode()).replace(b"{first}", (origin + first).encode())
    return Answered(content, answer.status, answer.content_type, answer.headers)


def headers_of(answer: Answered) -> dict[str, str]:
    named = {"Content-Type": answer.content_type} if answer.content_type is not None else {}
    return {"Content-Length": str(len(answer.content)), **named, **dict(answer.headers)}


class _Pool:
    """Stands where the connections to the bank are."""

    def __init__(self, answers: Mapping[str, Answered]) -> None:
        self._answers = answers

    def urlopen(self, method: str, url: str, **_more: object) -> HTTPResponse:
        answer = self._answers[url.partition("?")[0]]
        return HTTPResponse(
            body=io.BytesIO(answer.content),
            status=answer.status,
            headers=headers_of(answer),
            preload_content=False,
            request_method=method,
        )

class _Connections:
    """To every origin there is one pool."""

    def __init__(self, answers: Mapping[str, Answered]) -> None:
        self._pool = _Pool(answers)

    def to(self, target: Any) -> _Pool:
        return self._pool

    def close(self) -> None: ...


class _Client(BankClient):
    def __init__(self, answers: Mapping[str, Answered]) -> None:
        super().__init__(allowed_origins=frozenset({ORIGIN}), limits=LIMITS)
        self._connections: Any = _Connections(answers)

    def _verified(self, target: Any) -> tuple[str, ...]:
        return ()  # nothing is connected to


def connector_of(answers: Mapping[str, Answered]) -> UkObie:
    context = ConnectorContext(
        institution=profile(ORIGIN),
        http=_Client(answers),
        now=NOW,
        credentials=Credentials(
            access_token="kept", access_expires_at=NOW + timedelta(minutes=5), refresh_token="kept-refresh"
        ),
        bank_consent_id=CONSENT,
    )
    return UkObie(context)


def profile(origin: str) -> InstitutionProfile:
    return InstitutionProfile(
        slug="corpus",
        version="4.0",
        issuer=ORIGIN,
        authorization_url=f"{origin}/authorize",
        token_url=f"{origin}/token",
        resource_url=f"{origin}/aisp",
        client_id="sluice",
        signing_key=KEY,
        redirect_uri="https://sluice.example/callback",
        timezone="Europe/London",
    )


# -- what became of it -------------------------------------------------------------------------------------------------

STARTED = StartedAuthorisation(redirect_to="", bank_consent_id=CONSENT, verifier="v" * 43, nonce=CLAIMS["nonce"])


def read(case: Case) -> Any:
    """What the dialect makes of the bad answer. Raises BankError."""
    connector = connector_of(routes(case, ORIGIN))
    if case.where is Where.ACCOUNTS:
        found = connector.accounts()
        recognition.recognised([], found)
        return found
    if case.where is Where.BALANCES:
        return connector.balances(ACCOUNT)
    if case.where is Where.CONSENT:
        return connector.consent_status(bank_consent_id=CONSENT)
    if case.where is Where.TOKEN:
        return connector.refresh()
    if case.where is Where.LINK:
        return connector.finish_authorisation(started=STARTED, parameters={"iss": ORIGIN, "code": "a-code"})
    return list(connector.transactions(ACCOUNT, since=SINCE, until=None))


def observed(case: Case) -> tuple[Verdict, str]:
    """Verdict and check of a case of anything but rows; the check of what is taken is checked against `kept`."""
    try:
        found = read(case)
    except BankError as error:
        return Verdict.REFUSED, f"{error.code} {error.reason}"
    if case.verdict is not Verdict.TAKEN:
        return Verdict.TAKEN, "all of it"
    held = member(found[0] if case.where is Where.PAGE else found, case.check)
    return Verdict.TAKEN, case.check if held == case.kept or held == (case.kept or ()) else f"{case.check} {held!r}"


def observed_rows(cases: Sequence[Case]) -> Iterator[tuple[Case, tuple[Verdict, str]]]:
    """The same for all cases of rows at once: each between two good rows of one long list."""
    listed = [row for number, case in enumerate(cases) for row in (good_row(number), marked(case, number))]
    answers = {**GOOD, PATHS[Where.PAGE]: told(page(*listed))}
    (found,) = connector_of(answers).transactions(ACCOUNT, since=SINCE, until=None)
    assert len(found.rows) == len(listed), "a row is neither taken nor rejected"
    for number, case in enumerate(cases):
        neighbour, row = found.rows[2 * number], found.rows[2 * number + 1]
        assert isinstance(neighbour, TransactionData), neighbour
        assert isinstance(entry(neighbour), Entry)
        yield case, _observed_row(case, row)


def _observed_row(case: Case, row: TransactionData | RejectedRow) -> tuple[Verdict, str]:
    kept = row if isinstance(row, RejectedRow) else entry(row)
    if isinstance(kept, RejectedRow):
        return Verdict.QUARANTINED, f"{kept.reason} {kept.field}"
    assert isinstance(row, TransactionData)
    if case.verdict is not Verdict.TAKEN:
        return Verdict.TAKEN, "all of it"
    held = member(row, case.check)
    return Verdict.TAKEN, case.check if held == case.kept else f"{case.check} {held!r}"


def good_row(number: int) -> dict[str, Any]:
    return PURCHASE | {"TransactionId": f"good-{number}"}


def marked(case: Case, number: int) -> Any:
    """The row of a case under an id of its own, with a canary where no column of ours reads."""
    row = case.value
    if not isinstance(row, dict):
        return row
    if row.get("TransactionId") == "good":
        row = row | {"TransactionId": f"bad-{number}"}
    extension = row["SupplementaryData"]
    if isinstance(extension, dict):
        row = row | {"SupplementaryData": extension | {"Canary": f"canary-{number}-"}}
    return row


def member(value: Any, path: str) -> Any:
    """`place.city`, `0.credit_lines.0.type`, `len`; None below None."""
    if path == "len":
        return len(value)
    for name in path.split("."):
        if value is None:
            return None
        value = value[int(name)] if name.isdigit() else getattr(value, name)
    return value


def same_but(left: TransactionData, right: TransactionData, *names: str) -> bool:
    """Whether two rows agree in every member but these."""
    compared = [field.name for field in fields(TransactionData) if field.name not in names]
    return all(getattr(left, name) == getattr(right, name) for name in compared)
