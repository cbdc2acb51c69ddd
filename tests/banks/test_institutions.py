"""Adding a bank by data: what cannot work is refused at once, member by member."""

import json
from typing import Any

import pytest
from jwcrypto import jwk

from banks import institutions, sessions, vault
from banks.errors import InstitutionInvalid, UnknownConnector
from banks.institutions import InstitutionData
from banks.models import Institution
from tests.support.cast import NOW

pytestmark = pytest.mark.django_db

PRIVATE, PUBLIC = institutions.new_signing_key()


def bank(**changes: Any) -> InstitutionData:
    return InstitutionData(
        **{
            "slug": "acorn",
            "name": "Acorn Bank",
            "connector": "uk_obie",
            "version": "4.0",
            "issuer": "https://acorn.example",
            "authorization_url": "https://acorn.example/authorize",
            "token_url": "https://api.acorn.example/token",
            "resource_url": "https://api.acorn.example/aisp",
            "client_id": "sluice",
            "signing_key": PRIVATE,
            "country": "GB",
            "timezone": "Europe/London",
            **changes,
        }
    )


def key(**kind: Any) -> str:
    return str(jwk.JWK.generate(**kind).export())


def test_a_bank_is_added_by_data_and_its_key_is_sealed() -> None:
    row = institutions.add(bank(), now=NOW)

    assert Institution.objects.get(slug="acorn").id == row.id
    assert json.loads(sessions.profile_of(row).signing_key) == json.loads(PRIVATE)
    assert json.loads(PRIVATE)["d"].encode() not in bytes(row.sealed_signing_key)
    assert row.is_sandbox is False


def test_adding_it_again_brings_it_up_to_date_under_its_id() -> None:
    first = institutions.add(bank(), now=NOW)

    second = institutions.add(bank(name="Acorn & Sons"), now=NOW)

    assert (second.id, Institution.objects.get().name) == (first.id, "Acorn & Sons")


def test_the_key_opens_for_its_own_bank_only() -> None:
    acorn, birch = institutions.add(bank(), now=NOW), institutions.add(bank(slug="birch"), now=NOW)

    acorn.sealed_signing_key = birch.sealed_signing_key

    with pytest.raises(vault.Unsealable):
        sessions.profile_of(acorn)


def test_a_new_key_is_a_pair_whose_public_half_tells_nothing_private() -> None:
    (public,) = json.loads(PUBLIC)["keys"]

    assert "d" not in public
    assert public["x"] == json.loads(PRIVATE)["x"]


@pytest.mark.parametrize("member", ["issuer", "authorization_url", "token_url", "resource_url"])
@pytest.mark.parametrize(
    "url",
    [
        "http://acorn.example",
        "http://127.0.0.1:8001",
        "ftp://acorn.example",
        "acorn.example",
        "https://",
        "https://acorn.example/?a=b",
        "https://acorn.example/#a",
        "https://acorn.example/",
        "https://sluice@acorn.example",
    ],
)
def test_an_address_that_is_not_plain_https_is_refused(member: str, url: str) -> None:
    with pytest.raises(InstitutionInvalid) as refused:
        institutions.add(bank(**{member: url}), now=NOW)

    assert refused.value.field == member
    assert not Institution.objects.exists()


def test_a_sandbox_bank_may_live_on_loopback_and_nowhere_else_without_tls() -> None:
    institutions.add(bank(is_sandbox=True, token_url="http://127.0.0.1:8001/token"), now=NOW)

    with pytest.raises(InstitutionInvalid):
        institutions.add(bank(slug="other", is_sandbox=True, token_url="http://10.0.0.1/token"), now=NOW)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"version": "9.9"}, "version"),
        ({"timezone": "London"}, "timezone"),
        ({"timezone": "../etc/passwd"}, "timezone"),
        ({"timezone": ""}, "timezone"),
        ({"timezone": "Europe"}, "timezone"),
        ({"slug": "Bad Slug!"}, "slug"),
        ({"slug": "a"}, "slug"),
        ({"slug": "a" * 51}, "slug"),
        ({"slug": "acorn\n"}, "slug"),
        ({"name": ""}, "name"),
        ({"name": "A" * 121}, "name"),
        ({"name": "Acorn \u202eknaB"}, "name"),
        ({"name": "Acorn\nBank"}, "name"),
        ({"name": " "}, "name"),
        ({"client_id": ""}, "client_id"),
        ({"client_id": "s" * 121}, "client_id"),
        ({"issuer": "https://acorn.example/" + "a" * 300}, "issuer"),
        ({"issuer": "https://[::1"}, "issuer"),
        ({"token_url": "https://acorn.example:99999/token"}, "token_url"),
        ({"token_url": "https://acorn.example/to ken"}, "token_url"),
        ({"history_days_max": 0}, "history_days_max"),
        ({"history_days_max": 3651}, "history_days_max"),
        ({"consent_days_max": -5}, "consent_days_max"),
        ({"consent_days_max": 3651}, "consent_days_max"),
        ({"authentication_days_max": 0}, "authentication_days_max"),
        ({"authentication_days_max": 3651}, "authentication_days_max"),
        ({"concurrent_jobs_max": 0}, "concurrent_jobs_max"),
        ({"concurrent_jobs_max": 101}, "concurrent_jobs_max"),
        ({"calls_per_minute_max": 0}, "calls_per_minute_max"),
        ({"unattended_fetches_max": 0}, "unattended_fetches_max"),
        ({"unattended_fetches_max": 1001}, "unattended_fetches_max"),
        ({"attested_fetches_max": -1}, "attested_fetches_max"),
        ({"refresh_minutes": 4}, "refresh_minutes"),
        ({"refresh_minutes": 7 * 24 * 60 + 1}, "refresh_minutes"),
        ({"queue": "q" * 61}, "queue"),
        ({"queue": "a b"}, "queue"),
        ({"country": "UK"}, "country"),
        ({"country": "XX"}, "country"),
        ({"country": "ZZ"}, "country"),
        ({"country": "UKX"}, "country"),
        ({"country": "gb"}, "country"),
        ({"country": "1A"}, "country"),
        ({"signing_key": "no key"}, "signing_key"),
        ({"signing_key": "{}"}, "signing_key"),
        ({"signing_key": json.dumps(json.loads(PUBLIC)["keys"][0])}, "signing_key"),
        ({"signing_key": key(kty="RSA", size=1024)}, "signing_key"),
        ({"signing_key": key(kty="EC", crv="P-521")}, "signing_key"),
        ({"signing_key": key(kty="oct", size=256)}, "signing_key"),
    ],
)
def test_what_cannot_work_is_named(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(InstitutionInvalid) as refused:
        institutions.add(bank(**changes), now=NOW)

    assert refused.value.field == field
    assert not Institution.objects.exists()


def test_the_ends_of_each_range_are_good() -> None:
    for end in (0, 1):
        values = {member: ends[end] for member, ends in institutions.RANGES.items()}

        row = institutions.add(bank(**values), now=NOW)

        assert {member: getattr(row, member) for member in values} == values


def test_a_bank_that_asks_for_no_login_again_has_no_such_clock() -> None:
    assert institutions.add(bank(authentication_days_max=180), now=NOW).authentication_days_max == 180
    assert institutions.add(bank(), now=NOW).authentication_days_max is None


def test_a_private_key_is_never_in_the_refusal() -> None:
    weak = key(kty="RSA", size=1024)

    with pytest.raises(InstitutionInvalid) as refused:
        institutions.add(bank(signing_key=weak), now=NOW)

    assert json.loads(weak)["d"][:20] not in str(refused.value)


def test_an_rsa_key_of_2048_bits_will_do() -> None:
    assert institutions.add(bank(signing_key=key(kty="RSA", size=2048)), now=NOW).slug == "acorn"


def test_a_connector_that_is_not_installed_is_refused_and_those_that_are_get_named() -> None:
    with pytest.raises(UnknownConnector, match="not installed; there are: uk_obie"):
        institutions.add(bank(connector="carrier_pigeon"), now=NOW)


def test_each_bank_has_a_redirect_address_of_its_own() -> None:
    acorn, birch = (sessions.profile_of(institutions.add(bank(slug=slug), now=NOW)) for slug in ("acorn", "birch"))

    assert acorn.redirect_uri != birch.redirect_uri
