"""The decision as a table: each thing that can say no, who owns that no, and which no is told first."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta

import pytest

from consents.denials import Denial
from consents.policy import ENDED, Permit
from consents.scopes import LocationPrecision, Presence, Purpose, Record, Scope, SensitiveGroup
from consents.states import ConnectionStatus, ConsentAccountStatus, ConsentStatus, PlatformStatus, PolicyStatus
from tests.consents.scenes import ACORN, BIRCH, CARD, CURRENT, NOW, SAVINGS, Case, account, one_bank, two_banks

Scenario = Callable[[Case], Case]


def _name(value: object) -> str:
    return getattr(value, "__name__", "")


def _denial(case: Case) -> Denial:
    answer = case.decided()
    assert isinstance(answer, Denial), "a permit where there must be none"
    return answer


# -- scenarios: one fact spoilt each ----------------------------------------------------------------------------------


def consent_awaits_an_answer(case: Case) -> Case:
    return case.with_consent(status=ConsentStatus.AWAITING_AUTHORISATION)


def consent_was_rejected(case: Case) -> Case:
    return case.with_consent(status=ConsentStatus.REJECTED)


def consent_was_revoked(case: Case) -> Case:
    return case.with_consent(status=ConsentStatus.REVOKED)


def consent_is_marked_expired(case: Case) -> Case:
    return case.with_consent(status=ConsentStatus.EXPIRED)


def consent_was_consumed(case: Case) -> Case:
    return case.with_consent(status=ConsentStatus.CONSUMED)


def consent_ran_out_this_instant(case: Case) -> Case:
    return case.with_consent(expires_at=NOW)


def user_is_deactivated(case: Case) -> Case:
    return case.with_consent(user_active=False)


def consent_is_paused(case: Case) -> Case:
    return case.with_consent(status=ConsentStatus.PAUSED)


def consent_is_suspended(case: Case) -> Case:
    return case.with_consent(status=ConsentStatus.SUSPENDED)


def platform_is_suspended(case: Case) -> Case:
    return replace(case, platform=PlatformStatus.SUSPENDED)


def purpose_is_not_named_although_two_are_granted(case: Case) -> Case:
    return case.with_consent(purposes=frozenset({Purpose.BUDGETING, Purpose.ACCOUNT_OVERVIEW}))


def purpose_is_another(case: Case) -> Case:
    return replace(case, purpose=Purpose.BALANCE_CHECK)


def bank_has_no_policy(case: Case) -> Case:
    return case.with_slice(policy=None)


def bank_suspends(case: Case) -> Case:
    return case.with_policy(status=PolicyStatus.SUSPEND)


def bank_blocks(case: Case) -> Case:
    return case.with_policy(status=PolicyStatus.BLOCK)


def bank_accepts_another_purpose_only(case: Case) -> Case:
    return case.with_policy(purposes=frozenset({Purpose.BUDGETING}))


def bank_wants_the_user_present(case: Case) -> Case:
    return case.with_policy(requires_attended=True)


def bank_demands_fapi2(case: Case) -> Case:
    return case.with_policy(requires_fapi2=True)


def bank_accepts_a_day_and_it_is_over(case: Case) -> Case:
    return case.with_policy(duration_days_max=1)  # authorised exactly a day ago


def no_account_is_chosen(case: Case) -> Case:
    return case.with_slice(accounts=())


def bank_suspended_the_only_account(case: Case) -> Case:
    return case.with_account(status=ConsentAccountStatus.SUSPENDED)


def bank_revoked_the_only_account(case: Case) -> Case:
    return case.with_account(status=ConsentAccountStatus.REVOKED)


def connection_is_revoked(case: Case) -> Case:
    return case.with_account(connection_status=ConnectionStatus.REVOKED)


def connection_ran_out_this_instant(case: Case) -> Case:
    return case.with_account(connection_expires_at=NOW)


def bank_accepts_none_of_the_scopes(case: Case) -> Case:
    return case.with_policy(scopes=frozenset({Scope.BALANCES}))


def bank_accepts_details_without_their_ground(case: Case) -> Case:
    return case.with_policy(scopes=frozenset({Scope.LOCATIONS, Scope.MERCHANTS}))


DENIED: list[tuple[Scenario, str, str, str]] = [
    (consent_awaits_an_answer, "consent_not_authorised", "USER", "ask_the_user_for_a_new_consent"),
    (consent_was_rejected, "consent_not_authorised", "USER", "ask_the_user_for_a_new_consent"),
    (consent_was_revoked, "consent_revoked", "USER", "ask_the_user_for_a_new_consent"),
    (consent_is_marked_expired, "consent_expired", "USER", "ask_the_user_for_a_new_consent"),
    (consent_was_consumed, "consent_consumed", "USER", "ask_the_user_for_a_new_consent"),
    (consent_ran_out_this_instant, "consent_expired", "USER", "ask_the_user_for_a_new_consent"),
    (user_is_deactivated, "user_inactive", "OPERATOR", "contact_the_operator"),
    (consent_is_paused, "consent_paused", "USER", "wait_until_the_user_resumes"),
    (consent_is_suspended, "consent_suspended", "OPERATOR", "contact_the_operator"),
    (platform_is_suspended, "platform_not_active", "OPERATOR", "contact_the_operator"),
    (purpose_is_not_named_although_two_are_granted, "purpose_required", "PLATFORM", "name_a_granted_purpose"),
    (purpose_is_another, "purpose_not_granted", "PLATFORM", "name_a_granted_purpose"),
    (bank_has_no_policy, "policy_absent", "BANK", "contact_the_bank"),
    (bank_suspends, "policy_suspended", "BANK", "contact_the_bank"),
    (bank_blocks, "policy_blocked", "BANK", "contact_the_bank"),
    (bank_accepts_another_purpose_only, "policy_excludes", "BANK", "contact_the_bank"),
    (bank_wants_the_user_present, "attended_required", "PLATFORM", "call_while_the_user_is_present"),
    (bank_demands_fapi2, "profile_required", "PLATFORM", "use_the_fapi2_profile"),
    (bank_accepts_a_day_and_it_is_over, "consent_expired", "USER", "ask_the_user_for_a_new_consent"),
    (no_account_is_chosen, "no_accounts", "USER", "ask_the_user_for_a_new_consent"),
    (bank_suspended_the_only_account, "accounts_suspended", "BANK", "contact_the_bank"),
    (bank_revoked_the_only_account, "accounts_suspended", "BANK", "contact_the_bank"),
    (connection_is_revoked, "connection_not_serving", "USER", "ask_the_user_to_renew_the_bank_connection"),
    (connection_ran_out_this_instant, "connection_not_serving", "USER", "ask_the_user_to_renew_the_bank_connection"),
    (bank_accepts_none_of_the_scopes, "policy_excludes", "BANK", "contact_the_bank"),
    (bank_accepts_details_without_their_ground, "policy_excludes", "BANK", "contact_the_bank"),
]


def test_with_every_fact_in_order_there_is_a_permit() -> None:
    assert isinstance(one_bank().decided(), Permit)


@pytest.mark.parametrize(("spoilt", "code", "owner", "action"), DENIED, ids=_name)
def test_each_refusal_names_its_code_its_owner_and_what_they_would_do(
    spoilt: Scenario, code: str, owner: str, action: str
) -> None:
    denial = _denial(spoilt(one_bank()))

    assert (denial.code, denial.owner, denial.action) == (code, owner, action)


def test_every_denial_code_is_reached_by_a_row_of_the_table() -> None:
    from consents.denials import DENIALS, DenialCode

    assert {code for _, code, _, _ in DENIED} == set(DenialCode) == set(DENIALS)


# -- one open status each ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [s for s in ConsentStatus if s != "AUTHORISED"])
def test_no_status_of_a_consent_but_authorised_opens_anything(status: ConsentStatus) -> None:
    assert isinstance(one_bank().with_consent(status=status).decided(), Denial)


@pytest.mark.parametrize("status", [s for s in PlatformStatus if s != "ACTIVE"])
def test_no_status_of_a_platform_but_active_opens_anything(status: PlatformStatus) -> None:
    assert _denial(replace(one_bank(), platform=status)).code == "platform_not_active"


@pytest.mark.parametrize("status", [s for s in PolicyStatus if s != "ALLOW"])
def test_no_status_of_a_policy_but_allow_opens_anything(status: PolicyStatus) -> None:
    assert _denial(one_bank().with_policy(status=status)).owner == "BANK"


@pytest.mark.parametrize("status", [s for s in ConsentAccountStatus if s != "ACTIVE"])
def test_no_status_of_an_account_but_active_opens_it(status: ConsentAccountStatus) -> None:
    case = two_banks().with_account(status=status)

    permit = case.permitted()

    assert permit.slice_of(CURRENT) is None
    assert permit.slice_of(SAVINGS) is not None


@pytest.mark.parametrize("status", ["ACTIVE", "DEGRADED", "RATE_LIMITED", "EXPIRING", "REAUTH_REQUIRED"])
def test_a_connection_that_only_has_trouble_serves_what_is_stored(status: str) -> None:
    case = one_bank().with_account(connection_status=ConnectionStatus(status))

    assert isinstance(case.decided(), Permit)


@pytest.mark.parametrize("status", ["AWAITING_USER", "SUSPENDED", "REVOKED", "EXPIRED", "CLOSED"])
def test_a_connection_that_ended_or_never_began_serves_nothing(status: str) -> None:
    case = one_bank().with_account(connection_status=ConnectionStatus(status))

    assert _denial(case).code == "connection_not_serving"


def test_an_ended_consent_kills_its_tokens_and_a_waiting_one_does_not() -> None:
    assert {
        "consent_not_authorised",
        "consent_revoked",
        "consent_expired",
        "consent_consumed",
        "user_inactive",
    } == ENDED


# -- which no is told first -------------------------------------------------------------------------------------------

#: Earlier beats later: the end of the consent before its pauses, the consent before the bank, the bank before the link.
PRECEDENCE: list[tuple[Scenario, str]] = [
    (consent_ran_out_this_instant, "consent_expired"),
    (user_is_deactivated, "user_inactive"),
    (consent_is_paused, "consent_paused"),
    (platform_is_suspended, "platform_not_active"),
    (purpose_is_another, "purpose_not_granted"),
    (bank_suspends, "policy_suspended"),
    (bank_accepts_another_purpose_only, "policy_excludes"),
    (bank_wants_the_user_present, "attended_required"),
    (bank_accepts_a_day_and_it_is_over, "consent_expired"),
    (bank_suspended_the_only_account, "accounts_suspended"),
    (connection_is_revoked, "connection_not_serving"),
    (bank_accepts_none_of_the_scopes, "policy_excludes"),
]


@pytest.mark.parametrize(
    ("first", "code", "second"),
    [(first, code, second) for index, (first, code) in enumerate(PRECEDENCE) for second, _ in PRECEDENCE[index + 1 :]],
    ids=_name,
)
def test_of_two_reasons_the_one_nearer_to_the_user_is_told(first: Scenario, code: str, second: Scenario) -> None:
    assert _denial(second(first(one_bank()))).code == code


def test_a_revoked_consent_is_revoked_even_after_its_clock_ran_out() -> None:
    case = consent_was_revoked(consent_ran_out_this_instant(one_bank()))

    assert _denial(case).code == "consent_revoked"


def test_a_paused_consent_whose_clock_ran_out_is_expired_and_not_paused() -> None:
    case = consent_is_paused(consent_ran_out_this_instant(one_bank()))

    assert _denial(case).code == "consent_expired"


# -- purposes ---------------------------------------------------------------------------------------------------------


def test_the_only_granted_purpose_need_not_be_named() -> None:
    assert one_bank().permitted().purpose == Purpose.ACCOUNT_OVERVIEW


def test_a_consent_without_purposes_opens_nothing() -> None:
    assert _denial(one_bank().with_consent(purposes=frozenset())).code == "purpose_required"


def test_the_purpose_of_the_request_caps_its_scopes() -> None:
    case = replace(
        one_bank().with_consent(
            scopes=frozenset({Scope.ACCOUNTS, Scope.BALANCES, Scope.TRANSACTIONS}),
            purposes=frozenset({Purpose.BALANCE_CHECK, Purpose.ACCOUNT_OVERVIEW}),
        ),
        purpose=Purpose.BALANCE_CHECK,
    )

    (part,) = case.permitted().slices

    assert part.released == {Scope.ACCOUNTS, Scope.BALANCES}


# -- several banks ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "spoilt",
    [
        bank_has_no_policy,
        bank_suspends,
        bank_blocks,
        bank_accepts_another_purpose_only,
        bank_wants_the_user_present,
        bank_accepts_a_day_and_it_is_over,
        no_account_is_chosen,
        bank_accepts_none_of_the_scopes,
    ],
)
def test_one_bank_refuses_and_the_other_still_serves(spoilt: Scenario) -> None:
    permit = spoilt(two_banks()).permitted()

    assert [part.institution_id for part in permit.slices] == [BIRCH]
    assert permit.slice_of(CURRENT) is None
    assert permit.slice_of(CARD) is not None


def test_when_every_bank_refuses_the_first_reason_is_told() -> None:
    case = two_banks().with_policy(0, status=PolicyStatus.BLOCK).with_policy(1, status=PolicyStatus.SUSPEND)

    assert _denial(case).code == "policy_blocked"


def test_a_consent_over_no_bank_at_all_has_no_accounts() -> None:
    assert _denial(replace(one_bank(), slices=())).code == "no_accounts"


def test_each_bank_keeps_its_own_limits() -> None:
    case = (
        two_banks()
        .with_policy(0, history_days_max=7, location_precision=LocationPrecision.COUNTRY, on_platform_only=True)
        .with_policy(1, scopes=frozenset({Scope.ACCOUNTS}))
    )

    acorn, birch = case.permitted().slices

    assert acorn.institution_id == ACORN
    assert acorn.history_from == NOW.date() - timedelta(days=7)
    assert acorn.location_precision == LocationPrecision.COUNTRY
    assert acorn.on_platform_only
    assert birch.released == {Scope.ACCOUNTS}
    assert birch.history_from == date(2026, 1, 1)
    assert not birch.on_platform_only


def test_an_account_whose_link_fails_leaves_its_neighbour_served() -> None:
    case = two_banks().with_account(connection_status=ConnectionStatus.CLOSED)

    acorn, _ = case.permitted().slices

    assert acorn.account_ids == {SAVINGS}


# -- what the permit holds --------------------------------------------------------------------------------------------


def test_a_permit_says_for_whom_by_whom_and_what_for() -> None:
    case = replace(one_bank(), presence=Presence.PRESENT)

    permit = case.permitted()

    assert (permit.user_id, permit.consent_id, permit.platform_id) == (
        case.consent.user_id,
        case.consent.id,
        case.consent.platform_id,
    )
    assert permit.purpose == Purpose.ACCOUNT_OVERVIEW
    assert permit.presence == Presence.PRESENT
    assert [part.presence for part in permit.slices] == [Presence.PRESENT]
    assert permit.expires_at == case.consent.expires_at


def test_an_attended_call_passes_where_the_bank_wants_the_user_present() -> None:
    case = replace(bank_wants_the_user_present(one_bank()), presence=Presence.PRESENT)

    assert isinstance(case.decided(), Permit)


def test_a_platforms_word_that_the_user_is_there_counts_only_where_the_bank_takes_it() -> None:
    wanted = bank_wants_the_user_present(one_bank())
    deaf = replace(wanted, presence=Presence.ATTESTED)
    trusting = replace(wanted.with_policy(accepts_attestation=True), presence=Presence.ATTESTED)

    refused = deaf.decided()
    assert isinstance(refused, Denial) and refused.code == "attended_required"
    assert [part.presence for part in trusting.permitted().slices] == [Presence.ATTESTED]


def test_an_attestation_that_the_bank_does_not_take_makes_an_unattended_call() -> None:
    case = replace(one_bank(), presence=Presence.ATTESTED)

    assert [part.presence for part in case.permitted().slices] == [Presence.ABSENT]


def test_derived_scopes_are_never_among_the_released() -> None:
    case = one_bank().with_consent(
        scopes=frozenset({Scope.INSIGHTS, Scope.ALERTS, Scope.ANSWERS, Scope.ACCOUNTS}),
        purposes=frozenset({Purpose.BUDGETING}),
    )

    (part,) = case.permitted().slices

    assert part.released == {Scope.ACCOUNTS}
    assert part.derivable == {Scope.INSIGHTS, Scope.ALERTS, Scope.ANSWERS}


def test_insights_alone_release_no_record_at_all() -> None:
    case = one_bank().with_consent(scopes=frozenset({Scope.INSIGHTS}), purposes=frozenset({Purpose.SPENDING_INSIGHTS}))

    (part,) = case.permitted().slices

    assert [part.fields(record) for record in Record] == [(), (), ()]


def test_taking_transactions_away_takes_their_details_away() -> None:
    case = one_bank().with_policy(scopes=frozenset({Scope.ACCOUNTS, Scope.LOCATIONS}))

    (part,) = case.permitted().slices

    assert part.released == {Scope.ACCOUNTS}


@pytest.mark.parametrize(
    ("consented", "bank_days_max", "effective"),
    [
        (None, None, None),
        (date(2026, 1, 1), None, date(2026, 1, 1)),
        (None, 7, date(2026, 3, 3)),
        (date(2026, 1, 1), 7, date(2026, 3, 3)),
        (date(2026, 3, 9), 7, date(2026, 3, 9)),
    ],
)
def test_the_later_edge_of_history_holds(
    consented: date | None, bank_days_max: int | None, effective: date | None
) -> None:
    case = one_bank().with_consent(history_from=consented).with_policy(history_days_max=bank_days_max)

    (part,) = case.permitted().slices

    assert part.history_from == effective


@pytest.mark.parametrize(
    ("consented", "accepted", "effective"),
    [
        ("store", "store", "store"),
        ("store", "city", "city"),
        ("city", "store", "city"),
        ("country", "store", "country"),
        ("store", "country", "country"),
        (None, "store", None),
        ("store", None, None),
        (None, None, None),
    ],
)
def test_the_coarser_precision_holds_and_none_means_none(
    consented: str | None, accepted: str | None, effective: str | None
) -> None:
    case = one_bank().with_consent(location_precision=consented and LocationPrecision(consented))
    case = case.with_policy(location_precision=accepted and LocationPrecision(accepted))

    (part,) = case.permitted().slices

    assert part.location_precision == effective


@pytest.mark.parametrize(("consented", "wanted"), [(True, False), (False, True), (True, True)])
def test_on_platform_only_holds_when_either_side_says_so(consented: bool, wanted: bool) -> None:
    case = one_bank().with_consent(on_platform_only=consented).with_policy(on_platform_only=wanted)

    (part,) = case.permitted().slices

    assert part.on_platform_only


def test_both_sides_hidden_groups_are_hidden() -> None:
    case = one_bank().with_consent(hidden_groups=frozenset({SensitiveGroup.HEALTH}))
    case = case.with_policy(hidden_groups=frozenset({SensitiveGroup.GAMBLING}))

    (part,) = case.permitted().slices

    assert part.hidden_groups == {SensitiveGroup.HEALTH, SensitiveGroup.GAMBLING}


# -- clocks -----------------------------------------------------------------------------------------------------------


def test_a_consent_opens_until_its_last_instant_and_not_in_it() -> None:
    almost = one_bank().with_consent(expires_at=NOW + timedelta(microseconds=1))

    assert isinstance(almost.decided(), Permit)
    assert _denial(consent_ran_out_this_instant(almost)).code == "consent_expired"


@pytest.mark.parametrize(
    ("consent_ends", "policy_days", "connection_ends", "expected"),
    [
        (timedelta(hours=1), None, None, timedelta(hours=1)),
        (timedelta(days=50), 2, None, timedelta(days=1)),  # two days from authorisation, one of which is over
        (timedelta(days=50), None, timedelta(hours=3), timedelta(hours=3)),
        (timedelta(hours=1), 30, timedelta(hours=3), timedelta(hours=1)),
    ],
)
def test_a_permit_ends_with_the_first_of_its_clocks(
    consent_ends: timedelta, policy_days: int | None, connection_ends: timedelta | None, expected: timedelta
) -> None:
    case = one_bank().with_consent(expires_at=NOW + consent_ends).with_policy(duration_days_max=policy_days)
    case = case.with_account(connection_expires_at=connection_ends and NOW + connection_ends)

    assert case.permitted().expires_at == NOW + expected


def test_the_clock_of_an_account_that_is_not_served_does_not_count() -> None:
    case = one_bank().with_slice(
        accounts=(account(CURRENT), account(SAVINGS, connection_expires_at=NOW - timedelta(days=1)))
    )

    permit = case.permitted()

    assert permit.expires_at == case.consent.expires_at
    assert permit.slices[0].account_ids == {CURRENT}
