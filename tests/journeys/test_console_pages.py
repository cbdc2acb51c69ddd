"""The bank's console in a browser: each page light and dark, wide and on a phone, with and without what it lists."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings as configured
from playwright.sync_api import Page

from banks.models import Institution
from consents import clock
from consents.models import ApprovedMerchant, Consent, Platform, Proposal, ReadCount, RefusedCount
from consents.scopes import Scope
from tests.gateway.backoffice.conftest import Clerk, account, clerk_of
from tests.journeys.test_accessibility import Look, look, page  # noqa: F401 -- fixtures
from tests.support import cast

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def northbank() -> Institution:
    bank = cast.institution()
    Institution.objects.filter(id=bank.id).update(name="First Northern Bank")
    cast.permissive_policy(bank)
    return bank


@pytest.fixture
def anne(northbank: Institution, live_server: Any, page: Page) -> Iterator[Clerk]:  # noqa: F811
    """At Northbank, and signed in with the browser of this test."""
    clerk = clerk_of(northbank, "anne")
    name = configured.SESSION_COOKIE_NAME
    page.context.add_cookies([{"name": name, "value": clerk.client.cookies[name].value, "url": live_server.url}])
    yield clerk


def _active(bank: Institution, people: int) -> list[Platform]:
    """Three platforms in use at this bank, with a month of reads and some refused calls."""
    now = clock.now()
    found = []
    for number, name in enumerate(("Example Chat", "Budget Bot", "Voice Assistant with a Long Name")):
        row = cast.platform(name.replace(" ", "-").lower()).platform
        Platform.objects.filter(id=row.id).update(
            name=name, legal_name=f"{name} Ltd", merchant_names=[f"{name} Shop", name]
        )
        for back in range(30):
            ReadCount.objects.create(
                institution_id=bank.id,
                platform_id=row.id,
                read_on=now.date() - timedelta(days=back),
                shard=0,
                reads=(back * 7 + number * 11) % 23,
                last_read_at=now - timedelta(days=back),
            )
        RefusedCount.objects.create(
            institution_id=bank.id,
            platform_id=row.id,
            code="consent_paused",
            refused_at=(now - timedelta(hours=number)).replace(second=0, microsecond=0),
            calls=3 + number,
        )
        found.append(row)
    for number in range(people):
        user = cast.person(f"customer-{number}")
        choices = [cast.choice(account(user, bank))]
        for row in found[: 1 + number % 3]:
            cast.authorised_consent(user, row, (Scope.ACCOUNTS, Scope.BALANCES, Scope.TRANSACTIONS), accounts=choices)
    return found


def test_the_console_from_the_first_look_to_the_lift(
    live_server: Any,
    anne: Clerk,
    page: Page,
    look: Look,
    northbank: Institution,  # noqa: F811
) -> None:
    brian = clerk_of(northbank, "brian")

    def to(path: str) -> None:
        page.goto(f"{live_server.url}{anne.path(path)}")

    to("")
    look("console-empty")
    chat = _active(northbank, 5)[0]
    at = f"platforms/{chat.id}/"
    for path, name in (
        ("", "console-overview"),
        ("?q=nobody", "console-not-found"),
        (f"{at}suspend/", "console-suspend"),
        (f"{at}stop-scope/", "console-which-scope"),
        (f"{at}stop-scope/?scope=transactions", "console-stop-scope"),
        ("policy/", "console-policy"),
        ("proposals/", "console-proposals-empty"),
        ("customers/", "console-customers"),
    ):
        to(path)
        look(name)
    to(f"{at}suspend/")
    page.get_by_role("button", name="Suspend now").click()
    assert page.evaluate("document.activeElement.className") == "problems"
    look("console-suspend-error")
    page.get_by_label("A security incident").check()
    page.get_by_role("button", name="Suspend now").click()
    page.get_by_text("Stopped since").wait_for()
    look("console-platform-stopped")
    page.get_by_role("link", name="Lift the stop").click()
    page.get_by_label("The cause of the stop is resolved").check()
    page.get_by_role("button", name="Ask for it").click()
    look("console-proposals")
    page.get_by_role("link", name="Lift a stop: Example Chat").click()
    look("console-proposal-own")
    proposal = Proposal.objects.get()
    assert brian.post(f"proposals/{proposal.id}/", decision="approve").status_code == 303
    to("proposals/")
    look("console-proposals-decided")
    to("audit/")
    look("console-audit")


def test_terms_merchants_and_a_customer(
    live_server: Any,
    anne: Clerk,
    page: Page,
    look: Look,
    northbank: Institution,  # noqa: F811
) -> None:
    chat = _active(northbank, 1)[0]
    ApprovedMerchant.objects.create(
        platform=chat, institution_id=northbank.id, merchant_key="5411:example chat", approved_at=clock.now()
    )
    page.goto(f"{live_server.url}{anne.path(f'platforms/{chat.id}/policy/')}")
    look("console-own-policy")
    page.get_by_label("How far back, in days").fill("9999")
    page.get_by_role("button", name="Show what would change").click()
    assert page.evaluate("document.activeElement.className") == "problems"
    look("console-policy-error")
    page.get_by_label("How far back, in days").fill("30")
    page.get_by_label("Take the platform’s word").check()
    page.get_by_role("button", name="Show what would change").click()
    look("console-review")
    page.goto(f"{live_server.url}{anne.path(f'platforms/{chat.id}/merchants/')}")
    look("console-merchants")
    page.get_by_role("link", name="Remove").click()
    look("console-merchant-remove")
    page.goto(f"{live_server.url}{anne.path('customers/')}")
    page.get_by_role("button", name="Look up").click()
    look("console-customers-error")
    page.get_by_label("Reference", exact=True).fill(str(Consent.objects.get().id))
    page.get_by_label("A complaint of the customer").check()
    page.get_by_role("button", name="Look up").click()
    page.get_by_role("heading", name="A customer’s consents").wait_for()
    look("console-customer")
    page.get_by_role("link", name="Suspend").click()
    look("console-customer-suspend")
