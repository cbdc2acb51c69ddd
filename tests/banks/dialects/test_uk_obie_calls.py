"""What the UK dialect sends, call by call, and how it reads what a bank says of a consent; a scripted bank."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from banks.connector import ConnectorContext, Credentials, InstitutionProfile
from banks.dialects.uk_obie import UkObie
from banks.errors import (
    BankConsentEnded,
    BankFormatChanged,
    BankMisconfigured,
    BankUnavailable,
    NotSupported,
    ReauthorisationRequired,
)
from banks.http.client import BankClient
from banks.types import BankConsentStatus
from tests.support.hostile_server import HostileServer, json_answer
from tests.support.sandbox_bank import new_key

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
TOKEN = {"access_token": "own-token", "token_type": "Bearer", "expires_in": 600}
CONSENT = "consent-1"
CONSENT_PATH = f"/aisp/account-access-consents/{CONSENT}"
KEY = str(new_key("EC").export())

AUTHORISED = {"3.1.11": "Authorised", "4.0": "AUTH"}
REVOKED = {"3.1.11": "Revoked", "4.0": "CANC"}
NOT_FOUND = {"3.1.11": "UK.OBIE.Resource.NotFound", "4.0": "U011"}
REAUTHENTICATE = {"3.1.11": "UK.OBIE.Reauthenticate", "4.0": "U028"}


@pytest.fixture(params=["3.1.11", "4.0"])
def version(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def server() -> Iterator[HostileServer]:
    with HostileServer() as running:
        running.scripted["/token"] = json_answer(TOKEN)
        running.scripted["/aisp/accounts"] = json_answer({"Data": {"Account": []}})
        running.scripted["/aisp/accounts/22289/balances"] = json_answer({"Data": {"Balance": []}})
        running.scripted[CONSENT_PATH] = consent("AUTH")
        yield running


def consent(status: str, expires_at: object = None) -> bytes:
    return json_answer({"Data": {"ConsentId": CONSENT, "Status": status, "ExpirationDateTime": expires_at}})


def refusal(status: int, *codes: str) -> bytes:
    return json_answer({"Errors": [{"ErrorCode": code, "Message": "canary"} for code in codes]}, status=status)


def connector_of(server: HostileServer, version: str = "4.0", **changed: Any) -> UkObie:
    origins = frozenset({server.origin})
    context = ConnectorContext(
        institution=InstitutionProfile(
            slug="scripted",
            version=version,
            issuer=server.origin,
            authorization_url=f"{server.origin}/authorize",
            token_url=f"{server.origin}/token",
            resource_url=f"{server.origin}/aisp",
            client_id="sluice",
            signing_key=KEY,
            redirect_uri="https://sluice.example/callback",
            timezone="Europe/London",
        ),
        http=BankClient(allowed_origins=origins, allowed_loopback_origins=origins),
        now=NOW,
        credentials=Credentials(access_token="customers-token", access_expires_at=NOW + timedelta(minutes=5)),
        bank_consent_id=CONSENT,
        **changed,
    )
    return UkObie(context)


def heads(server: HostileServer) -> dict[str, str]:
    """Path -> head of the request in lower case."""
    return {head.split(" ")[1]: head.lower() for head in server.requests}


# -- versions ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", ["", "3.1", "3.1.10", "3.1.11r5", "4", "4.0.1", "5.0"])
def test_a_version_that_is_not_spoken_is_refused(server: HostileServer, version: str) -> None:
    with pytest.raises(NotSupported):
        connector_of(server, version)


def test_further_pages_of_a_list_cost_no_quota() -> None:
    assert UkObie.info.counts_pages is False
    assert UkObie.info.versions == ("3.1.11", "4.0")


# -- the customer's address --------------------------------------------------------------------------------------------


def test_while_the_customer_is_present_every_resource_call_says_where_they_are(server: HostileServer) -> None:
    connector = connector_of(server, customer_ip_address="203.0.113.7")
    connector.accounts()
    connector.balances("22289")
    connector.consent_status(bank_consent_id=CONSENT)

    sent = heads(server)
    for path in ("/aisp/accounts", "/aisp/accounts/22289/balances"):
        assert "x-fapi-customer-ip-address: 203.0.113.7" in sent[path]
    for path in ("/token", CONSENT_PATH):
        assert "x-fapi-customer-ip-address" not in sent[path]
    assert not any("x-customer-user-agent" in head for head in sent.values())


def test_while_nobody_is_present_no_call_says_otherwise(server: HostileServer) -> None:
    connector_of(server).accounts()

    assert "x-fapi-customer-ip-address" not in heads(server)["/aisp/accounts"]
    assert "authorization: bearer customers-token" in heads(server)["/aisp/accounts"]


def test_an_address_that_is_no_header_value_is_never_sent(server: HostileServer) -> None:
    with pytest.raises(BankMisconfigured):
        connector_of(server, customer_ip_address="203.0.113.7\r\nX-Evil: 1").accounts()

    assert server.requests == []


# -- what the bank says of a consent -----------------------------------------------------------------------------------


def test_a_consent_that_stands(server: HostileServer, version: str) -> None:
    server.scripted[CONSENT_PATH] = consent(AUTHORISED[version], "2026-05-30T00:00:00+01:00")

    status = connector_of(server, version).consent_status(bank_consent_id=CONSENT)

    assert status == BankConsentStatus(ended=False, expires_at=datetime(2026, 5, 29, 23, tzinfo=UTC))
    assert "authorization: bearer own-token" in heads(server)[CONSENT_PATH]


@pytest.mark.parametrize("word", ["AwaitingAuthorisation", "AWAU", "Surprise"])
def test_a_status_that_does_not_say_the_end_is_no_end(server: HostileServer, version: str, word: str) -> None:
    server.scripted[CONSENT_PATH] = consent(word)

    assert connector_of(server, version).consent_status(bank_consent_id=CONSENT) == BankConsentStatus(
        ended=False, expires_at=None
    )


def test_a_consent_that_was_withdrawn_at_the_bank(server: HostileServer, version: str) -> None:
    server.scripted[CONSENT_PATH] = consent(REVOKED[version])

    assert connector_of(server, version).consent_status(bank_consent_id=CONSENT).ended


def test_a_consent_whose_day_has_come_has_ended_whatever_its_status(server: HostileServer, version: str) -> None:
    server.scripted[CONSENT_PATH] = consent(AUTHORISED[version], NOW.isoformat())

    status = connector_of(server, version).consent_status(bank_consent_id=CONSENT)

    assert status == BankConsentStatus(ended=True, expires_at=NOW)


def test_a_consent_that_the_bank_does_not_know_has_ended(server: HostileServer, version: str) -> None:
    for answer in (refusal(404), refusal(400, NOT_FOUND[version])):
        server.scripted[CONSENT_PATH] = answer

        assert connector_of(server, version).consent_status(bank_consent_id=CONSENT).ended


@pytest.mark.parametrize("expires_at", [1_800_000_000, "2026-05-30T00:00:00", "2026-05-30", "never", ["x"], ""])
def test_an_end_that_cannot_be_read_is_not_taken_for_open_ended(server: HostileServer, expires_at: object) -> None:
    server.scripted[CONSENT_PATH] = consent("AUTH", expires_at)

    with pytest.raises(BankFormatChanged):
        connector_of(server).consent_status(bank_consent_id=CONSENT)


def test_what_is_said_of_another_consent_says_nothing_of_this_one(server: HostileServer) -> None:
    server.scripted["/aisp/account-access-consents/consent-2"] = consent("CANC")

    with pytest.raises(BankFormatChanged):
        connector_of(server).consent_status(bank_consent_id="consent-2")


@pytest.mark.parametrize("status", [400, 401, 403])
def test_a_refusal_to_tell_is_no_end(server: HostileServer, version: str, status: int) -> None:
    server.scripted[CONSENT_PATH] = refusal(status, "UK.OBIE.Field.Invalid")

    with pytest.raises(BankMisconfigured):
        connector_of(server, version).consent_status(bank_consent_id=CONSENT)


def test_a_bank_that_is_down_says_nothing_of_a_consent(server: HostileServer, version: str) -> None:
    server.scripted[CONSENT_PATH] = json_answer({}, status=503)

    with pytest.raises(BankUnavailable):
        connector_of(server, version).consent_status(bank_consent_id=CONSENT)


# -- who is at fault, in each version's words --------------------------------------------------------------------------


def test_a_refusal_under_a_consent_that_ran_out_is_its_end(server: HostileServer, version: str) -> None:
    server.scripted["/aisp/accounts"] = refusal(403)
    server.scripted[CONSENT_PATH] = consent(AUTHORISED[version], (NOW - timedelta(seconds=1)).isoformat())

    with pytest.raises(BankConsentEnded):
        connector_of(server, version).accounts()


def test_a_bank_that_wants_the_customer_again_says_so_by_its_code(server: HostileServer, version: str) -> None:
    server.scripted[CONSENT_PATH] = consent(AUTHORISED[version])
    server.scripted["/aisp/accounts"] = refusal(403, REAUTHENTICATE[version])
    with pytest.raises(ReauthorisationRequired):
        connector_of(server, version).accounts()

    server.scripted["/aisp/accounts"] = refusal(403, "UK.OBIE.Header.Invalid")
    with pytest.raises(BankMisconfigured):
        connector_of(server, version).accounts()


def test_deleting_what_is_gone_is_done(server: HostileServer, version: str) -> None:
    server.scripted[CONSENT_PATH] = refusal(400, NOT_FOUND[version])
    connector_of(server, version).revoke(bank_consent_id=CONSENT)

    server.scripted[CONSENT_PATH] = refusal(400, "UK.OBIE.Field.Invalid")
    with pytest.raises(BankMisconfigured):
        connector_of(server, version).revoke(bank_consent_id=CONSENT)


def test_a_version_reads_its_own_words_through_the_whole_call(server: HostileServer) -> None:
    balance = {
        "AccountId": "22289",
        "CreditDebitIndicator": "Credit",
        "Type": "InterimAvailable",
        "DateTime": "2026-03-01T00:00:00Z",
        "Amount": {"Amount": "1.00", "Currency": "GBP"},
    }
    row = {
        "AccountId": "22289",
        "CreditDebitIndicator": "Credit",
        "Status": "Booked",
        "BookingDateTime": "2026-02-28T00:00:00Z",
        "Amount": {"Amount": "1.00", "Currency": "GBP"},
    }
    server.scripted["/aisp/accounts"] = json_answer(
        {"Data": {"Account": [{"AccountId": "22289", "Currency": "GBP", "AccountSubType": "Savings"}]}}
    )
    server.scripted["/aisp/accounts/22289/balances"] = json_answer({"Data": {"Balance": [balance]}})
    path = "/aisp/accounts/22289/transactions?fromBookingDateTime=2026-02-01T00%3A00%3A00"
    server.scripted[path] = json_answer({"Data": {"Transaction": [row]}, "Meta": {"TotalPages": 1}})
    connector = connector_of(server, "3.1.11")

    (account,) = connector.accounts()
    (available,) = connector.balances("22289")
    (page,) = connector.transactions("22289", since=NOW.date().replace(month=2), until=None)

    assert (account.account_type, available.type) == ("SVGS", "ITAV")
    assert (len(page.rows), page.pages_total) == (1, 1)
    assert json.loads(page.rows[0].raw)["Status"] == "Booked"
