"""A platform's word that its user is there: two headers, both right or refused, and worth what the bank makes of it."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from banks.models import Account, SyncJob
from consents import clock
from consents.models import BankPolicy
from gateway.api import presence
from gateway.errors import RequestInvalid
from tests.gateway.api import world
from tests.gateway.api.world import Api

NOW = datetime(2026, 3, 4, 12, 0, 0, tzinfo=UTC)
ADDRESS = "203.0.113.7"
GOOD = "Wed, 04 Mar 2026 11:50:00 GMT"


def said(address: str | None = ADDRESS, date: str | None = GOOD) -> presence.Attestation | None:
    headers = {presence.ADDRESS_HEADER: address, presence.DATE_HEADER: date}
    return presence.attestation({name: text for name, text in headers.items() if text is not None}, now=NOW)


def refusals(address: str | None = ADDRESS, date: str | None = GOOD) -> list[tuple[str | None, str]]:
    with pytest.raises(RequestInvalid) as refused:
        said(address, date)
    return [(finding.header, finding.code) for finding in refused.value.errors]


def there() -> dict[str, str]:
    sent_at = format_datetime(clock.now(), usegmt=True)
    return {"x_fapi_customer_ip_address": ADDRESS, "x_fapi_auth_date": sent_at}


def test_both_headers_are_taken_and_neither_is_fine_too() -> None:
    assert said() == presence.Attestation(ADDRESS, NOW - timedelta(minutes=10))
    assert said(None, None) is None


@pytest.mark.parametrize(
    ("address", "read"),
    [("203.0.113.7", "203.0.113.7"), ("2001:DB8::1", "2001:db8::1"), ("2001:db8:0:0:0:0:0:1", "2001:db8::1")],
)
def test_an_address_is_ipv4_or_ipv6(address: str, read: str) -> None:
    attested = said(address)

    assert attested is not None and attested.customer_ip_address == read


@pytest.mark.parametrize(
    "address",
    ["", " ", "203.0.113.7, 198.51.100.1", "203.0.113.7,198.51.100.1", "203.0.113.256", "203.0.113", "203.0.113.07",
     "203.0.113.7:443", "[2001:db8::1]", "2001:db8::1%eth0", "fe80::1%1", "localhost", "for=203.0.113.7", "1", "::g",
     "203.0.113.7\n", "２０３.0.113.7", "0x7f000001", "203.0.113.0/24", "unknown"],
)  # fmt: skip
def test_anything_else_is_no_address(address: str) -> None:
    assert refusals(address=address) == [(presence.ADDRESS_HEADER, "bad_address")]


@pytest.mark.parametrize(
    "date",
    ["", "now", "1772625000", "2026-03-04T11:50:00Z", "Wed, 4 Mar 2026 11:50:00 GMT", "Wed, 04 Mar 2026 11:50:00 UTC",
     "Wed, 04 Mar 2026 11:50:00 +0000", "Wed, 04 Mar 2026 11:50 GMT", "Wednesday, 04-Mar-26 11:50:00 GMT",
     "Wed Mar  4 11:50:00 2026", "Tue, 04 Mar 2026 11:50:00 GMT", "wed, 04 mar 2026 11:50:00 gmt",
     "Wed, 31 Feb 2026 11:50:00 GMT", "Wed, 04 Mar 2026 24:00:00 GMT", "Wed, 04 Mar 2026 11:50:60 GMT",
     "Wed, 04 Mar 0000 11:50:00 GMT", "Wed, 04 Mär 2026 11:50:00 GMT", GOOD + " ", GOOD + "\n", f"{GOOD}, {GOOD}"],
)  # fmt: skip
def test_a_date_is_an_imf_fixdate_and_no_other_form(date: str) -> None:
    assert refusals(date=date) == [(presence.DATE_HEADER, "bad_date")]


@pytest.mark.parametrize(("seconds", "taken"), [(-901, False), (-900, True), (0, True), (10, True), (11, False)])
def test_the_user_was_active_within_15_minutes_and_not_in_the_future(seconds: int, taken: bool) -> None:
    date = format_datetime(NOW + timedelta(seconds=seconds), usegmt=True)

    if taken:
        assert said(date=date) is not None
    else:
        assert refusals(date=date) == [(presence.DATE_HEADER, "out_of_range")]


def test_one_without_the_other_is_refused_and_every_finding_is_told() -> None:
    assert refusals(date=None) == [(presence.DATE_HEADER, "required")]
    assert refusals(address=None) == [(presence.ADDRESS_HEADER, "required")]
    assert refusals("x", "y") == [(presence.ADDRESS_HEADER, "bad_address"), (presence.DATE_HEADER, "bad_date")]


# -- over HTTP ---------------------------------------------------------------------------------------------------------


def test_bad_headers_are_400_at_every_address_and_leave_no_trace(api: Api, account_id: str) -> None:
    for path in ("/v1/accounts", f"/v1/accounts/{account_id}/balances", "/v1/consent", "/v1/transactions/sync"):
        answer = api.get(path, x_fapi_customer_ip_address=ADDRESS)

        assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request")
        assert answer.json()["errors"][0]["header"] == "x-fapi-auth-date"
    assert world.usage() == []


def test_without_a_token_the_headers_are_not_even_looked_at(db: None) -> None:
    assert Api(None).get("/v1/accounts", x_fapi_auth_date="nonsense").status_code == 401


@pytest.mark.parametrize(("accepted", "kept"), [(True, ("ATTESTED", True)), (False, ("ABSENT", False))])
def test_the_usage_row_says_what_the_bank_made_of_it(api: Api, accepted: bool, kept: tuple[str, bool]) -> None:
    BankPolicy.objects.update(accepts_attestation=accepted)

    assert api.get("/v1/accounts", **there()).status_code == 200

    (row,) = world.usage()
    assert (row.presence, row.attended) == kept


def test_without_the_headers_nobody_is_there(api: Api) -> None:
    BankPolicy.objects.update(accepts_attestation=True)

    api.get("/v1/accounts")

    assert [(row.presence, row.attended) for row in world.usage()] == [("ABSENT", False)]


def test_a_bank_that_wants_the_user_there_serves_on_a_word_it_takes(api: Api) -> None:
    BankPolicy.objects.update(requires_attended=True, accepts_attestation=False)
    untrusting = api.get("/v1/accounts", **there())
    BankPolicy.objects.update(accepts_attestation=True)

    assert (untrusting.status_code, untrusting.json()["code"]) == (403, "attended_required")
    assert api.get("/v1/accounts").json()["code"] == "attended_required"
    assert api.get("/v1/accounts", **there()).status_code == 200


@pytest.mark.parametrize("accepted", [True, False])
def test_a_refresh_passes_the_address_on_only_where_the_bank_takes_the_word(
    api: Api, account: Account, accepted: bool
) -> None:
    BankPolicy.objects.update(accepts_attestation=accepted)

    api.post("/v1/refreshes", **there())

    job = SyncJob.objects.get()
    expected = ("USER_ATTESTED", ADDRESS) if accepted else ("PLATFORM_READ", None)
    assert (job.trigger, job.customer_ip_address) == expected


def test_the_address_is_in_no_answer(api: Api) -> None:
    BankPolicy.objects.update(accepts_attestation=True)
    answers = [api.get("/v1/accounts", **there()), api.post("/v1/refreshes", **there())]

    assert not [answer for answer in answers if ADDRESS in answer.content.decode()]
