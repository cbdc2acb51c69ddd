"""/v1/events: each event once, in order, to those whose consent lets them know of it when they read, and no other."""

import uuid
from datetime import timedelta
from typing import Any

import pytest

from banks.models import Account, Connection, Institution
from consents import clock, event_log, events, lifecycle
from consents.events import EventType
from consents.models import (
    ApprovedMerchant,
    BankPolicy,
    Consent,
    ConsentAccount,
    Delivery,
    Event,
    EventLog,
    Revocation,
)
from consents.scopes import Purpose, Scope
from consents.states import Initiator
from gateway.identity.models import User
from tests.gateway.api import world
from tests.gateway.api.world import Api
from tests.support import cast
from tests.support.cast import Member

OF_CONNECTIONS = (
    EventType.CONNECTION_LINKED,
    EventType.CONNECTION_NEEDS_RENEWAL,
    EventType.CONNECTION_DEGRADED,
    EventType.CONNECTION_RECOVERED,
)
ROWS = (Scope.ACCOUNTS, Scope.BALANCES, Scope.TRANSACTIONS)


@pytest.fixture
def manager(chat: Member) -> Api:
    return world.manager(chat)


def consented(
    user: User, member: Member, *accounts: Account, scopes: tuple[Scope, ...] = ROWS, **changes: Any
) -> Consent:
    return cast.authorised_consent(
        user, member.platform, scopes, accounts=[cast.choice(one) for one in accounts], **changes
    )


def happened(account: Account, kind: EventType, **details: Any) -> Event:
    """On the account's connection; rows numbered from 1 on are new."""
    return events.publish(
        kind,
        now=clock.now(),
        user_id=account.user_id,
        connection_id=account.connection_id,
        details=details or {"changed_after": 0},
    )


def told(api: Api, **query: Any) -> list[dict[str, Any]]:
    answer = api.get("/v1/events", query)
    assert answer.status_code == 200, answer.content
    body: list[dict[str, Any]] = answer.json()["events"]
    return body


def kinds(api: Api, **query: Any) -> list[str]:
    return [event["type"] for event in told(api, **query)]


# -- a consent's own ---------------------------------------------------------------------------------------------------


def test_a_consents_life_is_told_to_its_platform_in_order_with_whose_hand_it_was(
    manager: Api, alice: User, chat: Member, budget: Member, account: Account
) -> None:
    consent = consented(alice, chat, account)
    lifecycle.pause(consent_id=consent.id, user_id=alice.id, actor=cast.BY_USER, now=clock.now())
    lifecycle.resume(consent_id=consent.id, user_id=alice.id, actor=cast.BY_USER, now=clock.now())
    cast.revoke(consent)

    found = told(manager)

    assert [(one["type"], one["details"]["initiator"]) for one in found] == [
        ("consent.granted", "USER"),
        ("consent.paused", "USER"),
        ("consent.resumed", "USER"),
        ("consent.revoked", "USER"),
    ]
    assert {one["consent_id"] for one in found} == {world.seen(chat, "con", consent.id)}
    assert len({one["event_id"] for one in found}) == 4
    assert all(one["event_id"].startswith("evt_") for one in found)
    assert told(world.manager(budget)) == []


def test_a_refusal_is_told_to_who_asked(manager: Api, alice: User, chat: Member) -> None:
    asked = cast.requested_consent(alice, chat.platform)
    lifecycle.reject(consent_id=asked.id, user_id=alice.id, reason="declined", actor=cast.BY_USER, now=clock.now())

    assert kinds(manager) == ["consent.rejected"]


def test_the_bank_that_acted_is_named_where_the_consent_knows_its_banks(
    manager: Api, alice: User, chat: Member, account: Account, northbank: Institution
) -> None:
    knowing = consented(alice, chat, account)
    blind = consented(alice, chat, account, scopes=(Scope.BALANCES,))
    for consent in (knowing, blind):
        lifecycle.suspend_accounts(
            consent_id=consent.id,
            institution_id=northbank.id,
            reason="suspected_fraud",
            actor=cast.Actor(initiator=Initiator.BANK),
            now=clock.now(),
        )

    details = {one["consent_id"]: one["details"] for one in told(manager) if one["type"] == EventType.CONSENT_SUSPENDED}

    acted = {"reason": "suspected_fraud", "initiator": "BANK"}
    assert details == {
        world.seen(chat, "con", knowing.id): {**acted, "institution": {"id": "northbank", "name": "Northbank"}},
        world.seen(chat, "con", blind.id): acted,
    }


def test_ids_of_an_event_are_the_platforms_own(
    manager: Api, alice: User, chat: Member, budget: Member, account: Account
) -> None:
    consented(alice, chat, account)
    consented(alice, budget, account)
    happened(account, EventType.CONNECTION_DEGRADED)

    mine, theirs = told(manager), told(world.manager(budget))

    def words(found: list[dict[str, Any]]) -> set[str]:
        return {
            word
            for one in found
            for word in (one["event_id"], one["consent_id"], *one["details"].get("account_ids", ()))
        }

    assert words(mine) and not words(mine) & words(theirs)
    assert words(mine) >= {world.seen(chat, "acc", account.id)}
    internal = {str(one) for one in (*Event.objects.values_list("id", flat=True), account.id, account.connection_id)}
    assert not [one for one in internal if one in str(mine)]


# -- what happens on a connection --------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", OF_CONNECTIONS)
def test_what_happens_on_a_link_is_told_to_every_consent_that_reads_from_it(
    manager: Api, alice: User, chat: Member, budget: Member, account: Account, northbank: Institution, kind: EventType
) -> None:
    (elsewhere,) = world.accounts_of(alice, northbank)
    first, second = consented(alice, chat, account), consented(alice, chat, account, elsewhere)
    consented(alice, chat, elsewhere)
    consented(alice, budget, account)
    happened(account, kind, code="bank_unavailable")

    found = [one for one in told(manager) if one["type"] == kind]

    assert [one["consent_id"] for one in found] == [
        world.seen(chat, "con", one) for one in sorted([first.id, second.id])
    ]
    for one in found:
        assert one["details"] == {
            "code": "bank_unavailable",
            "account_ids": [world.seen(chat, "acc", account.id)],
        }
    assert kinds(world.manager(budget)) == ["consent.granted", kind]


CLOSED = {
    "paused": lambda consent: Consent.objects.filter(id=consent.id).update(status="PAUSED"),
    "suspended": lambda consent: Consent.objects.filter(id=consent.id).update(status="SUSPENDED"),
    "revoked": lambda consent: Consent.objects.filter(id=consent.id).update(status="REVOKED"),
    "run out": lambda consent: Consent.objects.filter(id=consent.id).update(expires_at=clock.now()),
    "account suspended": lambda consent: ConsentAccount.objects.filter(consent=consent).update(status="SUSPENDED"),
    "account revoked": lambda consent: ConsentAccount.objects.filter(consent=consent).update(status="REVOKED"),
    "the bank stopped it": lambda consent: BankPolicy.objects.update(status="SUSPEND"),
    "the bank takes nobody away": lambda consent: BankPolicy.objects.update(requires_attended=True),
    "no policy": lambda consent: BankPolicy.objects.all().delete(),
    "user inactive": lambda consent: User.objects.filter(id=consent.user_id).update(is_active=False),
}


@pytest.mark.parametrize("close", CLOSED.values(), ids=CLOSED)
def test_t1_what_the_consent_does_not_open_when_it_is_read_is_not_told(
    manager: Api, alice: User, chat: Member, account: Account, close: Any
) -> None:
    """It was laid while all was well; and the cursor moves past it."""
    consent = consented(alice, chat, account)
    for kind in (*OF_CONNECTIONS, EventType.TRANSACTIONS_UPDATED):
        happened(account, kind)
    event_log.spread(now=clock.now())
    close(consent)

    answer = manager.get("/v1/events")

    assert [one["type"] for one in answer.json()["events"]] == ["consent.granted"]
    assert Delivery.objects.count() == 6
    assert kinds(manager, after=answer.json()["next_after"]) == []


def test_a_link_that_has_run_out_is_still_said_to_need_renewal(
    manager: Api, alice: User, chat: Member, account: Account
) -> None:
    consented(alice, chat, account)
    happened(account, EventType.CONNECTION_NEEDS_RENEWAL, code="connection_expired", days=0)
    happened(account, EventType.CONNECTION_DEGRADED)
    Connection.objects.update(consent_expires_at=clock.now() - timedelta(hours=1))

    assert told(manager)[1:] == [
        {
            **told(manager)[1],
            "type": "connection.needs_renewal",
            "details": {
                "code": "connection_expired",
                "days": 0,
                "account_ids": [world.seen(chat, "acc", account.id)],
            },
        }
    ]


def test_who_is_told_nothing_of_an_account_is_told_no_account_id(
    manager: Api, alice: User, chat: Member, account: Account
) -> None:
    consented(alice, chat, account, scopes=(Scope.INSIGHTS,), purposes=(Purpose.SPENDING_INSIGHTS,))
    happened(account, EventType.CONNECTION_DEGRADED)
    happened(account, EventType.TRANSACTIONS_UPDATED)

    assert [(one["type"], one["details"]) for one in told(manager)[1:]] == [
        ("connection.degraded", {}),
        ("transactions.updated", {}),
    ]


# -- what changed ------------------------------------------------------------------------------------------------------


def updates(manager: Api) -> list[dict[str, Any]]:
    return [one for one in told(manager) if one["type"] == EventType.TRANSACTIONS_UPDATED]


def test_a_change_is_told_without_a_count(manager: Api, alice: User, chat: Member, account: Account) -> None:
    """A count over the link would count what lies outside the consent."""
    consented(alice, chat, account)
    happened(account, EventType.TRANSACTIONS_UPDATED, changed_after=0, added=1, removed=0, accounts=2)

    (one,) = updates(manager)
    assert one["details"] == {"account_ids": [world.seen(chat, "acc", account.id)]}


@pytest.mark.parametrize("scopes", [(Scope.ACCOUNTS, Scope.BALANCES), (Scope.ACCOUNTS,)])
def test_without_transactions_no_change_of_them_is_told(
    manager: Api, alice: User, chat: Member, account: Account, scopes: tuple[Scope, ...]
) -> None:
    consented(alice, chat, account, scopes=scopes)
    happened(account, EventType.TRANSACTIONS_UPDATED)

    assert updates(manager) == []


def test_a_change_on_an_account_that_is_not_shared_is_not_told(
    manager: Api, alice: User, chat: Member, account: Account
) -> None:
    """Or the platform would learn when money moves there."""
    savings = cast.account(Connection.objects.get(id=account.connection_id), "savings")
    consented(alice, chat, savings)
    happened(account, EventType.TRANSACTIONS_UPDATED)
    assert updates(manager) == []

    world.transactions(savings)
    happened(account, EventType.TRANSACTIONS_UPDATED)

    assert [one["details"]["account_ids"] for one in updates(manager)] == [[world.seen(chat, "acc", savings.id)]] * 2


@pytest.mark.parametrize("withheld", ["before the window", "off the platform", "hidden", "seen before"])
def test_a_change_that_the_consent_withholds_is_not_told(
    manager: Api, alice: User, chat: Member, northbank: Institution, withheld: str
) -> None:
    (account,) = world.accounts_of(alice, northbank)
    columns: dict[str, Any] = {}
    terms: dict[str, Any] = {}
    if withheld == "before the window":
        columns, terms = {"listed_on": clock.now().date() - timedelta(days=40)}, {"history_days": 30}
    elif withheld == "hidden":
        columns, terms = {"sensitive_group": "HEALTH"}, {"hidden_groups": ["HEALTH"]}
    elif withheld == "off the platform":
        terms = {"on_platform_only": True}
    world.transactions(account, **columns)
    consented(alice, chat, account, **terms)
    happened(account, EventType.TRANSACTIONS_UPDATED, changed_after=1 if withheld == "seen before" else 0)

    assert updates(manager) == []


def test_a_change_that_passes_the_filters_is_told(
    manager: Api, alice: User, chat: Member, account: Account, northbank: Institution
) -> None:
    consented(alice, chat, account, on_platform_only=True)
    happened(account, EventType.TRANSACTIONS_UPDATED)
    ApprovedMerchant.objects.create(
        platform=chat.platform, institution_id=northbank.id, merchant_key="boulangerie", approved_at=clock.now()
    )

    assert len(updates(manager)) == 1


def test_any_of_several_purposes_lets_it_be_told(manager: Api, alice: User, chat: Member, account: Account) -> None:
    consented(alice, chat, account, purposes=(Purpose.BALANCE_CHECK, Purpose.ACCOUNT_OVERVIEW))
    happened(account, EventType.TRANSACTIONS_UPDATED)

    assert len(updates(manager)) == 1


# -- paging, acknowledging, forgetting ---------------------------------------------------------------------------------


@pytest.fixture
def five(alice: User, chat: Member, account: Account) -> Consent:
    """One consent, and five events of its own platform."""
    consent = consented(alice, chat, account)
    for _ in range(4):
        happened(account, EventType.CONNECTION_DEGRADED)
    return consent


def test_pages_follow_one_another(manager: Api, five: Consent) -> None:
    found: list[str] = []
    query: dict[str, Any] = {"limit": 2}
    more = True
    while more:
        body = manager.get("/v1/events", query).json()
        found += [one["event_id"] for one in body["events"]]
        query["after"], more = body["next_after"], body["has_more"]

    assert len(found) == len(set(found)) == 5
    assert [one["event_id"] for one in told(manager)] == found
    assert manager.get("/v1/events", query).json() == {"events": [], "next_after": query["after"], "has_more": False}


def acknowledge(api: Api, through: str) -> Any:
    return api.post("/v1/events/acknowledgements", f'{{"through": "{through}"}}')


def test_what_was_acknowledged_is_not_begun_with_again_but_can_be_read_again(manager: Api, five: Consent) -> None:
    first = manager.get("/v1/events", {"limit": 3}).json()

    answer = acknowledge(manager, first["next_after"])

    assert answer.json() == {"acknowledged_through": first["next_after"]}
    assert len(told(manager)) == 2
    beginning = manager.get("/v1/events", {"limit": 1, "after": _start(manager)}).json()
    assert beginning["events"] == first["events"][:1]


def _start(manager: Api) -> str:
    from gateway.api import event_cursors

    (log,) = EventLog.objects.all()
    return event_cursors.seal(0, log.platform_id)


def test_t24_an_acknowledgement_sent_again_or_late_changes_nothing(manager: Api, five: Consent) -> None:
    early = manager.get("/v1/events", {"limit": 2}).json()["next_after"]
    late = manager.get("/v1/events").json()["next_after"]
    acknowledge(manager, late)

    assert acknowledge(manager, late).json() == {"acknowledged_through": late}
    assert acknowledge(manager, early).json() == {"acknowledged_through": late}
    assert told(manager) == []


def test_a_revocation_that_was_told_and_acknowledged_says_when(
    manager: Api, alice: User, chat: Member, account: Account
) -> None:
    consent = consented(alice, chat, account)
    cast.revoke(consent)
    assert Revocation.objects.get().notified_at is None

    page = manager.get("/v1/events").json()
    notified_at = Revocation.objects.get().notified_at
    assert notified_at is not None and Revocation.objects.get().acknowledged_at is None
    manager.get("/v1/events")
    acknowledge(manager, page["next_after"])

    row = Revocation.objects.get()
    assert row.notified_at == notified_at
    assert row.acknowledged_at is not None and row.acknowledged_at >= notified_at


def test_a_position_before_what_is_kept_says_how_to_go_on(manager: Api, five: Consent, account: Account) -> None:
    start = manager.get("/v1/events", {"limit": 1}).json()["next_after"]
    Delivery.objects.filter(sequence__lte=3).delete()

    answers = [manager.get("/v1/events"), manager.get("/v1/events", {"after": start})]

    for answer in answers:
        body = answer.json()
        assert (answer.status_code, body["code"]) == (410, "events_gone")
        assert body["action_url"].endswith("/v1/consents")
        assert len(told(manager, after=body["next_after"])) == 2
    acknowledge(manager, body["next_after"])
    assert len(told(manager)) == 2


def test_t1_a_cursor_is_good_for_its_own_platform_only(manager: Api, five: Consent, budget: Member) -> None:
    cursor = manager.get("/v1/events", {"limit": 1}).json()["next_after"]
    other = world.manager(budget)
    changed = cursor[:-1] + ("A" if cursor[-1] != "A" else "B")

    refused = [
        other.get("/v1/events", {"after": cursor}),
        acknowledge(other, cursor),
        manager.get("/v1/events", {"after": changed}),
        manager.get("/v1/events", {"after": ""}),
        acknowledge(manager, changed),
    ]

    assert {(one.status_code, one.json()["code"]) for one in refused} == {(400, "cursor_invalid")}
    assert not EventLog.objects.exclude(acknowledged_sequence=0).exists()


@pytest.mark.parametrize(
    "body", [b"", b"{}", b"[]", b'{"through": 1}', b'{"through": null}', b'{"through": "a", "x": 1}', b"{", b"\xff"]
)
def test_an_acknowledgement_that_says_something_else_is_refused(manager: Api, body: bytes) -> None:
    answer = manager.post("/v1/events/acknowledgements", body)

    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request")


@pytest.mark.parametrize("query", [{"limit": 501}, {"limit": 0}, {"type": "consent.revoked"}, "after=a&after=b"])
def test_what_it_does_not_understand_it_refuses(manager: Api, query: Any) -> None:
    assert manager.get("/v1/events", query).json()["code"] == "invalid_request"


def test_a_full_page_costs_a_fixed_number_of_queries(
    manager: Api, alice: User, chat: Member, account: Account, django_assert_max_num_queries: Any
) -> None:
    for _ in range(6):
        consented(alice, chat, account)
    for kind in (EventType.TRANSACTIONS_UPDATED, EventType.CONNECTION_DEGRADED, EventType.CONNECTION_NEEDS_RENEWAL):
        for _ in range(3):
            happened(account, kind)
    event_log.spread(now=clock.now())

    # One look at the rows for each consent; everything else is asked once for all of them, two of it for the limits.
    with django_assert_max_num_queries(18 + 6):
        assert len(told(manager, limit=500)) == 6 + 6 * 9


def test_a_consent_of_another_platform_in_a_row_of_the_log_is_not_told(
    manager: Api, alice: User, chat: Member, budget: Member, account: Account
) -> None:
    """No such row is ever written; one that were must open nothing."""
    consented(alice, chat, account)
    foreign = consented(alice, budget, account)
    event_log.spread(now=clock.now())
    Delivery.objects.filter(platform_id=chat.platform.id).update(consent_id=foreign.id)
    Delivery.objects.create(
        platform_id=chat.platform.id,
        sequence=2,
        event=Event.objects.earliest("occurred_at"),
        consent_id=uuid.uuid4(),
        created_at=clock.now(),
    )
    EventLog.objects.filter(platform=chat.platform).update(last_sequence=2)

    assert told(manager) == []
