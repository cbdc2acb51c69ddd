"""T16: whatever somebody at one bank does, no row of another bank's changes, and none is shown."""

from datetime import timedelta
from typing import Any

import pytest
from django.apps import apps
from django.test import Client
from django.urls.resolvers import URLPattern

from banks.models import Account, Institution
from consents import clock, proposals, stops, traffic
from consents.models import ApprovedMerchant, Consent, CustomerLookup, Platform
from consents.reasons import OpenReason, StopReason
from gateway.backoffice.urls import urlpatterns
from gateway.identity.models import User
from tests.gateway.backoffice.conftest import CANARY, Clerk, Share, account
from tests.support import cast, factors
from tests.support.staff import BY_BANK

pytestmark = pytest.mark.django_db

#: Only at Southbank.
SOUTHERN = "Southern Saver"


class World:
    """Rows of every kind at both banks; `south` are the ids that stand in addresses."""

    def __init__(
        self, north: Institution, south: Institution, alice: User, bob: User, sue: Clerk, share: Share
    ) -> None:
        self.north, self.south = north, south
        self.chat = cast.chat().platform
        self.saver = cast.platform(SOUTHERN.replace(" ", "-")).platform
        Platform.objects.filter(id=self.saver.id).update(name=SOUTHERN, legal_name=SOUTHERN)
        Platform.objects.update(merchant_names=["Chat Shop"])
        self.both = share(alice, self.chat, [account(alice, north), account(alice, south)])
        self.at_south = share(bob, self.saver, [account(bob, south)])
        now = clock.now()
        for bank in (north, south):
            stops.suspend(
                institution_id=bank.id,
                platform_id=self.chat.id,
                person=sue.user.id,
                reason=StopReason.COMPLAINTS,
                actor=BY_BANK,
                now=now,
            )
            traffic.count_read(institution_ids=[bank.id], platform_id=self.chat.id, user_id=alice.id, now=now)
            traffic.count_refused(institution_ids=[bank.id], platform_id=self.chat.id, code="consent_paused", now=now)
        traffic.count_refused(institution_ids=[south.id], platform_id=self.saver.id, code="consent_paused", now=now)
        self.proposal = proposals.propose_lift(
            institution_id=south.id,
            platform_id=self.chat.id,
            reason=OpenReason.CAUSE_RESOLVED,
            person=sue.user.id,
            actor=BY_BANK,
            now=now,
        )
        self.merchant = ApprovedMerchant.objects.create(
            platform=self.chat, institution_id=south.id, merchant_key="-:chat shop", approved_at=now
        )
        self.lookup = CustomerLookup.objects.create(
            user_id=alice.id,
            institution_id=south.id,
            staff_pseudonym=sue.user.pseudonym,
            reason_code="COMPLAINT",
            request_id="req_south",
            looked_up_at=now,
        )

    def path(self, pattern: URLPattern, bank: str) -> str:
        values = {
            "<slug:slug>": bank,
            "<uuid:platform_id>": self.chat.id,
            "<uuid:proposal_id>": self.proposal.id,
            "<uuid:merchant_id>": self.merchant.id,
            "<uuid:lookup_id>": self.lookup.id,
            "<uuid:consent_id>": self.both.id,
        }
        path = f"/backoffice/{pattern.pattern}"
        for name, value in values.items():
            path = path.replace(name, str(value))
        assert "<" not in path
        return path


@pytest.fixture
def world(northbank: Institution, southbank: Institution, alice: User, bob: User, sue: Clerk, share: Share) -> World:
    return World(northbank, southbank, alice, bob, sue, share)


#: Every action's own form, as its proper clerk would send it.
FORMS: list[dict[str, Any]] = [
    {"reason": "SECURITY_INCIDENT"},
    {"reason": "CAUSE_RESOLVED"},
    {"reason": "CAUSE_RESOLVED", "name": "Chat Shop", "code": ""},
    {"decision": "approve"},
    {"decision": "refuse"},
]
QUERIES = (
    "",
    "?scope=balances",
    "?scopes=accounts&purposes=budgeting&location_precision=none&step_up=bank&profile=fapi2&base_version=1",
)


def _rows_of(bank: Institution) -> dict[str, list[Any]]:
    """Every row of every table that names this bank, and every consent, account and token that touches it."""
    found: dict[str, list[Any]] = {}
    for model in apps.get_models():
        names = {field.attname for field in model._meta.concrete_fields}  # type: ignore[union-attr]
        manager: Any = model._base_manager if model._meta.label != "banks.Account" else Account.objects.for_sync()
        if "institution_id" in names:
            found[model._meta.label] = sorted(map(repr, manager.filter(institution_id=bank.id).values()))
    return found


def _queries(pattern: URLPattern) -> tuple[str, ...]:
    """Only some addresses look at what follows the question mark."""
    return QUERIES if str(pattern.pattern).endswith(("stop-scope/", "review/")) else ("",)


each_address = pytest.mark.parametrize("pattern", urlpatterns, ids=lambda pattern: str(pattern.pattern))


@each_address
def test_t16_another_banks_staff_find_nothing_there_and_change_nothing(
    world: World, anne: Clerk, pattern: URLPattern
) -> None:
    """Southbank's addresses, and Southbank's ids under Northbank's."""
    before = _rows_of(world.south)
    theirs = world.path(pattern, "southbank")
    own = world.path(pattern, "northbank")
    for query in _queries(pattern):
        assert anne.client.get(theirs + query).status_code == 404
        for form in FORMS:
            assert anne.client.post(theirs + query, form).status_code in (404, 405)
            answer = anne.client.post(own + query, form)
            assert answer.status_code in (303, 404, 405, 422), answer.content

    after = _rows_of(world.south)
    assert {label: rows for label, rows in after.items() if rows != before[label]} == {}


@each_address
def test_t16_no_page_tells_of_another_bank(world: World, anne: Clerk, pattern: URLPattern) -> None:
    answer = anne.client.get(world.path(pattern, "northbank"))

    text = b"".join(answer) if answer.streaming else answer.content
    assert answer.status_code in (200, 303, 404, 422)
    assert b"outhbank" not in text
    assert SOUTHERN.encode() not in text


@each_address
def test_no_page_has_a_customers_name_number_balance_or_transaction(
    world: World, sue: Clerk, alice: User, pattern: URLPattern
) -> None:
    User.objects.filter(id=alice.id).update(first_name=CANARY, last_name=CANARY, email=f"{CANARY}@example.com")

    answer = sue.client.get(world.path(pattern, "southbank") + "?scope=balances")

    text = (b"".join(answer) if answer.streaming else answer.content).decode()
    assert answer.status_code in (200, 303, 422)
    for told in (CANARY, "918273645", "9182736.45", "9,182,736", "9182", alice.username, str(alice.id)):
        assert told not in text, told


def test_the_figures_of_one_bank_are_its_own(world: World, anne: Clerk, sue: Clerk) -> None:
    assert anne.page().says("Consents in use 1 People 1 Accounts 1")
    assert sue.page().says("Consents in use 2 People 2 Accounts 2")


@each_address
def test_t15_nobody_but_staff_with_a_second_factor_gets_in(world: World, alice: User, pattern: URLPattern) -> None:
    path = world.path(pattern, "southbank")
    customer, operator = factors.proved(alice), factors.proved(factors.operator())
    newcomer = factors.clerk(world.south, "newcomer")
    unproved = factors.browser_of(newcomer)
    before = _rows_of(world.south)

    def answers(client: Client) -> tuple[int, int]:
        return client.get(path).status_code, client.post(
            path, {"reason": "COMPLAINTS", "decision": "approve"}
        ).status_code

    assert answers(Client())[0] == 302
    assert answers(customer)[0] == answers(operator)[0] == 404
    assert answers(unproved)[0] == 403
    factors.set_up_codes(newcomer)
    assert answers(unproved)[0] == 303  # to prove it
    assert _rows_of(world.south) == before


@each_address
def test_t15_nothing_is_changed_on_an_old_proof(world: World, sue: Clerk, pattern: URLPattern) -> None:
    factors.age(sue.client, timedelta(minutes=16))
    before = _rows_of(world.south)
    path = world.path(pattern, "southbank")

    for query in _queries(pattern):
        for form in FORMS:
            answer = sue.client.post(path + query, form)
            assert answer.status_code == 405 or "confirm" in answer["Location"], answer.status_code

    assert _rows_of(world.south) == before


def test_a_consent_of_another_person_is_not_reached_through_a_look_up(world: World, sue: Clerk) -> None:
    """The look-up gave a reason for Alice; Bob's consent, at the same bank, takes another."""
    path = f"customers/{world.lookup.id}/consents/{world.at_south.id}/suspend/"

    assert sue.get(path).status_code == 404
    assert sue.post(path, reason="COMPLAINTS").status_code == 404
    assert not Consent.objects.filter(status="SUSPENDED").exists()


def test_every_table_of_a_bank_is_looked_at(world: World) -> None:
    """Or the comparison above would prove less than it says."""
    full = {label for label, rows in _rows_of(world.south).items() if rows}

    assert full >= {
        "banks.Account",
        "banks.Connection",
        "consents.ApprovedMerchant",
        "consents.AuditEntry",
        "consents.BankPolicy",
        "consents.ConsentAccount",
        "consents.CustomerLookup",
        "consents.Proposal",
        "consents.ReadCount",
        "consents.RefusedCount",
        "identity.Membership",
    }
