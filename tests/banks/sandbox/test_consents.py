"""Account access consents from lodging to the end: statuses, permissions, dates, and what an end does to tokens."""

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.support.bank_client import ALL_PERMISSIONS, BankClient, Pkce
from tests.support.sandbox_bank import SandboxBank

PATH = "/account-access-consents"


def status_of(client: BankClient, consent_id: str) -> str:
    answer = client.api("GET", f"{PATH}/{consent_id}", token=client.own_token())
    assert answer.status_code == 200
    return str(answer.json()["Data"]["Status"])


def test_a_new_consent_awaits_authorisation_and_says_what_was_asked(client: BankClient) -> None:
    sent = {
        "ExpirationDateTime": "2099-05-02T00:00:00+01:00",
        "TransactionFromDateTime": "2026-01-03T00:00:00+00:00",
        "TransactionToDateTime": "2098-12-03T00:00:00+00:00",
    }

    answer = client.create_consent(**sent)

    data = answer.json()["Data"]
    assert answer.status_code == 201
    assert data["Status"] == "AWAU"
    assert data["StatusReason"][0]["StatusReasonCode"] == "U036"
    assert data["Permissions"] == list(ALL_PERMISSIONS)
    # The bank must leave the instants as they were sent, offsets included.
    assert sent.items() <= data.items()
    read = client.api("GET", f"{PATH}/{data['ConsentId']}", token=client.own_token()).json()
    assert read == answer.json()


def test_allowing_makes_it_auth_and_refusing_makes_it_rjct(client: BankClient) -> None:
    for decision, expected in (("allow", "AUTH"), ("refuse", "RJCT")):
        consent_id = client.create_consent().json()["Data"]["ConsentId"]
        client.decide(client.request_object(consent_id, Pkce()), "happy", decision=decision)
        assert status_of(client, consent_id) == expected


def test_deleting_ends_consent_and_tokens_at_once(client: BankClient) -> None:
    client.connect("happy")
    path, own = f"{PATH}/{client.consent_id}", client.own_token()
    assert client.api("GET", "/accounts").status_code == 200

    assert client.api("DELETE", path, token=own).status_code == 204

    assert client.api("GET", "/accounts").status_code == 401
    assert client.refresh(client.tokens["refresh_token"]).json()["error"] == "invalid_grant"
    assert [client.api(method, path, token=own).status_code for method in ("GET", "DELETE")] == [400, 400]


def test_deleting_kills_a_code_that_was_not_exchanged_yet(client: BankClient) -> None:
    consent_id = client.create_consent().json()["Data"]["ConsentId"]
    pkce = Pkce()
    back = client.decide(client.request_object(consent_id, pkce), "happy")

    client.api("DELETE", f"{PATH}/{consent_id}", token=client.own_token())

    assert client.exchange(back["code"], pkce).json()["error"] == "invalid_grant"


def test_a_consent_ends_by_itself_at_its_expiration(client: BankClient) -> None:
    expires_at = datetime.now(UTC) + timedelta(seconds=1.2)
    client.connect("happy", ExpirationDateTime=expires_at.isoformat())
    assert client.api("GET", "/accounts").status_code == 200

    deadline = time.monotonic() + 5
    while client.api("GET", "/accounts").status_code == 200 and time.monotonic() < deadline:
        time.sleep(0.05)

    answer = client.api("GET", "/accounts")
    assert answer.status_code == 401
    assert [error["ErrorCode"] for error in answer.json()["Errors"]] == ["TKXP"]
    assert status_of(client, client.consent_id) == "EXPD"
    assert client.refresh(client.tokens["refresh_token"]).json()["error"] == "invalid_grant"


def test_cancelled_at_the_bank_means_authenticate_again_under_the_same_id(
    client: BankClient, bank: SandboxBank
) -> None:
    client.connect("happy")

    bank.control("POST", f"/control/consents/{client.consent_id}/cancel")

    answer = client.api("GET", "/accounts")
    assert (answer.status_code, {error["ErrorCode"] for error in answer.json()["Errors"]}) == (401, {"TKSP", "U028"})
    assert status_of(client, client.consent_id) == "CANC"
    assert client.refresh(client.tokens["refresh_token"]).json()["error"] == "invalid_grant"
    pkce = Pkce()
    back = client.decide(client.request_object(client.consent_id, pkce), "happy")
    client.tokens = client.exchange(back["code"], pkce).json()
    assert status_of(client, client.consent_id) == "AUTH"
    assert client.api("GET", "/accounts").status_code == 200


def test_refusing_to_authenticate_again_leaves_the_consent_in_force(client: BankClient) -> None:
    client.connect("happy")

    back = client.decide(client.request_object(client.consent_id, Pkce()), "happy", decision="refuse")

    assert back["error"] == "access_denied"
    assert client.api("GET", "/accounts").status_code == 200


def test_another_client_sees_no_such_consent(stranger: BankClient, client: BankClient) -> None:
    consent_id = client.create_consent().json()["Data"]["ConsentId"]

    own, absent = (
        stranger.api("GET", f"{PATH}/{id_}", token=stranger.own_token()) for id_ in (consent_id, "aac-none")
    )

    assert (own.status_code, absent.status_code) == (400, 400)
    assert {**own.json(), "Id": ""} == {**absent.json(), "Id": ""}
    assert stranger.api("DELETE", f"{PATH}/{consent_id}", token=stranger.own_token()).status_code == 400
    assert status_of(client, consent_id) == "AWAU"


def test_a_customers_token_does_not_open_consents(client: BankClient) -> None:
    client.connect("empty")

    assert client.api("GET", f"{PATH}/{client.consent_id}").status_code == 403


REFUSED_PERMISSIONS: dict[str, list[Any]] = {
    "none": [],
    "unknown": ["ReadAccountsBasic", "ReadEverything"],
    "of a resource the bank lacks": ["ReadAccountsBasic", "ReadBeneficiariesBasic"],
    "no accounts": ["ReadBalances"],
    "basic without a side": ["ReadAccountsBasic", "ReadTransactionsBasic"],
    "detail without a side": ["ReadAccountsBasic", "ReadTransactionsDetail"],
    "credits without a level": ["ReadAccountsBasic", "ReadTransactionsCredits"],
    "debits without a level": ["ReadAccountsBasic", "ReadTransactionsDebits"],
    "not texts": ["ReadAccountsBasic", 7],
    "nested": [["ReadAccountsBasic"]],
}


@pytest.mark.parametrize("permissions", REFUSED_PERMISSIONS.values(), ids=REFUSED_PERMISSIONS.keys())
def test_permission_sets_that_make_no_consent_are_400(client: BankClient, permissions: list[Any]) -> None:
    answer = client.api(
        "POST", PATH, token=client.own_token(), json={"Data": {"Permissions": permissions}, "Risk": {}}
    )

    assert answer.status_code == 400
    assert answer.json()["Errors"][0] | {"Message": ""} == {
        "ErrorCode": "U002",
        "Message": "",
        "Path": "Data.Permissions",
    }


def test_basic_and_detail_together_are_not_refused(client: BankClient) -> None:
    both = ("ReadAccountsBasic", "ReadAccountsDetail", "ReadTransactionsBasic", "ReadTransactionsDetail")

    assert client.create_consent(*both, "ReadTransactionsCredits").status_code == 201


OK = {"Permissions": ["ReadAccountsBasic"]}
REFUSED_BODIES: dict[str, tuple[Any, str]] = {
    "no Data": ({"Risk": {}}, "U004"),
    "Data a list": ({"Data": [], "Risk": {}}, "U004"),
    "a list": ([], "U004"),
    "no Risk": ({"Data": OK}, "U004"),
    "Risk with something": ({"Data": OK, "Risk": {"a": 1}}, "U004"),
    "no Permissions": ({"Data": {}, "Risk": {}}, "U004"),
    "Permissions a text": ({"Data": {"Permissions": "ReadAccountsBasic"}, "Risk": {}}, "U002"),
    "unknown member": ({"Data": {**OK, "Accounts": []}, "Risk": {}}, "U002"),
    "expired": ({"Data": {**OK, "ExpirationDateTime": "2020-01-01T00:00:00Z"}, "Risk": {}}, "U003"),
    "expiration no date": ({"Data": {**OK, "ExpirationDateTime": "soon"}, "Risk": {}}, "U003"),
    "expiration a number": ({"Data": {**OK, "ExpirationDateTime": 1893456000}, "Risk": {}}, "U003"),
    "the dawn of time": ({"Data": {**OK, "TransactionFromDateTime": "0001-01-01T00:00+14:00"}, "Risk": {}}, "U003"),
    "the end of time": ({"Data": {**OK, "TransactionToDateTime": "9999-12-31T23:59-14:00"}, "Risk": {}}, "U003"),
}


@pytest.mark.parametrize(("body", "code"), REFUSED_BODIES.values(), ids=REFUSED_BODIES.keys())
def test_bodies_that_are_no_consent_are_400(client: BankClient, body: Any, code: str) -> None:
    answer = client.api("POST", PATH, token=client.own_token(), json=body)

    assert (answer.status_code, answer.json()["Errors"][0]["ErrorCode"]) == (400, code)


NO_JSON = [
    b"",
    b"null",
    b"NaN",
    b"{",
    b"\xff\xfe",
    b"[" * 60_000,
    b'{"Data":',
    b'{"Data":{},"Data":{}}',
    b'{"Data":{"Permissions":["\\ud800"]},"Risk":{}}',
]


@pytest.mark.parametrize("raw", NO_JSON)
def test_bodies_that_are_no_json_are_400(client: BankClient, raw: bytes) -> None:
    headers = {"Content-Type": "application/json"}

    assert client.api("POST", PATH, token=client.own_token(), data=raw, headers=headers).status_code == 400


@pytest.mark.parametrize("kind", ["", "text/plain", "application/x-www-form-urlencoded", "application/xml"])
def test_other_content_types_are_415(client: BankClient, kind: str) -> None:
    answer = client.api("POST", PATH, token=client.own_token(), data=b"{}", headers={"Content-Type": kind})

    assert answer.status_code == 415


def test_dates_without_an_offset_are_london_time(client: BankClient) -> None:
    data = client.create_consent(ExpirationDateTime="2099-07-01T12:00:00").json()["Data"]

    assert data["ExpirationDateTime"] == "2099-07-01T12:00:00+01:00"


@pytest.mark.parametrize("consent_id", ["x", "aac-" + "0" * 32, "x" * 500, "%00", "é"])
@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_ids_that_never_were_are_400(client: BankClient, method: str, consent_id: str) -> None:
    answer = client.api(method, f"{PATH}/{consent_id}", token=client.own_token())

    assert answer.status_code in (400, 404)
