"""The UK dialect against a whole bank in a process of its own: link, read, renew, revoke, and who is at fault."""

import itertools
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from jwcrypto import jwk, jws

from banks.connector import ConnectorContext, InstitutionProfile, Link, StartedAuthorisation
from banks.dialects.uk_obie import UkObie
from banks.dialects.uk_obie.authorisation import permissions_for
from banks.errors import (
    AccountUnavailable,
    After,
    AnswerTooLarge,
    BankConsentEnded,
    BankFormatChanged,
    BankMisconfigured,
    BankRateLimited,
    BankRefused,
    BankUnavailable,
    ReauthorisationRequired,
)
from banks.http.client import BankClient
from banks.http.exchanges import HttpLimits
from banks.types import (
    AccountCategory,
    Channel,
    CounterpartyKind,
    RejectedRow,
    Resource,
    TransactionData,
    TransactionKind,
    TransactionStatus,
)
from tests.support.bank_client import Browser, forms, returned
from tests.support.sandbox_bank import SandboxBank, new_key

EVERYTHING = frozenset(Resource)
Connect = Callable[..., UkObie]


@pytest.fixture(scope="module")
def bank() -> Iterator[SandboxBank]:
    with SandboxBank() as running:
        yield running


@pytest.fixture(scope="module")
def http(bank: SandboxBank) -> Iterator[BankClient]:
    origins = frozenset({bank.issuer})
    with BankClient(allowed_origins=origins, allowed_loopback_origins=origins) as client:
        yield client


def profile_of(bank: SandboxBank) -> InstitutionProfile:
    return InstitutionProfile(
        slug="first-sandbox",
        version="4.0",
        issuer=bank.issuer,
        authorization_url=f"{bank.issuer}/oauth/authorize",
        token_url=f"{bank.issuer}/oauth/token",
        resource_url=bank.aisp,
        client_id=bank.client_id,
        signing_key=str(bank.client_key.export()),
        redirect_uri=bank.redirect_uri,
        timezone="Europe/London",
    )


def context_of(bank: SandboxBank, http: BankClient, **changed: Any) -> ConnectorContext:
    return ConnectorContext(institution=replace(profile_of(bank), **changed), http=http, now=datetime.now(UTC))


def visit(bank: SandboxBank, started: StartedAuthorisation, user: str, decision: str = "allow") -> dict[str, str]:
    """What the customer's browser brings back to our redirect URI."""
    browser = Browser(bank.issuer)
    page = browser.submit(browser.get(started.redirect_to), {"username": user, "password": "sandbox"})
    offered = [value for name, value, _ in forms(page)[0].choices if name == "accounts"]
    return returned(browser.submit(page, {"accounts": offered, "decision": decision}))


def start(connector: UkObie, **changed: Any) -> StartedAuthorisation:
    asked: dict[str, Any] = {"resources": EVERYTHING, "history_from": None, "expires_at": None, "state": "state-1"}
    return connector.start_authorisation(**(asked | changed))


@pytest.fixture(scope="module")
def connect(bank: SandboxBank, http: BankClient) -> Connect:
    """connect("happy"): a linked connector; one link for equal arguments, `fresh=True` for one of its own."""
    kept: dict[str, UkObie] = {}

    def link(user: str, *, fresh: bool = False, **asked: Any) -> UkObie:
        key = f"{user} {sorted(asked.items(), key=str)}"
        if fresh or key not in kept:
            connector = UkObie(context_of(bank, http))
            started = start(connector, **asked)
            connector.finish_authorisation(started=started, parameters=visit(bank, started, user))
            if fresh:
                return connector
            kept[key] = connector
        return kept[key]

    return link


@pytest.fixture
def faults(bank: SandboxBank) -> Iterator[Callable[..., None]]:
    def add(**description: Any) -> None:
        bank.control("POST", "/control/faults", json=description)

    yield add
    bank.control("DELETE", "/control/faults")


def days_ago(days: int) -> date:
    return datetime.now(UTC).date() - timedelta(days=days)


def all_rows(connector: UkObie, account_id: str, since: date) -> list[TransactionData | RejectedRow]:
    return [row for page in connector.transactions(account_id, since=since, until=None) for row in page.rows]


def context(connector: UkObie) -> ConnectorContext:
    return connector._context


# -- consent and redirect ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("resources", "permissions"),
    [
        ({Resource.ACCOUNTS}, ["ReadAccountsBasic"]),
        ({Resource.BALANCES}, ["ReadAccountsBasic", "ReadBalances"]),
        ({Resource.ACCOUNTS, Resource.BALANCES}, ["ReadAccountsBasic", "ReadBalances"]),
        ({Resource.ACCOUNT_NUMBERS}, ["ReadAccountsBasic", "ReadAccountsDetail"]),
        (
            {Resource.ACCOUNTS, Resource.TRANSACTIONS},
            ["ReadAccountsBasic", "ReadTransactionsCredits", "ReadTransactionsDebits", "ReadTransactionsDetail"],
        ),
    ],
)
def test_only_the_permissions_that_are_needed_are_asked(resources: set[Resource], permissions: list[str]) -> None:
    assert permissions_for(frozenset(resources)) == permissions


def test_what_the_bank_holds_is_what_was_asked(bank: SandboxBank, http: BankClient) -> None:
    connector = UkObie(context_of(bank, http))
    expires_at = datetime.now(UTC).replace(microsecond=0) + timedelta(days=90)

    started = start(
        connector,
        resources=frozenset({Resource.ACCOUNTS, Resource.BALANCES}),
        history_from=days_ago(90),
        expires_at=expires_at,
    )
    link = connector.finish_authorisation(started=started, parameters=visit(bank, started, "happy"))

    held = {consent["consent_id"]: consent for consent in bank.control("GET", "/control/state")["consents"]}
    assert held[started.bank_consent_id]["permissions"] == ["ReadAccountsBasic", "ReadBalances"]
    assert link.consent_expires_at == expires_at
    assert link.bank_consent_id == started.bank_consent_id
    assert link.authentication_expires_at is None
    assert link.credentials.refresh_token
    assert timedelta(minutes=9) < link.credentials.access_expires_at - datetime.now(UTC) < timedelta(minutes=11)


def test_balances_alone_open_no_transactions(connect: Connect) -> None:
    connector = connect("happy", resources=frozenset({Resource.ACCOUNTS, Resource.BALANCES}))
    account = connector.accounts()[0]

    assert account.identifications == ()
    assert connector.balances(account.bank_account_id)
    with pytest.raises(AccountUnavailable):
        all_rows(connector, account.bank_account_id, days_ago(10))


def test_the_request_is_signed_and_the_browser_carries_nothing_else(bank: SandboxBank, http: BankClient) -> None:
    started = start(UkObie(context_of(bank, http)))
    query = {name: values[0] for name, values in parse_qs(urlsplit(started.redirect_to).query).items()}

    token = jws.JWS()
    token.deserialize(query["request"], jwk.JWK.from_json(bank.client_key.export_public()))
    claims = json.loads(token.payload)

    assert set(query) == {"client_id", "response_type", "scope", "request"}
    assert token.jose_header["alg"] == "ES256"
    assert claims["iss"] == claims["client_id"] == bank.client_id
    assert claims["aud"] == bank.issuer
    assert 0 < claims["exp"] - claims["iat"] <= 300
    assert (claims["state"], claims["nonce"], claims["scope"]) == ("state-1", started.nonce, "openid accounts")
    assert claims["code_challenge_method"] == "S256"
    assert started.verifier not in started.redirect_to
    intent = claims["claims"]["id_token"]["openbanking_intent_id"]
    assert intent == {"value": started.bank_consent_id, "essential": True}
    assert started.verifier not in repr(started)
    assert started.nonce not in repr(started)


def test_an_rsa_key_signs_with_ps256(bank: SandboxBank, http: BankClient) -> None:
    key = new_key("RSA")
    bank.register("rsa-client", "RSA", key, bank.redirect_uri)
    connector = UkObie(context_of(bank, http, client_id="rsa-client", signing_key=str(key.export())))

    started = start(connector)

    assert connector.finish_authorisation(started=started, parameters=visit(bank, started, "happy")).credentials


# -- the callback ------------------------------------------------------------------------------------------------------


def test_no_at_the_bank_is_a_refusal(bank: SandboxBank, http: BankClient) -> None:
    connector = UkObie(context_of(bank, http))
    started = start(connector)

    with pytest.raises(BankRefused) as caught:
        connector.finish_authorisation(started=started, parameters=visit(bank, started, "happy", "refuse"))

    assert caught.value.reason == "access_denied"


@pytest.mark.parametrize("issuer", [None, "", "https://evil.example", "{issuer}/", "{ISSUER}"])
def test_t6_a_code_that_another_issuer_brings_is_never_sent(
    bank: SandboxBank, http: BankClient, issuer: str | None
) -> None:
    connector = UkObie(context_of(bank, http))
    started = start(connector)
    parameters = visit(bank, started, "happy")
    bank.control("DELETE", "/control/requests")
    if issuer is None:
        del parameters["iss"]
    else:
        parameters["iss"] = issuer.format(issuer=bank.issuer, ISSUER=bank.issuer.upper())

    with pytest.raises(BankRefused) as caught:
        connector.finish_authorisation(started=started, parameters=parameters)

    assert caught.value.reason == "issuer_differs"
    assert bank.control("GET", "/control/requests")["requests"] == []


def test_an_error_text_of_the_banks_is_not_repeated(bank: SandboxBank, http: BankClient) -> None:
    connector = UkObie(context_of(bank, http))
    started = start(connector)
    parameters = {"iss": bank.issuer, "error": "canary", "error_description": "canary"}

    with pytest.raises(BankRefused) as caught:
        connector.finish_authorisation(started=started, parameters=parameters)

    assert "canary" not in f"{caught.value} {caught.value.reason}"


def test_a_callback_without_a_code_is_malformed(bank: SandboxBank, http: BankClient) -> None:
    connector = UkObie(context_of(bank, http))

    with pytest.raises(BankFormatChanged):
        connector.finish_authorisation(started=start(connector), parameters={"iss": bank.issuer})


def test_code_verifier_and_nonce_belong_to_the_one_who_started(bank: SandboxBank, http: BankClient) -> None:
    connector = UkObie(context_of(bank, http))
    mine, others = start(connector), start(connector)

    with pytest.raises(BankRefused) as verifier:
        connector.finish_authorisation(started=others, parameters=visit(bank, mine, "happy"))
    third = start(connector)
    with pytest.raises(BankRefused) as nonce:
        connector.finish_authorisation(started=replace(third, nonce="another"), parameters=visit(bank, third, "happy"))
    fourth = start(connector)
    with pytest.raises(BankRefused) as consent:
        connector.finish_authorisation(
            started=replace(fourth, bank_consent_id=mine.bank_consent_id), parameters=visit(bank, fourth, "happy")
        )

    assert verifier.value.reason == "invalid_grant"
    assert nonce.value.reason == consent.value.reason == "id_token_differs"


def test_a_code_is_good_once(bank: SandboxBank, http: BankClient) -> None:
    connector = UkObie(context_of(bank, http))
    started = start(connector)
    parameters = visit(bank, started, "happy")
    connector.finish_authorisation(started=started, parameters=parameters)

    with pytest.raises(BankRefused):
        connector.finish_authorisation(started=started, parameters=parameters)


def test_a_key_the_bank_does_not_know_is_our_mistake(bank: SandboxBank, http: BankClient) -> None:
    for changed in ({"signing_key": str(new_key("EC").export())}, {"client_id": "nobody"}, {"signing_key": "{}"}):
        with pytest.raises(BankMisconfigured):
            start(UkObie(context_of(bank, http, **changed)))


# -- reading -----------------------------------------------------------------------------------------------------------


def test_accounts_and_balances_of_happy(connect: Connect) -> None:
    connector = connect("happy")

    current, savings = connector.accounts()
    balances = {balance.type: balance for balance in connector.balances(current.bank_account_id)}

    assert (current.name, current.account_type, current.currency) == ("Everyday", "CACC", "GBP")
    assert (savings.name, savings.account_type) == ("Rainy days", "SVGS")
    assert current.category is AccountCategory.DEPOSIT
    assert {number.scheme_name for number in current.identifications} == {"IBAN", "SortCodeAccountNumber"}
    assert current.masked_number == current.identifications[0].value[-4:]
    assert set(balances) == {"ITBD", "ITAV"}
    assert balances["ITAV"].credit_lines[0].amount is not None
    assert abs(balances["ITBD"].as_of - datetime.now(UTC)) < timedelta(minutes=5)


def test_transactions_of_happy(connect: Connect) -> None:
    connector = connect("happy")
    account = connector.accounts()[0].bank_account_id
    pages = list(connector.transactions(account, since=days_ago(399), until=None))
    rows = [row for page in pages for row in page.rows]

    assert len(pages) > 3
    assert pages[0].coverage.first_on == days_ago(399)
    assert {page.pages_total for page in pages} == {len(pages)}
    assert not [row for row in rows if isinstance(row, RejectedRow)]
    entries = [row for row in rows if isinstance(row, TransactionData)]
    assert {entry.kind for entry in entries} >= {
        TransactionKind.CARD_PAYMENT,
        TransactionKind.CASH,
        TransactionKind.DIRECT_DEBIT,
        TransactionKind.FEE,
        TransactionKind.REFUND,
        TransactionKind.SALARY,
        TransactionKind.STANDING_ORDER,
        TransactionKind.TRANSFER,
    }
    assert TransactionKind.OTHER not in {entry.kind for entry in entries}
    assert {entry.channel for entry in entries} >= {Channel.IN_STORE, Channel.ONLINE, Channel.ATM, Channel.TRANSFER}
    assert all((entry.booked_on is None) == (entry.status is TransactionStatus.PENDING) for entry in entries)
    assert len({entry.bank_transaction_id for entry in entries}) == len(entries)
    for entry in entries:
        if entry.kind is TransactionKind.CARD_PAYMENT:
            assert entry.money.amount < 0
            assert (entry.merchant_name, entry.mcc, entry.place) != (None, None, None)
            assert entry.counterparty_kind is CounterpartyKind.MERCHANT
        if entry.kind in (TransactionKind.TRANSFER, TransactionKind.SALARY, TransactionKind.STANDING_ORDER):
            assert entry.counterparty_name
            assert entry.counterparty_kind is None
            assert entry.merchant_name is None
    abroad = [entry for entry in entries if entry.instructed is not None and entry.instructed.currency == "EUR"]
    assert abroad
    assert all(entry.exchange_rate is not None and entry.exchange_rate > 1 for entry in abroad)


def test_running_balances_add_up(connect: Connect) -> None:
    connector = connect("happy")
    account = connector.accounts()[0].bank_account_id
    booked = [
        row
        for row in all_rows(connector, account, days_ago(60))
        if isinstance(row, TransactionData) and row.status is TransactionStatus.BOOKED
    ]

    for newer, older in itertools.pairwise(booked):
        assert newer.balance_after is not None
        assert older.balance_after is not None
        assert newer.balance_after.amount == older.balance_after.amount + newer.money.amount


def test_the_window_is_kept(connect: Connect) -> None:
    connector = connect("happy")
    account = connector.accounts()[0].bank_account_id

    rows = [
        row
        for page in connector.transactions(account, since=days_ago(20), until=days_ago(10))
        for row in page.rows
        if isinstance(row, TransactionData)
    ]

    assert rows
    assert days_ago(20) <= min(row.listed_on for row in rows) <= max(row.listed_on for row in rows) <= days_ago(10)


def test_ten_thousand_rows_arrive_all_of_them_once(connect: Connect) -> None:
    connector = connect("many")
    account = connector.accounts()[0].bank_account_id

    rows = all_rows(connector, account, days_ago(399))

    assert len(rows) == 10_000
    assert all(isinstance(row, TransactionData) for row in rows)
    assert len({row.bank_transaction_id for row in rows if isinstance(row, TransactionData)}) == 10_000


@pytest.mark.parametrize("limits", [HttpLimits(pages_max=3), HttpLimits(rows_max=250)])
def test_more_than_we_take_is_never_taken_for_all(bank: SandboxBank, connect: Connect, limits: HttpLimits) -> None:
    linked = context(connect("many"))
    origins = frozenset({bank.issuer})
    with BankClient(allowed_origins=origins, allowed_loopback_origins=origins, limits=limits) as client:
        connector = UkObie(replace(linked, http=client))
        account = connector.accounts()[0].bank_account_id

        with pytest.raises(AnswerTooLarge):
            all_rows(connector, account, days_ago(399))


def test_an_empty_account_has_one_empty_page(connect: Connect) -> None:
    connector = connect("empty")

    pages = list(connector.transactions(connector.accounts()[0].bank_account_id, since=days_ago(90), until=None))

    assert [page.rows for page in pages] == [()]


# -- who is at fault ---------------------------------------------------------------------------------------------------


def test_a_bank_that_is_down_is_nobodys_fault_here(connect: Connect) -> None:
    with pytest.raises(BankUnavailable) as caught:
        connect("down").accounts()

    assert caught.value.retry == After(120)
    assert caught.value.upstream_status == 503


def test_one_bad_row_never_loses_the_others(connect: Connect) -> None:
    connector = connect("garbage")
    current, savings = connector.accounts()

    rows = all_rows(connector, current.bank_account_id, days_ago(30))

    (bad,) = [row for row in rows if isinstance(row, RejectedRow)]
    assert (bad.reason, bad.field) == ("too_many_decimals", "Amount.Amount")
    assert json.loads(bad.raw)["AccountId"] == current.bank_account_id
    assert len(rows) > 30
    assert connector.balances(current.bank_account_id)
    with pytest.raises(BankFormatChanged):
        connector.balances(savings.bank_account_id)


@pytest.mark.parametrize("resource", ["balances", "transactions"])
def test_an_account_outside_the_consent_leaves_the_others_alone(connect: Connect, resource: str) -> None:
    connector = connect("happy")

    with pytest.raises(AccountUnavailable):
        if resource == "balances":
            connector.balances("nobody's account")
        else:
            all_rows(connector, "nobody's account", days_ago(3))

    assert connector.accounts()


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_refusal_of_one_account_is_about_that_account(
    connect: Connect, faults: Callable[..., None], status: int
) -> None:
    connector = connect("happy")
    account = connector.accounts()[0].bank_account_id
    faults(user="happy", path_contains="/balances", status=status, times=1)

    with pytest.raises(AccountUnavailable) as caught:
        connector.balances(account)

    assert caught.value.upstream_status == status


def test_a_refusal_of_all_accounts_under_a_good_consent(connect: Connect, faults: Callable[..., None]) -> None:
    connector = connect("happy")

    faults(user="happy", path_contains="/accounts", status=401, times=1)
    with pytest.raises(ReauthorisationRequired):
        connector.accounts()
    faults(user="happy", path_contains="/accounts", status=403, times=1)
    with pytest.raises(BankMisconfigured):
        connector.accounts()

    assert connector.accounts()


def test_too_fast_is_told_with_the_banks_pause(connect: Connect, faults: Callable[..., None]) -> None:
    connector = connect("happy")
    faults(user="happy", path_contains="/accounts", status=429, retry_after=37, times=1)

    with pytest.raises(BankRateLimited) as caught:
        connector.accounts()

    assert caught.value.retry == After(37)


def test_a_dead_token_is_told_from_a_dead_consent(bank: SandboxBank, connect: Connect) -> None:
    linked = context(connect("happy"))
    assert linked.credentials is not None
    dead = replace(linked, credentials=replace(linked.credentials, access_token="no-such-token"))
    account = connect("happy").accounts()[0].bank_account_id

    for call in (lambda: UkObie(dead).accounts(), lambda: UkObie(dead).balances(account)):
        with pytest.raises(ReauthorisationRequired):
            call()
    with pytest.raises(ReauthorisationRequired):
        UkObie(replace(dead, credentials=None)).accounts()


def test_a_consent_cancelled_at_the_bank_is_told_as_that(bank: SandboxBank, connect: Connect) -> None:
    connector = connect("happy", fresh=True)
    account = connector.accounts()[0].bank_account_id
    bank.control("POST", f"/control/consents/{context(connector).bank_consent_id}/cancel")

    with pytest.raises(BankConsentEnded):
        connector.accounts()
    with pytest.raises(BankConsentEnded):
        all_rows(connector, account, days_ago(3))
    with pytest.raises(ReauthorisationRequired):
        connector.refresh()


# -- renewing and ending -----------------------------------------------------------------------------------------------


def test_a_refresh_token_is_good_once_and_its_successor_after_it(connect: Connect) -> None:
    connector = connect("happy", fresh=True)
    first = context(connector).credentials
    assert first is not None

    second = connector.refresh()

    assert second.refresh_token not in (None, first.refresh_token)
    assert second.access_token != first.access_token
    assert connector.accounts()
    with pytest.raises(ReauthorisationRequired) as caught:
        UkObie(replace(context(connector), credentials=first)).refresh()
    assert caught.value.reason == "invalid_grant"
    assert first.refresh_token not in repr(first)
    with pytest.raises(ReauthorisationRequired):
        UkObie(replace(context(connector), credentials=None)).refresh()


def test_a_bank_that_is_down_while_we_renew_is_no_reason_to_ask_the_customer(
    connect: Connect, faults: Callable[..., None]
) -> None:
    connector = connect("happy", fresh=True)
    faults(path_contains="/oauth/token", status=503, times=1)

    with pytest.raises(BankUnavailable):
        connector.refresh()


def test_the_bank_says_whether_a_consent_stands(bank: SandboxBank, connect: Connect) -> None:
    connector = connect("happy", fresh=True)
    consent_id = context(connector).bank_consent_id
    assert consent_id is not None

    standing = connector.consent_status(bank_consent_id=consent_id)
    bank.control("POST", f"/control/consents/{consent_id}/cancel")

    assert not standing.ended
    assert connector.consent_status(bank_consent_id=consent_id).ended
    assert connector.consent_status(bank_consent_id="no such consent").ended


def test_revoking_ends_the_consent_and_twice_is_once(connect: Connect) -> None:
    connector = connect("happy", fresh=True)
    consent_id = context(connector).bank_consent_id
    assert consent_id is not None

    connector.revoke(bank_consent_id=consent_id)
    connector.revoke(bank_consent_id=consent_id)
    connector.revoke(bank_consent_id="no such consent")

    with pytest.raises(BankConsentEnded):
        connector.accounts()


def test_a_link_shows_no_secret(connect: Connect) -> None:
    credentials = context(connect("happy")).credentials
    assert credentials is not None
    link = Link(credentials=credentials, bank_consent_id="c", consent_expires_at=None, authentication_expires_at=None)

    assert credentials.access_token not in repr(link)
