"""Every refusal of customer data is counted at the banks it concerns, and the count never changes the answer."""

from datetime import UTC

import pytest
from django.db import DatabaseError

from banks.models import Account, Institution
from consents import clock, lifecycle, traffic
from consents.models import BankPolicy, RefusedCount
from consents.states import PolicyStatus
from gateway.identity.models import User
from tests.gateway.api.conftest import LetIn
from tests.support import cast
from tests.support.cast import Member
from tests.support.staff import BY_BANK


def counted() -> dict[tuple[object, str], int]:
    return {(row.institution_id, row.code): row.calls for row in RefusedCount.objects.all()}


def test_refusals_of_a_minute_add_up_in_one_row(let_in: LetIn, account: Account, northbank: Institution) -> None:
    api = let_in()
    BankPolicy.objects.update(status=PolicyStatus.SUSPEND)

    for _ in range(3):
        assert api.get("/v1/accounts").status_code == 403

    rows = list(RefusedCount.objects.all())
    assert sum(row.calls for row in rows) == 3
    assert {(row.institution_id, row.code) for row in rows} == {(northbank.id, "policy_suspended")}
    assert all(row.refused_at.second == 0 and row.refused_at.tzinfo == UTC for row in rows)


def test_what_is_answered_is_not_counted(let_in: LetIn, account: Account) -> None:
    api = let_in()

    assert api.get("/v1/accounts").status_code == 200
    assert api.get("/v1/accounts/acc_" + "0" * 32).status_code == 404

    assert counted() == {}


def test_looking_at_the_consent_itself_is_no_refusal(let_in: LetIn, account: Account) -> None:
    api = let_in()
    BankPolicy.objects.update(status=PolicyStatus.SUSPEND)

    assert api.get("/v1/consent").status_code == 200

    assert counted() == {}


def test_each_bank_under_a_consent_gets_its_own_reason(
    let_in: LetIn, account: Account, northbank: Institution, alice: User
) -> None:
    southbank = cast.institution("southbank")
    other = cast.account(cast.connection(alice, southbank))
    api = let_in(accounts=[account, other])
    BankPolicy.objects.filter(institution_id=northbank.id).update(status=PolicyStatus.SUSPEND)

    assert api.get("/v1/accounts").status_code == 403

    assert counted() == {(northbank.id, "policy_suspended"): 1, (southbank.id, "policy_absent"): 1}


def test_a_bank_whose_part_ended_is_not_concerned(let_in: LetIn, account: Account, alice: User) -> None:
    southbank = cast.institution("southbank")
    cast.permissive_policy(southbank)
    other = cast.account(cast.connection(alice, southbank))
    api = let_in(accounts=[account, other])
    assert api.tokens is not None
    consent = api.tokens.consent
    lifecycle.revoke_accounts(
        consent_id=consent.id, institution_id=southbank.id, reason="test", actor=BY_BANK, now=clock.now()
    )
    lifecycle.pause(consent_id=consent.id, user_id=alice.id, actor=cast.BY_USER, now=clock.now())

    assert api.get("/v1/accounts").status_code == 403

    assert {institution for institution, _ in counted()} == {account.institution_id}


def test_a_consent_that_ended_while_its_token_was_left_is_counted_once(let_in: LetIn, account: Account) -> None:
    api = let_in()
    assert api.tokens is not None
    type(api.tokens.consent).objects.update(expires_at=clock.now())

    assert api.get("/v1/accounts").status_code == 401

    assert counted() == {(account.institution_id, "consent_expired"): 1}


def test_a_count_that_fails_leaves_the_refusal_as_it_is(
    let_in: LetIn, account: Account, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    api = let_in()
    BankPolicy.objects.update(status=PolicyStatus.SUSPEND)

    def broken(**_: object) -> None:
        raise DatabaseError("gone")

    monkeypatch.setattr(traffic, "count_refused", broken)

    answer = api.get("/v1/accounts")

    assert (answer.status_code, answer.json()["code"]) == (403, "policy_suspended")
    assert counted() == {}
    assert "not counted" in caplog.text


def test_a_refused_call_leaves_no_trace_of_the_person(let_in: LetIn, account: Account, chat: Member) -> None:
    api = let_in()
    BankPolicy.objects.update(status=PolicyStatus.SUSPEND)
    api.get("/v1/accounts")

    fields = {field.name for field in RefusedCount._meta.get_fields()}
    assert fields == {"id", "institution_id", "platform_id", "code", "refused_at", "calls"}
    assert RefusedCount.objects.get().platform_id == chat.platform.id
