"""A token opens nothing by itself: the consent behind it is looked at on every request."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from banks.models import Account, Connection
from consents import clock
from consents.models import AccessToken, BankPolicy, Consent, ConsentAccount, Platform
from consents.states import ConnectionStatus, ConsentAccountStatus, ConsentStatus, PlatformStatus, PolicyStatus
from gateway.identity.models import User
from tests.gateway.api import world
from tests.gateway.api.conftest import LetIn
from tests.gateway.api.world import Api
from tests.support import cast

DATA = ("/v1/accounts", "/v1/accounts/{id}", "/v1/accounts/{id}/balances", "/v1/accounts/{id}/transactions")
REST = ("/v1/consent", "/v1/institutions")

Change = Callable[[Consent], object]


def status(value: ConsentStatus) -> Change:
    # Straight into the row: the doors that pause and suspend are another part's.
    return lambda consent: Consent.objects.filter(id=consent.id).update(status=value)


def platform(value: PlatformStatus) -> Change:
    return lambda consent: Platform.objects.filter(id=consent.platform_id).update(status=value)


def policy(**columns: object) -> Change:
    return lambda consent: BankPolicy.objects.update(**columns)


def connection(**columns: object) -> Change:
    return lambda consent: Connection.objects.update(**columns)


def token_expired(consent: Consent) -> None:
    AccessToken.objects.update(expires=clock.now())


def user_inactive(consent: Consent) -> None:
    User.objects.filter(id=consent.user_id).update(is_active=False)


def consent_past_its_instant(consent: Consent) -> None:
    Consent.objects.filter(id=consent.id).update(expires_at=clock.now())


ENDED: dict[str, tuple[Change, str]] = {
    "revoked by the user": (cast.revoke, "invalid_token"),
    "expired by the clock alone": (consent_past_its_instant, "consent_expired"),
    "marked expired": (status(ConsentStatus.EXPIRED), "consent_expired"),
    "marked revoked, token left behind": (status(ConsentStatus.REVOKED), "consent_revoked"),
    "marked rejected": (status(ConsentStatus.REJECTED), "consent_not_authorised"),
    "not answered yet": (status(ConsentStatus.AWAITING_AUTHORISATION), "consent_not_authorised"),
    "consumed": (status(ConsentStatus.CONSUMED), "consent_consumed"),
    "user inactive": (user_inactive, "invalid_token"),
    "token expired": (token_expired, "invalid_token"),
}

WAITING: dict[str, tuple[Change, str, str]] = {
    "paused": (status(ConsentStatus.PAUSED), "consent_paused", "USER"),
    "suspended": (status(ConsentStatus.SUSPENDED), "consent_suspended", "OPERATOR"),
    "bank suspends": (policy(status=PolicyStatus.SUSPEND), "policy_suspended", "BANK"),
    "bank blocks": (policy(status=PolicyStatus.BLOCK), "policy_blocked", "BANK"),
    "bank has no policy": (lambda _: BankPolicy.objects.all().delete(), "policy_absent", "BANK"),
    "bank does not take the purpose": (policy(purposes=["budgeting"]), "policy_excludes", "BANK"),
    "bank takes no scope": (policy(scopes=["answers"]), "policy_excludes", "BANK"),
    "bank wants the user present": (policy(requires_attended=True), "attended_required", "PLATFORM"),
    "bank demands fapi2": (policy(requires_fapi2=True), "profile_required", "PLATFORM"),
    "accounts suspended": (
        lambda _: ConsentAccount.objects.update(status=ConsentAccountStatus.SUSPENDED),
        "accounts_suspended",
        "BANK",
    ),
    "connection revoked": (connection(status=ConnectionStatus.REVOKED), "connection_not_serving", "USER"),
    "connection expired": (connection(consent_expires_at=clock.now()), "connection_not_serving", "USER"),
}


@pytest.mark.parametrize("name", ENDED)
@pytest.mark.parametrize("path", DATA + REST)
def test_what_has_ended_is_401_everywhere(api: Api, account_id: str, name: str, path: str) -> None:
    change, code = ENDED[name]
    assert api.tokens is not None

    change(api.tokens.consent)

    answer = api.get(path.format(id=account_id))
    assert (answer.status_code, answer.json()["code"]) == (401, code)
    assert answer["WWW-Authenticate"].startswith("Bearer ") and 'error="invalid_token"' in answer["WWW-Authenticate"]
    assert world.usage() == []


@pytest.mark.parametrize("name", WAITING)
@pytest.mark.parametrize("path", DATA)
def test_what_waits_is_403_with_its_owner(api: Api, account_id: str, name: str, path: str) -> None:
    change, code, owner = WAITING[name]
    assert api.tokens is not None

    change(api.tokens.consent)

    answer = api.get(path.format(id=account_id))
    assert (answer.status_code, answer.json()["code"], answer.json()["owner"]) == (403, code, owner)
    assert answer.json()["suggested_action"] and answer.json()["display_message"]
    assert "WWW-Authenticate" not in answer
    assert world.usage() == []


@pytest.mark.parametrize("name", WAITING)
def test_what_waits_can_still_be_looked_at(api: Api, name: str) -> None:
    change, code, owner = WAITING[name]
    assert api.tokens is not None

    change(api.tokens.consent)

    body = api.get("/v1/consent").json()
    assert (body["denial"]["code"], body["denial"]["owner"]) == (code, owner)
    assert (body["open"], body["open_until"]) == ([], None)


@pytest.mark.parametrize("path", DATA + REST)
@pytest.mark.parametrize("value", [s for s in PlatformStatus if s != PlatformStatus.ACTIVE])
def test_a_platform_that_is_not_active_reads_nothing(
    api: Api, account_id: str, path: str, value: PlatformStatus
) -> None:
    assert api.tokens is not None

    platform(value)(api.tokens.consent)

    answer = api.get(path.format(id=account_id))
    assert (answer.status_code, answer.json()["code"]) == (403, "platform_not_active")
    assert world.usage() == []


@pytest.mark.parametrize(
    "authorization",
    [
        "",
        "Bearer",
        "Bearer ",
        "Bearer x",
        "Basic eDp5",
        "bearer\tx",
        "Bearer x y",
        "Token x",
        "Bearer " + "a" * 9000,
        "Bearer ü",
    ],
)
@pytest.mark.parametrize("path", ["/v1/accounts", "/v1/institutions", "/v1/consent"])
def test_without_a_good_token(db: None, authorization: str, path: str) -> None:
    headers = {"Authorization": authorization} if authorization else {}

    answer = Api(None).get(path, **headers)

    assert (answer.status_code, answer.json()["code"]) == (401, "invalid_token")
    assert ('error="invalid_token"' in answer["WWW-Authenticate"]) is bool(authorization)
    assert "resource_metadata=" in answer["WWW-Authenticate"]


@pytest.mark.parametrize("place", ["query", "cookie"])
def test_a_token_anywhere_else_is_no_token(api: Api, place: str) -> None:
    assert api.tokens is not None
    token = api.tokens.access_token
    nobody = Api(None)

    answer = (
        nobody.get("/v1/accounts", {"access_token": token})
        if place == "query"
        else nobody.get("/v1/accounts", Cookie=f"access_token={token}")
    )

    assert answer.status_code == 401


def test_a_session_of_the_user_is_no_token(alice: User, account: Account) -> None:
    from django.test import Client

    browser = Client()
    browser.force_login(alice, backend="django.contrib.auth.backends.ModelBackend")

    assert browser.get("/v1/accounts").status_code == 401


def test_a_refresh_token_is_no_access_token(api: Api) -> None:
    assert api.tokens is not None

    assert api.get("/v1/accounts", Authorization=f"Bearer {api.tokens.refresh_token}").status_code == 401


def test_one_bank_stopping_leaves_the_other_banks_accounts(let_in: LetIn, alice: User, account: Account) -> None:
    south = cast.institution("southbank")
    cast.permissive_policy(south)
    (other,) = world.accounts_of(alice, south)
    api = let_in(accounts=[account, other])

    BankPolicy.objects.filter(institution_id=account.institution_id).update(status=PolicyStatus.SUSPEND)

    listed = api.get("/v1/accounts").json()["accounts"]
    assert [row["institution"]["id"] for row in listed] == ["southbank"]
    assert api.tokens is not None
    closed = world.seen(_member(api), "acc", account.id)
    assert api.get(f"/v1/accounts/{closed}").json()["code"] == "account_not_found"


def test_a_change_between_decision_and_answer_sends_nothing(
    api: Api, account_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The consent is paused after the rows were read: 403 for what it is now, not 401 for a token that lives."""
    from banks import permitted

    assert api.tokens is not None
    consent, commit = api.tokens.consent, permitted.commit_usage

    def paused_meanwhile(*arguments: object, **named: object) -> None:
        status(ConsentStatus.PAUSED)(consent)
        commit(*arguments, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(permitted, "commit_usage", paused_meanwhile)

    answer = api.get(f"/v1/accounts/{account_id}/transactions")

    assert (answer.status_code, answer.json()["code"]) == (403, "consent_paused")
    assert world.usage() == []


def test_the_newest_policy_applies_to_the_next_request(api: Api, account_id: str, account: Account) -> None:
    path = f"/v1/accounts/{account_id}/balances"
    before = api.get(path).status_code

    policy_row = BankPolicy.objects.get()
    policy_row.pk, policy_row._state.adding = None, True
    policy_row.id, policy_row.version, policy_row.scopes = cast.stranger(), 2, ["accounts"]
    policy_row.effective_from = clock.now() - timedelta(seconds=1)
    policy_row.save(force_insert=True)

    assert (before, api.get(path).json()["code"]) == (200, "scope_not_granted")


def _member(api: Api) -> cast.Member:
    assert api.tokens is not None
    return cast.Member(Platform.objects.get(id=api.tokens.consent.platform_id), "", "")
