"""What the operator reads on the pages: what is due first, names before ids, columns that keep their headings."""

from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from consents import audit, operator_proposals, reports
from consents.models import Consent, Platform, Proposal
from consents.models.policy import ProposalKind
from consents.states import ReportCode
from gateway.identity.models import User
from gateway.operator.site import site
from tests.consents import given
from tests.gateway.portal.html import Page
from tests.support import ledger
from tests.support.ledger import BY_USER, NOW

pytestmark = pytest.mark.django_db


def page(browser: Client, address: str) -> Page:
    answer = browser.get(address)
    assert answer.status_code == 200
    return Page(answer)


def listed(table: str) -> str:
    return reverse(f"operator:{table}_changelist")


def test_where_nothing_is_due_the_start_page_says_so(browser: Client) -> None:
    assert page(browser, reverse("operator:index")).says("Nothing is waiting.")


def test_what_is_due_stands_first_with_its_count_and_leads_to_just_that(browser: Client, ola: User) -> None:
    consent = given.authorised(platform=ledger.platform())
    act = {"actor": BY_USER, "now": NOW}
    common = {"consent_id": consent.id, "user_id": consent.user_id, "code": ReportCode.NOT_ASKED_FOR}
    reports.report(**common, **act)  # type: ignore[arg-type]
    operator_proposals.propose(consent.platform, ProposalKind.WITHDRAW, reason="COMPLAINTS", person=ola.id, **act)  # type: ignore[arg-type]

    start = page(browser, reverse("operator:index"))

    assert start.says("Open reports by users : 1") and start.says("Proposals that wait for a second operator : 1")
    assert not start.says("Nothing is waiting")
    due = [address for address in start.links_to("/operator/") if "?" in address]
    assert len(due) == 2
    for address in due:
        assert page(browser, address).says(": 1")


def test_every_query_for_what_waits_finds_what_is_counted(browser: Client) -> None:
    """One that the library does not know leads back with `?e=1`."""
    for model, table in site._registry.items():
        if table.waiting() is None:  # type: ignore[attr-defined]
            assert not table.waiting_called  # type: ignore[attr-defined]
            continue
        name = f"{model._meta.app_label}_{model._meta.model_name}"
        answer = browser.get(f"{listed(name)}?{table.waiting_query}")  # type: ignore[attr-defined]
        assert table.waiting_called and answer.status_code == 200  # type: ignore[attr-defined]
        assert answer.context["cl"].has_active_filters


def test_a_platform_goes_by_its_name(browser: Client) -> None:
    chat = ledger.platform()

    rows = page(browser, listed("consents_platform"))
    assert rows.links_to(f"/operator/consents/platform/{chat.id}/")
    assert [link.words for link in rows.links if str(chat.id) in link.attributes["href"]] == [chat.name]
    assert page(browser, f"{listed('consents_platform')}{chat.id}/change/").title.startswith(f"Platform {chat.name} ")


# -- names before ids --------------------------------------------------------------------------------------------------


def consent_of(chat: Platform, acorn: UUID) -> Any:
    return given.authorised(platform=chat)


def policy_for_all(chat: Platform, acorn: UUID) -> Any:
    return ledger.policy(acorn)


def proposal(chat: Platform, acorn: UUID) -> Any:
    return Proposal.objects.create(
        institution_id=acorn, platform=chat, kind="LIFT", reason_code="x", proposed_by=uuid4(), proposed_at=NOW
    )


def operators_proposal(chat: Platform, acorn: UUID) -> Any:
    return operator_proposals.propose(
        chat, ProposalKind.WITHDRAW, reason="COMPLAINTS", person=uuid4(), actor=BY_USER, now=NOW
    )


@pytest.mark.parametrize(
    ("make", "table", "has_platform", "has_bank"),
    [
        (consent_of, "consents_consent", True, False),
        (policy_for_all, "consents_bankpolicy", False, True),
        (proposal, "consents_proposal", True, True),
        (operators_proposal, "consents_operatorproposal", True, False),
    ],
)
def test_what_is_about_a_platform_or_a_bank_is_listed_and_found_by_its_name(
    browser: Client, make: Callable[[Platform, UUID], Any], table: str, has_platform: bool, has_bank: bool
) -> None:
    chat, acorn = ledger.platform("Chat With Me"), ledger.institution("acorn").id
    row = make(chat, acorn)
    about = [("Chat With Me", chat.id, "consents_platform")] * has_platform + [
        ("Acorn", acorn, "banks_institution")
    ] * has_bank

    rows, detail = page(browser, listed(table)), page(browser, f"{listed(table)}{row.pk}/change/")

    for name, id, its_table in about:
        assert rows.says(name) and not rows.says(str(id))
        assert detail.says(f"{name} {id}") and detail.links_to(f"{listed(its_table)}{id}/change/")
        for typed in (name, name[:4].lower(), str(id)):
            assert browser.get(listed(table), {"q": typed}).context["cl"].result_count == 1, typed
    assert browser.get(listed(table), {"q": "Birch"}).context["cl"].result_count == 0


def test_what_holds_for_every_platform_says_so(browser: Client) -> None:
    policy = ledger.policy(ledger.institution().id)

    assert page(browser, listed("consents_bankpolicy")).says("every platform")
    assert page(browser, f"{listed('consents_bankpolicy')}{policy.id}/change/").says("every platform")


def test_what_is_about_a_bank_that_is_gone_keeps_its_id(browser: Client) -> None:
    policy = ledger.policy(given.ACORN)

    assert page(browser, listed("consents_bankpolicy")).says(str(given.ACORN))
    assert page(browser, f"{listed('consents_bankpolicy')}{policy.id}/change/").says(str(given.ACORN))


def test_names_cost_one_query_however_many_rows_there_are(browser: Client) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as asked:
            browser.get(listed("consents_consent"))
        return len(asked)

    given.authorised(platform=ledger.platform("One"))
    of_one = queries()
    for name in ("Two", "Three"):
        given.authorised(ledger.user(name), ledger.platform(name))

    assert Consent.objects.count() == 3
    assert queries() == of_one


def test_every_search_says_what_it_goes_by_and_nothing_else_does(browser: Client) -> None:
    ledger.platform()
    for model, table in site._registry.items():
        assert bool(table.search_fields) == bool(table.found_by), model  # type: ignore[attr-defined]

    assert page(browser, listed("consents_platform")).says("Find by name, client id or id")


def test_a_detail_writes_lists_as_one_does_and_a_dash_where_nothing_is(browser: Client) -> None:
    consent = given.authorised()

    detail = page(browser, f"{listed('consents_consent')}{consent.id}/change/")

    assert detail.says("scopes accounts, balances purposes account_overview duration")
    assert detail.says("ended at - revision") and "None" not in detail.words.split()


# -- columns and words -------------------------------------------------------------------------------------------------


def test_every_cell_says_which_column_it_is_of(browser: Client) -> None:
    """A narrow page has no heads of columns."""
    ledger.platform()

    answer = browser.get(listed("consents_platform"))

    told = answer.content.decode()
    for heading in ("Tick", "Name", "Status", "Attested at", "Profile", "Client ID", "Id"):
        assert f'<th scope="col">{heading}</th>' in told and f'data-heading="{heading}"' in told
    assert told.count("data-heading=") == told.count('<th scope="col">')


def test_entries_of_one_instant_stand_in_the_order_of_the_chain(browser: Client) -> None:
    for number in range(12):
        audit.record(f"test.entry_{number}", actor=BY_USER, now=NOW)
    audit.seal()

    entries = browser.get(listed("consents_auditentry")).context["cl"].result_list

    assert [entry.sequence for entry in entries] == list(range(12, 0, -1))


def test_lists_speak_of_entries_and_policies(browser: Client) -> None:
    ledger.platform()
    for number in range(2):
        audit.record(f"test.entry_{number}", actor=BY_USER, now=NOW)

    entries = page(browser, listed("consents_auditentry"))
    platforms = page(browser, listed("consents_platform"))

    assert "Audit entries: " in entries.words and not entries.says("entrys")
    assert platforms.says("Platforms: 1") and platforms.says("Sandbox") and not platforms.says("By is")
