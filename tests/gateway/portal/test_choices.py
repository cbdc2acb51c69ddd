"""Whatever is chosen, posted or kept in a session: never more than was asked, than was shown, or than the bank allows.

No database: a question, a bank's policy and choices are made up, and the real functions decide.
"""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consents import lifecycle
from consents.denials import Denial
from consents.facts import consent_facts
from consents.models import Consent, Platform
from consents.policy import PermitSlice, decide
from consents.policy_facts import AccountFacts, PolicyFacts, Slice
from consents.requested import RequestedAccess, checked
from consents.scopes import LocationPrecision, Presence, Purpose, Scope, SensitiveGroup, consistent, implied
from consents.states import ConnectionStatus, ConsentAccountStatus, ConsentStatus, PlatformStatus, PolicyStatus
from gateway.identity.models import User
from gateway.portal.connect.choices import (
    OFFERED_DAYS,
    Choices,
    days_offered,
    from_session,
    precisions_offered,
    shortest_days,
    to_session,
)
from gateway.portal.disclosure import disclosure
from gateway.words import SCOPE_WORDS

NOW = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
BANK, ACCOUNT = UUID(int=1), UUID(int=2)
CLOSENESS = {None: 0, "country": 1, "city": 2, "store": 3}

groups = st.frozensets(st.sampled_from(sorted(set(SensitiveGroup) - {SensitiveGroup.NONE})), max_size=3)
scope_sets = st.frozensets(st.sampled_from(sorted(Scope)))
precisions = st.sampled_from(sorted(LocationPrecision))
choices = st.builds(
    Choices,
    optional_scopes=scope_sets,
    location_precision=precisions,
    on_platform_only=st.booleans(),
    hidden_groups=groups,
    is_one_time=st.booleans(),
    duration_days=st.one_of(st.none(), st.integers(1, 4000)),
)
policies = st.builds(
    PolicyFacts,
    status=st.just(PolicyStatus.ALLOW),
    scopes=st.one_of(st.just(frozenset(Scope)), scope_sets),
    purposes=st.just(frozenset(Purpose)),
    history_days_max=st.one_of(st.none(), st.integers(1, 400)),
    duration_days_max=st.one_of(st.none(), st.integers(1, 400)),
    location_precision=st.one_of(st.none(), precisions),
    on_platform_only=st.booleans(),
    hidden_groups=groups,
    requires_attended=st.just(False),
    accepts_attestation=st.just(True),
    requires_fapi2=st.just(False),
)


@st.composite
def questions(draw: st.DrawFn) -> Consent:
    """What a platform may really ask: it has been through `checked`."""
    needed = consistent(implied(draw(st.frozensets(st.sampled_from(sorted(Scope)), min_size=1)))) | {Scope.ACCOUNTS}
    scopes = consistent(implied(needed | draw(scope_sets)))
    asked = checked(
        RequestedAccess(
            scopes=scopes,
            purposes=frozenset(Purpose),
            optional_scopes=scopes - needed,
            duration_days=draw(st.integers(1, 365)),
            history_days=draw(st.integers(1, 730)),
            location_precision=draw(precisions) if Scope.LOCATIONS in scopes else None,
            on_platform_only=draw(st.booleans()),
            hidden_groups=draw(groups),
        ),
        allowed_purposes=frozenset(Purpose),
    )
    return Consent(
        user=User(id=UUID(int=3), is_active=True),
        platform=Platform(id=UUID(int=4), name="Chat"),
        status=ConsentStatus.AWAITING_AUTHORISATION,
        scopes=sorted(asked.scopes),
        optional_scopes=sorted(asked.optional_scopes),
        purposes=sorted(asked.purposes),
        duration_days=asked.duration_days,
        history_from=NOW.date() - timedelta(days=asked.history_days),
        location_precision=asked.location_precision,
        on_platform_only=asked.on_platform_only,
        hidden_groups=sorted(asked.hidden_groups),
        created_at=NOW - timedelta(minutes=5),
        expires_at=NOW + timedelta(minutes=55),
    )


def opened(wanted: Consent, policy: PolicyFacts) -> list[tuple[PermitSlice, datetime]]:
    """For every purpose: what `decide` lets out."""
    account = AccountFacts(
        account_id=ACCOUNT,
        status=ConsentAccountStatus.ACTIVE,
        connection_status=ConnectionStatus.ACTIVE,
        connection_expires_at=None,
    )
    part = Slice(institution_id=BANK, policy=policy, accounts=(account,))
    facts = consent_facts(wanted)
    answers = [decide(facts, [part], PlatformStatus.ACTIVE, one, Presence.PRESENT, NOW) for one in Purpose]
    return [(one.slices[0], one.expires_at) for one in answers if not isinstance(one, Denial)]


def as_chosen(question: Consent, chosen: Choices) -> Consent:
    scopes, narrower = chosen.scopes(question), chosen.narrower(question)
    return lifecycle.as_if_authorised(question, scopes=scopes, narrower=narrower, now=NOW)


@settings(max_examples=300)
@given(questions(), choices, policies)
def test_t2_effective_rights_are_never_more_than_asked_and_chosen_and_shown_and_what_the_bank_allows(
    question: Consent, chosen: Choices, policy: PolicyFacts
) -> None:
    asked, optional = set(question.scopes), set(question.optional_scopes)
    wanted = as_chosen(question, chosen)
    shown = disclosure(question, wanted, at_banks=[], accounts=[]).text

    for part, expires_at in opened(wanted, policy):
        granted = part.released | part.derivable
        assert granted <= asked and granted <= policy.scopes
        assert granted & optional <= chosen.optional_scopes
        for scope in granted:
            assert SCOPE_WORDS[scope].label in shown
        if Scope.LOCATIONS in granted:
            assert CLOSENESS[part.location_precision] <= CLOSENESS[question.location_precision]
            assert CLOSENESS[part.location_precision] <= CLOSENESS[chosen.location_precision]
            assert CLOSENESS[part.location_precision] <= CLOSENESS[policy.location_precision]
        assert part.on_platform_only >= (
            question.on_platform_only or chosen.on_platform_only or policy.on_platform_only
        )
        assert part.hidden_groups >= chosen.hidden_groups | policy.hidden_groups | set(question.hidden_groups)
        assert part.history_from is not None and question.history_from is not None
        assert part.history_from >= question.history_from
        assert expires_at <= NOW + timedelta(days=question.duration_days or 0)
        if chosen.is_one_time:
            assert expires_at <= NOW + lifecycle.ONE_TIME_WINDOW
        elif chosen.duration_days is not None:
            assert expires_at <= NOW + timedelta(days=chosen.duration_days)
        if policy.duration_days_max is not None:
            assert expires_at <= NOW + timedelta(days=policy.duration_days_max)


@settings(max_examples=100)
@given(questions(), choices)
def test_what_is_needed_is_always_in_it_and_the_question_stays_as_it_was(question: Consent, chosen: Choices) -> None:
    before = (question.status, list(question.scopes), question.duration_days, question.expires_at)

    wanted = as_chosen(question, chosen)

    assert set(wanted.scopes) >= set(question.scopes) - set(question.optional_scopes)
    assert (question.status, list(question.scopes), question.duration_days, question.expires_at) == before


@settings(max_examples=100)
@given(choices)
def test_a_session_keeps_choices_as_they_were(chosen: Choices) -> None:
    assert from_session(to_session(chosen)) == chosen


@settings(max_examples=100)
@given(questions(), st.integers(0, 400))
def test_days_on_offer_are_within_what_was_asked_and_what_the_bank_allows(question: Consent, longest: int) -> None:
    days = days_offered(question, timedelta(days=longest))

    assert days == sorted(set(days)) and days
    assert days[-1] == max(min(question.duration_days or 0, longest), 1)
    assert set(days[:-1]) <= set(OFFERED_DAYS)
    assert shortest_days(question) <= (question.duration_days or 0)


@pytest.mark.parametrize("asked", [None, *LocationPrecision])
@pytest.mark.parametrize("at_the_bank", [None, *LocationPrecision])
def test_precisions_on_offer_begin_with_the_least_and_end_where_either_does(
    asked: LocationPrecision | None, at_the_bank: LocationPrecision | None
) -> None:
    found = precisions_offered(asked, at_the_bank)

    assert len(found) == min(CLOSENESS[asked], CLOSENESS[at_the_bank])
    assert found == list(LocationPrecision)[: len(found)]
