"""Whatever the facts, a permit never exceeds any of them, and taking something away never gives anything."""

from dataclasses import replace
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from consents.denials import Denial
from consents.policy import Permit, PermitSlice
from consents.policy_facts import AccountFacts, ConsentFacts, PolicyFacts, Slice
from consents.scopes import LocationPrecision, Presence, Purpose, Record, Scope, SensitiveGroup
from consents.states import ConnectionStatus, ConsentAccountStatus, ConsentStatus, PlatformStatus, PolicyStatus
from tests.consents.scenes import ALICE, CHAT, NOW, Case
from tests.consents.test_scopes import PURPOSES

SERVING = {"ACTIVE", "DEGRADED", "RATE_LIMITED", "EXPIRING", "REAUTH_REQUIRED"}
DERIVED = {"insights", "alerts", "answers"}
CLOSENESS = {None: 0, "country": 1, "city": 2, "store": 3}

thorough = settings(max_examples=200)

# -- facts ------------------------------------------------------------------------------------------------------------
# Weighted towards yes, or nearly every case would end at its first refusal and prove nothing.


def _mostly(usual: Any, others: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Nine times of ten the usual. Not `one_of` with repetitions: it drops what stands there twice."""
    return st.integers(0, 9).flatmap(lambda die: others if die == 5 else st.just(usual))


def _half(usual: Any, others: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.booleans().flatmap(lambda coin: others if coin else st.just(usual))


scope_sets = _half(frozenset(Scope), st.frozensets(st.sampled_from(list(Scope))))
purpose_sets = _half(frozenset(Purpose), st.frozensets(st.sampled_from(list(Purpose)), min_size=1, max_size=3))
precisions = st.sampled_from([None, *LocationPrecision])
groups = st.frozensets(st.sampled_from(list(SensitiveGroup)), max_size=3)
history_days = st.one_of(st.none(), st.integers(0, 400))
later = st.integers(1, 90).map(lambda n: NOW + timedelta(days=n))
instants = _mostly(NOW + timedelta(days=30), st.integers(-3, 0).map(lambda n: NOW + timedelta(days=n)))

consents = st.builds(
    ConsentFacts,
    id=st.just(UUID(int=3)),
    user_id=st.just(ALICE),
    user_active=_mostly(True, st.just(False)),
    platform_id=st.just(CHAT),
    platform_uses_fapi2=st.booleans(),
    status=_mostly(ConsentStatus.AUTHORISED, st.sampled_from(list(ConsentStatus))),
    scopes=scope_sets,
    purposes=purpose_sets,
    history_from=st.one_of(st.none(), st.dates(date(2024, 1, 1), NOW.date())),
    location_precision=precisions,
    on_platform_only=st.booleans(),
    hidden_groups=groups,
    authorised_at=st.one_of(st.none(), st.integers(0, 60).map(lambda n: NOW - timedelta(days=n))),
    expires_at=st.one_of(later, instants),
)
policies = st.builds(
    PolicyFacts,
    status=_mostly(PolicyStatus.ALLOW, st.sampled_from(list(PolicyStatus))),
    scopes=scope_sets,
    purposes=purpose_sets,
    history_days_max=history_days,
    duration_days_max=_half(None, st.integers(0, 120)),
    location_precision=precisions,
    on_platform_only=st.booleans(),
    hidden_groups=groups,
    requires_attended=_mostly(False, st.just(True)),
    accepts_attestation=st.booleans(),
    requires_fapi2=_mostly(False, st.just(True)),
)
accounts = st.tuples(
    _mostly(ConsentAccountStatus.ACTIVE, st.sampled_from(list(ConsentAccountStatus))),
    _mostly(ConnectionStatus.ACTIVE, st.sampled_from(list(ConnectionStatus))),
    st.one_of(st.none(), later, instants),
)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    slices, next_account = [], 100
    for number in range(draw(st.integers(1, 3))):
        facts = []
        fewest = draw(_mostly(1, st.just(0)))
        for status, connection_status, expires_at in draw(st.lists(accounts, min_size=fewest, max_size=3)):
            next_account += 1
            facts.append(
                AccountFacts(
                    account_id=UUID(int=next_account),
                    status=status,
                    connection_status=connection_status,
                    connection_expires_at=expires_at,
                )
            )
        policy = None if draw(_mostly(False, st.just(True))) else draw(policies)
        slices.append(Slice(institution_id=UUID(int=10 + number), policy=policy, accounts=tuple(facts)))
    consent = draw(consents)
    usual = sorted(consent.purposes)[0]
    return Case(
        consent=consent,
        slices=tuple(slices),
        platform=draw(_mostly(PlatformStatus.ACTIVE, st.sampled_from(list(PlatformStatus)))),
        purpose=draw(_mostly(usual, st.one_of(st.none(), st.sampled_from(list(Purpose))))),
        presence=draw(st.sampled_from(Presence)),
    )


def test_enough_of_the_cases_end_in_a_permit_for_the_rest_of_this_file_to_mean_something() -> None:
    permits: list[bool] = []

    @settings(max_examples=100, derandomize=True)
    @given(cases())
    def decide(case: Case) -> None:
        permits.append(isinstance(case.decided(), Permit))

    decide()

    assert 0.2 < sum(permits) / len(permits) < 0.9


# -- never more than any side said ------------------------------------------------------------------------------------


@thorough
@given(cases())
def test_t2_a_permit_never_exceeds_consent_policy_purpose_platform_or_connection(case: Case) -> None:
    permit = case.decided()
    if isinstance(permit, Denial):
        return

    consent = case.consent
    assert consent.status == "AUTHORISED" and consent.user_active and case.platform == "ACTIVE"
    assert case.now < permit.expires_at <= consent.expires_at
    assert permit.purpose in consent.purposes
    assert case.purpose in (None, permit.purpose)
    assert (permit.user_id, permit.consent_id, permit.platform_id) == (consent.user_id, consent.id, consent.platform_id)
    assert permit.presence == case.presence
    assert permit.slices
    for given_part in permit.slices:
        (offered,) = [part for part in case.slices if part.institution_id == given_part.institution_id]
        assert offered.policy is not None
        _never_exceeds(given_part, permit, consent, offered.policy)
        _serves_only_open_accounts(given_part, permit, offered)


def _never_exceeds(part: PermitSlice, permit: Permit, consent: ConsentFacts, policy: PolicyFacts) -> None:
    assert policy.status == "ALLOW"
    assert permit.purpose in policy.purposes
    assert part.presence == (
        Presence.ABSENT if permit.presence == "ATTESTED" and not policy.accepts_attestation else permit.presence
    )
    assert part.presence != Presence.ABSENT or not policy.requires_attended
    assert consent.platform_uses_fapi2 or not policy.requires_fapi2
    granted = part.released | part.derivable
    assert permit.purpose is not None
    assert granted <= consent.scopes & policy.scopes & set(PURPOSES[permit.purpose].split())
    assert not part.released & DERIVED and part.derivable <= DERIVED
    if part.released & {"merchants", "locations", "counterparties"}:
        assert "transactions" in part.released
    assert CLOSENESS[part.location_precision] <= CLOSENESS[consent.location_precision]
    assert CLOSENESS[part.location_precision] <= CLOSENESS[policy.location_precision]
    assert part.on_platform_only >= (consent.on_platform_only or policy.on_platform_only)
    assert part.hidden_groups >= consent.hidden_groups | policy.hidden_groups
    if consent.history_from is not None:
        assert part.history_from is not None and part.history_from >= consent.history_from
    if policy.history_days_max is not None:
        edge = NOW.date() - timedelta(days=policy.history_days_max)
        assert part.history_from is not None and part.history_from >= edge
    if policy.duration_days_max is not None and consent.authorised_at is not None:
        assert permit.expires_at <= consent.authorised_at + timedelta(days=policy.duration_days_max)


def _serves_only_open_accounts(part: PermitSlice, permit: Permit, offered: Slice) -> None:
    facts = {account.account_id: account for account in offered.accounts}
    assert part.account_ids and part.account_ids <= set(facts)
    for account_id in part.account_ids:
        account = facts[account_id]
        assert account.status == "ACTIVE"
        assert account.connection_status in SERVING
        assert account.connection_expires_at is None or account.connection_expires_at >= permit.expires_at


@settings(max_examples=60)
@given(cases())
def test_there_is_a_permit_whenever_nothing_says_no(case: Case) -> None:
    """The other direction: without it, a decision that always refuses would pass everything above."""
    part = case.slices[0]
    assume(part.policy is not None and part.accounts)
    assert part.policy is not None
    willing = replace(
        case,
        consent=replace(
            case.consent,
            status=ConsentStatus.AUTHORISED,
            user_active=True,
            scopes=frozenset(Scope),
            purposes=frozenset(Purpose),
            expires_at=NOW + timedelta(days=1),
        ),
        platform=PlatformStatus.ACTIVE,
        purpose=Purpose.ACCOUNT_OVERVIEW,
    )
    willing = willing.with_policy(
        status=PolicyStatus.ALLOW,
        scopes=frozenset(Scope),
        purposes=frozenset(Purpose),
        requires_attended=False,
        accepts_attestation=True,
        requires_fapi2=False,
        duration_days_max=None,
    )
    willing = willing.with_account(
        status=ConsentAccountStatus.ACTIVE, connection_status=ConnectionStatus.ACTIVE, connection_expires_at=None
    )

    permit = willing.decided()

    assert isinstance(permit, Permit)
    opened = permit.slice_of(part.accounts[0].account_id)
    assert opened is not None
    assert opened.released == set(PURPOSES["account_overview"].split())


# -- narrowing never widens -------------------------------------------------------------------------------------------


@st.composite
def narrowings(draw: st.DrawFn, case: Case) -> Case:
    """`case` with one thing taken away by the user, the bank, the operator or time."""
    at = draw(st.integers(0, len(case.slices) - 1))
    part, consent = case.slices[at], case.consent
    kind = draw(st.sampled_from(["consent", "policy", "account", "platform", "absent", "later"]))
    if kind == "platform":
        return replace(case, platform=draw(st.sampled_from(list(PlatformStatus))))
    if kind == "absent":
        return replace(case, presence=Presence.ABSENT)
    if kind == "later":
        return replace(case, now=case.now + timedelta(days=draw(st.integers(1, 100))))
    if kind == "account":
        if not part.accounts or draw(st.booleans()):
            return case.with_slice(at, accounts=part.accounts[1:])
        change = draw(
            st.sampled_from(
                [
                    {"status": ConsentAccountStatus.SUSPENDED},
                    {"connection_status": ConnectionStatus.REVOKED},
                    {"connection_expires_at": NOW},
                ]
            )
        )
        return case.with_account(at, **change)
    fewer = draw(st.sampled_from(["scopes", "precision", "platform_only", "groups", "history", "status", "none"]))
    if kind == "policy":
        if part.policy is None or fewer == "none":
            return case.with_slice(at, policy=None)
        return case.with_policy(at, **_narrower(draw, part.policy, fewer))
    if fewer == "none":
        return case.with_consent(expires_at=min(consent.expires_at, NOW + timedelta(days=1)))
    return case.with_consent(**_narrower(draw, consent, fewer))


def _narrower(draw: st.DrawFn, facts: ConsentFacts | PolicyFacts, fewer: str) -> dict[str, object]:
    if fewer == "scopes":
        return {"scopes": facts.scopes & draw(scope_sets)}
    if fewer == "precision":
        coarser = draw(precisions)
        held = CLOSENESS[coarser] < CLOSENESS[facts.location_precision]
        return {"location_precision": coarser if held else facts.location_precision}
    if fewer == "platform_only":
        return {"on_platform_only": True}
    if fewer == "groups":
        return {"hidden_groups": facts.hidden_groups | draw(groups)}
    if isinstance(facts, ConsentFacts):
        if fewer == "history":
            edge = draw(st.dates(date(2024, 1, 1), NOW.date()))
            return {"history_from": edge if facts.history_from is None else max(edge, facts.history_from)}
        return {"status": draw(st.sampled_from(list(ConsentStatus))) if facts.status == "AUTHORISED" else facts.status}
    if fewer == "history":
        fewer_days = draw(st.integers(0, 400))
        held_days = facts.history_days_max
        return {"history_days_max": fewer_days if held_days is None else min(fewer_days, held_days)}
    return {"status": PolicyStatus.SUSPEND}


def _rights(answer: Permit | Denial) -> dict[UUID, PermitSlice]:
    """What each account gives away; nothing at all under a denial."""
    if isinstance(answer, Denial):
        return {}
    return {account_id: part for part in answer.slices for account_id in part.account_ids}


@thorough
@given(st.data())
def test_taking_something_away_never_gives_anything(data: st.DataObject) -> None:
    case = data.draw(cases())
    # A platform that was not active, or a consent that was not authorised, could only be *repaired* by a new status.
    assume(case.platform == "ACTIVE" and case.consent.status == "AUTHORISED")
    less = data.draw(narrowings(case))

    before, after = _rights(case.decided()), _rights(less.decided())

    assert set(after) <= set(before)
    for account_id, narrow in after.items():
        wide = before[account_id]
        for record in Record:
            assert set(narrow.fields(record)) <= set(wide.fields(record))
        assert narrow.released <= wide.released and narrow.derivable <= wide.derivable
        assert CLOSENESS[narrow.location_precision] <= CLOSENESS[wide.location_precision]
        assert narrow.on_platform_only >= wide.on_platform_only
        assert narrow.hidden_groups >= wide.hidden_groups
        if wide.history_from is not None:
            assert narrow.history_from is not None and narrow.history_from >= wide.history_from
