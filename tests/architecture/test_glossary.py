"""One word per thing. The design's words are written out here; code, API and database are held to them.

A word that changes is a change of the API: it begins in this list.
"""

import ast
import re
from enum import Enum
from typing import Any

import pytest
from django.apps import apps
from django.db import models

from banks import types
from banks.admission import BreakerStatus, Refusal
from banks.models import SyncJobStatus, SyncTrigger
from banks.read import UpdateStatus
from banks.refresh_status import RefreshStatus
from consents import denials, events, policy_terms, reasons, scopes, states
from consents.models.policy import ProposalKind, ProposalStatus
from gateway import problems
from gateway.identity.models import MembershipRole
from gateway.notify.models import NoticeKind, NoticeStatus
from gateway.portal.models import ExportStatus
from tests.architecture import source

WORDS: dict[type[Enum], str] = {
    scopes.Scope: (
        "accounts account_numbers balances transactions merchants locations counterparties insights alerts answers"
    ),
    scopes.Purpose: "balance_check fraud_alerts spending_insights budgeting account_overview",
    scopes.LocationPrecision: "country city store",
    scopes.SensitiveGroup: "NONE HEALTH GAMBLING ADULT ALCOHOL_TOBACCO RELIGION POLITICS CHARITY",
    scopes.DurationType: "ONE_TIME TIME_BOUND PERSISTENT",
    scopes.Record: "account balance transaction",
    scopes.Presence: "ABSENT ATTESTED PRESENT",
    states.ConsentStatus: ("AWAITING_AUTHORISATION AUTHORISED PAUSED SUSPENDED REJECTED REVOKED EXPIRED CONSUMED"),
    states.ConsentAccountStatus: "ACTIVE SUSPENDED REVOKED",
    states.PlatformStatus: "PENDING ACTIVE INACTIVE SUSPENDED REVOKED SURRENDERED REMOVED",
    states.ConnectionStatus: (
        "AWAITING_USER ACTIVE DEGRADED RATE_LIMITED EXPIRING REAUTH_REQUIRED SUSPENDED REVOKED EXPIRED CLOSED"
    ),
    states.PolicyStatus: "ALLOW SUSPEND BLOCK",
    states.Initiator: "USER PLATFORM BANK OPERATOR SYSTEM",
    denials.Owner: "USER BANK PLATFORM OPERATOR",
    denials.Action: (
        "ask_the_user_for_a_new_consent wait_until_the_user_resumes ask_the_user_to_renew_the_bank_connection "
        "name_a_granted_purpose call_while_the_user_is_present use_the_fapi2_profile contact_the_bank "
        "contact_the_operator"
    ),
    denials.DenialCode: (
        "consent_not_authorised consent_paused consent_suspended consent_revoked consent_expired consent_consumed "
        "user_inactive platform_not_active purpose_required purpose_not_granted attended_required profile_required "
        "policy_absent policy_suspended policy_blocked policy_excludes accounts_suspended connection_not_serving "
        "no_accounts"
    ),
    events.EventType: (
        "consent.granted consent.rejected consent.narrowed consent.paused consent.resumed consent.expiring "
        "consent.expired consent.suspended consent.revoked "
        "connection.linked connection.needs_renewal connection.degraded connection.recovered transactions.updated"
    ),
    types.TransactionStatus: "PENDING BOOKED REMOVED",
    types.TransactionKind: ("CARD_PAYMENT TRANSFER DIRECT_DEBIT STANDING_ORDER CASH FEE INTEREST SALARY REFUND OTHER"),
    types.AccountStatus: "OPEN CLOSED PENDING_OPEN PENDING_CLOSE RESTRICTED",
    types.AccountCategory: "DEPOSIT CREDIT_CARD LOAN INVESTMENT",
    types.InstitutionStatus: "ALIVE PARTIAL MAINTENANCE DOWN",
    SyncJobStatus: "QUEUED LEASED RETRY_WAIT COMMITTED FAILED CANCELLED",
    SyncTrigger: "USER_PRESENT USER_ATTESTED PLATFORM_READ SCHEDULE BANK_EVENT BACKFILL",
    UpdateStatus: "FIRST_SYNC BACKFILLING CURRENT",
    RefreshStatus: "QUEUED RUNNING DONE PARTIAL FAILED REFUSED",
    BreakerStatus: "CLOSED OPEN HALF_OPEN",
    Refusal: "institution_paused institution_busy institution_throttled",
    MembershipRole: "BANK_ADMIN PLATFORM_ADMIN",
    states.UpstreamStage: "UPSTREAM_CANCELLED UPSTREAM_RETRYING UPSTREAM_IMPOSSIBLE NOT_APPLICABLE",
    states.RevocationStage: (
        "REQUESTED TOKENS_DEAD SERVING_STOPPED PURGED UPSTREAM PLATFORM_NOTIFIED PLATFORM_ACKED ACK_OVERDUE"
    ),
    states.ReportCode: "NOT_ME NOT_ASKED_FOR TOO_OFTEN TOO_MUCH",
    states.ReportOutcome: "WITHDRAWN UNFOUNDED UPHELD",
    policy_terms.StepUp: "bank passkey",
    reasons.StopReason: (
        "SECURITY_INCIDENT SUSPECTED_FRAUD MISUSE_OF_DATA COMPLAINTS LEGAL_ORDER CONTRACT_ENDED PLANNED_WORK"
    ),
    reasons.OpenReason: "CAUSE_RESOLVED RISK_REVIEWED CONTRACT_CHANGED MADE_BY_MISTAKE",
    reasons.LookupReason: "ASKED_BY_YOU COMPLAINT FRAUD_CASE LEGAL_DUTY",
    ProposalKind: "WIDEN LIFT WITHDRAW MERCHANT",
    ProposalStatus: "WAITING SIGNED REFUSED SUPERSEDED",
    NoticeKind: (
        "consent.granted consent.narrowed consent.paused consent.resumed consent.expiring consent.expired "
        "consent.suspended consent.revoked connection.linked connection.needs_renewal "
        "usage.summary download.ready profile.closed"
    ),
    NoticeStatus: "PENDING LEASED SENT KEPT FAILED",
    ExportStatus: "QUEUED LEASED RETRY_WAIT READY FAILED",
}

#: Problem codes besides the denials' own.
PROBLEM_CODES = (
    "scope_not_granted permit_expired invalid_token invalid_request purpose_unknown cursor_invalid "
    "request_not_allowed signature_rejected account_not_found consent_not_found institution_not_found not_found "
    "method_not_allowed not_acceptable transition_refused content_too_large unsupported_media_type "
    "rate_limited service_unavailable internal_error "
    "cursor_stale refresh_not_found refresh_refused idempotency_key_reused "
    "consent_token_required platform_token_required events_gone"
)

#: Words of `suggested_action` besides the denials' own.
PROBLEM_ACTIONS = (
    "correct_the_request get_a_new_token try_again_later begin_again_without_the_cursor look_at_every_consent"
)


@pytest.mark.parametrize("vocabulary", WORDS, ids=lambda enum: enum.__name__)
def test_a_vocabulary_has_the_designs_words_and_no_others(vocabulary: type[Enum]) -> None:
    assert [member.value for member in vocabulary] == WORDS[vocabulary].split()


def test_problem_codes_are_the_denials_and_these() -> None:
    assert {str(code) for code in problems.PROBLEM_CODES} == {
        *PROBLEM_CODES.split(),
        *WORDS[denials.DenialCode].split(),
    }


def test_suggested_actions_are_the_denials_and_these() -> None:
    suggested = {str(row.suggested_action) for row in problems.PROBLEMS.values() if row.suggested_action}

    assert suggested == {*PROBLEM_ACTIONS.split(), *WORDS[denials.Action].split()}


def test_every_name_of_a_member_is_its_word_in_capitals() -> None:
    """`Scope.MERCHANTS` is `merchants`: code and API say the same."""
    exempt = {denials.Action, events.EventType, NoticeKind}
    for vocabulary, words in WORDS.items():
        if vocabulary not in exempt:
            assert [member.name for member in vocabulary] == words.upper().split(), vocabulary.__name__


def test_event_types_name_their_subject_and_what_happened() -> None:
    for event in events.EventType:
        assert re.fullmatch(r"(consent|connection|transactions)\.[a-z_]+", event), event
        assert event.name == event.value.replace(".", "_").upper()


# -- no second spelling -----------------------------------------------------------------------------------------------

#: What other specifications and habits call our things. Banks' own words stay in banks.dialects.
SYNONYMS = {
    "merchant_names", "merchant_name_and_category", "shop_names", "locations_coarse", "locations_precise",
    "transactions_basic", "transactions_detail", "accounts_basic", "accounts_detail", "party", "counterparty",
    "AUTHORIZED", "AWAITING_AUTHORIZATION", "AwaitingAuthorisation", "Authorised", "APPROVED", "GRANTED", "DENIED",
    "CANCELED", "TERMINATED", "ONHOLD", "ON_HOLD", "DISABLED", "BLOCKED", "PSU", "TPP", "ASPSP", "CUSTOMER",
    "app", "third_party", "client_app", "datashare", "personal_finance", "POSTED", "SETTLED", "CONFIRMED", "DELETED",
    "consent.authorised", "consent.created", "consent.withdrawn", "consent.cancelled", "account.updated",
}  # fmt: skip


def _vocabulary() -> set[str]:
    more = (PROBLEM_CODES, PROBLEM_ACTIONS)
    return {word for words in (*WORDS.values(), *more) for word in words.split()}


def _respellings(word: str) -> set[str]:
    """The same word as somebody in a hurry writes it."""
    parts = word.split("_")
    written = {
        word.replace("ISED", "IZED").replace("ISATION", "IZATION").replace("ised", "ized").replace("isation", "ization")
    }
    if len(parts) > 1:
        camel = parts[0].lower() + "".join(part.title() for part in parts[1:])
        written |= {"-".join(parts), "-".join(parts).lower(), camel, camel[0].upper() + camel[1:]}
    return written - {word}


def _strings(tree: ast.Module) -> set[str]:
    return {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}


def _misspelt(tree: ast.Module) -> set[str]:
    words = _vocabulary()
    respelt = {spelling for word in words for spelling in _respellings(word)} - words
    return _strings(tree) & (respelt | SYNONYMS)


def test_no_module_spells_a_word_of_ours_a_second_way() -> None:
    found = {
        (name, word)
        for name, tree in source.modules().items()
        if not name.startswith("banks.dialects") and ".migrations." not in name
        for word in _misspelt(tree)
    }

    assert found == set()


@pytest.mark.parametrize(
    "word",
    ["AUTHORIZED", "balance-check", "balanceCheck", "AccountNumbers", "merchant_names", "no-accounts"],
)
def test_a_second_spelling_would_be_seen(word: str) -> None:
    assert _misspelt(ast.parse(f"status = {word!r}")) == {word}


def test_a_sync_job_is_the_only_thing_that_is_cancelled() -> None:
    """A consent is revoked, a platform suspended, a connection closed."""
    using = {
        name
        for name, tree in source.modules().items()
        if "CANCELLED" in _strings(tree) and not name.startswith("banks.dialects") and ".migrations." not in name
    }

    assert using == {"banks.models.jobs"}


# -- names of columns -------------------------------------------------------------------------------------------------

OURS = {"banks", "consents", "identity", "oauth"}
#: Names that come from the toolkit or from Django.
INHERITED = {"created", "updated", "expires", "revoked", "last_checked", "last_login", "date_joined"}
#: Edges and freshness say what they are: from when, until when, as of when.
EDGES = {
    "effective_from", "lease_until", "breaker_until", "probe_until", "next_refresh_after",
    "as_of", "balances_as_of", "transactions_as_of", "history_from",
}  # fmt: skip
NOT_A_DAY = {"month"}


def _columns() -> list[tuple[str, Any]]:
    return [
        (f"{model._meta.label}.{field.name}", field)
        for model in apps.get_models()
        if model._meta.app_label in OURS
        for field in model._meta.local_fields
    ]


def test_an_instant_ends_in_at_and_a_day_ends_in_on() -> None:
    wrong = []
    for label, field in _columns():
        if field.name in INHERITED | EDGES:
            continue
        if isinstance(field, models.DateTimeField):
            right = field.name.endswith("_at")
        elif isinstance(field, models.DateField):
            right = field.name.endswith("_on") or field.name in NOT_A_DAY
        else:
            right = not field.name.endswith(("_at", "_on"))
        if not right:
            wrong.append(label)

    assert wrong == []


def test_money_is_an_integer_of_minor_units_and_says_so() -> None:
    wrong = []
    for label, field in _columns():
        means_money = re.search(r"amount|balance|money|price|fee|limit|opening", field.name)
        if isinstance(field, models.DecimalField | models.FloatField) or (
            isinstance(field, models.IntegerField) and bool(means_money) != field.name.endswith("_minor")
        ):
            wrong.append(label)

    assert wrong == []


def test_every_amount_has_its_currency_beside_it() -> None:
    for model in apps.get_models():
        names = {field.name for field in model._meta.local_fields}
        for name in names:
            if name.endswith("amount_minor"):
                assert name.replace("amount_minor", "currency") in names, model._meta.label


def test_units_of_a_length_of_time_come_last() -> None:
    wrong = [
        label
        for label, field in _columns()
        if re.search(r"(^|_)(days|seconds|minutes|hours)", field.name)
        and not re.search(r"_(days|seconds|minutes|hours)(_max|_min)?$", field.name)
    ]

    assert wrong == []
